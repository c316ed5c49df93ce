//! A simulated process: the real loop over simulated ports, to be stopped, woken and killed from outside.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arrow_array::{Int32Array, Int64Array, RecordBatch};
use rand::Rng;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::broker::{SimSource, TOPIC};
use super::catalog::{PIPELINE, SimTable};
use super::world::{Shared, SimClock};
use crate::batch::Batch;
use crate::commit::Committer;
use crate::error::Error;
use crate::holdings::{Accept, Holdings};
use crate::run::{Options, Ports, Transformer, run};
use crate::source::Start;
use crate::stats::Stats;
use crate::work::{Applied, Refused};

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

/// A plugin that takes its time. What it makes of a fickle record depends on the process.
struct SimTransformer {
    world: Shared,
    id: u64,
}

impl Transformer for SimTransformer {
    async fn transform(&self, batch: Batch, rejected: Arc<BTreeSet<i64>>) -> Result<(Batch, Applied), Error> {
        let time = self.world.lock().travel();
        tokio::time::sleep(time).await;
        let mut applied = Applied::default();
        let mut rows: Vec<(i32, i64, i64)> = Vec::new();
        for (at, record) in batch.records.iter().enumerate() {
            if rejected.contains(&record.offset) {
                applied.refused_before += 1;
                continue;
            }
            let Some(value) = &record.value else { continue };
            let text = std::str::from_utf8(value).unwrap();
            let (kind, n) = text.split_at(1);
            if kind == "x" || kind == "f" && (record.offset as u64 + self.id).is_multiple_of(2) {
                applied.refused.push(Refused { record: at, kind: "plugin", reason: "no".into() });
                continue;
            }
            rows.extend((0..n.parse::<i64>().unwrap()).map(|n| (batch.source.partition, record.offset, n)));
        }
        applied.tables = vec![if rows.is_empty() { Vec::new() } else { vec![columns(&rows)] }];
        Ok((batch, applied))
    }
}

fn columns(rows: &[(i32, i64, i64)]) -> RecordBatch {
    let partition = Int32Array::from_iter_values(rows.iter().map(|r| r.0));
    let offset = Int64Array::from_iter_values(rows.iter().map(|r| r.1));
    let n = Int64Array::from_iter_values(rows.iter().map(|r| r.2));
    RecordBatch::try_from_iter([
        ("partition", Arc::new(partition) as _),
        ("offset", Arc::new(offset) as _),
        ("n", Arc::new(n) as _),
    ])
    .unwrap()
}

/// A running process.
pub(super) struct Process {
    pub(super) ice: Ice,
    pub(super) done: JoinHandle<Result<(), Error>>,
    shutdown: Option<oneshot::Sender<()>>,
    abort: AbortHandle,
}

impl Process {
    pub(super) fn start(world: &Shared, began: Instant, id: u64, until_end: bool, accept: Accept) -> Self {
        let off_ms = world.lock().rng.random_range(-300_000..300_000);
        let clock = SimClock { world: world.clone(), began, off_ms };
        let committer = Committer {
            pipeline: PIPELINE.into(),
            plugins: "digest".into(),
            clock: Arc::new(clock),
            stats: Arc::new(Stats::default()),
            accept_rollback: accept.rollback,
        };
        let holdings = Holdings {
            tables: vec![SimTable::new(world, 0), SimTable::new(world, 1)],
            has_letters: true,
            committer,
            start: Start::Earliest,
            accept,
            process: format!("process-{id}"),
            flaw: world.lock().flaw,
        };
        let source = SimSource::join(world, id);
        let transformer = Arc::new(SimTransformer { world: world.clone(), id });
        let ports = Ports { source: Arc::clone(&source), transformer, holdings: Arc::new(holdings) };
        let options = Options {
            topics: vec![TOPIC.into()],
            commit_interval: Duration::from_secs(2),
            revoke_timeout: Duration::from_secs(3),
            until_end,
            refused_max: 1.0,
        };
        let (events, received) = mpsc::channel(16);
        let (shutdown, stop) = oneshot::channel();
        let ice = Ice::default();
        let both = async move {
            let running = run(ports, options, received, stop);
            tokio::select! {
                biased;
                result = running => result,
                () = source.poll(events) => Err(Error::fatal("the source ended")),
            }
        };
        let done = tokio::spawn(Freezing { ice: ice.clone(), inner: Box::pin(both) });
        Self { ice, abort: done.abort_handle(), done, shutdown: Some(shutdown) }
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
}
