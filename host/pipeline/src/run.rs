//! The loop of a pipeline. Who reads this file knows the system.
//!
//! One task owns all state and works through one [`Event`] after the other; whatever takes time is a job that ends in
//! an event. Records go source -> worker -> table buffers; an epoch is closed when the interval is over, when a
//! partition must be given back, or at the end; while it commits, the next one fills.
//!
//! Whatever goes wrong has one answer: drop everything uncommitted in this process, take the partitions that are
//! still assigned from the tables again, and begin where the tables say.

mod chains;
mod epoch;
mod job;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::batch::{Batch, Generation, TopicPartition};
use crate::chain::{Chains, Swap};
use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::event::{Event, SourceEvent, Transformed};
use crate::fault::{self, Point};
use crate::holdings::{Closed, Holdings, Share, Taken};
use crate::sink::{Epoch, Table};
use crate::source::Source;
use crate::stats::Position;
use crate::work::{Applied, Known};
use chains::AtHand;
use epoch::Gathered;

/// The pause before partitions are taken again after a fence, doubled with each one that follows without a commit.
const RETAKE_PAUSE: Duration = Duration::from_millis(50);

/// The pool of workers, as the loop sees it.
pub trait Transformer: Send + Sync + 'static {
    /// Runs a batch through a worker, waiting for one that is free. What is `known` of its records is not put into a
    /// table once more.
    fn transform(
        &self,
        batch: Batch,
        known: Arc<Known>,
    ) -> impl Future<Output = Result<(Batch, Applied), Error>> + Send;
}

/// How a pipeline runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The topics that the source is subscribed to.
    pub topics: Vec<String>,
    /// How long an epoch fills.
    pub commit_interval: Duration,
    /// How long a polite revocation may wait for the commit.
    pub revoke_timeout: Duration,
    /// End when what the topics held at the start is committed.
    pub until_end: bool,
    /// The share of an epoch's records that may be refused before the pipeline stops.
    pub refused_max: f64,
}

/// What the loop reaches the world through, but for plugins, which may change. Cheap to clone.
#[derive(Debug)]
pub struct Ports<S, T, C> {
    /// Kafka.
    pub source: Arc<S>,
    /// The tables.
    pub holdings: Arc<Holdings<T, C>>,
}

impl<S, T, C> Clone for Ports<S, T, C> {
    fn clone(&self) -> Self {
        Self { source: Arc::clone(&self.source), holdings: Arc::clone(&self.holdings) }
    }
}

/// What a run is told while it runs.
#[derive(Debug)]
pub struct Signals<X> {
    /// What the source says.
    pub events: mpsc::Receiver<SourceEvent>,
    /// Chains that are to make the epochs to come.
    pub swaps: mpsc::Receiver<Swap<X>>,
    /// To commit what is whole, and leave.
    pub shutdown: oneshot::Receiver<()>,
}

/// An assigned partition.
#[derive(Debug)]
struct Partition {
    generation: Generation,
    /// Where the next batch must begin.
    next: i64,
    /// `None` until it is taken.
    taken: Option<Taken>,
    /// Taken, and not yet read: its first records are for another chain than the filling epoch's.
    is_waiting: bool,
}

/// An epoch that no longer fills.
#[derive(Debug)]
struct Closing {
    gathered: Gathered,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Batches are still with workers.
    Draining,
    /// Files are being closed.
    Flushing,
    /// The swap may have been sent: the files are no longer ours to delete.
    Committing,
}

struct Revocation {
    partitions: Vec<TopicPartition>,
    done: oneshot::Sender<()>,
    deadline: Instant,
}

struct Loop<S, X, T: Table, C> {
    ports: Ports<S, T, C>,
    chains: AtHand<X>,
    options: Options,
    partitions: BTreeMap<TopicPartition, Partition>,
    filling: Gathered,
    closing: Option<Closing>,
    jobs: FuturesUnordered<job::Job<T::Files, X>>,
    revocations: Vec<Revocation>,
    ends: Option<BTreeMap<TopicPartition, i64>>,
    generations: u64,
    epochs: u64,
    turns: u64,
    fences: u32,
    joined: bool,
    others: Others,
    stopping: bool,
    close_soon: bool,
    commit_due: Instant,
}

/// For a run until the end: what is known of partitions that this process does not hold. One that a killed process
/// held comes here only when its session is over; until then the run is not at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Others {
    Unknown,
    Asked,
    Done,
}

/// Runs a pipeline until `shutdown` is signalled, or to the end where the options say so.
///
/// # Errors
/// Whatever is fatal. What is committed is committed; nothing else has left a trace but files that no snapshot names.
pub async fn run<S: Source, X: Transformer, T: Table, C: Clock>(
    ports: Ports<S, T, C>,
    chains: Chains<X>,
    options: Options,
    mut signals: Signals<X>,
) -> Result<(), Error> {
    let mut state = Loop::new(ports.clone(), chains, options);
    let result = loop {
        if state.is_over() {
            break Ok(());
        }
        let event = state.next(&mut signals).await;
        if let Err(e) = state.handle(event) {
            break Err(e);
        }
    };
    drop(state);
    signals.events.close();
    ports.source.close().await;
    result
}

impl<S: Source, X: Transformer, T: Table, C: Clock> Loop<S, X, T, C> {
    fn new(ports: Ports<S, T, C>, chains: Chains<X>, options: Options) -> Self {
        let jobs = FuturesUnordered::new();
        if options.until_end {
            jobs.push(job::ends(&ports, options.topics.clone()));
        }
        let holdings = &ports.holdings;
        let chains = AtHand::new(chains, holdings.data_tables());
        let chain = Arc::clone(&chains.filling.digests);
        holdings.committer.stats.set_chain(&chain);
        let filling = Gathered::new(Epoch(0), holdings.committer.clock.now_ms(), holdings.tables.len(), chain);
        let commit_due = Instant::now() + options.commit_interval;
        Self {
            ports,
            chains,
            options,
            partitions: BTreeMap::new(),
            filling,
            closing: None,
            jobs,
            revocations: Vec::new(),
            ends: None,
            generations: 0,
            epochs: 0,
            turns: 0,
            fences: 0,
            joined: false,
            others: Others::Unknown,
            stopping: false,
            close_soon: false,
            commit_due,
        }
    }

    async fn next(&mut self, signals: &mut Signals<X>) -> Event<T::Files, X> {
        let revoke_due = self.revocations.iter().map(|r| r.deadline).min();
        tokio::select! {
            biased;
            _ = &mut signals.shutdown, if !self.stopping => Event::Shutdown,
            Some(swap) = signals.swaps.recv() => Event::Swap(swap),
            Some(event) = self.jobs.next(), if !self.jobs.is_empty() => event,
            () = tokio::time::sleep_until(revoke_due.unwrap_or(self.commit_due)), if revoke_due.is_some() => Event::RevokeDue,
            () = tokio::time::sleep_until(self.commit_due), if !self.stopping => Event::CommitDue,
            event = signals.events.recv() => event.map_or(Event::SourceGone, Event::Source),
        }
    }

    fn handle(&mut self, event: Event<T::Files, X>) -> Result<(), Error> {
        match event {
            Event::Source(SourceEvent::Fetched(batch)) => self.fetched(batch)?,
            Event::Source(SourceEvent::Assigned(partitions)) => self.assigned(partitions)?,
            Event::Source(SourceEvent::Revoked(partitions, done)) => self.revoked(partitions, done)?,
            Event::Source(SourceEvent::Lost(partitions)) => {
                self.forget(&partitions);
                self.start_over(&Error::fenced("partitions were lost"))?;
            }
            Event::Source(SourceEvent::Failed(e)) => return Err(e),
            Event::SourceGone => return Err(Error::fatal("the source ended by itself")),
            Event::Transformed(Ok(done)) => self.transformed(&done)?,
            Event::Taken(wanted, Ok(taken)) => self.taken(&wanted, taken),
            Event::Flushed(Ok(files)) => self.flushed(files),
            Event::Committed(Ok(after)) => self.committed(after),
            Event::Ends(ends) => self.ends = Some(ends?),
            Event::OthersDone(done) => self.others = if done? { Others::Done } else { Others::Unknown },
            Event::Transformed(Err(e))
            | Event::Taken(_, Err(e))
            | Event::Flushed(Err(e))
            | Event::Committed(Err(e)) => {
                self.start_over(&e)?;
            }
            Event::CommitDue => {
                self.commit_due = Instant::now() + self.options.commit_interval;
                self.close_soon = true;
            }
            Event::RevokeDue => self.revoke_due()?,
            Event::Swap(swap) => self.ordered(swap),
            Event::Shutdown => {
                self.stopping = true;
                self.close_soon = true;
            }
        }
        self.pause_at_ends();
        self.turn();
        self.close()?;
        self.read_taken()?;
        self.answer_revocations();
        self.ask_for_others();
        self.report();
        Ok(())
    }

    fn fetched(&mut self, batch: Batch) -> Result<(), Error> {
        if let Err(why) = fault::pass(Point::Fetched) {
            return self.start_over(&Error::retry(why));
        }
        let Some(partition) = self.partitions.get_mut(&batch.source) else { return Ok(()) };
        let leaving = self.revocations.iter().any(|r| r.partitions.contains(&batch.source));
        let Some(taken) = &partition.taken else { return Ok(()) };
        if batch.generation != partition.generation || self.stopping || leaving {
            return Ok(());
        }
        if batch.from != partition.next || batch.to < batch.from {
            let why = format!("a batch of {} begins at {}, not at {}", batch.source, batch.from, partition.next);
            return self.start_over(&Error::fenced(why));
        }
        partition.next = batch.to;
        self.filling.dispatch(&batch);
        self.jobs.push(job::transform(&self.ports, &self.chains.filling, batch, self.filling.epoch, taken));
        Ok(())
    }

    fn assigned(&mut self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        self.joined = true;
        self.ports.holdings.committer.stats.assignments.add(partitions.len() as u64);
        // Given while it is still here: it was away in between, and somebody else may have had it.
        let returned = partitions.iter().any(|p| self.partitions.contains_key(p));
        for revocation in &mut self.revocations {
            revocation.partitions.retain(|p| !partitions.contains(p));
        }
        for partition in &partitions {
            let fresh = Partition { generation: Generation(0), next: 0, taken: None, is_waiting: false };
            self.partitions.insert(partition.clone(), fresh);
        }
        if returned {
            return self.start_over(&Error::fenced("partitions were given back before they were let go of"));
        }
        self.take(partitions, Vec::new(), Duration::ZERO);
        Ok(())
    }

    /// Has partitions taken, each under a new generation: whatever was under way for them before is stale.
    fn take(&mut self, partitions: Vec<TopicPartition>, dropped: Vec<Epoch>, pause: Duration) {
        let mut wanted = Vec::new();
        for source in partitions {
            if let Some(partition) = self.partitions.get_mut(&source) {
                self.generations += 1;
                partition.generation = Generation(self.generations);
                partition.taken = None;
                partition.is_waiting = false;
                wanted.push((source, partition.generation));
            }
        }
        self.turns += 1;
        if !wanted.is_empty() || !dropped.is_empty() {
            self.jobs.push(job::take(&self.ports, wanted, self.turns, dropped, pause));
        }
    }

    fn taken(&mut self, wanted: &[(TopicPartition, Generation)], taken: Vec<Taken>) {
        for taken in taken {
            let Some(partition) = self.partitions.get_mut(&taken.source) else { continue };
            if !wanted.contains(&(taken.source.clone(), partition.generation)) {
                continue;
            }
            partition.next = taken.next();
            partition.taken = Some(taken);
            partition.is_waiting = true;
        }
    }

    fn transformed(&mut self, done: &Transformed) -> Result<(), Error> {
        if let Some((offset, reason)) = done.first_refusal.as_ref().filter(|_| !self.ports.holdings.has_letters) {
            return Err(Error::fatal(format!(
                "record {}@{offset} was refused and the pipeline has no [dead_letter] table to put it into: {reason}",
                done.source
            )));
        }
        self.chains.came_through(done.epoch, &self.ports.holdings.committer.stats);
        // A batch is gathered by the epoch it was given to: the closing one drains before it is flushed.
        match &mut self.closing {
            Some(closing) if done.epoch == closing.gathered.epoch => closing.gathered.gather(done),
            _ => self.filling.gather(done),
        }
        Ok(())
    }

    /// Lets the next epoch fill, by the chain that is due. Gives the one that filled.
    fn begin_epoch(&mut self) -> Gathered {
        self.epochs += 1;
        let (due, tables) = (self.due(), self.ports.holdings.tables.len());
        let next = Gathered::new(Epoch(self.epochs), self.now_ms(), tables, Arc::clone(&due.digests));
        let filled = std::mem::replace(&mut self.filling, next);
        self.take_up(due);
        filled
    }

    /// Moves the epochs on as far as they go.
    fn close(&mut self) -> Result<(), Error> {
        if self.closing.is_none() && self.close_soon {
            self.close_soon = false;
            if !self.filling.is_empty() {
                let gathered = self.begin_epoch();
                self.closing = Some(Closing { gathered, stage: Stage::Draining });
            }
        }
        let Some(closing) = &mut self.closing else { return Ok(()) };
        if closing.stage == Stage::Draining && closing.gathered.in_flight == 0 {
            if let Some(why) = closing.gathered.brake(self.options.refused_max) {
                return Err(Error::fatal(why));
            }
            closing.stage = Stage::Flushing;
            self.jobs.push(job::flush(&self.ports, closing.gathered.epoch));
        }
        Ok(())
    }

    fn flushed(&mut self, files: Vec<Option<T::Files>>) {
        let Some(closing) = &mut self.closing else { return };
        closing.stage = Stage::Committing;
        let rows = std::mem::take(&mut closing.gathered.rows);
        let shares = files.into_iter().zip(rows).map(|(files, rows)| Share { files, rows }).collect();
        let ranges = closing.gathered.ranges.clone();
        let chain = Arc::clone(&closing.gathered.chain);
        let epoch = Closed { ranges, shares, opened_ms: closing.gathered.opened_ms, chain };
        let held = self.partitions.values().filter_map(|p| p.taken.clone()).collect();
        self.jobs.push(job::commit(&self.ports, held, epoch));
    }

    fn committed(&mut self, after: Vec<Taken>) {
        self.fences = 0;
        let mut next = BTreeMap::new();
        for taken in after {
            let Some(partition) = self.partitions.get_mut(&taken.source) else { continue };
            if partition.taken.is_some() {
                next.insert(taken.source.clone(), taken.next());
                partition.taken = Some(taken);
            }
        }
        self.ports.source.ack(&next);
        self.closing = None;
    }

    /// Drops everything uncommitted and takes what is still assigned again.
    fn start_over(&mut self, why: &Error) -> Result<(), Error> {
        if why.kind == Kind::Fatal {
            return Err(why.clone());
        }
        self.ports.holdings.committer.stats.fences.add(u64::from(why.kind == Kind::Fenced));
        tracing::warn!(error = %why, "dropping what is uncommitted; the tables say where to begin");
        self.jobs = FuturesUnordered::new();
        self.others = Others::Unknown;
        if self.options.until_end && self.ends.is_none() {
            self.jobs.push(job::ends(&self.ports, self.options.topics.clone()));
        }
        let kept: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        // Nothing is known of them until they are taken again, and nothing owed.
        self.partitions.values_mut().for_each(|partition| partition.taken = None);
        let mut dropped = vec![self.begin_epoch().epoch];
        // A swap that may have been sent may yet be applied: those files are left alone.
        if let Some(closing) = self.closing.take().filter(|c| c.stage != Stage::Committing) {
            dropped.push(closing.gathered.epoch);
        }
        for partition in &kept {
            self.ports.source.pause(partition);
        }
        let pause = if self.fences == 0 && why.kind == Kind::Fenced {
            Duration::ZERO
        } else {
            let longest = RETAKE_PAUSE.saturating_mul(1 << self.fences.min(8));
            longest.mul_f64(0.5 + self.ports.holdings.committer.clock.jitter() / 2.0)
        };
        self.fences += 1;
        self.take(kept, dropped, pause);
        Ok(())
    }

    fn revoked(&mut self, partitions: Vec<TopicPartition>, done: oneshot::Sender<()>) -> Result<(), Error> {
        for partition in &partitions {
            self.ports.source.pause(partition);
        }
        let deadline = Instant::now() + self.options.revoke_timeout;
        self.close_soon |= partitions.iter().any(|p| self.filling.holds(p));
        self.revocations.push(Revocation { partitions, done, deadline });
        fault::pass(Point::Revoking).or_else(|why| self.start_over(&Error::retry(why)))
    }

    /// Lets go of what is committed.
    fn answer_revocations(&mut self) {
        if self.closing.is_some() {
            return;
        }
        for revocation in std::mem::take(&mut self.revocations) {
            if revocation.partitions.iter().any(|p| self.filling.holds(p)) {
                self.close_soon = true;
                self.revocations.push(revocation);
            } else {
                self.forget(&revocation.partitions);
                // Nobody listens any more: then the group has taken the partitions already.
                let _ = revocation.done.send(());
            }
        }
    }

    fn revoke_due(&mut self) -> Result<(), Error> {
        for revocation in std::mem::take(&mut self.revocations) {
            self.forget(&revocation.partitions);
            let _ = revocation.done.send(());
        }
        self.start_over(&Error::fenced("a commit took longer than a revocation may wait"))
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.partitions.remove(partition);
        }
        if self.others == Others::Done {
            self.others = Others::Unknown;
        }
    }

    /// For a run until the end: nothing beyond it is fetched, and reaching it everywhere closes the epoch.
    fn pause_at_ends(&mut self) {
        let Some(ends) = &self.ends else { return };
        let end = |p: &TopicPartition| ends.get(p).copied().unwrap_or(0);
        let mut all = true;
        for (source, partition) in &self.partitions {
            let reached = partition.taken.is_some() && partition.next >= end(source);
            if reached {
                self.ports.source.pause(source);
            }
            all &= reached;
        }
        if all && self.joined {
            self.close_soon |= !self.filling.is_empty();
        }
    }

    fn is_over(&self) -> bool {
        if self.stopping {
            return self.is_settled();
        }
        self.is_at_end() && (self.others == Others::Done || self.elsewhere().is_empty())
    }

    fn is_settled(&self) -> bool {
        self.closing.is_none() && self.filling.is_empty()
    }

    /// Whether what this process holds is committed to its end.
    fn is_at_end(&self) -> bool {
        let Some(ends) = self.ends.as_ref().filter(|_| self.joined && self.is_settled()) else { return false };
        let committed = |p: &Partition| p.taken.as_ref().map(Taken::next);
        let end = |source: &TopicPartition| ends.get(source).copied().unwrap_or(0);
        self.partitions.iter().all(|(source, p)| committed(p).is_some_and(|n| n >= end(source)))
    }

    /// The ends of the partitions that this process does not hold.
    fn elsewhere(&self) -> BTreeMap<TopicPartition, i64> {
        let ends = self.ends.iter().flatten();
        ends.filter(|(p, _)| !self.partitions.contains_key(p)).map(|(p, end)| (p.clone(), *end)).collect()
    }

    fn ask_for_others(&mut self) {
        if self.others == Others::Unknown && self.is_at_end() {
            let elsewhere = self.elsewhere();
            if !elsewhere.is_empty() {
                self.others = Others::Asked;
                self.jobs.push(job::others(&self.ports, elsewhere));
            }
        }
    }

    fn now_ms(&self) -> i64 {
        self.ports.holdings.committer.clock.now_ms()
    }

    fn report(&self) {
        let positions = self.partitions.iter().filter_map(|(source, p)| {
            let committed = p.taken.as_ref()?.next();
            Some((source.clone(), Position { committed, read: p.next }))
        });
        self.ports.holdings.committer.stats.set_positions(positions.collect());
    }
}
