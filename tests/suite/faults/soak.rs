//! Processes die all the time, and records come all the time.

use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use weir_tests::{Weir, until};

use super::trial::{Trial, stop};
use crate::pipeline::{Catalog, LIMIT};

/// Files and snapshots are few and young where these keep them so: there is work for maintenance all the time, and it is
/// done in a process's short life.
const MAINTENANCE: &str = "[sink.iceberg.tables.spans.properties]\n\
    \"write.target-file-size-bytes\" = \"100000\"\n\
    \"history.expire.max-snapshot-age-ms\" = \"3000\"\n\
    \"history.expire.min-snapshots-to-keep\" = \"3\"\n\
    [maintenance]\nevery = \"1s\"\ncompact = \"sort\"\nexpire = \"own\"\ncpu = \"100%\"\n";

/// What came of a soak beside its rows.
struct Soaked {
    kills: usize,
    seconds: u64,
    /// Of all processes, those that were killed among them.
    logs: Vec<String>,
}

impl Soaked {
    /// How often any process has said this.
    fn said(&self, what: &str) -> usize {
        self.logs.iter().map(|log| log.matches(what).count()).sum()
    }
}

/// A process that says what it has done to its tables.
fn start(trial: &Trial) -> Weir {
    Weir::start(&["run", "--log", "info", trial.pipeline.file().as_str()])
}

/// `WEIR_SOAK_SECONDS` says how long.
fn seconds() -> u64 {
    std::env::var("WEIR_SOAK_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(15)
}

/// `WEIR_SOAK_CATALOG` says who holds the heads: `hadoop`, `sqlite` or `rest`.
fn catalog() -> Catalog {
    match std::env::var("WEIR_SOAK_CATALOG").as_deref() {
        Ok("hadoop") => Catalog::Hadoop,
        Ok("rest") => Catalog::Rest,
        Ok("sqlite") | Err(_) => Catalog::Sqlite,
        Ok(other) => panic!("WEIR_SOAK_CATALOG is {other}, and not hadoop, sqlite or rest"),
    }
}

/// Kills one of three processes every few seconds while records come, for as long as is asked. Every second kill waits for
/// a commit, however busy the machine is. Then records come until `enough` has happened, and nothing may be left to do.
fn soak(trial: &mut Trial, enough: impl Fn(&Soaked, &[Weir]) -> bool) -> Soaked {
    let mut soaked = Soaked { kills: 0, seconds: seconds(), logs: Vec::new() };
    let mut dice = StdRng::seed_from_u64(soaked.seconds);
    let mut running: Vec<Weir> = (0..trial.processes).map(|_| start(trial)).collect();
    let begun = Instant::now();
    while begun.elapsed().as_secs() < soaked.seconds {
        let (pause, victim) = (Duration::from_millis(dice.random_range(2_000..10_000)), dice.random_range(0..3));
        let (since, acked) = (Instant::now(), trial.acked());
        while since.elapsed() < pause {
            trial.produce();
        }
        if soaked.kills % 2 == 1 {
            until("a commit between two kills", LIMIT, || (trial.acked() != acked).then_some(()));
        }
        running[victim].kill9();
        soaked.logs.push(running[victim].log());
        running[victim] = start(trial);
        soaked.kills += 1;
    }
    until("what has to happen beside", LIMIT, || {
        trial.produce();
        enough(&soaked, &running).then_some(())
    });
    trial.catch_up();
    stop(&mut running);
    soaked.logs.extend(running.iter().map(Weir::log));
    soaked
}

#[test]
fn kills_at_random_for_as_long_as_one_likes_lose_and_double_nothing() {
    let mut trial = Trial::new("soak", 900, 3, catalog());
    let Soaked { kills, seconds, .. } = soak(&mut trial, |_, _| true);
    let tried = trial.end();
    println!("{kills} kills in {seconds} s, {} spans, {} lost, {} doubled", tried.spans, tried.lost, tried.doubled);
    assert_eq!((tried.lost, tried.doubled), (0, 0));
}

/// What a process says of a table of spans that it has compacted, and of one whose snapshots have left.
const COMPACTED: &str = "a table was compacted";
const EXPIRED: &str = "old snapshots have left";

#[test]
fn the_same_while_the_processes_compact_and_expire_their_tables() {
    let mut trial = Trial::new("soak-looked-after", 901, 3, catalog());
    trial.pipeline.sections += MAINTENANCE;
    let soaked = soak(&mut trial, |soaked, running| {
        let says = |what: &str| soaked.said(what) > 0 || running.iter().any(|weir| weir.log().contains(what));
        says(COMPACTED) && says(EXPIRED)
    });
    let (compactions, expiries) = (soaked.said(COMPACTED), soaked.said(EXPIRED));
    let tried = trial.end();
    println!(
        "{} kills in {} s, {} spans, {compactions} compactions, {expiries} expiries, {} lost, {} doubled",
        soaked.kills, soaked.seconds, tried.spans, tried.lost, tried.doubled
    );
    assert_eq!((tried.lost, tried.doubled), (0, 0));
    assert!(compactions > 0 && expiries > 0);
}
