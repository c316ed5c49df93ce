//! A table changes and no file is rewritten; every engine reads old and new files alike, and ingestion goes on: `weir
//! table evolve`.

use serde_json::{Value, json};
use weir_tests::{Oracle, SpanIds, Spark, Table, Trino, Weir};

use crate::compaction::{compact, ingest, json, verified};
use crate::pipeline::{Catalog, LIMIT, Pipeline, refused};

/// Changes the spans' table, and gives what the command said of it.
fn evolve(pipeline: &Pipeline, changes: &[&str]) -> Value {
    let (file, table) = (pipeline.file(), format!("{}.traces", pipeline.namespace));
    let mut args = vec!["table", "evolve", "--output", "json", file.as_str(), table.as_str()];
    args.extend(changes);
    json(&args).remove(0)
}

/// The columns of a table, in order.
fn columns(shape: &Value) -> Vec<&str> {
    shape["columns"].as_array().into_iter().flatten().filter_map(|column| column["name"].as_str()).collect()
}

/// What four engines and Weir's own query say to the same question of the spans' table, which must be the same.
fn answer(pipeline: &Pipeline, select: &str, rest: &str) -> Vec<Vec<Value>> {
    let folder = pipeline.lake().join("telemetry/traces");
    let duck = Oracle::shared().duckdb(&format!("select {select} from iceberg_scan('{}') {rest}", folder.display()));
    let lists = |rows: Vec<Value>| -> Vec<Vec<Value>> {
        // Objects have lost their order: the questions name their columns a, b, c.
        let list = |row: &Value| row.as_object().map(|row| row.values().cloned().collect()).unwrap_or_default();
        rows.iter().map(list).collect()
    };
    let sql = format!("select {select} from lakehouse.telemetry.traces {rest}");
    let spark = lists(Spark::shared().hadoop(&pipeline.lake()).sql(&sql));
    let lake = pipeline.lake().display().to_string();
    let weir = lists(json(&["query", "--output", "json", "--warehouse", &lake, &sql]));
    let trino = Trino::shared();
    trino.folder("evolved", "telemetry.traces", &folder);
    let trino = trino.sql(&format!("select {select} from evolved.telemetry.traces {rest}"));
    assert_eq!(duck, spark, "{select} {rest}: DuckDB and Spark");
    assert_eq!(duck, trino, "{select} {rest}: DuckDB and Trino");
    assert_eq!(duck, weir, "{select} {rest}: DuckDB and Weir");
    duck
}

/// How many data files PyIceberg's plan reads for a filter, of how many.
fn planned(table: &Table, filter: &str) -> (u64, u64) {
    let code = format!(
        "t = load(at)\nresult = [len(list(t.scan(row_filter={filter:?}).plan_files())), len(list(t.scan().plan_files()))]"
    );
    let counts = Oracle::shared().python(Some(table), &code);
    let count = |at: usize| counts[at].as_u64().expect("a count");
    (count(0), count(1))
}

/// Whole rows, structs and all, by Weir's query and by PyIceberg.
fn whole_rows_agree(pipeline: &Pipeline) {
    let lake = pipeline.lake().display().to_string();
    let sql = "select span_id, operation, status_code, events from telemetry.traces";
    let sorted = |mut rows: Vec<Value>| {
        // The two write times with more or fewer digits.
        for event in rows.iter_mut().filter_map(|row| row["events"].as_array_mut()).flatten() {
            event.as_object_mut().and_then(|event| event.remove("timestamp"));
        }
        let mut rows: Vec<String> = rows.iter().map(Value::to_string).collect();
        rows.sort_unstable();
        rows
    };
    let weir = sorted(json(&["query", "--output", "json", "--warehouse", &lake, sql]));
    let columns = ["span_id", "operation", "status_code", "events"];
    let py = sorted(Oracle::shared().rows(&pipeline.traces(), &columns));
    assert_eq!(weir.len(), py.len());
    let different = weir.iter().zip(&py).find(|(weir, py)| weir != py);
    assert_eq!(different, None, "Weir and PyIceberg");
    assert!(weir.iter().any(|row| row.contains("\"title\"")));
}

/// What is asked after each step: all columns that were changed, whole and filtered.
fn answers(pipeline: &Pipeline) -> Vec<Vec<Vec<Value>>> {
    let counts = "count(*) as a, count(distinct span_id) as b, count(operation) as c, sum(status_code) as d, \
                  count(region) as e, count(labels) as f";
    whole_rows_agree(pipeline);
    vec![
        answer(pipeline, counts, ""),
        answer(pipeline, "count(*) as a", "where status_code = 2"),
        answer(pipeline, "count(*) as a", "where status_code > 1 and region is null"),
        answer(pipeline, "count(*) as a", "where service_name = 'service-3'"),
        answer(
            pipeline,
            "operation as a, count(*) as b, sum(status_code) as c",
            "group by operation order by operation",
        ),
    ]
}

#[test]
fn old_and_new_files_give_the_same_answers_in_every_engine_and_compaction_keeps_them() {
    let pipeline = Pipeline::new("evolved", 1);
    let mut made = ingest(&pipeline, 1..3);
    let table = pipeline.traces();
    let before = Oracle::shared().metadata(&table);
    let changes = [
        "--rename",
        "operation_name=operation",
        "--rename",
        "events.element.name=title",
        "--widen",
        "status_code=long",
        "--drop",
        "status_message",
        "--add",
        "region string comment 'where'",
        "--add",
        "labels map<string, string>",
        "--move",
        "region=first",
    ];
    let dry = evolve(&pipeline, &[&changes[..], &["--dry-run"]].concat());
    assert_eq!(Oracle::shared().metadata(&table), before);
    let done = evolve(&pipeline, &changes);
    assert_eq!((&done["after"], done["changed"].as_bool()), (&dry["after"], Some(true)));
    assert_eq!(columns(&done["after"])[0], "region");
    let snapshots = |metadata: &Value| metadata["snapshots"].as_array().map_or(0, Vec::len);
    let after = Oracle::shared().metadata(&table);
    assert_eq!(snapshots(&after), snapshots(&before) + 1, "one commit");
    let old = answers(&pipeline);
    assert_eq!(old[0][0], json!([made.count, made.count, made.count, old[0][0][3], 0, 0]).as_array().cloned().unwrap());
    // The plugin gives what it gave; it goes where it belongs, and what was dropped stays away.
    made += ingest(&pipeline, 3..5);
    assert_eq!(Oracle::shared().span_ids(&table), made);
    assert_eq!(columns(&evolve(&pipeline, &["--comment", "region=which"])["after"]), columns(&done["after"]));
    let new = answers(&pipeline);
    assert_eq!(new[0][0][2], json!(made.count), "the renamed column is filled");
    assert!(new[1][0][0].as_u64() > old[1][0][0].as_u64());
    // Another partitioning and order: plans read of the old files what the old spec leaves, of the new what the new does.
    let old_files = planned(&table, "true").1;
    evolve(
        &pipeline,
        &["--partition-by", "day(timestamp), bucket(8, trace_id)", "--sort-by", "trace_id, timestamp desc"],
    );
    assert_eq!(answers(&pipeline), new);
    made += ingest(&pipeline, 5..7);
    assert_eq!(Oracle::shared().span_ids(&table), made);
    let files = Oracle::shared().files(&table);
    let new_files = files.len() as u64 - old_files;
    assert!(new_files >= 8 && files.iter().filter(|f| f["spec_id"] == json!(1)).count() as u64 == new_files);
    let (read, all) = planned(&table, "service_name == 'service-3'");
    assert!(read < all && read <= new_files + old_files / 10, "{read} of {all}: {old_files} old, {new_files} new");
    let trace = Oracle::shared().rows(&table, &["trace_id"])[0]["trace_id"].as_str().unwrap().to_string();
    let (read, _) = planned(&table, &format!("trace_id == '{trace}'"));
    assert!(read <= old_files + new_files / 4, "{read} of {all}: {old_files} old, {new_files} new");
    let both = answers(&pipeline);
    assert_eq!(answer(&pipeline, "count(*) as a", &format!("where trace_id = '{trace}'")).len(), 1);
    verified(&pipeline);
    // Files of the new spec are put together; the old ones stay as they are.
    let done = compact(&pipeline, &["--min-input-files", "2", "--strategy", "sort"]);
    assert_eq!((done["files_before"].as_u64(), done["failed"].clone()), (Some(new_files), json!([])), "{done}");
    assert_eq!(answers(&pipeline), both);
    // And with the first spec again, the very first files, which have other columns.
    evolve(&pipeline, &["--partition-by", "day(timestamp), service_name", "--sort-by", "timestamp"]);
    let done = compact(&pipeline, &["--min-input-files", "2"]);
    assert_eq!((done["files_before"].as_u64(), done["failed"].clone()), (Some(old_files), json!([])), "{done}");
    assert_eq!(answers(&pipeline), both);
    verified(&pipeline);
}

#[test]
fn a_running_pipeline_goes_on_through_every_change_in_every_catalog() {
    for catalog in [Catalog::Hadoop, Catalog::Sqlite, Catalog::Rest] {
        let mut pipeline = Pipeline::new(&format!("evolved-{catalog:?}").to_lowercase(), 2).in_catalog(catalog);
        pipeline.interval = "200ms";
        let table = pipeline.traces();
        let mut made = pipeline.produce(1, 8, 50);
        let mut running = pipeline.start();
        let until = |running: &mut Weir, made: &SpanIds| {
            running.wait(LIMIT, || Oracle::shared().span_ids(&table).count >= made.count);
        };
        until(&mut running, &made);
        let changes: [&[&str]; 8] = [
            &["--rename", "operation_name=operation"],
            &["--widen", "status_code=long"],
            &["--drop", "status_message"],
            &["--partition-by", "hour(timestamp), bucket(4, trace_id)"],
            &["--sort-by", "trace_id, timestamp"],
            &["--add", "region string", "--move", "region=first", "--rename", "operation=op"],
            &["--partition-by", ""],
            &["--add", "status_message string", "--partition-by", "day(timestamp), service_name"],
        ];
        for (seed, change) in (2..).zip(changes) {
            // Before, while and after it commits.
            made += pipeline.produce(seed, 8, 50);
            evolve(&pipeline, change);
            made += pipeline.produce(100 + seed, 8, 50);
            until(&mut running, &made);
        }
        let log = running.log();
        assert!(running.stop().success(), "{log}");
        assert!(log.contains("status_message") && log.contains("dropped from the table"), "{log}");
        assert_eq!(Oracle::shared().span_ids(&table), made, "{catalog:?}");
        let code = "t = load(at).scan().to_arrow()\n\
                    result = [t.num_rows, t.num_rows - t['op'].null_count, t.column_names[0]]";
        let filled = Oracle::shared().python(Some(&table), code);
        assert_eq!(filled, json!([made.count, made.count, "region"]), "{catalog:?}");
        let output = Weir::output(&["verify", pipeline.file().as_str()]);
        assert!(output.status.success(), "{}", crate::pipeline::said(&output));
    }
}

#[test]
fn what_would_break_readers_or_the_pipeline_is_refused_by_name_and_nothing_changes() {
    let pipeline = Pipeline::new("evolved-refused", 1);
    ingest(&pipeline, 1..2);
    let (file, before) = (pipeline.file(), Oracle::shared().metadata(&pipeline.traces()));
    let ask = |table: &str, changes: &[&str]| {
        Weir::output(&[&["table", "evolve", file.as_str(), table][..], changes].concat())
    };
    for (changes, part) in [
        (&["--drop", "service_name"][..], "partitioned by service_name"),
        (&["--drop", "timestamp"], "timestamp"),
        (&["--drop", "nothing"], "no column nothing"),
        (&["--widen", "duration_ms=float"], "cannot become float"),
        (&["--rename", "trace_id=span_id"], "span_id"),
        (&["--partition-by", "day(service_name)"], "day"),
        (&["--add", "x text"], "a type"),
        (&[], "nothing is to be changed"),
    ] {
        refused(&ask("telemetry.traces", changes), 2, &[part]);
    }
    refused(&ask("telemetry.nothing", &["--drop", "x"]), 2, &["telemetry.nothing is no table of"]);
    refused(&ask("telemetry.dead_letters", &["--rename", "offset=o"]), 2, &["dead letters", "offset"]);
    assert_eq!(Oracle::shared().metadata(&pipeline.traces()), before);
}

#[test]
fn what_a_question_reads_is_known_beforehand_and_a_trace_is_found_in_few_files() {
    let pipeline = Pipeline::new("laid-out", 1);
    ingest(&pipeline, 1..7);
    let (file, table) = (pipeline.file(), pipeline.traces());
    let layout = || json(&["table", "layout", "--output", "json", file.as_str(), "telemetry.traces"]).remove(0);
    let found = layout();
    let files = Oracle::shared().files(&table);
    let bytes: u64 = files.iter().filter_map(|f| f["file_size_in_bytes"].as_u64()).sum();
    assert_eq!(
        (found["files"]["count"].as_u64(), found["files"]["bytes"].as_u64()),
        (Some(files.len() as u64), Some(bytes))
    );
    let question = |found: &Value, of: &str| {
        let all = found["questions"].as_array().cloned().unwrap_or_default();
        let one = all.into_iter().find(|question| question["of"] == of).expect("it is asked");
        (one["planned"].as_f64().unwrap(), one["files"].as_f64().unwrap(), one["bytes"].as_f64().unwrap())
    };
    let (planned, read, read_bytes) = question(&found, "trace");
    assert!(read * 4.0 < planned && read >= 1.0, "{read} of {planned} files: {found}");
    assert!(read_bytes * 4.0 < bytes as f64);
    // Every span of a trace is in a file that its filter lets pass; DuckDB asks the same filters.
    let trace = Oracle::shared().rows(&table, &["trace_id"])[0]["trace_id"].as_str().unwrap().to_string();
    let folder = pipeline.lake().join("telemetry/traces");
    let scan = format!("select count(*) from iceberg_scan('{}') where trace_id", folder.display());
    let by_filter = Oracle::shared().duckdb(&format!("{scan} = '{trace}'"));
    assert_eq!(by_filter, Oracle::shared().duckdb(&format!("{scan} || '' = '{trace}'")));
    // What compaction is said to win is what it wins.
    let gain = |found: &Value, strategy: &str| {
        let all = found["gains"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|gain| gain["strategy"] == strategy).expect("it is said")
    };
    let wins = gain(&found, "sort");
    let done = compact(&pipeline, &["--strategy", "sort"]);
    assert_eq!((&wins["files"], &wins["files_after"]), (&done["files_before"], &done["files_after"]));
    let after = layout();
    assert_eq!(after["files"]["count"], wins["files_left"]);
    assert!(question(&after, "service").1 < question(&found, "service").1);
    let overlapping = |found: &Value| {
        let partitions = found["partitions"].as_array().cloned().unwrap_or_default();
        partitions.iter().filter(|partition| partition["overlap"].as_u64() > Some(1)).count()
    };
    assert!(overlapping(&after) * 4 < overlapping(&found), "{after}");
}
