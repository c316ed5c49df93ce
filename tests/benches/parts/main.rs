//! Where does the time go, and what does each part cost beside what one would write otherwise? CPU time a span, a log
//! record or a data point.
//!
//! `cargo bench -p weir-tests --bench parts` makes up `SPANS` spans (200,000), then measures every part once a round,
//! one after the other, for `ROUNDS` rounds (9): what disturbs the machine disturbs all of them. The figures are
//! medians, of CPU time and not of the clock. Needs no Kafka.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod chains;
mod compaction;
mod files;
mod json;
mod owned;
mod rows;
mod signals;
mod traces;

use std::time::Duration;

use cpu_time::{ProcessTime, ThreadTime};

use traces::Traces;

/// The host's allocator: the other would be half of what is measured.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Whose CPU time a part costs.
#[derive(Clone, Copy)]
enum Clock {
    /// It runs in the thread that calls it.
    Thread,
    /// It has threads of its own.
    Process,
}

/// Something that does the same work each time it is run.
struct Part {
    /// What it does, for the table.
    name: String,
    /// Whether a group begins here, with the part that the others are compared with.
    is_first: bool,
    clock: Clock,
    /// Bytes of the messages that go in, where that is what goes in.
    bytes: Option<usize>,
    /// What makes it ready, which is not measured.
    before: Option<Box<dyn FnMut()>>,
    run: Box<dyn FnMut()>,
}

impl Part {
    fn new(name: impl Into<String>, bytes: Option<usize>, run: impl FnMut() + 'static) -> Self {
        Self { name: name.into(), is_first: false, clock: Clock::Thread, bytes, before: None, run: Box::new(run) }
    }

    fn first(self) -> Self {
        Self { is_first: true, ..self }
    }

    fn with_threads(self) -> Self {
        Self { clock: Clock::Process, ..self }
    }

    fn after(self, before: impl FnMut() + 'static) -> Self {
        Self { before: Some(Box::new(before)), ..self }
    }

    fn measure(&mut self) -> Duration {
        if let Some(before) = &mut self.before {
            before();
        }
        match self.clock {
            Clock::Thread => {
                let clock = ThreadTime::now();
                (self.run)();
                clock.elapsed()
            }
            Clock::Process => {
                let clock = ProcessTime::now();
                (self.run)();
                clock.elapsed()
            }
        }
    }
}

fn main() {
    let (spans, rounds) = (number("SPANS", 200_000), number("ROUNDS", 9).max(1));
    let traces = Traces::new(spans);
    let (rows, checking) = rows::parts(&traces);
    let mut parts: Vec<Part> = rows
        .into_iter()
        .chain(chains::parts(&traces))
        .chain(signals::parts(&traces))
        .chain(json::parts(&traces))
        .chain(files::parts(&traces))
        .chain(compaction::parts(&traces))
        .collect();
    // Once unmeasured: memory grows, code is paged in.
    for part in &mut parts {
        part.measure();
    }
    let before = checking();
    let mut took: Vec<Vec<Duration>> = vec![Vec::new(); parts.len()];
    for _ in 0..rounds {
        for (part, took) in parts.iter_mut().zip(&mut took) {
            took.push(part.measure());
        }
    }
    let checking = (checking() - before).as_secs_f64() * 1e9 / (rounds * traces.spans) as f64;
    println!(
        "{} spans of {} B as protobuf and {} B as JSON, {} a message; {rounds} rounds, medians of CPU time\n",
        traces.spans,
        traces.protobuf_bytes() / traces.spans,
        traces.json_bytes() / traces.spans,
        traces::SPANS_PER_MESSAGE,
    );
    print(&parts, &mut took, traces.spans);
    println!("\nOf a span in the sandbox, the host's checks of what came out are {checking:.0} ns.");
}

fn print(parts: &[Part], took: &mut [Vec<Duration>], spans: usize) {
    println!("| part | ns an item | least to most | items/s per core | MB/s in | times the first |");
    println!("|---|---|---|---|---|---|");
    let mut first = 1.0;
    for (part, took) in parts.iter().zip(took) {
        took.sort();
        let each = |took: Duration| took.as_secs_f64() * 1e9 / spans as f64;
        let median = each(took[took.len() / 2]);
        if part.is_first {
            first = median;
        }
        let speed = |bytes| format!("{:.0}", bytes as f64 * 1e3 / (median * spans as f64));
        println!(
            "| {} | {median:.0} | {:.0} to {:.0} | {:.0} | {} | {:.2} |",
            part.name,
            each(took[0]),
            each(took[took.len() - 1]),
            1e9 / median,
            part.bytes.map_or_else(String::new, speed),
            median / first,
        );
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}
