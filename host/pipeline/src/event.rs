//! What can happen to a pipeline: the closed set of events that the loop in [`crate::run`] works through.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::batch::{Batch, TopicPartition};
use crate::error::Error;

/// What a source tells the loop.
#[derive(Debug)]
pub enum SourceEvent {
    /// Records, or the news that there are none up to an offset.
    Fetched(Batch),
    /// The group gave this process these partitions, beside those it has. Nothing is delivered from them before
    /// [`crate::source::Source::seek`].
    Assigned(Vec<TopicPartition>),
    /// The group takes these partitions away, politely: until `done` is used, or dropped, the group waits (within the
    /// session's bounds). Nothing more is delivered from them.
    Revoked(Vec<TopicPartition>, oneshot::Sender<()>),
    /// These partitions are gone already; somebody else may have them.
    Lost(Vec<TopicPartition>),
    /// The source cannot go on.
    Failed(Error),
}

/// Where a source puts its events. Bounded: a full queue is back pressure.
pub type Events = mpsc::Sender<SourceEvent>;

/// A budget of bytes shared by everything in flight. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    permits: Arc<Semaphore>,
    bytes_max: u32,
}

impl Budget {
    /// A budget of at most 4 GiB.
    pub fn new(bytes_max: usize) -> Self {
        let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX).min(Semaphore::MAX_PERMITS as u32).max(1);
        Self { permits: Arc::new(Semaphore::new(bytes_max as usize)), bytes_max }
    }

    /// Takes `bytes` out of the budget if they are there now. More than the whole budget counts as the whole: one
    /// huge record passes alone.
    pub fn try_take(&self, bytes: usize) -> Option<Held> {
        let n = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes_max);
        Arc::clone(&self.permits).try_acquire_many_owned(n).ok().map(|p| Held(Some(p)))
    }

    /// Takes `bytes` out of the budget, waiting until they are there.
    pub async fn take(&self, bytes: usize) -> Held {
        let n = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes_max);
        Held(Arc::clone(&self.permits).acquire_many_owned(n).await.ok())
    }

    /// Bytes that are out now.
    pub fn taken(&self) -> usize {
        self.bytes_max as usize - self.permits.available_permits()
    }
}

/// A share of a [`Budget`], given back on drop.
#[derive(Debug, Default)]
pub struct Held(Option<OwnedSemaphorePermit>);
