//! Which chain makes the next epoch.
//!
//! An epoch has one chain. When another one is ordered, the open epoch is closed for it and commits while the next one
//! fills with the new chain: nothing is drained and nothing waits. While a commit is under way already, the open epoch
//! goes on with the old chain until that is over.
//!
//! Before what is ordered comes what is owed: records that a further data table has and the primary has not are made
//! again by the chain that the table names, whatever is ordered meanwhile. A partition with such records that is taken
//! under another chain waits for an epoch of its own chain; the others read on.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Loop, Partition, Transformer};
use crate::batch::TopicPartition;
use crate::chain::{Bound, Chain, Chains, Swap, is_named};
use crate::clock::Clock;
use crate::error::Error;
use crate::sink::{Epoch, Table};
use crate::source::Source;
use crate::stats::Stats;

/// Former chains that are kept where there are several data tables: a process that dies between two commits leaves
/// records of one of the last few to whoever takes its partitions.
const FORMER_MAX: usize = 3;

/// The chains at hand.
#[derive(Debug)]
pub(super) struct AtHand<X> {
    /// What the filling epoch is made by.
    pub(super) filling: Chain<X>,
    /// What epochs are to be made by when nothing is owed.
    pub(super) wanted: Chain<X>,
    /// Told when the first epoch is to be made by what is wanted.
    ordered: Option<oneshot::Sender<()>>,
    /// The newest first.
    former: VecDeque<Chain<X>>,
    former_max: usize,
    /// When a batch last came through.
    through: Option<Instant>,
    /// The first epoch by an ordered chain, until its first batch has come through.
    watched: Option<Epoch>,
}

impl<X> AtHand<X> {
    pub(super) fn new(chains: Chains<X>, data_tables: usize) -> Self {
        let former_max = if data_tables > 1 { FORMER_MAX.max(chains.former.len()) } else { 0 };
        Self {
            filling: chains.live.clone(),
            wanted: chains.live,
            ordered: None,
            former: chains.former.into(),
            former_max,
            through: None,
            watched: None,
        }
    }

    fn order(&mut self, swap: Swap<X>) {
        self.wanted = swap.chain;
        self.ordered = Some(swap.done);
    }

    fn find(&self, named: &str) -> Option<&Chain<X>> {
        let all = [&self.filling, &self.wanted].into_iter().chain(&self.former);
        all.into_iter().find(|chain| is_named(named, &chain.digests))
    }

    /// What the next epoch is to be made by. A debt that the filling epoch's chain pays comes first.
    fn due<'a>(&self, bounds: impl Iterator<Item = &'a Bound>) -> Chain<X> {
        let mut owed = None;
        for bound in bounds {
            if is_named(&bound.chain, &self.filling.digests) {
                return self.filling.clone();
            }
            owed = owed.or_else(|| self.find(&bound.chain));
        }
        owed.unwrap_or(&self.wanted).clone()
    }

    /// From this epoch on rows are made by another chain.
    fn take_up(&mut self, chain: Chain<X>, epoch: Epoch, stats: &Stats) {
        if chain.is(&self.filling) {
            return;
        }
        let left = std::mem::replace(&mut self.filling, chain);
        if !left.is(&self.wanted) {
            self.former.retain(|former| former.digests != left.digests);
            self.former.push_front(left);
            self.former.truncate(self.former_max);
        }
        stats.set_chain(&self.filling.digests);
        if self.filling.is(&self.wanted)
            && let Some(done) = self.ordered.take()
        {
            self.watched = Some(epoch);
            stats.swaps.add("swapped", 1);
            // Who ordered it may have gone.
            let _ = done.send(());
        }
    }

    /// A batch of an epoch has come through.
    pub(super) fn came_through(&mut self, epoch: Epoch, stats: &Stats) {
        let now = Instant::now();
        if self.watched.is_some_and(|first| epoch >= first) {
            self.watched = None;
            stats.swap_pauses.add(self.through.map_or(Duration::ZERO, |last| now - last));
        }
        self.through = Some(now);
    }
}

impl Partition {
    /// What is owed of it.
    fn bound(&self) -> Option<&Bound> {
        self.taken.as_ref()?.bound.as_ref().filter(|bound| self.next < bound.below)
    }
}

impl<S: Source, X: Transformer, T: Table, C: Clock> Loop<S, X, T, C> {
    pub(super) fn ordered(&mut self, swap: Swap<X>) {
        self.chains.order(swap);
    }

    /// What an epoch that begins now is to be made by.
    pub(super) fn due(&self) -> Chain<X> {
        #[cfg(test)]
        if self.ports.holdings.flaw == Some(crate::sim::Flaw::SwapBelowEntry) {
            return self.chains.wanted.clone();
        }
        self.chains.due(self.partitions.values().filter_map(Partition::bound))
    }

    /// Has the open epoch closed where the next one is due to another chain; one that holds nothing changes at once.
    pub(super) fn turn(&mut self) {
        let due = self.due();
        if due.is(&self.chains.filling) {
            return;
        }
        if self.may_turn_now() {
            self.take_up(due);
        } else {
            self.close_soon = true;
        }
    }

    fn may_turn_now(&self) -> bool {
        #[cfg(test)]
        if self.ports.holdings.flaw == Some(crate::sim::Flaw::SwapWithinEpoch) {
            return true;
        }
        self.filling.is_empty()
    }

    /// The filling epoch, which holds nothing yet, is to be made by a chain.
    pub(super) fn take_up(&mut self, chain: Chain<X>) {
        self.filling.chain = std::sync::Arc::clone(&chain.digests);
        self.chains.take_up(chain, self.filling.epoch, &self.ports.holdings.committer.stats);
    }

    /// Begins to read partitions that were taken, where the filling epoch's chain may make their records.
    pub(super) fn read_taken(&mut self) -> Result<(), Error> {
        let mut ready: Vec<TopicPartition> = Vec::new();
        for (source, partition) in self.partitions.iter().filter(|(_, p)| p.is_waiting) {
            let Some(bound) = partition.bound().filter(|_| !self.is_careless()) else {
                ready.push(source.clone());
                continue;
            };
            if is_named(&bound.chain, &self.chains.filling.digests) {
                ready.push(source.clone());
            } else if let (None, Some(taken)) = (self.chains.find(&bound.chain), &partition.taken) {
                return Err(self.ports.holdings.unmatched(taken, &bound.chain, &self.chains.wanted.digests));
            }
        }
        // Whoever committed last may have died before the ack: without this one monitors would see a lag until the next.
        let mut next = BTreeMap::new();
        for source in ready {
            if let Some(partition) = self.partitions.get_mut(&source) {
                partition.is_waiting = false;
                self.ports.source.seek(&source, partition.next, partition.generation)?;
                next.insert(source, partition.next);
            }
        }
        if !next.is_empty() {
            self.ports.source.ack(&next);
        }
        Ok(())
    }

    fn is_careless(&self) -> bool {
        #[cfg(test)]
        return self.ports.holdings.flaw == Some(crate::sim::Flaw::SwapBelowEntry);
        #[cfg(not(test))]
        return false;
    }
}
