//! Rows to data files.
//!
//! A writer buffers the rows of one table, by epoch, bounded in bytes over all epochs. When the buffer is full, the
//! rows of its largest partitions are put into the table's sort order and go out as row groups of files that stay open,
//! one a partition; the rest stays and grows. At the end of an epoch everything goes out, and the files are closed.
//!
//! Files of a local warehouse are written where they belong. Those of a remote one are built on local disk and
//! uploaded when the epoch ends. Either way they are durable when [`Writer::close`] returns, and nobody refers to them
//! before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use iceberg::spec::{DataFile, TableMetadata};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weir_pipeline::error::Error;
use weir_pipeline::sink::{Epoch, Files};

use crate::schema::Mapping;
use crate::store::Store;

mod bounds;
mod buffer;
mod chunk;
mod codec;
mod coded;
mod delta;
mod encoding;
mod error;
mod file;
mod fitness;
mod flush;
mod general;
mod groups;
mod hybrid;
mod leaves;
mod metrics;
mod numbers;
mod partition;
mod paths;
mod plan;
mod rewriting;
mod spans;
#[cfg(test)]
mod tests;
mod text;
mod upload;

pub use error::WriteError;
pub(crate) use file::{ChunkBytes, CopiedChunk, CopiedGroup, count_nans};
pub(crate) use paths::partition_folder as partition_name;
pub(crate) use rewriting::{Rewriting, Rewritten, Run, RunWriter, Scratch, make_durable};

use buffer::{Buffer, Buffered};
use paths::Names;
use plan::{Plan, Spill};

/// What files are written for.
#[derive(Clone, Debug)]
pub struct WriteTarget {
    /// The table: its current schema, default partition spec and sort order, properties and location.
    pub metadata: Arc<TableMetadata>,
    /// The plugin's columns as those of the table's current schema.
    pub mapping: Mapping,
}

/// How much a writer may hold.
#[derive(Clone, Debug)]
pub struct BufferLimits {
    /// Bytes of rows in memory, over all epochs. Beyond them comes what is being encoded: for each encoder one row
    /// group, encoded.
    pub bytes_max: usize,
    /// A folder on local disk, for files of a remote warehouse until they are uploaded: room for one epoch's files.
    pub spill_dir: PathBuf,
}

/// Closed and durable files, in no commit yet.
#[derive(Clone, Debug)]
pub struct Written {
    /// As the manifest describes them.
    pub files: Arc<Vec<DataFile>>,
    /// The schema they were written with.
    pub schema_id: i32,
    /// The partition spec they were written with.
    pub spec_id: i32,
}

impl Files for Written {
    fn count(&self) -> usize {
        self.files.len()
    }

    fn rows(&self) -> u64 {
        self.files.iter().map(DataFile::record_count).sum()
    }

    fn bytes(&self) -> u64 {
        self.files.iter().map(DataFile::file_size_in_bytes).sum()
    }
}

/// A table's writer. Used by many tasks at once.
///
/// A call that is dropped half way harms nobody: what it had begun goes on by itself.
#[derive(Debug)]
pub struct Writer(Arc<Inner>);

struct Inner {
    store: Store,
    limits: BufferLimits,
    encoders_max: usize,
    names: Arc<Names>,
    spill: Arc<Spill>,
    state: Mutex<State>,
    bytes: AtomicUsize,
    /// One flush at a time: it uses all cores, and frees room for all that wait.
    turn: Arc<Semaphore>,
}

struct State {
    /// One for each plugin whose rows may come, the newest first.
    plans: Vec<Result<Arc<Plan>, Error>>,
    epochs: BTreeMap<Epoch, Buffer>,
    /// Epochs whose late rows vanish.
    discarded: BTreeSet<Epoch>,
}

/// Epochs that late rows may still come from. They come from calls under way, of which there are few.
const DISCARDED_MAX: usize = 1024;

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("limits", &self.limits).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Writer {
    /// A writer of one table's files that encodes as many partitions at once as the machine has cores. Touches no disk
    /// yet. If the target cannot be obeyed, [`Self::check`] and every write say so.
    pub fn new(store: Store, target: WriteTarget, limits: BufferLimits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::with_encoders(store, target, limits, cores)
    }

    /// The same, with so many encoders.
    #[allow(clippy::needless_pass_by_value)]
    pub fn with_encoders(store: Store, target: WriteTarget, limits: BufferLimits, encoders_max: usize) -> Self {
        let names = Arc::new(Names::new());
        let spill = Arc::new(Spill::new(limits.spill_dir.clone()));
        let plan = Plan::new(&store, &target, &names, &spill).map(Arc::new).map_err(Error::from);
        let plans = vec![plan];
        let state = Mutex::new(State { plans, epochs: BTreeMap::new(), discarded: BTreeSet::new() });
        let turn = Arc::new(Semaphore::new(1));
        let bytes = AtomicUsize::new(0);
        Self(Arc::new(Inner { store, limits, encoders_max, names, spill, state, bytes, turn }))
    }

    /// Writes for other targets from the next epoch on: one for each plugin whose rows may come, the newest first. An
    /// epoch's first rows say whose it is. If a target cannot be obeyed, the writes of its epochs say so.
    pub fn retarget(&self, targets: &[WriteTarget]) {
        let plan = |target| Plan::new(&self.0.store, target, &self.0.names, &self.0.spill);
        let plans = targets.iter().map(|target| plan(target).map(Arc::new).map_err(Error::from));
        self.0.state().plans = plans.collect();
    }

    /// Whether the newest target can be obeyed.
    ///
    /// # Errors
    /// The property, partition field or sort field that is in the way.
    pub fn check(&self) -> Result<(), Error> {
        self.0.state().plan(None).map(drop)
    }

    /// Adds rows, as the plugin gave them, to an epoch. Waits while the buffer is full. Rows of a discarded epoch
    /// vanish.
    ///
    /// # Errors
    /// After one, the epoch takes nothing more and is to be discarded: `Retry` for disks and stores, `Fatal` for rows
    /// that do not fit.
    pub async fn write(&self, epoch: Epoch, rows: RecordBatch) -> Result<(), Error> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let Some(plan) = self.0.plan_of(epoch, &rows)? else { return Ok(()) };
        let (batch, partitioned) = Buffered::prepare(&plan, &rows)?;
        drop(rows);
        self.reserve(batch.bytes).await?;
        let bytes = batch.bytes;
        let mut state = self.0.state();
        let is_discarded = state.discarded.contains(&epoch);
        let refusal = match state.epochs.get_mut(&epoch) {
            _ if is_discarded => Ok(()),
            Some(Buffer { failed: Some(e), .. }) => Err(e.clone()),
            None => Err(Error::fatal(format!("rows came for epoch {} after it was closed", epoch.0))),
            Some(buffer) => {
                buffer.add(batch, partitioned);
                return Ok(());
            }
        };
        self.0.release(bytes);
        refusal
    }

    /// Ends an epoch: writes what is buffered, closes the files, makes them durable. `None` where nothing was written.
    ///
    /// # Errors
    /// As for [`Self::write`]. The epoch stays, to be discarded.
    pub async fn close(&self, epoch: Epoch) -> Result<Option<Written>, Error> {
        let turn = self.0.turn().await?;
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move { inner.close(epoch, turn).await }).await.map_err(Error::fatal)?
    }

    /// Drops an open epoch and deletes what it has written. Files of a closed one are not touched.
    pub async fn discard(&self, epoch: Epoch) {
        // From here on its rows vanish; a flush under way is waited for.
        self.0.state().discard(epoch);
        let _turn = self.0.turn().await;
        let buffer = self.0.state().epochs.remove(&epoch);
        if let Some(buffer) = buffer {
            self.0.release(buffer.bytes);
            flush::delete(buffer).await;
        }
    }

    /// Bytes of rows in memory.
    pub fn buffered_bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Takes room for so many bytes, and makes it where there is none. What is larger than all room passes alone.
    async fn reserve(&self, bytes: usize) -> Result<(), Error> {
        while !self.0.try_reserve(bytes) {
            let turn = self.0.turn().await?;
            if self.0.try_reserve(bytes) {
                return Ok(());
            }
            let Some((epoch, epoch_bytes)) = self.0.state().largest() else {
                // Rows on their way into a buffer hold the room: they are there in a moment.
                tokio::task::yield_now().await;
                continue;
            };
            // What stays is what is worth waiting for more of, unless all the room is needed.
            let bytes_max = self.0.limits.bytes_max;
            let left = (bytes_max / 4).min(bytes_max.saturating_sub(bytes)).min(epoch_bytes / 2);
            let inner = Arc::clone(&self.0);
            let flushed = tokio::spawn(async move {
                let flushed = inner.flush(epoch, left).await;
                drop(turn);
                flushed
            });
            // Another epoch's failure is told when that one is closed.
            if let Err(e) = flushed.await.map_err(Error::fatal)? {
                tracing::debug!(epoch = epoch.0, error = %e, "an epoch failed while room was made");
            }
        }
        Ok(())
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.turn).acquire_owned().await.map_err(Error::fatal)
    }

    /// What an epoch is written for; `None` if it was discarded.
    fn plan_of(&self, epoch: Epoch, rows: &RecordBatch) -> Result<Option<Arc<Plan>>, Error> {
        let mut state = self.state();
        if state.discarded.contains(&epoch) {
            return Ok(None);
        }
        if let Some(buffer) = state.epochs.get(&epoch) {
            return buffer.failed.clone().map_or_else(|| Ok(Some(Arc::clone(&buffer.plan))), Err);
        }
        let plan = state.plan(Some(rows))?;
        state.epochs.insert(epoch, Buffer::new(Arc::clone(&plan)));
        Ok(Some(plan))
    }

    fn try_reserve(&self, bytes: usize) -> bool {
        let fits = |taken: usize| (taken == 0 || taken + bytes <= self.limits.bytes_max).then_some(taken + bytes);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    async fn close(&self, epoch: Epoch, turn: OwnedSemaphorePermit) -> Result<Option<Written>, Error> {
        self.flush(epoch, 0).await?;
        let Some(mut buffer) = self.state().epochs.remove(&epoch) else { return Ok(None) };
        let closed = flush::close(&mut buffer, self.encoders_max).await;
        drop(turn);
        let done = match closed {
            Ok(files) => upload::make_durable(&self.store, &files).await.map(|()| files),
            Err(e) => Err(e),
        };
        match done {
            Ok(files) if files.is_empty() => Ok(None),
            Ok(files) => Ok(Some(Written {
                files: Arc::new(files.into_iter().map(|f| f.data_file).collect()),
                schema_id: buffer.plan.schema_id,
                spec_id: buffer.plan.spec.spec_id(),
            })),
            Err(e) => {
                let error = Error::from(e);
                self.release(buffer.fail(error.clone()));
                self.state().epochs.insert(epoch, buffer);
                Err(error)
            }
        }
    }

    /// Writes an epoch's rows until about `bytes_left` stay. The caller has the turn.
    async fn flush(&self, epoch: Epoch, bytes_left: usize) -> Result<(), Error> {
        let taken = match self.state().epochs.get_mut(&epoch) {
            None => return Ok(()),
            Some(Buffer { failed: Some(e), .. }) => return Err(e.clone()),
            Some(buffer) => {
                let fresh = Buffer::new(Arc::clone(&buffer.plan));
                std::mem::replace(buffer, fresh)
            }
        };
        let before = taken.bytes;
        let (mut flushed, result) = flush::flush(taken, bytes_left, self.encoders_max).await;
        self.release(before.saturating_sub(flushed.bytes));
        let mut state = self.state();
        // Rows that came meanwhile join.
        if let Some(meanwhile) = state.epochs.remove(&epoch) {
            flushed.join(meanwhile);
        }
        let result = result.map_err(Error::from);
        if let Err(e) = &result {
            self.release(flushed.fail(e.clone()));
        }
        state.epochs.insert(epoch, flushed);
        result
    }
}

impl State {
    /// The plan for rows; the newest where none fits, which will say what does not.
    fn plan(&self, rows: Option<&RecordBatch>) -> Result<Arc<Plan>, Error> {
        let fits = |plan: &&Result<Arc<Plan>, Error>| match (plan, rows) {
            (Ok(plan), Some(rows)) => plan.mapping.check(rows).is_ok(),
            _ => false,
        };
        let plan = self.plans.iter().find(fits).or(self.plans.first());
        plan.cloned().unwrap_or_else(|| Err(Error::fatal("rows came for no target: this is a mistake in Weir")))
    }

    /// The epoch with the most bytes of rows in memory, and how many.
    fn largest(&self) -> Option<(Epoch, usize)> {
        let sizes = self.epochs.iter().map(|(epoch, b)| (*epoch, b.bytes));
        sizes.max_by_key(|(_, bytes)| *bytes).filter(|(_, bytes)| *bytes > 0)
    }

    fn discard(&mut self, epoch: Epoch) {
        self.discarded.insert(epoch);
        while self.discarded.len() > DISCARDED_MAX {
            self.discarded.pop_first();
        }
    }
}
