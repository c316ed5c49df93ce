//! A simulated process: the real loop over simulated ports, to be stopped, woken and killed from outside.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rand::Rng;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::broker::{SimSource, TOPIC};
use super::catalog::{PIPELINE, SimTable};
use super::plugin::SimTransformer;
use super::world::{Shared, SimClock};
use crate::chain::{Chains, Swap};
use crate::commit::Committer;
use crate::error::Error;
use crate::holdings::{Accept, Holdings};
use crate::run::{Options, Ports, Signals, run};
use crate::stats::Stats;

/// Stops a process as SIGSTOP does: nothing of it runs, its requests go on without it.
#[derive(Clone, Default)]
pub(super) struct Ice(Arc<Mutex<(bool, Option<Waker>)>>);

impl Ice {
    pub(super) fn freeze(&self) {
        self.0.lock().unwrap().0 = true;
    }

    pub(super) fn thaw(&self) {
        let mut ice = self.0.lock().unwrap();
        ice.0 = false;
        if let Some(waker) = ice.1.take() {
            waker.wake();
        }
    }
}

struct Freezing<F> {
    ice: Ice,
    inner: Pin<Box<F>>,
}

impl<F: Future> Future for Freezing<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        {
            let mut ice = self.ice.0.lock().unwrap();
            ice.1 = Some(cx.waker().clone());
            if ice.0 {
                return Poll::Pending;
            }
        }
        self.inner.as_mut().poll(cx)
    }
}

/// A running process.
pub(super) struct Process {
    pub(super) ice: Ice,
    pub(super) stats: Arc<Stats>,
    pub(super) done: JoinHandle<Result<(), Error>>,
    id: u64,
    world: Shared,
    shutdown: Option<oneshot::Sender<()>>,
    swap: mpsc::Sender<Swap<SimTransformer>>,
    abort: AbortHandle,
}

impl Process {
    pub(super) fn start(world: &Shared, began: Instant, id: u64, until_end: bool, accept: Accept) -> Self {
        let off_ms = world.lock().rng.random_range(-300_000..300_000);
        let shape = world.lock().shape;
        let ice = Ice::default();
        let clock = SimClock { world: world.clone(), began, off_ms };
        let stats = Arc::new(Stats::default());
        let committer = Committer {
            pipeline: PIPELINE.into(),
            clock: Arc::new(clock),
            stats: Arc::clone(&stats),
            accept_rollback: accept.rollback,
        };
        let holdings = Holdings {
            tables: (0..=shape.letters()).map(|at| SimTable::new(world, at, &ice)).collect(),
            has_letters: true,
            committer,
            start: shape.start,
            accept,
            process: format!("process-{id}"),
            flaw: world.lock().flaw,
        };
        let source = SimSource::join(world, id);
        let ports = Ports { source: Arc::clone(&source), holdings: Arc::new(holdings) };
        let all = 0..if shape.keeps { shape.plugins } else { 0 };
        let chains = Chains {
            live: SimTransformer::chain(world, id, id % shape.plugins),
            former: all.map(|version| SimTransformer::chain(world, id, version)).collect(),
        };
        let options = Options {
            topics: vec![TOPIC.into()],
            commit_interval: Duration::from_secs(2),
            revoke_timeout: Duration::from_secs(3),
            until_end,
            refused_max: 1.0,
        };
        let (events, received) = mpsc::channel(16);
        let (shutdown, stop) = oneshot::channel();
        let (swap, swaps) = mpsc::channel(4);
        let signals = Signals { events: received, swaps, shutdown: stop };
        let both = async move {
            let running = run(ports, chains, options, signals);
            tokio::select! {
                biased;
                result = running => result,
                () = source.poll(events) => Err(Error::fatal("the source ended")),
            }
        };
        let done = tokio::spawn(Freezing { ice: ice.clone(), inner: Box::pin(both) });
        Self { id, world: world.clone(), ice, stats, abort: done.abort_handle(), done, shutdown: Some(shutdown), swap }
    }

    /// As SIGKILL does.
    pub(super) fn kill(&self) {
        self.abort.abort();
    }

    /// As ctrl-C does.
    pub(super) fn stop(&mut self) {
        if let Some(shutdown) = self.shutdown.take() {
            let _ = shutdown.send(());
        }
    }

    /// As `weir plugin swap` does. One that is full of orders, or stopped, misses it.
    pub(super) fn swap(&self, version: u64) -> oneshot::Receiver<()> {
        let (done, told) = oneshot::channel();
        let _ = self.swap.try_send(Swap { chain: SimTransformer::chain(&self.world, self.id, version), done });
        told
    }
}
