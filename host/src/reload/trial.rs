//! What a candidate makes of batches that the live plugins have done, beside them and to no other end.

use tokio::sync::{mpsc, oneshot};
use weir_pipeline::transform::{Effort, Failure, Message, Output, Stage};
use weir_pipeline::work::{Applied, Codec, Worker};

use crate::mirror::Sample;
use crate::workers::STACK_BYTES;

#[cfg(test)]
mod tests;

/// What a candidate made of a batch, held against what the live plugins made of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// The same rows, the same refusals.
    Alike,
    /// Other rows, or fewer refusals.
    Different(String),
    /// A call that failed, or a record refused, where the live plugins had neither.
    Worse(String),
}

/// Holds one against the other.
pub(super) fn compare(sample: &Sample, candidate: &Applied) -> Found {
    let Sample { batch, live, .. } = sample;
    let name = |record: usize| format!("{}@{}", batch.source, batch.records[record].offset);
    if live.failures.is_empty()
        && let Some(failure) = candidate.failures.first()
    {
        let (from, to) = (batch.from, batch.to);
        return Found::Worse(format!("a call with records of {} from {from} to {to} failed: {failure}", batch.source));
    }
    let was_refused = |record: usize| live.refused.iter().any(|refused| refused.record == record);
    if let Some(refused) = candidate.refused.iter().find(|refused| !was_refused(refused.record)) {
        let record = name(refused.record);
        return Found::Worse(format!("record {record} is refused, which the live plugin takes: {}", refused.reason));
    }
    if let Some(refused) = live.refused.iter().find(|r| candidate.refused.iter().all(|c| c.record != r.record)) {
        return Found::Different(format!("record {} is taken, which the live plugin refuses", name(refused.record)));
    }
    for table in 0..live.tables.len().max(candidate.tables.len()) {
        let (ours, theirs) = (live.rows(table), candidate.rows(table));
        if ours != theirs {
            let (from, to) = (batch.from, batch.to);
            return Found::Different(format!(
                "records of {} from {from} to {to} give {theirs} rows of table {table}, and {ours} by the live plugin",
                batch.source
            ));
        }
        if live.tables.get(table) != candidate.tables.get(table) {
            let (from, to) = (batch.from, batch.to);
            return Found::Different(format!(
                "records of {} from {from} to {to} give other values in table {table}",
                batch.source
            ));
        }
    }
    Found::Alike
}

/// A stage that makes no further call in a batch after one that failed: what is looked for is not the record at fault,
/// and a candidate that hangs would be called again for each.
struct Impatient<S> {
    stage: S,
    failed: Option<Failure>,
    /// The live plugins have failed too: then the record at fault is of interest.
    is_patient: bool,
}

impl<S: Stage> Stage for Impatient<S> {
    fn call(
        &mut self,
        topic: &str,
        partition: i32,
        messages: &[Message<'_>],
        effort: Effort,
    ) -> Result<Output, Failure> {
        if let Some(failure) = self.failed.as_ref().filter(|_| !self.is_patient) {
            return Err(failure.clone());
        }
        let called = self.stage.call(topic, partition, messages, effort);
        self.failed = called.as_ref().err().cloned();
        called
    }
}

/// A candidate at work on a batch.
fn attempt<S: Stage, C: Codec>(worker: &mut Worker<Impatient<S>, C>, sample: &Sample) -> Found {
    worker.stage.failed = None;
    worker.stage.is_patient = !sample.live.failures.is_empty();
    compare(sample, &worker.apply(&sample.batch, &sample.known))
}

/// Runs a candidate over the next `batches` batches, on a thread of its own.
///
/// # Errors
/// In what it is worse than the live plugins; it sees no further batch then.
pub(super) async fn canary<S, C>(
    stage: S,
    codec: C,
    mut samples: mpsc::Receiver<Sample>,
    batches: u32,
    told: impl Fn(u32) + Send + 'static,
) -> Result<(), String>
where
    S: Stage + 'static,
    C: Codec + 'static,
{
    let (verdict, given) = oneshot::channel();
    on_thread(move || {
        let mut worker = Worker::new(Impatient { stage, failed: None, is_patient: false }, codec);
        for batch in 0..batches {
            // Nobody waits any more where a newer candidate came.
            if verdict.is_closed() {
                return;
            }
            told(batch);
            let Some(sample) = samples.blocking_recv() else { return };
            if let Found::Worse(why) = attempt(&mut worker, &sample) {
                let _ = verdict.send(Err(why));
                return;
            }
        }
        let _ = verdict.send(Ok(()));
    })?;
    given.await.unwrap_or_else(|_| Err("its thread ended".to_string()))
}

/// Runs a candidate on every batch that comes, on a thread of its own, until there are no more.
///
/// # Errors
/// Where the system gives no thread.
pub(super) fn follow<S, C>(
    stage: S,
    codec: C,
    mut samples: mpsc::Receiver<Sample>,
    told: impl Fn(Found) + Send + 'static,
) -> Result<(), String>
where
    S: Stage + 'static,
    C: Codec + 'static,
{
    on_thread(move || {
        let mut worker = Worker::new(Impatient { stage, failed: None, is_patient: false }, codec);
        while let Some(sample) = samples.blocking_recv() {
            told(attempt(&mut worker, &sample));
        }
    })
}

fn on_thread(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let thread = std::thread::Builder::new().name("candidate".into()).stack_size(STACK_BYTES);
    thread.spawn(work).map(drop).map_err(|e| format!("the system gives no thread for it: {e}"))
}
