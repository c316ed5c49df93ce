//! What came out of all tries.
#![allow(clippy::print_stdout)]

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Fault, Task, Way};

/// What a try that went well has to say.
pub(super) struct Tried {
    /// Whether the fault was met. Among several processes another one may have had all the work.
    pub(super) met: bool,
    pub(super) spans: u64,
    pub(super) letters: u64,
    /// Spans that are not in the table, and rows that are there once more than they should, as PyIceberg counts.
    pub(super) lost: u64,
    pub(super) doubled: u64,
}

#[derive(Default)]
struct Line {
    tries: u64,
    met: u64,
    spans: u64,
    lost: u64,
    doubled: u64,
}

/// Sums, and what failed.
#[derive(Default)]
pub(super) struct Report {
    lines: BTreeMap<usize, Line>,
    failures: Vec<String>,
}

impl Report {
    pub(super) fn add(&mut self, task: &Task, outcome: Result<Tried, Box<dyn Any + Send>>) {
        let line = self.lines.entry(task.fault.number).or_default();
        line.tries += 1;
        let name = format!("{} on {:?}", task.name(), task.catalog);
        match outcome {
            Ok(Tried { met, spans, letters, lost, doubled }) => {
                line.met += u64::from(met);
                line.spans += spans;
                line.lost += lost;
                line.doubled += doubled;
                if lost + doubled > 0 {
                    self.failures.push(format!("{name}: of {spans} spans {lost} are lost, {doubled} doubled"));
                }
                println!("{name}: met {met}, {spans} spans, {letters} letters, {lost} lost, {doubled} doubled");
            }
            Err(panic) => {
                let why = panic.downcast_ref::<String>().map(String::as_str);
                let why = why.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
                println!("{name}: FAILED: {why}");
                self.failures.push(format!("{name}: {why}"));
            }
        }
    }

    /// Writes the README's table to the file that `WEIR_FAULT_TABLE` names, if it does.
    pub(super) fn write(&self, faults: &[Fault]) {
        let Ok(file) = std::env::var("WEIR_FAULT_TABLE") else { return };
        let mut text = String::from(
            "| # | where | tries | met | spans | lost | doubled | tests |\n|---|---|---|---|---|---|---|---|\n",
        );
        for fault in faults {
            let Some(line) = self.lines.get(&fault.number) else { continue };
            let Line { tries, met, spans, lost, doubled } = line;
            let (number, place) = (fault.number, fault.place);
            let ways: Vec<String> = fault.ways.iter().map(link).collect();
            let ways = ways.join(", ");
            let _ = writeln!(text, "| {number} | {place} | {tries} | {met} | {spans} | {lost} | {doubled} | {ways} |");
        }
        for failure in &self.failures {
            let _ = writeln!(text, "\nFAILED: {failure}");
        }
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    pub(super) fn assert_well(&self) {
        assert!(self.failures.is_empty(), "{} tries failed:\n{}", self.failures.len(), self.failures.join("\n"));
    }
}

/// A way and where it is written down.
fn link(way: &Way) -> String {
    match way {
        Way::At { point, action, .. } => format!("[`{point}:{action}`](tests/suite/faults.rs)"),
        Way::Act { name, .. } => format!("[`{name}`](tests/suite/faults/acts.rs)"),
    }
}
