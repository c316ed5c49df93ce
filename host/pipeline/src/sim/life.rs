//! A life: processes that come and go in a world where things go wrong, and the count at its end.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use tokio::time::{Instant, sleep};

use super::Flaw;
use super::broker::{Content, TOPIC};
use super::catalog::{Row, SimTableState};
use super::compaction::compact;
use super::plugin::rows_of;
use super::process::Process;
use super::world::{Shape, Shared};
use crate::error::Error;
use crate::holdings::Accept;

/// One life: processes, faults, and at the end a count.
pub(super) struct Life {
    pub(super) world: Shared,
    pub(super) began: Instant,
    pub(super) processes: Vec<Process>,
    ids: u64,
    /// Whether a run went on in spite of a table that other plugins had filled further.
    is_mixed: bool,
}

impl Life {
    pub(super) fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        Self::of_shape(seed, Shape::of_seed(seed), flaw)
    }

    pub(super) fn of_shape(seed: u64, shape: Shape, flaw: Option<Flaw>) -> Self {
        let world = Shared::new(seed, 3, shape, flaw);
        Self { world, began: Instant::now(), processes: Vec::new(), ids: 0, is_mixed: false }
    }

    /// A table's state, by its place among the tables; the dead letters are the last.
    pub(super) fn meddle(&self, at: usize, meddle: impl FnOnce(&mut SimTableState)) {
        meddle(&mut self.world.lock().catalog.tables[at]);
    }

    pub(super) fn start(&mut self) {
        self.ids += 1;
        self.processes.push(Process::start(&self.world, self.began, self.ids, false, Accept::default()));
    }

    fn tables(&self) -> usize {
        self.world.lock().catalog.tables.len()
    }

    fn pick(&self, n: usize) -> usize {
        self.world.lock().rng.random_range(0..n)
    }

    pub(super) fn produce(&self) {
        let mut world = self.world.lock();
        let logs = world.broker.logs.len();
        let at = world.rng.random_range(0..logs);
        for _ in 0..world.rng.random_range(1..15) {
            let content = match world.rng.random_range(0..100) {
                0 => Content::Poison,
                1..=3 => Content::Fickle(2),
                4..=9 => Content::Tombstone,
                n => Content::Rows(n % 4),
            };
            let hole = if world.dice(0.1) { world.rng.random_range(1..5) } else { 0 };
            let log = &mut world.broker.logs[at];
            log.records.insert(log.end + hole, content);
            log.end += hole + 1;
        }
        // An aborted transaction at the end: offsets without a record.
        if world.dice(0.05) {
            world.broker.logs[at].end += 2;
        }
    }

    /// Whether a compaction begins where somebody else would have committed.
    fn compacts(&self) -> bool {
        let mut world = self.world.lock();
        world.compacts && world.dice(0.8)
    }

    /// Something goes wrong, or right.
    fn disturb(&mut self) {
        let shape = self.world.lock().shape;
        if shape.swaps && !self.processes.is_empty() && self.world.lock().dice(0.2) {
            let version = self.pick(shape.plugins as usize) as u64;
            drop(self.processes[self.pick(self.processes.len())].swap(version));
        }
        match self.pick(12) {
            0 if !self.processes.is_empty() => {
                let at = self.pick(self.processes.len());
                self.processes.swap_remove(at).kill();
            }
            1 | 2 if self.processes.len() < 3 => self.start(),
            3 | 4 if !self.processes.is_empty() => {
                let at = self.pick(self.processes.len());
                let ice = self.processes[at].ice.clone();
                let time = self.world.lock().rng.random_range(10..30_000);
                ice.freeze();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(time)).await;
                    ice.thaw();
                });
            }
            5 if self.compacts() => {
                let at = self.pick(self.tables());
                tokio::spawn(compact(self.world.clone(), at));
            }
            5 => {
                let at = self.pick(self.tables());
                let mut world = self.world.lock();
                let id = world.rng.random_range(1..i64::MAX);
                world.catalog.tables[at].foreign(id);
            }
            6 => {
                let (at, keep) = (self.pick(self.tables()), 1 + self.pick(6));
                self.world.lock().catalog.tables[at].expire(keep);
            }
            7 if self.processes.len() > 1 => {
                let at = self.pick(self.processes.len());
                self.processes[at].stop();
            }
            _ => self.produce(),
        }
        self.world.lock().broker.coordinate();
    }

    /// Finds a process that ended with an error. None should, but for one whose plugin is not the one that must finish
    /// what was begun.
    pub(super) async fn reap(&mut self) -> Result<(), Error> {
        let mut at = 0;
        while at < self.processes.len() {
            if self.processes[at].done.is_finished() {
                let ended = (&mut self.processes.swap_remove(at).done).await.unwrap();
                self.but_for_plugins(ended)?;
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    pub(super) async fn live(&mut self, rounds: usize) -> Result<(), Error> {
        self.start();
        for _ in 0..rounds {
            let wait = self.world.lock().rng.random_range(50..900);
            sleep(Duration::from_millis(wait)).await;
            self.disturb();
            self.reap().await?;
        }
        Ok(())
    }

    /// One process that swaps in a faulty world, and must not stop.
    pub(super) async fn live_alone(&mut self, rounds: usize) -> Result<(), Error> {
        self.start();
        for _ in 0..rounds {
            let wait = self.world.lock().rng.random_range(50..900);
            sleep(Duration::from_millis(wait)).await;
            let version = self.pick(3) as u64;
            drop(self.processes[0].swap(version));
            self.produce();
            self.world.lock().broker.coordinate();
            if self.processes[0].done.is_finished() {
                return (&mut self.processes[0].done).await.unwrap();
            }
        }
        Ok(())
    }

    /// Heals the world, lets the others go, and runs to the end with one process.
    pub(super) async fn finish(&mut self, accept: Accept) -> Result<(), Error> {
        self.world.lock().faulty = false;
        for process in &mut self.processes {
            process.ice.thaw();
            process.stop();
        }
        // Requests under way come to their end, and the stopped ones with them.
        for _ in 0..400 {
            sleep(Duration::from_millis(100)).await;
            self.world.lock().broker.coordinate();
        }
        self.reap().await?;
        self.processes.drain(..).for_each(|p| p.kill());
        // One plugin after the other; and if each partition wants another one, the flag.
        let versions = self.world.lock().shape.plugins;
        for _ in 0..versions {
            let ended = self.last_run(accept).await;
            if self.but_for_plugins(ended.clone()).is_err() || ended.is_ok() {
                return ended;
            }
        }
        self.is_mixed = true;
        self.last_run(Accept { other_plugin: true, ..accept }).await
    }

    /// Says that a run may go on with another plugin than the one that a table was filled further with.
    pub(super) fn accept_mixed(&mut self) {
        self.is_mixed = true;
    }

    /// Passes what is no failure where plugins differ and a process has not all of them at hand.
    fn but_for_plugins(&self, ended: Result<(), Error>) -> Result<(), Error> {
        let shape = self.world.lock().shape;
        let may_lack = shape.plugins > 1 && !shape.keeps;
        ended.or_else(|e| if may_lack && e.message.contains("--accept-other-plugin") { Ok(()) } else { Err(e) })
    }

    /// One process until the end.
    pub(super) async fn last_run(&mut self, accept: Accept) -> Result<(), Error> {
        self.ids += 1;
        let mut last = Process::start(&self.world, self.began, self.ids, true, accept);
        for _ in 0..3000 {
            sleep(Duration::from_millis(100)).await;
            self.world.lock().broker.coordinate();
            if last.done.is_finished() {
                return (&mut last.done).await.unwrap();
            }
        }
        last.kill();
        Err(Error::fatal("does not come to the end"))
    }

    /// Counts what the tables hold against what the topic holds.
    pub(super) fn check(&self) -> Result<(), String> {
        let world = self.world.lock();
        if let Some(file) = world.catalog.tables.iter().find_map(|table| table.broken) {
            return Err(format!("a table names the file {file}, which orphan removal has deleted"));
        }
        let mut tables: Vec<Found> = world.catalog.tables.iter().map(|t| Found::of(&t.live())).collect();
        let mut letters = tables.pop().unwrap();
        let versions = world.shape.plugins;
        for (partition, log) in world.broker.logs.iter().enumerate() {
            for (offset, content) in &log.records {
                let key = (partition as i32, *offset);
                let rows: Vec<Vec<i64>> = tables.iter_mut().map(|found| found.take(key)).collect();
                let refused = letters.take(key).len();
                // Whether one version has made all rows of the record, and no other a row.
                let wanted = |n: i64, version| rows_of(*offset, n, version).into_iter().take(rows.len());
                let whole = |n: i64| (0..versions).any(|version| wanted(n, version).eq(rows.iter().cloned()));
                let none = rows.iter().all(Vec::is_empty);
                // With the flag each table has the rows of a version.
                let mixed = |n: i64| {
                    let of_some = |at: usize| (0..versions).any(|v| wanted(n, v).nth(at).as_ref() == Some(&rows[at]));
                    self.is_mixed && (1..rows.len()).all(of_some) && (rows[0].is_empty() || of_some(0))
                };
                let right = match content {
                    Content::Rows(n) => (whole(*n) || mixed(*n)) && refused == 0,
                    Content::Fickle(n) => {
                        (whole(*n) || mixed(*n)) && refused == 0 || (none || mixed(*n)) && refused == 1
                    }
                    Content::Poison => none && refused == 1,
                    Content::Tombstone => none && refused == 0,
                };
                if !right {
                    return Err(format!("{TOPIC}/{partition}@{offset} {content:?}: rows {rows:?}, letters {refused}"));
                }
            }
        }
        match tables.iter().chain([&letters]).find_map(|found| found.0.first_key_value()) {
            Some(stray) => Err(format!("rows of no record: {stray:?}")),
            None => Ok(()),
        }
    }
}

/// What a table holds: the numbers of the rows of each record.
struct Found(BTreeMap<(i32, i64), Vec<i64>>);

impl Found {
    fn of(rows: &[Row]) -> Self {
        let mut found: BTreeMap<_, Vec<i64>> = BTreeMap::new();
        for (partition, offset, n) in rows {
            found.entry((*partition, *offset)).or_default().push(*n);
        }
        Self(found)
    }

    fn take(&mut self, record: (i32, i64)) -> Vec<i64> {
        let mut rows = self.0.remove(&record).unwrap_or_default();
        rows.sort_unstable();
        rows
    }
}

/// Runs a life in virtual time.
pub(super) fn simulate<R>(life: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(life)
}
