//! Where workers put copies of what they have done, for candidates that are tried beside the live plugins.
//!
//! A copy is made only where somebody wants it and has room for it: the workers never wait.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use weir_pipeline::batch::Batch;
use weir_pipeline::event::Held;
use weir_pipeline::work::{Applied, Known};

/// Copies that wait for one who tries a candidate: beyond these, batches pass it by.
const WAITING_MAX: usize = 2;

/// A batch, and what the live plugins made of it.
#[derive(Debug)]
pub struct Sample {
    /// The batch. It holds nothing of the source's budget.
    pub batch: Batch,
    /// What was known of its records.
    pub known: Arc<Known>,
    /// What it became.
    pub live: Applied,
}

/// The place, shared by all workers of a pipeline, former ones and new ones.
#[derive(Debug, Default)]
pub struct Mirror {
    /// How many taps there are, so that a batch costs nothing where there is none.
    count: AtomicUsize,
    next: AtomicU64,
    taps: Mutex<Vec<Tap>>,
}

#[derive(Debug)]
struct Tap {
    id: u64,
    /// One batch of so many.
    share: u64,
    seen: u64,
    to: mpsc::Sender<Sample>,
}

/// Ends copies when it is dropped: whoever waits for one hears that there are no more.
#[derive(Debug)]
pub struct Stop {
    mirror: Arc<Mirror>,
    id: u64,
}

impl Drop for Stop {
    fn drop(&mut self) {
        let mut taps = self.mirror.taps();
        taps.retain(|tap| tap.id != self.id);
        self.mirror.count.store(taps.len(), Ordering::Relaxed);
    }
}

impl Mirror {
    /// Copies of one batch in `share`.
    pub fn tap(self: &Arc<Self>, share: u64) -> (Stop, mpsc::Receiver<Sample>) {
        let (to, samples) = mpsc::channel(WAITING_MAX);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut taps = self.taps();
        taps.push(Tap { id, share: share.max(1), seen: 0, to });
        self.count.store(taps.len(), Ordering::Relaxed);
        drop(taps);
        (Stop { mirror: Arc::clone(self), id }, samples)
    }

    /// A worker has done a batch.
    pub fn offer(&self, batch: &Batch, known: &Arc<Known>, applied: &Applied) {
        if self.count.load(Ordering::Relaxed) == 0 || batch.records.is_empty() {
            return;
        }
        let mut taps = self.taps();
        for tap in taps.iter_mut() {
            tap.seen += 1;
            if tap.seen.is_multiple_of(tap.share)
                && let Ok(place) = tap.to.try_reserve()
            {
                place.send(Sample { batch: copy(batch), known: Arc::clone(known), live: applied.clone() });
            }
        }
    }

    fn taps(&self) -> MutexGuard<'_, Vec<Tap>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copy(batch: &Batch) -> Batch {
    Batch {
        source: batch.source.clone(),
        generation: batch.generation,
        from: batch.from,
        to: batch.to,
        records: batch.records.clone(),
        held: Held::default(),
    }
}

#[cfg(test)]
mod tests;
