use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use tokio::time::{Instant, sleep};

use super::Flaw;
use super::broker::{Content, TOPIC};
use super::process::Process;
use super::world::Shared;
use crate::error::{Error, Kind};
use crate::holdings::Accept;

/// One life: processes, faults, and at the end a count.
struct Life {
    world: Shared,
    began: Instant,
    processes: Vec<Process>,
    ids: u64,
}

impl Life {
    fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let world = Shared::new(seed, 3, flaw);
        Self { world, began: Instant::now(), processes: Vec::new(), ids: 0 }
    }

    fn start(&mut self) {
        self.ids += 1;
        self.processes.push(Process::start(&self.world, self.began, self.ids, false, Accept::default()));
    }

    fn pick(&self, n: usize) -> usize {
        self.world.lock().rng.random_range(0..n)
    }

    fn produce(&self) {
        let mut world = self.world.lock();
        let logs = world.broker.logs.len();
        let at = world.rng.random_range(0..logs);
        for _ in 0..world.rng.random_range(1..15) {
            let content = match world.rng.random_range(0..20) {
                0 => Content::Poison,
                1 => Content::Fickle(2),
                2 => Content::Tombstone,
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

    /// Something goes wrong, or right.
    fn disturb(&mut self) {
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
            5 => {
                let at = self.pick(2);
                let mut world = self.world.lock();
                let id = world.rng.random_range(1..i64::MAX);
                world.catalog.tables[at].foreign(id);
            }
            6 => {
                let (at, keep) = (self.pick(2), 1 + self.pick(6));
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

    /// Finds a process that ended with an error: none should.
    async fn reap(&mut self) -> Result<(), Error> {
        let mut at = 0;
        while at < self.processes.len() {
            if self.processes[at].done.is_finished() {
                (&mut self.processes.swap_remove(at).done).await.unwrap()?;
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    async fn live(&mut self, rounds: usize) -> Result<(), Error> {
        self.start();
        for _ in 0..rounds {
            let wait = self.world.lock().rng.random_range(50..900);
            sleep(Duration::from_millis(wait)).await;
            self.disturb();
            self.reap().await?;
        }
        Ok(())
    }

    /// Heals the world, lets the others go, and runs to the end with one process.
    async fn finish(&mut self, accept: Accept) -> Result<(), Error> {
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
        self.ids += 1;
        let mut last = Process::start(&self.world, self.began, self.ids, true, accept);
        for _ in 0..3000 {
            sleep(Duration::from_millis(100)).await;
            self.world.lock().broker.coordinate();
            if last.done.is_finished() {
                return (&mut last.done).await.unwrap();
            }
        }
        Err(Error::fatal("does not come to the end"))
    }

    /// Counts what the tables hold against what the topic holds.
    fn check(&self) -> Result<(), String> {
        let world = self.world.lock();
        let mut rows: BTreeMap<(i32, i64), Vec<i64>> = BTreeMap::new();
        for (partition, offset, n) in world.catalog.tables[0].live() {
            rows.entry((partition, offset)).or_default().push(n);
        }
        let mut letters: BTreeMap<(i32, i64), usize> = BTreeMap::new();
        for (partition, offset, _) in world.catalog.tables[1].live() {
            *letters.entry((partition, offset)).or_default() += 1;
        }
        for (partition, log) in world.broker.logs.iter().enumerate() {
            for (offset, content) in &log.records {
                let key = (partition as i32, *offset);
                let mut found = rows.remove(&key).unwrap_or_default();
                found.sort_unstable();
                let refused = letters.remove(&key).unwrap_or(0);
                let whole = |n: i64| found == (0..n).collect::<Vec<_>>() && refused == 0;
                let letter = found.is_empty() && refused == 1;
                let right = match content {
                    Content::Rows(n) => whole(*n),
                    Content::Fickle(n) => whole(*n) || letter,
                    Content::Poison => letter,
                    Content::Tombstone => whole(0),
                };
                if !right {
                    return Err(format!("{TOPIC}/{partition}@{offset} {content:?}: rows {found:?}, letters {refused}"));
                }
            }
        }
        match rows.first_key_value() {
            Some(stray) => Err(format!("rows of no record: {stray:?}")),
            None => Ok(()),
        }
    }
}

fn simulate<R>(life: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(life)
}

fn one_life(seed: u64, flaw: Option<Flaw>) -> Result<(), String> {
    simulate(async {
        let mut life = Life::new(seed, flaw);
        let lived = life.live(150).await;
        let finished = match lived {
            Ok(()) => life.finish(Accept::default()).await,
            failed => failed,
        };
        finished.map_err(|e| format!("stopped: {e}"))?;
        life.check()
    })
}

fn seeds() -> std::ops::Range<u64> {
    let read = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    match read("WEIR_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..read("WEIR_SEEDS").unwrap_or(500),
    }
}

/// Runs lives on all cores; gives the failures by seed.
fn failures(seeds: std::ops::Range<u64>, flaw: Option<Flaw>) -> BTreeMap<u64, String> {
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let found = std::sync::Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    // One is enough to catch a wrong protocol.
                    if seed >= seeds.end || flaw.is_some() && !found.lock().unwrap().is_empty() {
                        return;
                    }
                    if let Err(why) = one_life(seed, flaw) {
                        found.lock().unwrap().insert(seed, why);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

#[test]
fn every_record_is_in_the_tables_once_whatever_happens() {
    let failures = failures(seeds(), None);
    let first: Vec<_> = failures.iter().take(5).collect();
    assert!(failures.is_empty(), "{} seeds fail, the first: {first:#?}", failures.len());
}

#[test]
fn a_seed_replays() {
    let trace = |seed| {
        simulate(async {
            let mut life = Life::new(seed, None);
            life.live(60).await.unwrap();
            let world = life.world.lock();
            (world.catalog.tables[0].live(), world.catalog.tables[0].meta.property.clone(), life.began.elapsed())
        })
    };
    assert_eq!(trace(11), trace(11));
    assert_ne!(trace(11).0, trace(12).0);
}

fn caught(flaw: Flaw) {
    let failures = failures(0..400, Some(flaw));
    let (seed, why) = failures.first_key_value().expect("400 seeds do not catch it");
    println!("{flaw:?} is caught by seed {seed}: {why}");
}

#[test]
fn a_guard_that_lets_pass_what_is_further_on_is_caught() {
    caught(Flaw::GuardAtMost);
}

#[test]
fn a_marker_on_the_current_snapshot_only_is_caught() {
    caught(Flaw::MarkerOnCurrent);
}

#[test]
fn check_then_refresh_and_append_is_caught() {
    caught(Flaw::CheckThenAppend);
}

#[test]
fn starting_from_the_groups_offsets_is_caught() {
    caught(Flaw::GroupOffsets);
}

#[test]
fn a_range_that_ends_at_the_consumers_position_is_caught() {
    caught(Flaw::PositionAhead);
}

#[test]
fn taking_without_a_holder_is_caught() {
    caught(Flaw::NoHolder);
}

/// Lives a while without faults, then does something to the data table while nothing runs.
async fn interrupted(seed: u64, meddle: impl FnOnce(&mut super::catalog::SimTableState)) -> Life {
    let mut life = Life::new(seed, None);
    life.world.lock().faulty = false;
    life.start();
    for _ in 0..60 {
        sleep(Duration::from_millis(300)).await;
        life.produce();
        life.world.lock().broker.coordinate();
    }
    life.processes.drain(..).for_each(|p| p.kill());
    sleep(Duration::from_secs(60)).await;
    meddle(&mut life.world.lock().catalog.tables[0]);
    life
}

fn stops(result: &Result<(), Error>, word: &str) {
    let e = result.as_ref().expect_err("went on");
    assert!(e.kind == Kind::Fatal && e.message.contains(word), "{e}");
}

#[test]
fn a_rollback_stops_the_pipeline_and_a_flag_goes_on_from_what_is_left() {
    for back in [1, 3] {
        simulate(async {
            let mut life = interrupted(5, |table| table.roll_back(back)).await;
            stops(&life.finish(Accept::default()).await, "--accept-rollback");
            life.finish(Accept { rollback: true, ..Accept::default() }).await.unwrap();
            life.check().unwrap();
        });
    }
}

#[test]
fn a_rollback_whose_later_snapshots_expired_stops_the_pipeline() {
    simulate(async {
        let mut life = interrupted(6, |table| {
            table.roll_back(2);
            table.expire(1);
        })
        .await;
        stops(&life.finish(Accept::default()).await, "--accept-rollback");
    });
}

#[test]
fn a_property_removed_by_hand_stops_the_pipeline() {
    simulate(async {
        let mut life = interrupted(7, |table| table.meta.property = None).await;
        stops(&life.finish(Accept::default()).await, "weir.p.offsets is gone");
    });
}

#[test]
fn offsets_survive_commits_by_others_and_expiry_of_all_but_one_snapshot() {
    simulate(async {
        let mut life = interrupted(8, |table| {
            (1..9).for_each(|id| table.foreign(id));
            table.expire(1);
        })
        .await;
        life.finish(Accept::default()).await.unwrap();
        life.check().unwrap();
    });
}

#[test]
fn a_topic_made_again_stops_the_pipeline() {
    simulate(async {
        let mut life = interrupted(9, |_| ()).await;
        life.world.lock().broker.topic_id = "id-2".into();
        stops(&life.finish(Accept::default()).await, "--accept-new-topic");
    });
}

#[test]
fn a_topic_made_again_between_two_fetches_stops_the_pipeline_before_its_commit() {
    simulate(async {
        let mut life = Life::new(10, None);
        life.world.lock().faulty = false;
        life.start();
        for round in 0..80 {
            sleep(Duration::from_millis(200)).await;
            life.produce();
            let mut world = life.world.lock();
            world.broker.coordinate();
            if round == 40 {
                world.broker.topic_id = "id-2".into();
            }
        }
        sleep(Duration::from_secs(30)).await;
        stops(&life.reap().await, "made again while it was read");
    });
}

#[test]
fn retention_that_ran_past_the_offsets_stops_the_pipeline_and_a_flag_goes_on() {
    simulate(async {
        let mut life = interrupted(12, |_| ()).await;
        for log in &mut life.world.lock().broker.logs {
            log.end += 50;
            log.start = log.end - 1;
        }
        stops(&life.finish(Accept::default()).await, "--accept-lost-records");
        life.finish(Accept { lost_records: true, ..Accept::default() }).await.unwrap();
    });
}

#[test]
fn a_log_that_ends_before_the_offsets_stops_the_pipeline() {
    simulate(async {
        let mut life = interrupted(13, |_| ()).await;
        life.world.lock().broker.logs.iter_mut().for_each(|log| log.end = 1);
        stops(&life.finish(Accept::default()).await, "was cut or is another one");
    });
}

#[test]
fn partitions_added_later_begin_at_their_first_record() {
    simulate(async {
        let mut life = interrupted(14, |_| ()).await;
        life.world.lock().broker.logs.push(super::broker::Log::default());
        (0..40).for_each(|_| life.produce());
        life.finish(Accept::default()).await.unwrap();
        life.check().unwrap();
    });
}
