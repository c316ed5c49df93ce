//! What a pipeline counts: read by progress lines and by `/metrics`, written from anywhere, never a lock on the way
//! of a record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::batch::TopicPartition;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Reads.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters with a label, for what is rare.
#[derive(Debug, Default)]
pub struct Labelled(Mutex<BTreeMap<String, u64>>);

/// Labels beyond this many are counted together: a label may come from outside.
const LABELS_MAX: usize = 256;

impl Labelled {
    /// Adds to one label.
    pub fn add(&self, label: &str, n: u64) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let label = if map.len() < LABELS_MAX || map.contains_key(label) { label } else { "other" };
        *map.entry(label.to_string()).or_default() += n;
    }

    /// The sum over all labels.
    pub fn total(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// Reads all.
    pub fn get(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where one partition stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The first offset that is not committed.
    pub committed: i64,
    /// The first offset that no worker has been given.
    pub read: i64,
}

/// What one pipeline counts.
#[derive(Debug, Default)]
pub struct Stats {
    /// Records read, rejected ones and tombstones among them.
    pub records: Counter,
    /// Bytes of their values.
    pub bytes: Counter,
    /// Records without a value.
    pub tombstones: Counter,
    /// Rows transformed.
    pub rows: Counter,
    /// Rows committed, by table.
    pub rows_committed: Labelled,
    /// Bytes of data files committed, by table.
    pub bytes_committed: Labelled,
    /// Data files committed, by table.
    pub files_committed: Labelled,
    /// Commits of epochs, by table.
    pub commits: Labelled,
    /// Records rejected, by reason.
    pub rejected: Labelled,
    /// Rejected records that recovery found among the dead letters.
    pub rejected_again: Counter,
    /// Calls of plugins that failed as a whole, by kind.
    pub failures: Labelled,
    /// What was odd in the data and read all the same, by kind.
    pub anomalies: Labelled,
    /// Partitions that the group assigned to this process, each time that it did.
    pub assignments: Counter,
    /// Times that another process was found to own what this one thought its own.
    pub fences: Counter,
    /// Swaps lost to somebody else.
    pub conflicts: Counter,
    /// Catalog calls made again after an error.
    pub retries: Counter,
    /// Chains that took the place of another, or were to, by what came of it: `swapped`, `refused`, `rolled_back`.
    pub swaps: Labelled,
    /// Between the last batch through the old chain and the first through the new one.
    pub swap_pauses: Pauses,
    /// What maintenance has done beside.
    pub maintenance: Maintenance,
    /// When the last commit was done, milliseconds since 1970; 0 before the first.
    pub last_commit_ms: Gauge,
    positions: Mutex<BTreeMap<TopicPartition, Position>>,
    chain: Mutex<String>,
}

/// What the maintenance of a pipeline's tables has done, by table.
#[derive(Debug, Default)]
pub struct Maintenance {
    /// Commits that replaced files.
    pub compactions: Labelled,
    /// Files that went with them.
    pub files_in: Labelled,
    /// Files that came with them.
    pub files_out: Labelled,
    /// Bytes of the files that went.
    pub bytes_in: Labelled,
    /// Bytes of the files that came.
    pub bytes_out: Labelled,
    /// Snapshots that have left.
    pub expired_snapshots: Labelled,
    /// Data files that nothing reached any more, and that were deleted.
    pub expired_files: Labelled,
    /// Files that came to nothing, or could not be deleted: orphan removal finds them.
    pub orphans_left: Labelled,
    /// Work that failed, or that somebody else was before: it is tried again the next time.
    pub failures: Labelled,
    /// Microseconds that it took.
    pub micros: Labelled,
    /// Microseconds of CPU time that compaction's rows took.
    pub cpu_micros: Labelled,
}

/// Times that something stood still.
#[derive(Debug, Default)]
pub struct Pauses {
    /// How many.
    pub count: Counter,
    /// All together, in microseconds.
    pub total_us: Counter,
    /// The last one, in microseconds.
    pub last_us: Gauge,
}

impl Pauses {
    pub(crate) fn add(&self, pause: Duration) {
        let us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.total_us.add(us);
        self.last_us.set(i64::try_from(us).unwrap_or(i64::MAX));
        // Last: who sees it counted finds its length.
        self.count.add(1);
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets.
    pub fn set(&self, n: i64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Reads.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stats {
    /// The partitions that this process holds.
    pub fn positions(&self) -> BTreeMap<TopicPartition, Position> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The digests of the chain that makes the filling epoch.
    pub fn chain(&self) -> String {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_chain(&self, digests: &str) {
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = digests.to_string();
    }

    pub(crate) fn set_positions(&self, positions: BTreeMap<TopicPartition, Position>) {
        *self.positions.lock().unwrap_or_else(PoisonError::into_inner) = positions;
    }
}
