//! Files become fewer and rows stay what they are, while a pipeline runs and whatever is killed: `weir table compact`.

use std::collections::HashSet;

use serde_json::Value;
use weir_tests::process::command;
use weir_tests::{Oracle, S3, SpanIds, Spark, Table, Weir};

use crate::catalogs::s3_section;
use crate::pipeline::{LIMIT, Pipeline, said};

/// What a command wrote as JSON lines; it must have ended well.
pub(crate) fn json(args: &[&str]) -> Vec<Value> {
    let output = Weir::output(args);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// Compacts the spans' table, and gives what the command said of it.
pub(crate) fn compact(pipeline: &Pipeline, more: &[&str]) -> Value {
    let file = pipeline.file();
    let mut args = vec!["table", "compact", "--output", "json", file.as_str(), "telemetry.traces"];
    args.extend(more);
    json(&args).remove(0)
}

/// The live data files as PyIceberg lists them, each once.
fn files(table: &Table) -> usize {
    let files = Oracle::shared().files(table);
    let paths: HashSet<&str> = files.iter().filter_map(|f| f["file_path"].as_str()).collect();
    assert_eq!(paths.len(), files.len(), "a file is listed twice");
    files.len()
}

/// Every value of every row as PyIceberg reads it.
fn rows(table: &Table) -> Vec<String> {
    let mut rows: Vec<String> = Oracle::shared().rows(table, &[]).iter().map(Value::to_string).collect();
    rows.sort_unstable();
    rows
}

/// Ingests some rounds, a commit or more each.
pub(crate) fn ingest(pipeline: &Pipeline, rounds: std::ops::Range<u64>) -> SpanIds {
    let mut made = SpanIds::default();
    for seed in rounds {
        made += pipeline.produce(seed, 12, 50);
        pipeline.run_well();
    }
    made
}

pub(crate) fn verified(pipeline: &Pipeline) {
    let output = Weir::output(&["verify", pipeline.file().as_str()]);
    let text = said(&output);
    assert!(output.status.success() && text.contains("telemetry.traces: proven"), "{text}");
}

#[test]
fn fewer_files_hold_the_same_rows_for_pyiceberg_duckdb_and_spark() {
    let pipeline = Pipeline::new("compacted", 2);
    let made = ingest(&pipeline, 1..7);
    let table = pipeline.traces();
    let (files_before, rows_before) = (files(&table), rows(&table));
    let planned = compact(&pipeline, &["--dry-run", "--min-input-files", "2"]);
    assert_eq!((files(&table), planned["dry_run"].as_bool()), (files_before, Some(true)));
    let done = compact(&pipeline, &["--min-input-files", "2"]);
    let (count, after) = (made.count, files(&table));
    assert_eq!((done["rows"].as_u64(), done["files_before"].as_u64()), (Some(count), Some(files_before as u64)));
    assert_eq!(done["files_after"].as_u64(), Some(after as u64));
    assert!(after * 5 <= files_before, "{files_before} files became {after}");
    assert_eq!(rows(&table), rows_before);
    let folder = pipeline.lake().join("telemetry/traces");
    let duck = Oracle::shared().duckdb(&format!(
        "load iceberg; select count(*), count(distinct span_id) from iceberg_scan('{}')",
        folder.display()
    ));
    assert_eq!(duck, [[count, count].map(Value::from)]);
    let spark = Spark::shared()
        .hadoop(&pipeline.lake())
        .sql("select count(*) as rows, count(distinct span_id) as ids from lakehouse.telemetry.traces");
    assert_eq!(Value::from(spark), serde_json::json!([{"rows": count, "ids": count}]));
    verified(&pipeline);
    // All in one order, and once more nothing is to be done.
    let sorted = compact(&pipeline, &["--strategy", "sort", "--rewrite-all"]);
    assert_eq!(sorted["rows"].as_u64(), Some(count));
    assert_eq!(compact(&pipeline, &["--min-input-files", "2"])["groups"].as_u64(), Some(0));
    assert_eq!(rows(&table), rows_before);
    // The pipeline goes on from where it was.
    let mut all = made;
    all += ingest(&pipeline, 7..8);
    assert_eq!(Oracle::shared().span_ids(&table), all);
    verified(&pipeline);
}

#[test]
fn row_groups_that_are_copied_are_read_and_left_out_as_before() {
    let mut pipeline = Pipeline::new("compacted-copies", 1);
    // Row groups of a kilobyte are large here.
    pipeline.sections =
        "[sink.iceberg.tables.spans.properties]\n\"write.parquet.row-group-size-bytes\" = \"8000\"\n".into();
    let made = ingest(&pipeline, 1..7);
    let table = pipeline.traces();
    let rows_before = rows(&table);
    let done = compact(&pipeline, &["--min-input-files", "2"]);
    let count = made.count;
    assert_eq!((done["rows"].as_u64(), done["failed"].as_array().map(Vec::len)), (Some(count), Some(0)));
    let (copied, encoded) = (done["files_copied"].as_u64(), done["files_encoded"].as_u64());
    assert!(copied > Some(0) && done["bytes_copied"].as_u64() > Some(0), "{done}");
    assert_eq!(copied.zip(encoded).map(|(a, b)| a + b), done["files_before"].as_u64());
    assert_eq!(rows(&table), rows_before);
    // DuckDB and Weir ask row groups' bounds and filters, PyIceberg and Spark files' bounds; none may leave out a row.
    let folder = pipeline.lake().join("telemetry/traces");
    let scan = format!("iceberg_scan('{}')", folder.display());
    let traces = "select trace_id as id, count(*) as n from {} group by 1 order by n desc, id limit 5";
    let asked = Oracle::shared().duckdb(&format!("load iceberg; {}", traces.replace("{}", &scan)));
    let spark = Spark::shared().hadoop(&pipeline.lake());
    let same = spark.sql(&traces.replace("{}", "lakehouse.telemetry.traces"));
    for (row, same) in asked.iter().zip(&same) {
        let (id, n) = (row[0].as_str().expect("an id"), row[1].as_u64().expect("a count"));
        assert_eq!((same["id"].as_str(), same["n"].as_u64()), (Some(id), Some(n)));
        let of_it = format!("select count(*) as n from {{}} where trace_id = '{id}'");
        let duck = Oracle::shared().duckdb(&format!("load iceberg; {}", of_it.replace("{}", &scan)));
        assert_eq!(duck, [[Value::from(n)]]);
        let sparks = spark.sql(&of_it.replace("{}", "lakehouse.telemetry.traces"));
        assert_eq!(sparks[0]["n"].as_u64(), Some(n));
        let own = json(&[
            "query",
            "--output",
            "json",
            "--pipeline",
            &pipeline.file(),
            &of_it.replace("{}", "telemetry.traces"),
        ]);
        assert_eq!(own[0]["n"].as_u64(), Some(n));
    }
    let layout = json(&["table", "layout", "--output", "json", pipeline.file().as_str(), "telemetry.traces"]).remove(0);
    assert!(layout["questions"].as_array().is_some_and(|questions| !questions.is_empty()), "{layout}");
    verified(&pipeline);
}

#[test]
fn a_running_pipeline_is_not_disturbed_and_each_row_is_there_once() {
    let pipeline = Pipeline::new("compacted-running", 3);
    let table = pipeline.traces();
    let mut running = pipeline.start();
    let mut made = SpanIds::default();
    let mut replaced = 0;
    for seed in 1..9 {
        made += pipeline.produce(seed, 12, 50);
        running.wait(LIMIT, || Oracle::shared().span_ids(&table).count >= made.count);
        let done = compact(&pipeline, &["--min-input-files", "2"]);
        assert_eq!(done["given_up"], Value::Array(Vec::new()), "{done}");
        replaced += done["files_before"].as_u64().unwrap();
    }
    let log = running.log();
    assert!(!log.contains("fenced"), "{log}");
    assert!(running.stop().success());
    assert!(replaced > 0);
    assert_eq!(Oracle::shared().span_ids(&table), made);
    verified(&pipeline);
}

#[test]
fn killed_around_its_commit_the_table_is_right_and_the_next_one_does_what_is_left() {
    for (point, lands) in [("list-written", false), ("version-made", true), ("swapped", true)] {
        let pipeline = Pipeline::new(&format!("compacted-killed-{point}"), 1);
        let made = ingest(&pipeline, 1..4);
        let table = pipeline.traces();
        let (before, rows_before) = (files(&table), rows(&table));
        let file = pipeline.file();
        let mut weir = command(Weir::binary());
        weir.args(["table", "compact", "--min-input-files", "2", file.as_str(), "telemetry.traces"]);
        weir.env("WEIR_FAULT", format!("{point}:1:abort"));
        let mut killed = Weir::start_command(weir);
        assert!(!killed.wait_end(LIMIT).success(), "{point}: {}", killed.log());
        assert_eq!(files(&table) < before, lands, "{point}");
        assert_eq!(rows(&table), rows_before, "{point}");
        verified(&pipeline);
        compact(&pipeline, &["--min-input-files", "2"]);
        assert!(files(&table) < before, "{point}");
        assert_eq!(Oracle::shared().span_ids(&table), made, "{point}");
        verified(&pipeline);
    }
}

#[test]
fn a_running_process_compacts_and_expires_its_own_table_and_ingests_on() {
    let mut pipeline = Pipeline::new("compacted-within", 2);
    pipeline.interval = "200ms";
    pipeline.sections = "[maintenance]\nevery = \"1s\"\ncompact = \"sort\"\ncpu = \"50%\"\n".into();
    let table = pipeline.traces();
    let mut running = pipeline.start();
    let mut made = pipeline.produce(1, 12, 50);
    let is_replaced = || {
        let metadata = Oracle::shared().metadata(&table);
        let snapshots = metadata["snapshots"].as_array().cloned().unwrap_or_default();
        snapshots.iter().any(|s| s["summary"]["weir.maintenance"] == "compact")
    };
    let mut seed = 2;
    running.wait(LIMIT, || {
        if seed < 9 {
            made += pipeline.produce(seed, 12, 50);
            seed += 1;
        }
        Oracle::shared().count(&table).is_some() && is_replaced()
    });
    running.wait(LIMIT, || Oracle::shared().span_ids(&table).count >= made.count);
    let log = running.log();
    assert!(!log.contains("fenced"), "{log}");
    assert!(running.stop().success());
    assert_eq!(Oracle::shared().span_ids(&table), made);
    files(&table);
    verified(&pipeline);
    assert_eq!(Oracle::shared().metadata(&table)["properties"]["weir.made-by"], pipeline.name.as_str());
}

#[test]
fn tables_are_shown_as_pyiceberg_sees_them_and_manifests_become_one() {
    let pipeline = Pipeline::new("shown", 1);
    let made = ingest(&pipeline, 1..4);
    let (table, file) = (pipeline.traces(), pipeline.file());
    let ask = |view: &str| json(&["table", view, "--output", "json", file.as_str(), "telemetry.traces"]);
    let metadata = Oracle::shared().metadata(&table);
    let shown = ask("show").remove(0);
    assert_eq!((&shown["uuid"], &shown["location"]), (&metadata["table-uuid"], &metadata["location"]));
    assert_eq!((shown["rows"].as_u64(), shown["event"].as_str()), (Some(made.count), Some("table")));
    let ids = |lines: &[Value], key: &str| lines.iter().map(|line| line[key].clone()).collect::<Vec<_>>();
    let mut snapshots = metadata["snapshots"].as_array().cloned().unwrap_or_default();
    snapshots.sort_by_key(|snapshot| snapshot["sequence-number"].as_u64());
    assert_eq!(ids(&ask("snapshots"), "snapshot"), ids(&snapshots, "snapshot-id"));
    assert_eq!(ids(&ask("history"), "snapshot"), ids(metadata["snapshot-log"].as_array().unwrap(), "snapshot-id"));
    let paths = |lines: &[Value], key: &str| {
        lines.iter().filter_map(|line| line[key].as_str().map(str::to_string)).collect::<HashSet<_>>()
    };
    assert_eq!(paths(&ask("files"), "file"), paths(&Oracle::shared().files(&table), "file_path"));
    let text = said(&Weir::output(&["table", "snapshots", file.as_str(), "telemetry.traces"]));
    assert!(text.contains("operation") && text.contains("append"), "{text}");
    let rows_before = rows(&table);
    let merged = json(&["table", "rewrite-manifests", "--output", "json", file.as_str(), "telemetry.traces"]).remove(0);
    assert!(merged["before"].as_u64() > Some(1), "{merged}");
    assert_eq!(merged["after"].as_u64(), Some(1));
    assert_eq!(rows(&table), rows_before);
    verified(&pipeline);
}

#[test]
fn a_table_in_an_object_store_is_compacted_over_local_disk() {
    let s3 = S3::start();
    s3.create_bucket("lake");
    let mut pipeline = Pipeline::new("compacted-s3", 1);
    pipeline.sink = "catalog = { type = \"hadoop\" }\nwarehouse = \"s3://lake/warehouse\"".into();
    pipeline.sections = s3_section(&s3);
    let made = ingest(&pipeline, 1..4);
    let table = Table::hadoop("s3://lake/warehouse", "telemetry.traces").with(s3.pyiceberg());
    let (before, rows_before) = (files(&table), rows(&table));
    let done = compact(&pipeline, &["--min-input-files", "2"]);
    assert_eq!((done["rows"].as_u64(), done["failed"].clone()), (Some(made.count), Value::Array(Vec::new())));
    assert!(files(&table) < before);
    assert_eq!(rows(&table), rows_before);
    verified(&pipeline);
}
