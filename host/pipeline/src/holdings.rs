//! What a process holds: beginning a topic, taking partitions, and committing an epoch to all tables of a pipeline.
//!
//! The first table is the primary: what it says is where a partition stands. It is always written last, so that
//! whatever is killed in between leaves the others ahead by at most one epoch, and never behind.

mod begin;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::batch::TopicPartition;
use crate::checkpoint::{Entry, EntryKey, Offsets};
use crate::clock::Clock;
use crate::commit::{Committer, Proposal, Range};
use crate::error::{Error, Kind};
use crate::replay::Replayed;
use crate::sink::{Files, LetterFloor, Table};
use crate::source::{Source, Start, TopicInfo};

/// What the operator allows that Weir would refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// A table was rolled back: go on from the newest snapshot of the pipeline that is left.
    pub rollback: bool,
    /// A topic was deleted and made again: begin it anew at its oldest record.
    pub new_topic: bool,
    /// A topic of the same name comes from another cluster.
    pub new_cluster: bool,
    /// Retention removed records before they were read, or the log ends before V: go on from what is there.
    pub lost_records: bool,
    /// Another pipeline writes the same topic into the same table.
    pub other_pipeline: bool,
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
    /// Offsets at or beyond V that stand among the dead letters.
    pub rejected: Arc<BTreeSet<i64>>,
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

    /// Takes partitions: makes this process their holder in every table, the primary last, and reads where they
    /// stand. Topics without entries are begun first.
    ///
    /// # Errors
    /// Fatal: every case that fails closed.
    pub async fn take<S: Source>(&self, source: &S, wanted: &[TopicPartition], turn: u64) -> Result<Vec<Taken>, Error> {
        let holder = self.holder(turn);
        let mut by_topic: BTreeMap<Arc<str>, Vec<&TopicPartition>> = BTreeMap::new();
        for partition in wanted {
            by_topic.entry(Arc::clone(&partition.topic)).or_default().push(partition);
        }
        let mut taken = Vec::new();
        for (topic, partitions) in by_topic {
            let info = self.describe(source, &topic).await?;
            self.begin(source, &topic, &info).await?;
            let keys: Vec<(TopicPartition, EntryKey)> =
                partitions.iter().map(|p| ((*p).clone(), key(&info, p))).collect();
            let mut entries: BTreeMap<EntryKey, Vec<Entry>> = BTreeMap::new();
            for at in self.order() {
                let offsets = self.hold(at, &keys, &info, &holder).await?;
                for (_, key) in &keys {
                    let entry = offsets.get(key).cloned().ok_or_else(|| gone(self.tables[at].name(), key))?;
                    entries.entry(key.clone()).or_default().push(entry);
                }
            }
            for (source, key) in keys {
                // Written last, wanted first: the primary.
                let mut entries = entries.remove(&key).unwrap_or_default();
                entries.reverse();
                taken.push(Taken { source, key, entries, rejected: Arc::default() });
            }
        }
        self.check_extents(source, &mut taken).await?;
        self.read_letters(&mut taken).await?;
        Ok(taken)
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
            };
            let table = &self.tables[at];
            let done = self
                .committer
                .commit(table, &proposal, |offsets| self.advance(at, offsets, held, epoch, share))
                .await?;
            table.committed(&done.head);
            for taken in &mut after {
                if let Some(entry) = done.offsets.get(&taken.key) {
                    taken.entries[at] = entry.clone();
                }
            }
            self.count(share);
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
            update.insert(taken.key.clone(), Entry { next: to.max(entry.next), rows, ..entry.clone() });
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

    fn count(&self, share: &Share<T::Files>) {
        let stats = &self.committer.stats;
        stats.commits.add(1);
        stats.rows_committed.add(share.rows.values().sum());
        if let Some(files) = &share.files {
            stats.files_committed.add(files.count() as u64);
            stats.bytes_committed.add(files.bytes());
        }
        stats.last_commit_ms.set(self.committer.clock.now_ms());
    }

    /// Dead letters, other secondaries, the primary last.
    fn order(&self) -> impl Iterator<Item = usize> + use<T, C> {
        (0..self.tables.len()).rev()
    }

    async fn describe<S: Source>(&self, source: &S, topic: &str) -> Result<TopicInfo, Error> {
        let mut pause = crate::commit::Pause::default();
        loop {
            match source.describe(topic).await {
                Err(e) if e.kind == Kind::Retry => {
                    tracing::warn!(topic, error = %e, "cannot ask the cluster about the topic; trying again");
                    pause.wait(&*self.committer.clock).await;
                }
                other => return other,
            }
        }
    }

    /// Writes this process as holder into one table. A table without an entry copies the primary's.
    async fn hold(
        &self,
        at: usize,
        keys: &[(TopicPartition, EntryKey)],
        info: &TopicInfo,
        holder: &str,
    ) -> Result<Offsets, Error> {
        let primary = if at == 0 {
            Offsets::new()
        } else {
            let head = self.committer.load(&self.tables[0]).await?;
            self.committer.offsets_at(self.tables[0].name(), &head.view)?.offsets
        };
        let decide = |offsets: &Offsets| {
            let mut update = BTreeMap::new();
            for (_, key) in keys {
                let mut entry = match offsets.get(key) {
                    Some(entry) => entry.clone(),
                    None => primary
                        .get(key)
                        .map(|e| Entry { rows: 0, first: e.next, ..e.clone() })
                        .ok_or_else(|| gone(self.tables[at].name(), key))?,
                };
                if entry.topic_id != info.topic_id {
                    // Only with --accept-new-topic: begin_topic has refused it otherwise.
                    entry = Entry { rows: entry.rows, ..begin_entry(info, 0) };
                }
                entry.holder = holder.to_string();
                update.insert(key.clone(), entry);
            }
            Ok(update)
        };
        let done = self.committer.commit(&self.tables[at], &self.empty(), decide).await?;
        self.tables[at].committed(&done.head);
        Ok(done.offsets)
    }

    async fn check_extents<S: Source>(&self, source: &S, taken: &mut [Taken]) -> Result<(), Error> {
        for taken in taken {
            let extent = source.extent(&taken.source).await?;
            let next = taken.next();
            if next >= extent.start && next <= extent.end {
                continue;
            }
            if !self.accept.lost_records {
                let (name, partition) = (self.tables[0].name(), &taken.source);
                return Err(Error::fatal(if next < extent.start {
                    format!(
                        "retention removed records that were never read: {name} wants {partition} from offset {next}, \
                         the oldest there is {}; --accept-lost-records goes on from that",
                        extent.start
                    )
                } else {
                    format!(
                        "{partition} ends at offset {}, before {next}, where {name} stands: the log was cut or is \
                         another one; --accept-lost-records goes on from the log's end",
                        extent.end
                    )
                }));
            }
            // The entry itself moves with the next commit: its range begins here, and the summary shows the gap.
            let from = if next < extent.start { extent.start } else { extent.end };
            self.jump(taken, from).await?;
        }
        Ok(())
    }

    async fn jump(&self, taken: &mut Taken, from: i64) -> Result<(), Error> {
        for at in self.order() {
            let expected = taken.entries[at].clone();
            let moved = Entry { next: from, ..expected.clone() };
            let table = &self.tables[at];
            self.committer
                .commit(table, &self.empty(), |offsets| {
                    self.guard(at, &taken.key, offsets, &expected)?;
                    Ok(BTreeMap::from([(taken.key.clone(), moved.clone())]))
                })
                .await?;
            taken.entries[at] = moved;
        }
        Ok(())
    }

    async fn read_letters(&self, taken: &mut [Taken]) -> Result<(), Error> {
        if !self.has_letters {
            return Ok(());
        }
        let Some(letters) = self.tables.last() else { return Ok(()) };
        // Nothing can stand beyond the primary's V where the letters' own entry is not beyond it.
        let floors: BTreeMap<TopicPartition, LetterFloor> = taken
            .iter()
            .filter(|t| t.entries.last().is_some_and(|e| e.next > t.next()))
            .map(|t| {
                let topic_id = t.entries[0].topic_id.clone();
                let floor = LetterFloor { cluster_id: t.key.cluster_id.to_string(), topic_id, offset: t.next() };
                (t.source.clone(), floor)
            })
            .collect();
        if floors.is_empty() {
            return Ok(());
        }
        let mut found: BTreeMap<TopicPartition, BTreeSet<i64>> = BTreeMap::new();
        for (partition, offset) in letters.letters(&floors).await? {
            found.entry(partition).or_default().insert(offset);
        }
        for taken in taken {
            taken.rejected = Arc::new(found.remove(&taken.source).unwrap_or_default());
        }
        Ok(())
    }

    fn empty(&self) -> Proposal<T::Files> {
        Proposal {
            commit_id: self.committer.commit_id(),
            files: None,
            ranges: Vec::new(),
            rows: 0,
            opened_ms: self.committer.clock.now_ms(),
            replayed: Replayed::default(),
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
    Entry { topic_id: info.topic_id.clone(), next: first, first, rows: 0, holder: String::new() }
}

fn ranges(of: &BTreeMap<TopicPartition, (i64, i64)>) -> Vec<Range> {
    of.iter().map(|(p, &(from, to))| Range { topic: p.topic.to_string(), partition: p.partition, from, to }).collect()
}
