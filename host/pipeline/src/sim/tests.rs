use std::collections::BTreeMap;

use super::Flaw;
use super::life::{Life, simulate};
use super::world::Shape;
use crate::holdings::Accept;

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
    let failures = failures(0..800, Some(flaw));
    let (seed, why) = failures.first_key_value().expect("800 seeds do not catch it");
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

#[test]
fn a_further_table_that_takes_rows_below_its_own_entry_again_is_caught() {
    caught(Flaw::NoFloor);
}

#[test]
fn a_swap_within_an_epoch_is_caught() {
    caught(Flaw::SwapWithinEpoch);
}

#[test]
fn a_replace_that_carries_a_stale_v_is_caught() {
    caught(Flaw::ReplaceCarriesV);
}

/// One process that swaps all the time, and must never miss a chain that it had.
fn one_alone(seed: u64, flaw: Option<Flaw>) -> Result<(), String> {
    simulate(async {
        let mut life = Life::of_shape(seed, Shape::SWAPS, flaw);
        life.live_alone(120).await.map_err(|e| format!("stopped: {e}"))?;
        life.finish(Accept::default()).await.map_err(|e| format!("does not finish: {e}"))?;
        life.check()
    })
}

#[test]
fn a_process_alone_always_has_the_chain_that_its_second_pass_wants() {
    for seed in 0..60 {
        assert_eq!(one_alone(seed, None), Ok(()), "seed {seed}");
    }
}

#[test]
fn a_swap_below_a_further_tables_entry_is_caught() {
    let caught = (0..60).find_map(|seed| one_alone(seed, Some(Flaw::SwapBelowEntry)).err());
    println!("{}", caught.expect("60 seeds do not catch it"));
}
