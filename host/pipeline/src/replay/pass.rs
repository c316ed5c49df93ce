//! One pass of dead letters through the pipeline's present plugins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;

use super::{Origin, Replayed};
use crate::batch::{Batch, TopicPartition};
use crate::clock::Clock;
use crate::commit::{Committer, Pause, Proposal};
use crate::dead_letter::{Stored, marks};
use crate::error::{Error, Kind};
use crate::event::Held;
use crate::sink::{Epoch, Table};
use crate::work::Applied;

/// What replays: the tables of a pipeline, and who commits to them.
#[derive(Debug)]
pub struct Replayer<T, C> {
    /// The data tables, the primary first; then the dead letters.
    pub tables: Vec<T>,
    /// Who commits.
    pub committer: Committer<C>,
    chain: Arc<str>,
    epochs: AtomicU64,
}

/// What became of some letters. Offsets are those of one origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Replayed now.
    pub replayed: BTreeSet<i64>,
    /// The rows that they gave.
    pub rows: u64,
    /// Replayed before.
    pub before: BTreeSet<i64>,
    /// Refused again, and why.
    pub refused: BTreeMap<i64, String>,
    /// Left alone: why not even tried.
    pub left: BTreeMap<i64, String>,
}

impl<T: Table, C: Clock> Replayer<T, C> {
    /// For the data tables, the primary first, and the dead letters; `chain` names the plugins.
    pub fn new(tables: Vec<T>, committer: Committer<C>, chain: Arc<str>) -> Self {
        Self { tables, committer, chain, epochs: AtomicU64::new(0) }
    }

    /// Gives whole letters of one origin to the plugins, and commits the rows of those that pass: to the secondaries,
    /// to the primary, and last the marks to the dead letters. Whatever is killed in between, the next pass goes on from
    /// there: a table takes only what it has not. `is_trial` commits nothing.
    ///
    /// # Errors
    /// Fatal: a contradiction in a table, a disk or catalog that fails for good.
    pub async fn pass(
        &self,
        origin: &Origin,
        letters: &[Stored],
        is_trial: bool,
        mut apply: impl FnMut(&Batch) -> Applied,
    ) -> Result<Outcome, Error> {
        let mut pause = Pause::default();
        loop {
            match self.attempt(origin, letters, is_trial, &mut apply).await {
                // Somebody else replays the same letters, or changed a table: look again.
                Err(e) if matches!(e.kind, Kind::Fenced | Kind::Retry) => {
                    tracing::warn!(error = %e, "a replay begins again");
                    pause.wait(&*self.committer.clock).await;
                }
                other => return other,
            }
        }
    }

    async fn attempt(
        &self,
        origin: &Origin,
        letters: &[Stored],
        is_trial: bool,
        apply: &mut impl FnMut(&Batch) -> Applied,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        let settled = self.settled(origin).await?;
        let mut states = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            states.push(self.state(table).await?);
        }
        let mut open = Vec::new();
        for letter in letters {
            let offset = letter.record.offset;
            if states.iter().all(|s| s.holds(origin, offset)) {
                outcome.before.insert(offset);
            } else {
                match settled {
                    Some(next) if offset < next => open.push(letter),
                    Some(next) => drop(outcome.left.insert(
                        offset,
                        format!("the table stands at offset {next}: the pipeline has yet to come past this record"),
                    )),
                    None => drop(outcome.left.insert(offset, "the table has no offsets of this topic".to_string())),
                }
            }
        }
        if open.is_empty() {
            return Ok(outcome);
        }
        let applied = apply(&batch(origin, &open));
        for refused in &applied.refused {
            outcome.refused.insert(open[refused.record].record.offset, refused.reason.clone());
        }
        let passed: Vec<&Stored> =
            open.into_iter().filter(|l| !outcome.refused.contains_key(&l.record.offset)).collect();
        let letters_at = self.tables.len() - 1;
        // Secondaries, the primary, the marks.
        for at in (1..letters_at).rev().chain([0, letters_at]) {
            let is_new = |letter: &&&Stored| !states[at].holds(origin, letter.record.offset);
            let new: Vec<&Stored> = passed.iter().filter(is_new).copied().collect();
            if new.is_empty() || is_trial {
                continue;
            }
            let rows = if at == letters_at {
                vec![marks(&self.committer.pipeline, &new, self.committer.clock.now_ms()).map_err(Error::fatal)?]
            } else if new.len() == passed.len() {
                applied.tables.get(at).cloned().unwrap_or_default()
            } else {
                apply(&batch(origin, &new)).tables.into_iter().nth(at).unwrap_or_default()
            };
            let added = self.add(at, origin, &new, rows).await?;
            if at != letters_at {
                outcome.rows += added;
            }
        }
        outcome.replayed.extend(passed.iter().map(|l| l.record.offset));
        Ok(outcome)
    }

    /// Where the primary stands with an origin.
    async fn settled(&self, origin: &Origin) -> Result<Option<i64>, Error> {
        let Some(primary) = self.tables.first() else { return Ok(None) };
        let head = self.committer.load(primary).await?;
        let committed = self.committer.offsets_at(primary.name(), &head.view)?;
        let entry = committed.offsets.get(&origin.key);
        Ok(entry.filter(|e| e.topic_id == origin.topic_id).map(|e| e.next))
    }

    async fn state(&self, table: &T) -> Result<Replayed, Error> {
        let head = self.committer.load(table).await?;
        self.committer.replayed_at(table.name(), &head.view)
    }

    /// Commits the rows of some letters to one table.
    async fn add(&self, at: usize, origin: &Origin, letters: &[&Stored], rows: Vec<RecordBatch>) -> Result<u64, Error> {
        let table = &self.tables[at];
        let epoch = Epoch(self.epochs.fetch_add(1, Ordering::Relaxed));
        let opened_ms = self.committer.clock.now_ms();
        let count: u64 = rows.iter().map(|b| b.num_rows() as u64).sum();
        let mut written = Ok(());
        for batch in rows {
            written = table.write(epoch, batch).await;
            if written.is_err() {
                break;
            }
        }
        let closed = match written {
            Ok(()) => table.close(epoch).await,
            Err(e) => Err(e),
        };
        let files = match closed {
            Ok(files) => files,
            Err(e) => {
                table.discard(epoch).await;
                return Err(e);
            }
        };
        let mut replayed = Replayed { rows: count, ..Replayed::default() };
        letters.iter().for_each(|letter| replayed.add(origin, letter.record.offset));
        let commit_id = self.committer.commit_id();
        let chain = Some(Arc::clone(&self.chain));
        let proposal = Proposal { commit_id, files, ranges: Vec::new(), rows: count, opened_ms, replayed, chain };
        let done = self.committer.commit(table, &proposal, |_| Ok(BTreeMap::new())).await?;
        table.committed(&done.head);
        Ok(count)
    }
}

/// Letters as the batch that they once were part of.
fn batch(origin: &Origin, letters: &[&Stored]) -> Batch {
    let records: Vec<_> = letters.iter().map(|l| l.record.clone()).collect();
    Batch {
        source: TopicPartition::new(Arc::clone(&origin.key.topic), origin.key.partition),
        generation: crate::batch::Generation::default(),
        from: records.first().map_or(0, |r| r.offset),
        to: records.last().map_or(0, |r| r.offset.saturating_add(1)),
        records,
        held: Held::default(),
    }
}
