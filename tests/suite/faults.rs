//! Every point of the commit at which a process can end, stop or fail: what is in the tables is the same.
//!
//! `WEIR_FAULT_SEEDS` says how often each point is tried; without it a few are, once. `WEIR_FAULT_PROCESSES` says with
//! how many processes: `1,3` tries both, by default they take turns. `WEIR_FAULT_POINT` tries one point alone. Each try
//! prints a line.

use serde_json::Value;
use weir_tests::{Oracle, Table, Weir, until};

use crate::pipeline::{LIMIT, Pipeline};
use crate::tables::{add, assert_once, events, produce, start_with, two_tables};

/// A point, what happens there, and at which passage at the latest: the seed draws one.
const FAULTS: [(&str, &str, u64); 18] = [
    ("fetched", "abort", 9),
    ("answered", "error", 9),
    ("writing", "abort", 40),
    ("writing", "error", 40),
    ("files-closed", "abort", 4),
    ("files-closed", "error", 4),
    ("guard-passed", "abort", 16),
    ("guard-passed", "stop", 16),
    ("list-written", "abort", 16),
    ("version-made", "abort", 16),
    ("version-made", "stop", 16),
    ("swapped", "abort", 16),
    ("swapped", "error", 16),
    ("secondary-committed", "abort", 8),
    ("committed", "abort", 4),
    ("committed", "error", 4),
    ("holding", "abort", 3),
    ("revoking", "abort", 1),
];

/// What is tried where nobody asks for more: a try takes ten seconds and more, most of it rebalances.
const EVERY_RUN: [&str; 4] = ["writing", "version-made", "swapped", "revoking"];

/// With how many processes the `nth` try is made. Nothing is given back where nobody else comes.
fn processes(nth: u64, point: &str) -> Vec<usize> {
    match std::env::var("WEIR_FAULT_PROCESSES") {
        Ok(text) => text.split(',').filter_map(|n| n.parse().ok()).filter(|n| *n > 1 || point != "revoking").collect(),
        Err(_) if point == "revoking" => vec![3],
        Err(_) => vec![[1, 3][(nth % 2) as usize]],
    }
}

#[test]
fn whatever_point_a_process_ends_stops_or_fails_at_nothing_is_lost_or_doubled() {
    let only = std::env::var("WEIR_FAULT_POINT").ok();
    let seeds = std::env::var("WEIR_FAULT_SEEDS").ok().and_then(|n| n.parse::<u64>().ok());
    let is_tried = |point: &str| match &only {
        Some(only) => only == point,
        None => seeds.is_some() || EVERY_RUN.contains(&point),
    };
    let faults: Vec<_> = FAULTS.iter().filter(|(point, ..)| is_tried(point)).collect();
    for seed in 0..seeds.unwrap_or(1) {
        for (at, (point, action, last)) in (0..).zip(&faults) {
            for processes in processes(seed + at, point) {
                println!("{}", one(seed, processes, (point, action, *last)));
            }
        }
    }
}

/// One process meets the fault at a passage that the seed says; others, if there are any, do not. Gives a line.
fn one(seed: u64, processes: usize, (point, action, last): (&str, &str, u64)) -> String {
    let passage = 1 + (seed * 7 + point.len() as u64) % last;
    let fault = format!("{point}:{passage}:{action}");
    let pipeline = two_tables(&format!("fault-{seed}-{processes}-{point}-{action}"), 3);
    let mut made = produce(&pipeline, seed * 1000 + 1, 12, 50);
    let mut letters = 3;
    let mut meets = start_with(&pipeline, &fault, &[]);
    if point == "revoking" {
        // It has all partitions before anybody else comes.
        until("the first rows", LIMIT, || (spans(&pipeline) >= made.count).then_some(()));
    }
    let mut others: Vec<Weir> = (1..processes).map(|_| pipeline.start()).collect();
    let mut was_met = false;
    // Records keep coming, so that the point is passed often enough.
    for more in 0..40 {
        add(&mut made, &produce(&pipeline, seed * 1000 + 2 + more, 6, 50));
        letters += 3;
        until("all rows, or the fault", LIMIT, || {
            was_met = is_met(&mut meets, action);
            (was_met || spans(&pipeline) >= made.count).then_some(())
        });
        if was_met {
            break;
        }
    }
    if action == "stop" && was_met {
        // Others go on without it, past its session.
        others.push(pipeline.start());
        let wanted = made.count;
        until("the others' work", LIMIT, || (spans(&pipeline) >= wanted).then_some(()));
        add(&mut made, &produce(&pipeline, seed * 1000 + 500, 6, 50));
        letters += 3;
        meets.resume();
    }
    others.iter_mut().for_each(|other| {
        other.stop();
    });
    meets.stop();
    pipeline.run_well();
    assert_once(&pipeline, &made, letters);
    for table in [pipeline.traces(), events(&pipeline), pipeline.dead_letters()] {
        assert_sound(&table);
    }
    // Among several, another one may have had all the work.
    assert!(was_met || processes > 1 && point != "revoking", "{fault} was never met");
    format!("{fault} with {processes}: met {was_met}, {} spans and {letters} letters once each", made.count)
}

fn spans(pipeline: &Pipeline) -> u64 {
    Oracle::shared().span_ids(&pipeline.traces()).count
}

/// Whether the process has ended, or is stopped. An error leaves no trace but in the log.
fn is_met(weir: &mut Weir, action: &str) -> bool {
    match action {
        "abort" => weir.ended().is_some(),
        "stop" => std::fs::read_to_string(format!("/proc/{}/stat", weir.id()))
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))),
        _ => weir.log().contains("a fault that was asked for"),
    }
}

/// No data file is there twice, every file that the head reaches exists, and the ranges in the summaries join from the
/// first offset to V, in each partition.
fn assert_sound(table: &Table) {
    let flaws = Oracle::shared().python(
        Some(table),
        r#"
import os
t = snapshot(at)
flaws = []
if t:
    path = lambda uri: uri.removeprefix("file://").removeprefix("file:")
    files = [f["file_path"] for f in t.inspect.files().to_pylist()]
    flaws += [f"{f} is there twice" for f in set(files) if files.count(f) > 1]
    manifests = [m.manifest_path for s in t.snapshots() for m in s.manifests(t.io)]
    lists = [s.manifest_list for s in t.snapshots()]
    flaws += [f"{f} does not exist" for f in files + manifests + lists if not os.path.exists(path(f))]
    ends, name = {}, None
    for s in t.history():
        summary = t.snapshot_by_id(s.snapshot_id).summary.additional_properties
        name = name or summary.get("weir.pipeline")
        for r in json.loads(summary.get("weir.ranges", "[]")):
            key = (r["topic"], r["partition"])
            if key in ends and at["folder"].endswith("traces") and ends[key] != r["from"]:
                flaws.append(f"{key}: a range begins at {r['from']}, the one before ends at {ends[key]}")
            ends[key] = max(r["to"], ends.get(key, 0))
    offsets = json.loads(t.metadata.properties[f"weir.{name}.offsets"])
    for topic in offsets["topics"]:
        for partition, next, *_ in topic["partitions"]:
            end = ends.get((topic["topic"], partition))
            # A further table stands where it was last written to, or began.
            if end is not None and end != next:
                flaws.append(f"{topic['topic']}/{partition}: V is {next}, the ranges end at {end}")
result = flaws
"#,
    );
    assert_eq!(flaws, Value::Array(Vec::new()));
}
