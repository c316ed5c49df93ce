//! Runs the pipelines of a process side by side. They share nothing but the process: one that stops leaves the others
//! running.

use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::{oneshot, watch};
use weir_pipeline::run::{Signals, run};

use crate::assemble::Assembled;
use crate::progress::{Format, Progress};

/// How one pipeline ended.
#[derive(Debug)]
pub struct Ended {
    /// The pipeline's name.
    pub name: String,
    /// Its totals, for the last line.
    pub totals: serde_json::Value,
    /// Why it stopped before its end.
    pub failure: Option<String>,
}

/// Runs until every pipeline has ended. A signal (ctrl-C, SIGTERM) makes all of them commit what is whole and leave; a
/// second one ends the process at once.
pub async fn supervise(pipelines: Vec<Assembled>, format: Format) -> Vec<Ended> {
    let (stop, stopped) = watch::channel(false);
    let signals = tokio::spawn(async move {
        signal().await;
        tracing::info!("leaving: committing what is whole; once more to leave at once");
        let _ = stop.send(true);
        signal().await;
        std::process::exit(130);
    });
    let ended = join_all(pipelines.into_iter().map(|p| one(p, format, stopped.clone()))).await;
    signals.abort();
    ended
}

async fn one(assembled: Assembled, format: Format, mut stopped: watch::Receiver<bool>) -> Ended {
    let Assembled { name, ports, chains, options, events, swaps, reloader, .. } = assembled;
    let stats = Arc::clone(&ports.holdings.committer.stats);
    let source = Arc::clone(&ports.source);
    let lag = move || {
        let lag = source.lag();
        (!lag.is_empty()).then(|| lag.values().sum())
    };
    let progress = Progress::start(name.clone(), format, Arc::clone(&stats), lag);
    let (shutdown, signalled) = oneshot::channel();
    let forward = tokio::spawn(async move {
        // An error says that nobody can signal any more.
        if stopped.wait_for(|stop| *stop).await.is_ok() {
            let _ = shutdown.send(());
        } else {
            std::future::pending::<()>().await;
        }
    });
    let reloading = reloader.map(|reloader| tokio::spawn(reloader.run()));
    let result = run(ports, chains, options, Signals { events, swaps, shutdown: signalled }).await;
    forward.abort();
    if let Some(reloading) = reloading {
        reloading.abort();
    }
    drop(progress);
    let totals = crate::progress::summary(&name, &stats);
    if let Err(e) = &result {
        // Other pipelines of the process may go on: who asks it must learn of this one.
        crate::recent::note(format!("{name} has stopped: {}", e.message));
    }
    Ended { name, totals, failure: result.err().map(|e| e.message) }
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let ctrl_c = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = ctrl_c => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = ctrl_c.await;
        }
    }
}
