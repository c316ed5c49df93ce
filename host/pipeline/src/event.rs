//! What can happen to a pipeline: the closed set of events that the loop in [`crate::run`] works through.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::batch::{Batch, Generation, TopicPartition};
use crate::chain::Swap;
use crate::error::Error;
use crate::holdings::Taken;
use crate::sink::Epoch;

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

impl Held {
    /// How many bytes of the budget this is.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

/// Everything that can happen to a pipeline. [`crate::run`] is one loop over these.
#[derive(Debug)]
pub enum Event<F, X> {
    /// The source has something to say.
    Source(SourceEvent),
    /// The source is gone.
    SourceGone,
    /// A batch is transformed and its rows are buffered.
    Transformed(Result<Transformed, Error>),
    /// Partitions were taken from the tables, and it is known where they stand.
    Taken(Vec<(TopicPartition, Generation)>, Result<Vec<Taken>, Error>),
    /// An epoch's files are closed and durable.
    Flushed(Result<Vec<Option<F>>, Error>),
    /// An epoch is in all tables, or is not.
    Committed(Result<Vec<Taken>, Error>),
    /// Where each partition ended when the run began, for a run until the end.
    Ends(Result<BTreeMap<TopicPartition, i64>, Error>),
    /// Whether the partitions that others hold, or that nobody holds yet, are committed to their ends too.
    OthersDone(Result<bool, Error>),
    /// The commit interval is over.
    CommitDue,
    /// A partition was to be given back within a bound, which is over.
    RevokeDue,
    /// Another chain is to make the epochs to come.
    Swap(Swap<X>),
    /// Commit what is whole, and leave.
    Shutdown,
}

/// What became of one batch.
#[derive(Debug)]
pub struct Transformed {
    /// The epoch that the batch was given to.
    pub epoch: Epoch,
    /// The batch's partition.
    pub source: TopicPartition,
    /// Its records, tombstones among them.
    pub records: u64,
    /// Rows for each table, dead letters among them.
    pub rows: Vec<u64>,
    /// Records refused now, not before.
    pub refused: u64,
    /// The first refusal: offset and reason.
    pub first_refusal: Option<(i64, String)>,
}
