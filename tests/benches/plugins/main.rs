//! What does a plugin cost: to start, to keep, to call in each language, and to replace while the stream flows?
//!
//! `SPANS=20000 ROUNDS=5 RELOADS=20 cargo bench -p weir-tests --bench plugins` (after `cargo build --release`). The first
//! two tables are made in this process, by `redact-attributes` in each language in front of `flatten-spans`; CPU time,
//! medians of rounds in which the languages take turns. The third is of `weir run` on real Kafka, by the clock: from the
//! rename of the plugin's file to the first batch that the new one has made.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod languages;
mod replace;

/// The host's allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn main() {
    languages::measure(number("SPANS", 20_000), number("ROUNDS", 5).max(1));
    replace::measure(number("RELOADS", 20).max(2));
}

/// The value in the middle, and the largest.
fn median_and_most(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[values.len() - 1])
}
