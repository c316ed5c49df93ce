//! Whatever happens, and wherever it happens: what is in the tables is the same.
//!
//! The eighteen faults are numbered as the table in the README numbers them. `WEIR_FAULT_SEEDS` says how often each is
//! tried with each number of `WEIR_FAULT_PROCESSES` (`1,3`); without it each is tried once, and both numbers take turns.
//! `WEIR_FAULT_FROM` leaves out the first ones, that an earlier run has tried. `WEIR_FAULT_ONLY` is the number of the one
//! to try, `WEIR_FAULT_JOBS` how many are tried at once, and a table of what came out is written to the file that
//! `WEIR_FAULT_TABLE` names.

mod acts;
mod audit;
mod report;
mod soak;
mod trial;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::pipeline::Catalog;
use report::{Report, Tried};
use trial::Trial;

/// What can go wrong at one place.
struct Fault {
    number: usize,
    place: &'static str,
    /// They take turns.
    ways: &'static [Way],
}

/// How it goes wrong.
enum Way {
    /// A process meets `action` at one of the first `last` passages of a point, as the seed says.
    At { point: &'static str, action: &'static str, last: u64, catalogs: &'static [Catalog] },
    /// Something outside of Weir.
    Act { name: &'static str, act: fn(&mut Trial), catalogs: &'static [Catalog] },
}

const ALL: &[Catalog] = &[Catalog::Hadoop, Catalog::Sqlite, Catalog::Rest];
const HADOOP: &[Catalog] = &[Catalog::Hadoop];
/// Where others may write while Weir runs.
const SHARED: &[Catalog] = &[Catalog::Sqlite, Catalog::Rest];
const REST: &[Catalog] = &[Catalog::Rest];
/// Whose files the process itself writes, heads included.
const FILES: &[Catalog] = &[Catalog::Hadoop, Catalog::Sqlite];

const fn at(point: &'static str, action: &'static str, last: u64) -> Way {
    Way::At { point, action, last, catalogs: ALL }
}

const fn act(name: &'static str, act: fn(&mut Trial), catalogs: &'static [Catalog]) -> Way {
    Way::Act { name, act, catalogs }
}

const FAULTS: [Fault; 18] = [
    Fault { number: 1, place: "after poll, before decode", ways: &[at("fetched", "abort", 9)] },
    Fault {
        number: 2,
        place: "in the guest: a trap, an endless loop, memory without end",
        ways: &[act("guest", acts::guest, ALL)],
    },
    Fault { number: 3, place: "the guest's columns are not valid", ways: &[at("answered", "error", 9)] },
    Fault {
        number: 4,
        place: "in the middle of a data file; disk full",
        ways: &[at("writing", "abort", 40), at("writing", "error", 40), act("disk-full", acts::disk_full, FILES)],
    },
    Fault {
        number: 5,
        place: "file closed, not committed",
        ways: &[at("files-closed", "abort", 4), at("files-closed", "error", 4)],
    },
    Fault {
        number: 6,
        place: "guard passed, before the swap; between create and hint",
        ways: &[
            at("guard-passed", "abort", 16),
            Way::At { point: "version-made", action: "abort", last: 16, catalogs: HADOOP },
            at("holding", "abort", 3),
        ],
    },
    Fault { number: 7, place: "manifest list written", ways: &[at("list-written", "abort", 16)] },
    Fault {
        number: 8,
        place: "request sent, answer lost, or an error after it was applied",
        ways: &[at("swapped", "error", 16), act("answers-lost", acts::answers_lost, REST)],
    },
    Fault {
        number: 9,
        place: "applied, and the process dies; a storm of conflicts",
        ways: &[at("swapped", "abort", 16), act("storm", acts::storm, ALL)],
    },
    Fault {
        number: 10,
        place: "after commit, before ack; between two tables",
        ways: &[at("committed", "abort", 4), at("committed", "error", 4), at("secondary-committed", "abort", 8)],
    },
    Fault { number: 11, place: "in the revoke callback", ways: &[at("revoking", "abort", 1)] },
    Fault {
        number: 12,
        place: "stopped beyond the session at 6, then woken",
        ways: &[
            at("guard-passed", "stop", 16),
            Way::At { point: "version-made", action: "stop", last: 16, catalogs: HADOOP },
        ],
    },
    Fault {
        number: 13,
        place: "the group started twice; a clone under another group",
        ways: &[act("twice", acts::twice, ALL)],
    },
    Fault {
        number: 14,
        place: "a foreign append, rewrite or column at 6",
        ways: &[
            act("foreign", acts::foreign, SHARED),
            act("foreign-while-stopped", acts::foreign_while_stopped, HADOOP),
        ],
    },
    Fault {
        number: 15,
        place: "expiry to one snapshot while stopped",
        ways: &[act("expired-by-weir", acts::expired, ALL), act("expired-by-spark", acts::expired_by_spark, ALL)],
    },
    Fault {
        number: 16,
        place: "rollback by 1 and by 3, running and stopped",
        ways: &[
            act("rollback-stopped", acts::rollback_stopped, SHARED),
            act("rollback-running", acts::rollback_running, SHARED),
        ],
    },
    Fault {
        number: 17,
        place: "topic made again; retention beyond V; partitions added",
        ways: &[
            act("made-again", acts::topic_made_again, ALL),
            act("retention", acts::retention, ALL),
            act("partitions-added", acts::partitions_added, ALL),
        ],
    },
    Fault {
        number: 18,
        place: "broker restart, clock step, the catalog's disk full",
        ways: &[
            act("broker-restart", acts::broker_restart, ALL),
            act("clock-step", acts::clock_step, ALL),
            at("guard-passed", "error", 16),
            act("catalog-disk-full", acts::catalog_disk_full, FILES),
        ],
    },
];

/// One thing to try.
struct Task {
    fault: &'static Fault,
    way: &'static Way,
    catalog: Catalog,
    seed: u64,
    processes: usize,
}

impl Task {
    fn name(&self) -> String {
        let way = match self.way {
            Way::At { point, action, .. } => format!("{point}-{action}"),
            Way::Act { name, .. } => (*name).into(),
        };
        format!("fault-{}-{way}-{}-{}", self.fault.number, self.seed, self.processes)
    }

    fn run(&self) -> Tried {
        let mut trial = Trial::new(&self.name(), self.seed, self.processes, self.catalog);
        match *self.way {
            Way::At { point, action, last, .. } => trial.meet(point, action, last),
            Way::Act { act, .. } => act(&mut trial),
        }
        trial.end()
    }
}

fn tasks() -> Vec<Task> {
    static ALL_OF_THEM: [Fault; 18] = FAULTS;
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seeds, only) = (number("WEIR_FAULT_SEEDS"), number("WEIR_FAULT_ONLY"));
    let processes: Vec<usize> = std::env::var("WEIR_FAULT_PROCESSES")
        .map(|text| text.split(',').filter_map(|n| n.parse().ok()).collect())
        .unwrap_or_else(|_| vec![1, 3]);
    let mut tasks = Vec::new();
    for seed in number("WEIR_FAULT_FROM").unwrap_or(0)..seeds.unwrap_or(1) {
        for fault in ALL_OF_THEM.iter().filter(|fault| only.is_none_or(|only| only == fault.number as u64)) {
            let turn = seed as usize + fault.number;
            let taken = if seeds.is_some() { &processes[..] } else { &processes[turn % processes.len()..][..1] };
            for &processes in taken {
                // Every way comes with every catalog that it knows, in turn.
                let nth = turn + processes;
                let way = &fault.ways[nth % fault.ways.len()];
                let (Way::At { catalogs, .. } | Way::Act { catalogs, .. }) = way;
                let catalog = catalogs[nth / fault.ways.len() % catalogs.len()];
                tasks.push(Task { fault, way, catalog, seed, processes });
            }
        }
    }
    tasks
}

#[test]
fn whatever_fails_wherever_it_fails_nothing_is_lost_or_doubled() {
    let tasks = tasks();
    let jobs = std::env::var("WEIR_FAULT_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let (next, report) = (AtomicUsize::new(0), Mutex::new(Report::default()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = catch_unwind(AssertUnwindSafe(|| task.run()));
                    let mut report = report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    report.add(task, outcome);
                }
            });
        }
    });
    let report = report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    report.write(&FAULTS);
    report.assert_well();
}

/// Once a connection to SQLite was used on after a COMMIT had failed: what was then answered as committed was not.
#[test]
fn a_catalog_whose_disk_was_full_takes_the_commits_that_follow() {
    let mut trial = Trial::new("catalog-disk-full", 4, 1, Catalog::Sqlite);
    acts::catalog_disk_full(&mut trial);
    let tried = trial.end();
    assert!(tried.met && tried.lost + tried.doubled == 0);
}
