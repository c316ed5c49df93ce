//! The plug is pulled, at any moment: what was committed is whole, and the rest comes again.
//!
//! `WEIR_POWER_CUTS` says at how many moments for each catalog, `WEIR_POWER_SEED` which.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use weir_tests::process::command;
use weir_tests::{Disk, Oracle, Power, SpanIds, Weir};

use crate::pipeline::{Catalog, LIMIT, Pipeline, said};

/// Runs of the watched pipeline; each makes tables or adds to them.
const RUNS: u64 = 3;

#[test]
fn a_power_cut_leaves_a_hadoop_table_whole_and_nothing_is_lost_or_doubled() {
    let is_head = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name == "version-hint.text" || name.ends_with(".metadata.json")
    };
    pull_the_plug("power-hadoop", Catalog::Hadoop, is_head);
}

#[test]
fn a_power_cut_leaves_the_tables_of_a_sqlite_catalog_whole_and_nothing_is_lost_or_doubled() {
    let is_head = |path: &Path| path.file_name().is_some_and(|name| name == "catalog.db-wal");
    pull_the_plug("power-sqlite", Catalog::Sqlite, is_head);
}

fn pull_the_plug(name: &str, catalog: Catalog, is_head: impl Fn(&Path) -> bool) {
    let pipeline = Pipeline::new(name, 2).in_catalog(catalog);
    let power = Power::watch(pipeline.folder.path());
    let mut made = SpanIds::default();
    for seed in 0..RUNS {
        made += pipeline.produce(seed, 4, 25);
        watched(&pipeline, &power);
    }
    let heads = power.cuts_at(is_head);
    assert!(heads.len() >= 2 * RUNS as usize, "heads came {} times", heads.len());
    let mut dice = dice();
    let mut cuts: Vec<usize> = heads.choose_multiple(&mut dice, cuts().div_ceil(2)).copied().collect();
    cuts.extend((cuts.len()..self::cuts()).map(|_| dice.random_range(0..=power.steps_seen())));
    for cut in cuts {
        println!("{name}: cut after step {cut} of {}", power.steps_seen());
        power.cut(cut, Disk::Honest);
        pipeline.run_well();
        assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made, "cut after step {cut}");
        verify(&pipeline, true);
    }
    // What makes the difference: a disk that does not keep what was synced.
    power.cut(power.steps_seen(), Disk::ForgetsData);
    verify(&pipeline, false);
}

/// Runs it to the end, and writes down what it does to its folder.
fn watched(pipeline: &Pipeline, power: &Power) {
    let mut run = command(Weir::binary());
    run.args(["run", "--until-end", pipeline.file().as_str()]);
    power.see(&mut run);
    let mut weir = Weir::start_command(run);
    assert!(weir.wait_end(LIMIT).success(), "{}", weir.log());
}

fn verify(pipeline: &Pipeline, is_whole: bool) {
    let output = Weir::output(&["verify", &pipeline.file()]);
    assert_eq!(output.status.success(), is_whole, "{}", said(&output));
}

fn cuts() -> usize {
    std::env::var("WEIR_POWER_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(4)
}

fn dice() -> StdRng {
    let seed = std::env::var("WEIR_POWER_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_nanos()))
    });
    println!("WEIR_POWER_SEED={seed}");
    StdRng::seed_from_u64(seed)
}
