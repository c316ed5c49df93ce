//! What a process holds: beginning a topic, taking partitions, and committing an epoch to all tables of a pipeline.
//!
//! The first table is the primary: what it says is where a partition stands. It is always written last, so that
//! whatever is killed in between leaves the others ahead by at most one epoch, and never behind.

mod begin;
mod rolled_back;
mod take;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::TopicPartition;
use crate::chain::Bound;
use crate::checkpoint::{Entry, EntryKey, Offsets};
use crate::clock::Clock;
use crate::commit::{Committer, Proposal, Range};
use crate::error::Error;
use crate::fault::{self, Point};
use crate::replay::Replayed;
use crate::sink::{Files, Table};
use crate::source::{Start, TopicInfo};
use crate::work::Known;

/// What the operator allows that Weir would refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// A table was rolled back: go on from the newest snapshot of the pipeline that is left. Refused where rows of another
    /// table than the primary would be missing, unless `lost_records` allows that.
    pub rollback: bool,
    /// A topic was deleted and made again: begin it anew at its oldest record.
    pub new_topic: bool,
    /// A topic of the same name comes from another cluster.
    pub new_cluster: bool,
    /// Retention removed records before they were read, or the log ends before V: go on from what is there.
    pub lost_records: bool,
    /// Another pipeline writes the same topic into the same table.
    pub other_pipeline: bool,
    /// A further data table is ahead of the primary, with rows that other plugins made, or that this run's refuse.
    pub other_plugin: bool,
}

/// The tables of a pipeline and the rules that guard them. Shared by the loop's jobs; holds no state of its own.
#[derive(Debug)]
pub struct Holdings<T, C> {
    /// The primary first, then other data tables; the dead letters last, where there are any.
    pub tables: Vec<T>,
    /// Whether the last table takes the dead letters.
    pub has_letters: bool,
    /// Who commits.
    pub committer: Committer<C>,
    /// Where a topic without entries begins.
    pub start: Start,
    /// What is allowed.
    pub accept: Accept,
    /// This process's random id.
    pub process: String,
    /// A protocol known to be wrong, which the simulation must catch.
    #[cfg(test)]
    pub(crate) flaw: Option<crate::sim::Flaw>,
}

/// A partition as this process took it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The partition.
    pub source: TopicPartition,
    /// Its key in the tables.
    pub key: EntryKey,
    /// What stands in each table, in the tables' order.
    pub entries: Vec<Entry>,
    /// What the tables hold of records at or beyond the primary's V.
    pub known: Arc<Known>,
    /// Which chain must make the first of them.
    pub bound: Option<Bound>,
}

impl Taken {
    /// Where processing begins: the primary's V.
    pub fn next(&self) -> i64 {
        self.entries.first().map_or(0, |e| e.next)
    }
}

/// One table's part of an epoch.
#[derive(Clone, Debug)]
pub struct Share<F> {
    /// The files, where there are rows.
    pub files: Option<F>,
    /// Rows of each partition.
    pub rows: BTreeMap<TopicPartition, u64>,
}

/// An epoch, transformed and written, before its commit.
#[derive(Clone, Debug)]
pub struct Closed<F> {
    /// What each partition gave: the range.
    pub ranges: BTreeMap<TopicPartition, (i64, i64)>,
    /// Each table's part, in the tables' order.
    pub shares: Vec<Share<F>>,
    /// When the epoch was opened, milliseconds since 1970.
    pub opened_ms: i64,
    /// The chain that made its rows.
    pub chain: Arc<str>,
}

impl<T: Table, C: Clock> Holdings<T, C> {
    /// The tables of a pipeline: data tables, the primary one first, and the dead letters last where there are any.
    pub fn new(
        tables: Vec<T>,
        has_letters: bool,
        committer: Committer<C>,
        start: Start,
        accept: Accept,
        process: String,
    ) -> Self {
        Self {
            tables,
            has_letters,
            committer,
            start,
            accept,
            process,
            #[cfg(test)]
            flaw: None,
        }
    }

    /// Commits an epoch: secondaries that got rows, dead letters first, then the primary. Gives the entries as they
    /// stand then.
    ///
    /// # Errors
    /// Fenced: the epoch must be dropped. Fatal: stop.
    pub async fn commit(&self, held: &[Taken], epoch: &Closed<T::Files>) -> Result<Vec<Taken>, Error> {
        let mut after: Vec<Taken> = held.to_vec();
        for at in self.order() {
            let share = &epoch.shares[at];
            if at != 0 && share.files.is_none() {
                continue;
            }
            let proposal = Proposal {
                commit_id: self.committer.commit_id(),
                files: share.files.clone(),
                ranges: ranges(&epoch.ranges),
                rows: share.rows.values().sum(),
                opened_ms: epoch.opened_ms,
                replayed: Replayed::default(),
                chain: Some(Arc::clone(&epoch.chain)),
            };
            let table = &self.tables[at];
            let done = self
                .committer
                .commit(table, &proposal, |offsets| self.advance(at, offsets, held, epoch, share))
                .await?;
            if at != 0 {
                fault::pass(Point::SecondaryCommitted).map_err(Error::fenced)?;
            }
            table.committed(&done.head);
            for taken in &mut after {
                if let Some(entry) = done.offsets.get(&taken.key) {
                    taken.entries[at] = entry.clone();
                }
            }
            self.count(at, share);
        }
        Ok(after)
    }

    /// The entries of an epoch's partitions as they stand after it, if every entry held is what this process knows.
    fn advance(
        &self,
        at: usize,
        offsets: &Offsets,
        held: &[Taken],
        epoch: &Closed<T::Files>,
        share: &Share<T::Files>,
    ) -> Result<BTreeMap<EntryKey, Entry>, Error> {
        let mut update = BTreeMap::new();
        if let Some(stray) = epoch.ranges.keys().find(|p| held.iter().all(|t| t.source != **p)) {
            return Err(Error::fenced(format!("{stray} is no longer held, but the epoch has records of it")));
        }
        for taken in held {
            let entry = &taken.entries[at];
            self.guard(at, &taken.key, offsets, entry)?;
            let Some(&(from, to)) = epoch.ranges.get(&taken.source) else { continue };
            if at == 0 && from != entry.next {
                return Err(Error::fatal(format!(
                    "{}: the epoch's range of {} begins at {from}, but the table stands at {}",
                    self.tables[at].name(),
                    taken.source,
                    entry.next
                )));
            }
            let rows = entry.rows + share.rows.get(&taken.source).copied().unwrap_or(0);
            let next = to.max(entry.next);
            let moved = self.is_further(at) && next > entry.next;
            let chain = if moved { Some(epoch.chain.to_string()) } else { entry.chain.clone() };
            update.insert(taken.key.clone(), Entry { next, rows, chain, ..entry.clone() });
        }
        Ok(update)
    }

    fn holder(&self, turn: u64) -> String {
        #[cfg(test)]
        if self.flaw == Some(crate::sim::Flaw::NoHolder) {
            return String::new();
        }
        format!("{}.{turn}", self.process)
    }

    fn guard(&self, at: usize, key: &EntryKey, offsets: &Offsets, expected: &Entry) -> Result<(), Error> {
        #[cfg(test)]
        if self.flaw == Some(crate::sim::Flaw::GuardAtMost)
            && offsets.get(key).is_some_and(|found| expected.next <= found.next)
        {
            return Ok(());
        }
        guard(self.tables[at].name(), key, offsets, expected)
    }

    fn count(&self, at: usize, share: &Share<T::Files>) {
        let (stats, table) = (&self.committer.stats, self.tables[at].name());
        let rows = share.rows.values().sum();
        stats.commits.add(table, 1);
        stats.rows_committed.add(table, rows);
        if let Some(files) = &share.files {
            stats.files_committed.add(table, files.count() as u64);
            stats.bytes_committed.add(table, files.bytes());
        }
        stats.last_commit_ms.set(self.committer.clock.now_ms());
    }

    /// How many of the tables take rows of plugins.
    pub fn data_tables(&self) -> usize {
        self.tables.len() - usize::from(self.has_letters)
    }

    /// Whether a table is a data table beside the primary.
    fn is_further(&self, at: usize) -> bool {
        (1..self.data_tables()).contains(&at)
    }

    /// Dead letters, other secondaries by name, the primary last.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.tables.len()).collect();
        order.sort_by_key(|at| (*at < self.data_tables(), *at == 0, self.tables[*at].name()));
        order
    }

    fn empty(&self) -> Proposal<T::Files> {
        Proposal {
            commit_id: self.committer.commit_id(),
            files: None,
            ranges: Vec::new(),
            rows: 0,
            opened_ms: self.committer.clock.now_ms(),
            replayed: Replayed::default(),
            chain: None,
        }
    }
}

/// `==` on the whole entry, never `<=`: an entry that is further on is somebody else's work.
fn guard(table: &str, key: &EntryKey, offsets: &Offsets, expected: &Entry) -> Result<(), Error> {
    match offsets.get(key) {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(Error::fenced(format!(
            "{table}: {}/{} stands at {} for the holder {}, this process left it at {} for {}",
            key.topic, key.partition, found.next, found.holder, expected.next, expected.holder
        ))),
        None => Err(gone(table, key)),
    }
}

fn gone(table: &str, key: &EntryKey) -> Error {
    Error::fenced(format!("{table}: the entry of {}/{} is gone", key.topic, key.partition))
}

fn key(info: &TopicInfo, partition: &TopicPartition) -> EntryKey {
    entry_key(info, &partition.topic, partition.partition)
}

fn entry_key(info: &TopicInfo, topic: &Arc<str>, partition: i32) -> EntryKey {
    EntryKey { cluster_id: info.cluster_id.as_str().into(), topic: Arc::clone(topic), partition }
}

fn begin_entry(info: &TopicInfo, first: i64) -> Entry {
    Entry { topic_id: info.topic_id.clone(), next: first, first, rows: 0, holder: String::new(), chain: None }
}

fn ranges(of: &BTreeMap<TopicPartition, (i64, i64)>) -> Vec<Range> {
    of.iter().map(|(p, &(from, to))| Range { topic: p.topic.to_string(), partition: p.partition, from, to }).collect()
}
