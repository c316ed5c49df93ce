//! Compaction: the rows of many small files into few, in the table's order, without a change of what the table says.
//!
//! First files are chosen, then those of a group are rewritten, then the new ones take their places in one commit: a
//! `replace`, staged again on whatever head there is, as long as all that it takes away is still there. Ingestion does
//! not wait for it, and no pipeline's offsets are touched.
//!
//! # Memory
//! What is copied is read a column chunk at a time. Other files are read a batch at a time. Of those of a sorted table
//! only so many are open at once as overlap in the sort order; if that would take more than [`Options::memory_bytes`], some are merged beforehand into runs on local disk.
//! Beside it there is one row group that grows (`write.parquet.row-group-size-bytes`), and 64 MB while rows that are in
//! no order are put into one. Files of a remote warehouse are fetched onto local disk first, one group at a time
//! ([`Options::group_bytes_max`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use iceberg::TableIdent;

use crate::catalog::{Catalog, CatalogError};
use crate::layout::LayoutError;
use crate::store::StoreError;
use crate::writer::{Scratch, WriteError};

mod content;
mod copy;
mod held;
mod input;
mod merge;
mod pace;
mod rewrite;
mod runs;
mod select;
mod swap;
#[cfg(test)]
mod tests;

pub use pace::Pace;

pub(crate) use held::{Held, Live};
pub(crate) use select::is_small;

use rewrite::{Ready, Workshop};

/// Groups wait for others until so many bytes of inputs are replaced in one commit: what a kill or a lost input costs is
/// bounded, and so is the number of snapshots.
const COMMIT_BYTES: u64 = 2 << 30;

/// Nor do they wait for others longer than this.
const COMMIT_AFTER_MS: i64 = 2 * 60 * 1000;

/// How files are put together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Strategy {
    /// Files that came after each other become one. Their row groups are copied as they are; those that are too small or
    /// other than the table wants are put together, in the table's order.
    #[default]
    Binpack,
    /// All chosen files of a partition are put into the table's order and cut: no two of the new files overlap.
    Sort,
}

/// What to compact. Names and meanings are those of Iceberg's procedure `rewrite_data_files`.
#[derive(Clone, Debug)]
pub struct Options {
    /// How files are put together.
    pub strategy: Strategy,
    /// `target-file-size-bytes`; the table's `write.target-file-size-bytes` where absent.
    pub target_file_bytes: Option<u64>,
    /// `min-input-files`: fewer files of a partition are left alone, unless they hold more than one target size.
    pub input_files_min: usize,
    /// `max-file-group-size-bytes`: as many bytes of a partition are rewritten at once.
    pub group_bytes_max: u64,
    /// `rewrite-all`: files of the right size too.
    pub rewrite_all: bool,
    /// Bytes that reading may take at once.
    pub memory_bytes: usize,
    /// A folder on local disk.
    pub scratch: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            target_file_bytes: None,
            input_files_min: 5,
            // Iceberg's hundred are for clusters: a group takes as much local disk.
            group_bytes_max: 10 << 30,
            rewrite_all: false,
            // With a row group of 128 MiB and what is decoded meanwhile, a process stays below 512 MB.
            memory_bytes: 160 << 20,
            scratch: std::env::temp_dir(),
        }
    }
}

/// What a compaction did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Groups of files that were rewritten.
    pub groups: usize,
    /// Files that went.
    pub files_before: usize,
    /// Their bytes.
    pub bytes_before: u64,
    /// Of these, files all of whose row groups were copied as they are; what is in the others was encoded again, or some
    /// of it.
    pub files_copied: usize,
    /// Bytes of row groups that were copied.
    pub bytes_copied: u64,
    /// Files that came.
    pub files_after: usize,
    /// Their bytes; of a plan, those of the files that would go.
    pub bytes_after: u64,
    /// Rows in them, the same before and after.
    pub rows: u64,
    /// Live files that stay as they are.
    pub untouched: usize,
    /// Live files of older partition specs, which stay as they are.
    pub older_specs: usize,
    /// CPU time of reading, merging, writing and comparing rows, of groups that came to nothing too.
    pub cpu: Duration,
    /// The snapshots that were made.
    pub commits: Vec<i64>,
    /// Groups that lost a file to somebody else, and why nothing was changed.
    pub given_up: Vec<String>,
    /// Groups that could not be rewritten, and why.
    pub failed: Vec<String>,
    /// Files of Weir's own that a commit may have sent and that are left to orphan removal.
    pub left: usize,
}

/// Why nothing was compacted.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The catalog said no.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing of the table may be rewritten, or the rewrite was not the same.
    #[error("{0}")]
    Refused(String),
    /// A file is not what it should be.
    #[error("{location} cannot be read: {why}")]
    File {
        /// Which.
        location: String,
        /// Why.
        why: String,
    },
    /// Files could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Rows could not be put into order.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Arrow refused rows that were thought good.
    #[error("rows cannot be put together: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// The commit did not come about.
    #[error("the commit that replaces files did not succeed: {0}")]
    Commit(String),
    /// Somebody wanted it to end.
    #[error("stopped")]
    Stopped,
}

/// Says what [`compact`] would do now, and refuses what it would refuse.
///
/// # Errors
/// What cannot be read, or may not be rewritten.
pub async fn plan(catalog: &Catalog, ident: &TableIdent, options: &Options) -> Result<Compaction, CompactError> {
    let head = catalog.load(ident).await?;
    let held = Held::read(catalog.store(), &head.metadata, i64::MAX).await?;
    select::check(&head.metadata, &held, options)?;
    let selection = select::select(&head.metadata, held, options)?;
    let groups = &selection.groups;
    Ok(Compaction {
        groups: groups.len(),
        files_before: groups.iter().map(|group| group.files.len()).sum(),
        bytes_before: groups.iter().map(select::Group::bytes).sum(),
        files_after: groups.iter().map(|group| group.outputs).sum(),
        bytes_after: groups.iter().map(select::Group::bytes).sum(),
        rows: groups.iter().map(select::Group::rows).sum(),
        untouched: selection.untouched,
        older_specs: selection.older_specs,
        ..Compaction::default()
    })
}

/// Compacts. What happens to one group of files happens to it alone; what could not be done is in the result.
///
/// # Errors
/// What cannot be read or may not be rewritten, before anything is written; a commit of which nobody knows.
pub async fn compact(
    catalog: &Catalog,
    ident: &TableIdent,
    options: &Options,
    pace: Pace,
) -> Result<Compaction, CompactError> {
    let head = catalog.load(ident).await?;
    let held = Held::read(catalog.store(), &head.metadata, i64::MAX).await?;
    select::check(&head.metadata, &held, options)?;
    let selection = select::select(&head.metadata, held, options)?;
    let mut done =
        Compaction { untouched: selection.untouched, older_specs: selection.older_specs, ..Compaction::default() };
    let workshop = Workshop {
        store: catalog.store().clone(),
        metadata: Arc::clone(&head.metadata),
        scratch: Scratch::new(options.scratch.clone()),
        strategy: options.strategy,
        memory_bytes: options.memory_bytes as f64,
        pace,
    };
    let mut ready: Vec<Ready> = Vec::new();
    for group in selection.groups {
        let name = group.name();
        match workshop.rewrite(group, &mut done.cpu).await {
            Ok(group) => ready.push(group),
            Err(CompactError::Stopped) => {
                // What is done already is worth its commit.
                swap::replace(catalog, ident, &head.metadata, ready, &mut done).await?;
                return Err(CompactError::Stopped);
            }
            Err(e) => done.failed.push(format!("{name}: {e}")),
        }
        if is_worth_a_commit(&ready) {
            swap::replace(catalog, ident, &head.metadata, std::mem::take(&mut ready), &mut done).await?;
        }
    }
    if !ready.is_empty() {
        swap::replace(catalog, ident, &head.metadata, ready, &mut done).await?;
    }
    Ok(done)
}

fn is_worth_a_commit(ready: &[Ready]) -> bool {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let is_old = ready.iter().any(|r| now_ms.saturating_sub(r.since_ms) >= COMMIT_AFTER_MS);
    is_old || ready.iter().map(|r| r.group.bytes()).sum::<u64>() >= COMMIT_BYTES
}
