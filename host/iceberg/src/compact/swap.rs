//! The commit of a compaction: a `replace` on whatever head there is, and what becomes of the files when it fails.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use iceberg::TableIdent;
use iceberg::spec::{DataFile, FormatVersion, TableMetadata};
use weir_pipeline::checkpoint;
use weir_pipeline::fault::{self, Point};
use weir_pipeline::sink::SwapError;

use super::held::Held;
use super::rewrite::Ready;
use super::{CompactError, Compaction};
use crate::catalog::{Catalog, Loaded};
use crate::commit::{self, Attempts};
use crate::metadata;
use crate::snapshot::{self, Operation, Replaced, StageError};
use crate::upkeep::MAINTENANCE;

/// Attempts, while others commit.
const ATTEMPTS_MAX: u32 = 30;
/// The pause after the first that failed; each is longer by as much, up to a second.
const PAUSE: Duration = Duration::from_millis(30);

/// Older files are not committed, as no epoch is: orphan removal may have taken them.
const AGE_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// Replaces the inputs of each group by its outputs, in one commit. A group that has lost an input gives up; the others
/// go on. Tells `done` what came of it.
pub(super) async fn replace(
    catalog: &Catalog,
    ident: &TableIdent,
    written_for: &TableMetadata,
    ready: Vec<Ready>,
    done: &mut Compaction,
) -> Result<(), CompactError> {
    let mut swap = Swap { catalog, ident, written_for, attempts: Attempts::default(), sent: Vec::new(), ready };
    let result = swap.run(done).await;
    if result.is_err() {
        // Whatever was sent may be there, or may come to be there yet.
        let given_up = std::mem::take(&mut swap.ready);
        swap.clean_up(given_up, done).await;
    }
    result
}

struct Swap<'a> {
    catalog: &'a Catalog,
    ident: &'a TableIdent,
    written_for: &'a TableMetadata,
    attempts: Attempts,
    /// The head of each attempt, and the snapshot it would have added.
    sent: Vec<(Option<i64>, i64)>,
    ready: Vec<Ready>,
}

impl Swap<'_> {
    async fn run(&mut self, done: &mut Compaction) -> Result<(), CompactError> {
        let mut last = String::new();
        for attempt in 0..ATTEMPTS_MAX {
            tokio::time::sleep((PAUSE * attempt).min(Duration::from_secs(1))).await;
            let head = self.catalog.load(self.ident).await?;
            if let Some(snapshot) = self.landed(&head.metadata) {
                self.finish(snapshot, &head.metadata, done).await;
                return Ok(());
            }
            let held = self.give_up_what_is_lost(&head, done).await?;
            if self.ready.is_empty() {
                return Ok(());
            }
            match self.attempt(&head, &held).await {
                Ok((snapshot, after)) => {
                    let _ = fault::pass(Point::Swapped);
                    self.finish(snapshot, &after.metadata, done).await;
                    return Ok(());
                }
                Err(SwapError::Conflict(why) | SwapError::Unknown(why)) => last = why,
                Err(e) => return Err(CompactError::Commit(e.to_string())),
            }
        }
        // The last answer may have been lost.
        let head = self.catalog.load(self.ident).await?;
        match self.landed(&head.metadata) {
            Some(snapshot) => {
                self.finish(snapshot, &head.metadata, done).await;
                Ok(())
            }
            None => Err(CompactError::Commit(format!("{ATTEMPTS_MAX} attempts, the last: {last}"))),
        }
    }

    /// The snapshot of an attempt that is in the head's history.
    fn landed(&self, head: &TableMetadata) -> Option<i64> {
        let is_sent = |id: i64| self.sent.iter().any(|(_, snapshot)| *snapshot == id);
        metadata::ancestry(head).map(|snapshot| snapshot.snapshot_id()).find(|id| is_sent(*id))
    }

    /// Lets go of groups whose inputs are not all live in the head, and of all where what was written would mean
    /// something else there. Tells what the head holds.
    async fn give_up_what_is_lost(&mut self, head: &Loaded, done: &mut Compaction) -> Result<Held, CompactError> {
        let newest = self.ready.iter().flat_map(|r| &r.group.files).map(|live| live.sequence).max().unwrap_or(0);
        let held = Held::read(self.catalog.store(), &head.metadata, newest).await?;
        let why = if head.metadata.uuid() != self.written_for.uuid() {
            Some("the table was dropped and made again".to_string())
        } else if head.metadata.format_version() != FormatVersion::V2 {
            Some("the table has another format version now".to_string())
        } else if held.deletes.is_some() {
            Some("somebody has added delete files meanwhile".to_string())
        } else {
            commit::check_fresh(&head.metadata, self.written_for).err()
        };
        let now_ms = chrono::Utc::now().timestamp_millis();
        let is_old = |r: &Ready| now_ms.saturating_sub(r.since_ms) > AGE_MAX_MS;
        let is_live = |r: &Ready| r.group.files.iter().all(|live| held.files.contains_key(live.file.file_path()));
        let ready = std::mem::take(&mut self.ready);
        let (keep, lost): (Vec<_>, Vec<_>) = ready.into_iter().partition(|r| why.is_none() && is_live(r) && !is_old(r));
        self.ready = keep;
        for group in &lost {
            let because = why.as_deref().unwrap_or(match is_old(group) {
                true => "rewriting them took more than a day",
                false => "somebody else has replaced or deleted one of them meanwhile",
            });
            done.given_up.push(format!("{}: {because}", group.group.name()));
        }
        self.clean_up(lost, done).await;
        Ok(held)
    }

    async fn attempt(&mut self, head: &Loaded, held: &Held) -> Result<(i64, Loaded), SwapError> {
        let outputs = self.ready.iter().flat_map(|r| r.files.iter().map(|file| file.data_file().clone()));
        let added: Vec<DataFile> = outputs.collect();
        let sequences: Vec<i64> = self.ready.iter().flat_map(|r| vec![sequence(r); r.files.len()]).collect();
        let removed: Vec<DataFile> =
            self.ready.iter().flat_map(|r| r.group.files.iter().map(|live| live.file.clone())).collect();
        let manifests: BTreeSet<String> = removed
            .iter()
            .filter_map(|file| held.files.get(file.file_path()))
            .map(|live| live.manifest.clone())
            .collect();
        let summary = [(MAINTENANCE, "compact"), (checkpoint::VERSION, env!("CARGO_PKG_VERSION"))];
        let operation = Operation {
            added: &added,
            replaced: Some(Replaced { files: &removed, manifests: &manifests, sequences: &sequences }),
            spec_id: self.written_for.default_partition_spec_id(),
            summary: summary.into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            now_ms: chrono::Utc::now().timestamp_millis(),
            ..Operation::default()
        };
        let staged = match snapshot::stage(&self.catalog.store().file_io(), &head.metadata, operation).await {
            Ok(staged) => staged,
            Err(StageError::Passing(why)) => return Err(SwapError::Unknown(why)),
            Err(e) => return Err(e.into()),
        };
        fault::pass(Point::ListWritten).map_err(SwapError::Unknown)?;
        let base = head.metadata.current_snapshot_id();
        self.sent.push((base, staged.snapshot_id));
        match self.catalog.replace(self.ident, head, staged.requirements, staged.updates).await {
            Ok(after) => Ok((staged.snapshot_id, after)),
            Err(e) => {
                self.attempts.failed(base, staged.snapshot_id, staged.written);
                Err(e)
            }
        }
    }

    /// All groups are in the table.
    async fn finish(&mut self, snapshot: i64, head: &TableMetadata, done: &mut Compaction) {
        done.commits.push(snapshot);
        for ready in std::mem::take(&mut self.ready) {
            done.groups += 1;
            done.rows += ready.group.rows();
            done.files_before += ready.group.files.len();
            done.bytes_before += ready.group.bytes();
            done.files_copied += ready.copied.files;
            done.bytes_copied += ready.copied.bytes;
            done.files_after += ready.files.len();
            done.bytes_after += ready.files.iter().map(|f| f.data_file().file_size_in_bytes()).sum::<u64>();
        }
        for location in self.attempts.settle(head) {
            let _ = self.catalog.store().delete(&location).await;
        }
    }

    /// Deletes the files of groups that have given up, where it is known that no attempt has put them into the table
    /// nor can yet: the history has gone on with another snapshot from every head that one was made on.
    async fn clean_up(&self, given_up: Vec<Ready>, done: &mut Compaction) {
        let files: HashSet<String> =
            given_up.iter().flat_map(|r| r.files.iter().map(|file| file.data_file().file_path().to_string())).collect();
        if files.is_empty() {
            return;
        }
        let is_settled = match self.catalog.load(self.ident).await {
            _ if self.sent.is_empty() => true,
            Ok(head) => {
                self.sent.iter().all(|(base, snapshot)| metadata::was_never_applied(&head.metadata, *base, *snapshot))
            }
            Err(_) => false,
        };
        for location in files {
            if !is_settled || self.catalog.store().delete(&location).await.is_err() {
                done.left += 1;
            }
        }
    }
}

/// The data sequence number of a group's outputs: the newest of its inputs'. No delete file is in the head, and one that
/// comes later has a higher number: it applies to the outputs as it would have to the inputs.
fn sequence(ready: &Ready) -> i64 {
    ready.group.files.iter().map(|live| live.sequence).max().unwrap_or(0)
}
