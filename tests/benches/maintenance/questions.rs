//! What questions for one trace, one service and one hour read and take: of the table of many commits, of what
//! compaction makes of it, and of the table that the Spark job makes of the same topic.
//!
//! PyIceberg plans, DuckDB runs, and `weir table layout` must have said the same as PyIceberg.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weir_tests::{Oracle, Table};

use crate::compaction::weir_compacts;
use crate::{TABLE, TOPIC, World, benches};

const KINDS: [&str; 3] = ["trace", "service", "hour"];

pub(crate) fn measure(world: &World) {
    println!(
        "### What questions read\n\nOn average over the values that were asked for; DuckDB's files are cached by the system\n"
    );
    println!(
        "| one | table | files planned | MB of them | MB of the columns asked for | files with filters | MB read by DuckDB | \
         wall ms | CPU ms |\n|---|---|---|---|---|---|---|---|---|"
    );
    world.restore();
    let fill = world.folder.join("fill.toml");
    let mut tables = vec![("of many commits", look(world, &fill, &world.lake(), &Value::Null))];
    let asked = tables[0].1.0.clone();
    weir_compacts(world, "sort");
    tables.push(("compacted", look(world, &fill, &world.lake(), &asked)));
    if world.with_spark {
        let lake = world.folder.join("sparks");
        by_the_job(world, &lake);
        world.assert_whole(&lake);
        let file = world.pipeline("sparks", TOPIC, "./sparks", "30s", "");
        tables.push(("the Spark job's", look(world, &file, &lake, &asked)));
    }
    for kind in KINDS {
        for (what, (found, layout)) in &tables {
            let found = &found[kind];
            assert_eq!(found["rows"], asked[kind]["rows"], "{what}: other rows answer for one {kind}");
            let figure = |key: &str| found[key].as_f64().expect("a number");
            let mb = |key: &str| figure(key) / 1e6;
            println!(
                "| {kind} | {what} | {:.1} | {:.2} | {:.2} | {:.1} | {:.2} | {:.0} | {:.0} |",
                figure("files"),
                mb("file_bytes"),
                mb("chunk_bytes"),
                question(layout, kind)["files"].as_f64().expect("a number"),
                mb("read"),
                figure("wall_ms"),
                figure("cpu_ms")
            );
        }
    }
    println!();
}

/// What the oracle finds, and what `weir table layout` says.
fn look(world: &World, file: &Path, lake: &Path, asked: &Value) -> (Value, Value) {
    let python = std::fs::read_to_string(benches().join("maintenance/questions.py")).unwrap();
    let asked = if asked.is_null() { "None".to_string() } else { asked.to_string() };
    let found = Oracle::shared().python(Some(&Table::hadoop(lake, TABLE)), &format!("asked = {asked}\n{python}"));
    let mut layout = Command::new(&world.weir);
    layout.args(["table", "layout", "--output", "json"]).arg(file).arg(TABLE);
    let output = layout.output().expect("weir runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let layout: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
    for kind in KINDS {
        let (said, planned) = (question(&layout, kind), &found[kind]["planned"]);
        for (key, planned) in [("planned", &planned[0]), ("planned_bytes", &planned[1])] {
            let (ours, theirs) = (said[key].as_f64().unwrap_or(-1.0), planned.as_f64().unwrap_or(-2.0));
            assert!((ours - theirs).abs() < 1e-3 * theirs.max(1.0), "{kind}, {key}: {ours}, and PyIceberg {theirs}");
        }
    }
    (found, layout)
}

fn question<'a>(layout: &'a Value, kind: &str) -> &'a Value {
    let questions = layout["questions"].as_array().expect("questions");
    questions.iter().find(|question| question["of"] == kind).unwrap_or_else(|| panic!("nobody asked for one {kind}"))
}

/// The Spark job's own table of the topic.
fn by_the_job(world: &World, lake: &Path) {
    let (checkpoint, brokers) = (world.folder.join("checkpoint"), world.kafka.bootstrap());
    let columns = benches().join("../kit/spark/traces.sql");
    let text = |path: &Path| path.to_str().expect("a plain path").to_string();
    let (lake, checkpoint, columns) = (text(lake), text(&checkpoint), text(&columns));
    world.spark(
        "spark/job.py",
        &[
            ("--brokers", &brokers),
            ("--topic", TOPIC),
            ("--warehouse", &lake),
            ("--checkpoint", &checkpoint),
            ("--columns", &columns),
        ],
    );
}
