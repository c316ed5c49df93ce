//! Taking partitions: becoming their holder in every table, reading where they stand, and what stands there already of
//! records that will be read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Holdings, Taken, begin_entry, gone, key};
use crate::batch::TopicPartition;
use crate::chain::Bound;
use crate::checkpoint::{Entry, EntryKey, Offsets};
use crate::clock::Clock;
use crate::commit::Pause;
use crate::error::{Error, Kind};
use crate::fault::{self, Point};
use crate::sink::{LetterFloor, Table};
use crate::source::{Source, TopicInfo};
use crate::work::Known;

impl<T: Table, C: Clock> Holdings<T, C> {
    /// Takes partitions: makes this process their holder in every table, the primary last, and reads where they
    /// stand. Topics without entries are begun first.
    ///
    /// # Errors
    /// Fatal: every case that fails closed.
    pub async fn take<S: Source>(&self, source: &S, wanted: &[TopicPartition], turn: u64) -> Result<Vec<Taken>, Error> {
        self.check_rolled_back().await?;
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
            let mut held = vec![Offsets::new(); self.tables.len()];
            for at in self.order() {
                held[at] = self.hold(at, &keys, &info, &holder).await?;
                fault::pass(Point::Holding).map_err(Error::fenced)?;
            }
            for (source, key) in keys {
                let entry = |(table, offsets): (&T, &Offsets)| {
                    offsets.get(&key).cloned().ok_or_else(|| gone(table.name(), &key))
                };
                let entries = self.tables.iter().zip(&held).map(entry).collect::<Result<_, Error>>()?;
                taken.push(Taken { source, key, entries, known: Arc::default(), bound: None });
            }
        }
        self.still_held(&taken).await?;
        self.check_extents(source, &mut taken).await?;
        for taken in &mut taken {
            taken.bound = self.bound(taken)?;
        }
        self.know(&mut taken).await?;
        Ok(taken)
    }

    async fn describe<S: Source>(&self, source: &S, topic: &str) -> Result<TopicInfo, Error> {
        let mut pause = Pause::default();
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
        if self.is_further(at) && !self.accept.other_pipeline {
            let head = self.committer.load(&self.tables[at]).await?;
            let topic = keys.first().map_or("", |(p, _)| &p.topic);
            self.check_strangers(self.tables[at].name(), &head.view, topic, info)?;
        }
        let decide = |offsets: &Offsets| {
            let mut update = BTreeMap::new();
            for (_, key) in keys {
                let mut entry = match offsets.get(key) {
                    Some(entry) => entry.clone(),
                    None => primary
                        .get(key)
                        .map(|e| Entry { rows: 0, first: e.next, chain: None, ..e.clone() })
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

    /// Another process may have taken a partition, and committed, after this one held the first table and before it held
    /// the primary: what was read of the first ones then is older than what is in the others.
    async fn still_held(&self, taken: &[Taken]) -> Result<(), Error> {
        #[cfg(test)]
        if self.flaw == Some(crate::sim::Flaw::NoHolder) {
            return Ok(());
        }
        for at in self.order().into_iter().filter(|at| *at != 0) {
            let table = &self.tables[at];
            let head = self.committer.load(table).await?;
            let offsets = self.committer.offsets_at(table.name(), &head.view)?.offsets;
            if let Some(taken) = taken.iter().find(|taken| offsets.get(&taken.key) != Some(&taken.entries[at])) {
                let (name, source) = (table.name(), &taken.source);
                return Err(Error::fenced(format!("{name}: another process took {source} while this one did")));
            }
        }
        Ok(())
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
        // Over lost records a table that is ahead stays so. In a log that was cut its offsets mean nothing any more.
        let is_forward = from > taken.next();
        for at in self.order() {
            let expected = taken.entries[at].clone();
            let moved = Entry { next: if is_forward { from.max(expected.next) } else { from }, ..expected.clone() };
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

    /// What a further data table has beyond the primary's V was made by a certain chain; the primary's rows of the same
    /// records must come from it too.
    fn bound(&self, taken: &Taken) -> Result<Option<Bound>, Error> {
        let mut bound: Option<Bound> = None;
        if self.accept.other_plugin {
            return Ok(bound);
        }
        for at in (0..self.tables.len()).filter(|at| self.is_further(*at)) {
            let entry = &taken.entries[at];
            if entry.next <= taken.next() {
                continue;
            }
            let chain = entry.chain.as_deref().unwrap_or("unknown ones");
            let below = match &bound {
                Some(other) if *other.chain != *chain => return Err(self.unmatched(taken, chain, &other.chain)),
                Some(other) => entry.next.max(other.below),
                None => entry.next,
            };
            bound = Some(Bound { chain: chain.into(), below });
        }
        Ok(bound)
    }

    /// The chain that must make records again is not at hand.
    pub(crate) fn unmatched(&self, taken: &Taken, theirs: &str, ours: &str) -> Error {
        let ahead = (0..self.tables.len()).filter(|at| self.is_further(*at));
        let ahead = ahead.max_by_key(|at| taken.entries[*at].next).unwrap_or_default();
        Error::fatal(format!(
            "{} has the records of {} up to offset {}, {} only up to {}: a process ended between the two commits. The \
             plugins were then {theirs}, now they are {ours}, and may make other rows of these records or refuse them. \
             A run with the former plugins until the next commit evens it out; --accept-other-plugin goes on with these",
            self.tables[ahead].name(),
            taken.source,
            taken.entries[ahead].next,
            self.tables[0].name(),
            taken.next(),
        ))
    }

    /// Notes what the tables hold beyond the primary's V.
    async fn know(&self, taken: &mut [Taken]) -> Result<(), Error> {
        let mut found = self.read_letters(taken).await?;
        for taken in taken {
            let floors = (0..self.data_tables()).map(|at| if at == 0 { i64::MIN } else { taken.entries[at].next });
            let rejected = found.remove(&taken.source).unwrap_or_default();
            taken.known = Arc::new(Known { rejected, floors: self.floors(floors.collect()) });
        }
        Ok(())
    }

    fn floors(&self, floors: Vec<i64>) -> Vec<i64> {
        #[cfg(test)]
        if self.flaw == Some(crate::sim::Flaw::NoFloor) {
            return Vec::new();
        }
        floors
    }

    async fn read_letters(&self, taken: &[Taken]) -> Result<BTreeMap<TopicPartition, BTreeSet<i64>>, Error> {
        let mut found: BTreeMap<TopicPartition, BTreeSet<i64>> = BTreeMap::new();
        let Some(letters) = self.tables.last().filter(|_| self.has_letters) else { return Ok(found) };
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
            return Ok(found);
        }
        for (partition, offset) in letters.letters(&floors).await? {
            found.entry(partition).or_default().insert(offset);
        }
        Ok(found)
    }
}
