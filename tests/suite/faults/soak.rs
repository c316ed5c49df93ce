//! Processes die all the time, and records come all the time.

use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::trial::{Trial, stop};
use crate::pipeline::Catalog;

/// `WEIR_SOAK_SECONDS` says how long.
#[test]
fn kills_at_random_for_as_long_as_one_likes_lose_and_double_nothing() {
    let seconds = std::env::var("WEIR_SOAK_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(15);
    let mut dice = StdRng::seed_from_u64(seconds);
    let mut trial = Trial::new("soak", 900, 3, Catalog::Sqlite);
    let mut running = trial.start_but(0);
    let begun = Instant::now();
    let mut kills = 0;
    while begun.elapsed().as_secs() < seconds {
        let (until, victim) = (Duration::from_millis(dice.random_range(2_000..10_000)), dice.random_range(0..3));
        let since = Instant::now();
        while since.elapsed() < until {
            trial.produce();
        }
        running[victim].kill9();
        running[victim] = trial.pipeline.start();
        kills += 1;
    }
    trial.catch_up();
    stop(&mut running);
    let tried = trial.end();
    println!("{kills} kills in {seconds} s, {} spans, {} lost, {} doubled", tried.spans, tried.lost, tried.doubled);
    assert_eq!((tried.lost, tried.doubled), (0, 0));
}
