//! One commit to one table: guard, swap, and what follows a swap that failed or whose answer was lost.
//!
//! The guard looks at the very metadata that the swap is conditional on, so that nothing can come between the two.
//! After any failure the head is loaded anew: if it holds this commit's id, the commit is done, whatever the answer
//! said; if the guard still passes, the same files are staged on the new head; else somebody else owns the entries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::{self, Committed, Entry, EntryKey, Offsets};
use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::fault::{self, Point};
use crate::replay::{self, Replayed};
use crate::sink::{Change, Head, HeadView, SwapError, Table};
use crate::stats::Stats;

/// An epoch older than this is dropped: orphan removal, by anyone, may have taken its files for forgotten ones.
const AGE_MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// First pause after a failed swap; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// Longest pause: long enough to spare a catalog in trouble, short enough to be back soon after it.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Offsets `[from, to)` of one partition that a commit adds.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Range {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// First offset.
    pub from: i64,
    /// First offset after.
    pub to: i64,
}

/// What one commit adds to one table.
#[derive(Clone, Debug)]
pub struct Proposal<F> {
    /// Random, one for each epoch and table.
    pub commit_id: String,
    /// The epoch's files in this table.
    pub files: Option<F>,
    /// What they hold.
    pub ranges: Vec<Range>,
    /// Rows in them.
    pub rows: u64,
    /// When the epoch's first file may have been begun, milliseconds since 1970.
    pub opened_ms: i64,
    /// The dead letters that are replayed with it; none in the commits of a running pipeline.
    pub replayed: Replayed,
    /// The chain that made the rows; none where there are no rows.
    pub chain: Option<Arc<str>>,
}

/// Who commits: the same for all commits of a process.
#[derive(Debug)]
pub struct Committer<C> {
    /// The pipeline's name.
    pub pipeline: String,
    /// Time and randomness.
    pub clock: Arc<C>,
    /// What is counted.
    pub stats: Arc<Stats>,
    /// Read V after a rollback from the newest snapshot that is left.
    pub accept_rollback: bool,
}

/// A commit that is in the table.
#[derive(Clone, Debug)]
pub struct Done<M> {
    /// V as this commit wrote it. Never V as it may have become since: whoever took an entry meanwhile must not be
    /// mistaken for this process.
    pub offsets: Offsets,
    /// The head that the commit was built on, or found in.
    pub head: Head<M>,
}

impl<C: Clock> Committer<C> {
    /// A new commit id.
    pub fn commit_id(&self) -> String {
        format!("{:032x}", self.clock.random())
    }

    /// V of this pipeline at a head.
    ///
    /// # Errors
    /// Fatal: a contradiction between property and history.
    pub fn offsets_at(&self, table: &str, view: &HeadView) -> Result<Committed, Error> {
        checkpoint::offsets_at(view, &self.pipeline)
            .or_else(|c| {
                if self.accept_rollback { checkpoint::offsets_after_rollback(view, &self.pipeline) } else { Err(c) }
            })
            .map_err(|c| {
                Error::fatal(format!(
                    "{table}: {c}; Weir stops, for going on could lose or double rows; --accept-rollback goes on from \
                     the newest snapshot of the pipeline that is left"
                ))
            })
    }

    /// Loads a table's head, for as long as that takes.
    ///
    /// # Errors
    /// Fenced or fatal.
    pub async fn load<T: Table>(&self, table: &T) -> Result<Head<T::Metadata>, Error> {
        let mut pause = Pause::default();
        loop {
            match table.load().await {
                Ok(head) => return Ok(head),
                Err(e) if e.kind == Kind::Retry => {
                    self.stats.retries.add(1);
                    tracing::warn!(table = table.name(), error = %e, "cannot load the table; trying again");
                    pause.wait(&*self.clock).await;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Commits, unless `decide` says no on the head at hand. `decide` gets V and answers with the entries to set.
    ///
    /// # Errors
    /// Fenced: the guard failed, or the files are stale or too old. Fatal: a contradiction, or what `decide` says.
    pub async fn commit<T, D>(
        &self,
        table: &T,
        proposal: &Proposal<T::Files>,
        decide: D,
    ) -> Result<Done<T::Metadata>, Error>
    where
        T: Table,
        D: Fn(&Offsets) -> Result<BTreeMap<EntryKey, Entry>, Error>,
    {
        let mut pause = Pause::default();
        // What the last attempt wrote, if it was applied: an attempt that is found applied is the last one, since
        // every earlier one was conditional on a head that has moved, or on the same head and wrote the same.
        let mut written = Offsets::new();
        loop {
            let head = self.load(table).await?;
            let committed = self.offsets_at(table.name(), &head.view)?;
            if checkpoint::holds_commit(&head.view, &proposal.commit_id) || committed.commit_id == proposal.commit_id {
                return Ok(Done { offsets: written, head });
            }
            let now_ms = self.clock.now_ms();
            if proposal.files.is_some() && now_ms - proposal.opened_ms > AGE_MAX_MS {
                return Err(Error::fenced(format!("{}: the epoch is older than a day", table.name())));
            }
            let mut offsets = committed.offsets;
            offsets.extend(decide(&offsets)?);
            let replayed = self.replayed(table.name(), &head.view, proposal)?;
            let change = self.change(proposal, &offsets, replayed, now_ms);
            match swap(table, &head, &change).await {
                Ok(()) => return Ok(Done { offsets, head }),
                Err(SwapError::Stale(why)) => return Err(Error::fenced(format!("{}: {why}", table.name()))),
                Err(SwapError::Fatal(why)) => return Err(Error::fatal(format!("{}: {why}", table.name()))),
                Err(SwapError::Conflict(why)) => {
                    self.stats.conflicts.add(1);
                    tracing::debug!(table = table.name(), why, "somebody else committed first; trying again");
                }
                Err(SwapError::Unknown(why)) => {
                    self.stats.retries.add(1);
                    tracing::warn!(table = table.name(), why, "the outcome of a commit is unknown; looking for it");
                }
            }
            written = offsets;
            pause.wait(&*self.clock).await;
        }
    }

    /// What was replayed into a table, at a head.
    ///
    /// # Errors
    /// Fatal: a contradiction between property and history.
    pub fn replayed_at(&self, table: &str, view: &HeadView) -> Result<Replayed, Error> {
        replay::replayed_at(view, &self.pipeline)
            .or_else(
                |c| {
                    if self.accept_rollback { replay::replayed_after_rollback(view, &self.pipeline) } else { Err(c) }
                },
            )
            .map_err(|c| {
                Error::fatal(format!(
                    "{table}: {c}; nothing is replayed, for a letter could come twice; --accept-rollback goes on from \
                     the newest replay that is left"
                ))
            })
    }

    /// What will have been replayed into a table after a proposal that replays.
    fn replayed<F>(&self, table: &str, view: &HeadView, proposal: &Proposal<F>) -> Result<Option<Replayed>, Error> {
        if proposal.replayed.is_empty() {
            return Ok(None);
        }
        let mut replayed = self.replayed_at(table, view)?;
        if let Some((origin, offset)) = replayed.common(&proposal.replayed) {
            let (topic, partition) = (&origin.key.topic, origin.key.partition);
            return Err(Error::fenced(format!("{table}: {topic}/{partition} offset {offset} was replayed meanwhile")));
        }
        replayed.extend(&proposal.replayed);
        Ok(Some(replayed))
    }

    fn change<F: Clone>(
        &self,
        proposal: &Proposal<F>,
        offsets: &Offsets,
        replayed: Option<Replayed>,
        now_ms: i64,
    ) -> Change<F> {
        let replayed = replayed.map(|r| r.value(&proposal.commit_id));
        let ranges = serde_json::to_string(&proposal.ranges).unwrap_or_default();
        let summary = [
            (checkpoint::PIPELINE, self.pipeline.clone()),
            (checkpoint::COMMIT_ID, proposal.commit_id.clone()),
            (checkpoint::OFFSETS, checkpoint::summary_value(offsets)),
            (checkpoint::RANGES, ranges),
            (checkpoint::ROWS, proposal.rows.to_string()),
            (checkpoint::VERSION, env!("CARGO_PKG_VERSION").to_string()),
        ];
        let chain = proposal.chain.iter().map(|chain| (checkpoint::PLUGINS, chain.to_string()));
        let summary = summary.into_iter().chain(chain).chain(replayed.clone().map(|r| (replay::REPLAYED, r)));
        Change {
            files: proposal.files.clone(),
            summary: summary.map(|(k, v)| (k.to_string(), v)).collect(),
            replayed,
            offsets: checkpoint::property_value(&proposal.commit_id, offsets),
            now_ms,
        }
    }
}

async fn swap<T: Table>(table: &T, head: &Head<T::Metadata>, change: &Change<T::Files>) -> Result<(), SwapError> {
    fault::pass(Point::GuardPassed).map_err(SwapError::Unknown)?;
    table.swap(head, change).await?;
    fault::pass(Point::Swapped).map_err(SwapError::Unknown)
}

/// Exponential pauses with full jitter.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    failures: u32,
}

impl Pause {
    pub(crate) async fn wait(&mut self, clock: &impl Clock) {
        let longest = PAUSE_MIN.saturating_mul(1 << self.failures.min(16)).min(PAUSE_MAX);
        self.failures += 1;
        tokio::time::sleep(longest.mul_f64(clock.jitter())).await;
    }
}
