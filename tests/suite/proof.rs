//! Whether the promises were kept can be looked into: `weir verify`, `weir status`, `weir table orphans`.

use std::path::Path;

use serde_json::Value;
use weir_tests::{Oracle, S3, Spark, Table, Weir};

use crate::catalogs::s3_section;
use crate::pipeline::{LIMIT, Pipeline, refused, said};

/// Files below a folder whose names end so.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .flat_map(|p| if p.is_dir() { files(&p, ending) } else { vec![p] })
        .filter(|p| p.to_string_lossy().ends_with(ending))
        .collect()
}

fn weir(args: &[&str]) -> std::process::Output {
    Weir::output(args)
}

/// What a command wrote, which must have ended well and have all these parts.
fn shown(args: &[&str], parts: &[&str]) -> String {
    let output = weir(args);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    text
}

fn json(args: &[&str]) -> Vec<Value> {
    let text = shown(args, &[]);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn what_kills_left_whole_is_proven_and_what_is_broken_by_hand_is_named() {
    let mut pipeline = Pipeline::new("verified", 3);
    let mut made = pipeline.produce(1, 30, 100);
    for seed in 2..4 {
        let mut running = pipeline.start();
        let before = Oracle::shared().span_ids(&pipeline.traces()).count;
        running.wait(LIMIT, || Oracle::shared().span_ids(&pipeline.traces()).count > before);
        made += pipeline.produce(seed, 30, 100);
        running.kill9();
    }
    pipeline.run_well();
    let file = pipeline.file();
    let ends =
        ["telemetry.traces: proven at snapshot", "back to the first", "verified/2: [0, 30), of the log's [0, 30)"];
    let text = shown(&["verify", &file], &ends);
    assert!(text.contains("telemetry.dead_letters: proven") && !text.contains("not covered"), "{text}");
    let certificates = json(&["verify", "--output", "json", &file]);
    assert_eq!(
        (&certificates[0]["rows_live"], &certificates[0]["rows_committed"]),
        (&made.count.into(), &made.count.into())
    );
    let lake = pipeline.lake().display().to_string();
    shown(
        &["verify", "--warehouse", &lake, "telemetry.traces", "telemetry.dead_letters"],
        &["rows: 9000 committed, 9000 live"],
    );
    refused(
        &weir(&["verify", "--warehouse", &lake, "telemetry.traces", "telemetry.nothing"]),
        2,
        &["telemetry.nothing does not exist"],
    );
    pipeline.brokers = format!("127.0.0.1:{}", weir_tests::process::free_port());
    let file = pipeline.file();
    shown(&["verify", &file], &["telemetry.traces: proven", "not covered: the topics' ends: no broker of [127.0.0.1:"]);
    // One of the table's own: what was killed has left others.
    let named = Oracle::shared().files(&pipeline.traces());
    let named: Vec<&str> = named.iter().filter_map(|f| f["file_path"].as_str()?.rsplit('/').next()).collect();
    let mut written = files(&pipeline.lake().join("telemetry/traces/data"), ".parquet");
    written.retain(|p| named.iter().any(|name| p.ends_with(name)));
    let broken = &written[0];
    std::fs::remove_file(broken).unwrap();
    let name = broken.file_name().unwrap().to_string_lossy().into_owned();
    refused(
        &weir(&["verify", &file]),
        1,
        &["telemetry.traces: refuted\nfound: there is no file", &name, "\nmeans: its "],
    );
    let output = weir(&["verify", "--output", "json", &file]);
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["event"], &line["check"]), (&"refuted".into(), &"missing".into()));
}

#[test]
fn what_a_killed_writer_leaves_is_found_and_deleted_and_the_table_reads_right() {
    let mut pipeline = Pipeline::new("orphans", 1);
    let mut made = pipeline.produce(1, 20, 100);
    pipeline.run_well();
    // An epoch that does not end, and more rows than the buffer takes: files grow that no commit has taken.
    pipeline.interval = "1h";
    pipeline.sections = "[buffer]\nmax = \"16MiB\"\n".into();
    let more = pipeline.produce(2, 200, 500);
    let folder = pipeline.lake().join("telemetry/traces/data");
    let committed = files(&folder, ".parquet");
    let mut writer = pipeline.start();
    writer.wait(LIMIT, || files(&folder, ".parquet").len() > committed.len());
    let file = pipeline.file();
    let young = "telemetry.traces: 0 files with 0 bytes that nothing names";
    shown(&["table", "orphans", &file], &[young, "more are too young to tell"]);
    writer.kill9();
    let orphans = files(&folder, ".parquet").len() - committed.len();
    shown(&["table", "orphans", "--delete", &file], &[young, "more are too young to tell"]);
    let found = json(&["table", "orphans", "--output", "json", "--older-than", "0s", &file, "telemetry.traces"]);
    let total = found.last().unwrap();
    assert!(total["files"].as_u64() >= Some(orphans as u64) && total["deleted"] == false, "{found:?}");
    assert_eq!(files(&folder, ".parquet").len(), committed.len() + orphans);
    let hasty = weir(&["table", "orphans", "--older-than", "0s", "--delete", &file]);
    refused(&hasty, 2, &["rows would be lost", "--writers-stopped"]);
    shown(
        &["table", "orphans", "--older-than", "0s", "--delete", "--writers-stopped", &file],
        &["that nothing names, deleted"],
    );
    assert_eq!(files(&folder, ".parquet"), committed);
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made);
    // The records of the epoch that was killed are read again.
    pipeline.run_well();
    made += more;
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made);
    shown(&["verify", &file], &["telemetry.traces: proven"]);
    refused(
        &weir(&["table", "orphans", &file, "telemetry.trades"]),
        2,
        &["telemetry.trades is no table of", "it has telemetry.traces"],
    );
}

#[test]
fn a_bucket_is_verified_and_cleaned_as_a_folder_is() {
    let s3 = S3::start();
    let bucket = s3.create_bucket("lake");
    let mut pipeline = Pipeline::new("verified-s3", 2);
    pipeline.sink = "catalog = { type = \"hadoop\" }\nwarehouse = \"s3://lake/warehouse\"".into();
    pipeline.sections = s3_section(&s3);
    let made = pipeline.produce(1, 20, 100);
    pipeline.run_well();
    let file = pipeline.file();
    shown(&["verify", &file], &["telemetry.traces: proven", "rows: 2000 committed, 2000 live"]);
    let folder = bucket.join("warehouse/telemetry/traces/data");
    let committed = files(&folder, ".parquet");
    std::fs::write(folder.join("left.parquet"), "left behind").unwrap();
    shown(&["table", "orphans", &file], &["0 files with 0 bytes", "1 more are too young to tell"]);
    let all = ["table", "orphans", "--older-than", "0s", "--delete", "--writers-stopped", &file, "telemetry.traces"];
    shown(&all, &["11 s3://lake/warehouse/telemetry/traces/data/left.parquet"]);
    assert_eq!(files(&folder, ".parquet"), committed);
    let table = Table::hadoop("s3://lake/warehouse", "telemetry.traces").with(s3.pyiceberg());
    assert_eq!(Oracle::shared().span_ids(&table), made);
    std::fs::write(&committed[0], "cut").unwrap();
    refused(&weir(&["verify", &file]), 1, &["telemetry.traces: refuted", "has 3 bytes, and"]);
}

#[test]
fn status_shows_how_far_a_pipeline_is_and_what_its_process_says() {
    let mut pipeline = Pipeline::new("status", 2);
    let port = weir_tests::process::free_port();
    pipeline.sections = format!("[admin]\nlisten = \"127.0.0.1:{port}\"\n");
    let file = pipeline.file();
    let nobody = format!("no process answers at 127.0.0.1:{port}");
    shown(&["status", &file], &["status\n", "telemetry.traces: there is no such table yet", &nobody]);
    let made = pipeline.produce(1, 20, 100);
    let mut running = pipeline.start();
    running.wait(LIMIT, || Oracle::shared().span_ids(&pipeline.traces()).count == made.count);
    let holds = format!("the process at 127.0.0.1:{port} holds 2 partitions");
    running.wait(LIMIT, || said(&weir(&["status", &file])).contains(&holds));
    let now = json(&["status", "--output", "json", &file]).remove(0);
    assert_eq!((&now["process"]["answers"], &now["process"]["fences"]), (&true.into(), &0.into()), "{now}");
    assert!(now["tables"][0]["last_commit_age_seconds"].as_f64() < Some(LIMIT.as_secs_f64()), "{now}");
    assert_eq!(running.stop().code(), Some(0), "{}", running.log());
    pipeline.produce(2, 6, 10);
    let now = json(&["status", "--output", "json", &file]).remove(0);
    let lag = |partition: usize| now["partitions"][partition]["lag"].as_i64();
    assert_eq!((lag(0), lag(1), &now["process"]["answers"]), (Some(3), Some(3), &false.into()), "{now}");
    shown(&["status", &file], &["last commit ", "partition  committed  log end  lag", &nobody]);
}

#[test]
fn what_others_do_to_a_table_is_told_apart_from_what_weir_did() {
    let mut pipeline = Pipeline::new("beside-others", 2);
    let database = pipeline.folder.join("catalog.db");
    pipeline.sink = format!(
        "catalog = {{ type = \"sql\", uri = \"sqlite://{}\", name = \"lakehouse\" }}\nwarehouse = \"./lake\"",
        database.display()
    );
    let file = pipeline.file();
    for seed in 1..4 {
        pipeline.produce(seed, 20, 100);
        pipeline.run_well();
    }
    // A compaction, rewritten manifests and expiry by another engine.
    let spark = Spark::shared().sqlite("lakehouse", &database, &pipeline.lake());
    let call = |procedure: &str, more: &str| {
        spark.sql(&format!("CALL lakehouse.system.{procedure}(table => 'telemetry.traces'{more})"))
    };
    call("rewrite_data_files", ", options => map('rewrite-all', 'true')");
    call("rewrite_manifests", "");
    pipeline.produce(4, 20, 100);
    pipeline.run_well();
    let whole = ["telemetry.traces: proven", "back to the first", "rows: 8000 committed, 8000 live"];
    assert!(!shown(&["verify", &file], &whole).contains("not covered"));
    call("expire_snapshots", ", older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 3");
    shown(&["verify", &file], &["telemetry.traces: proven", "not covered: what was before snapshot", "8000 live"]);
    // What expiry deleted was no orphan, and what it left is none.
    shown(&["table", "orphans", "--older-than", "0s", &file], &["telemetry.traces: "]);
    // A row of somebody else, and rows that he hides.
    let uri = format!("sqlite:///{}", database.display());
    let table = Table::sql("lakehouse", &uri, &format!("file://{}", pipeline.lake().display()), "telemetry.traces");
    Oracle::shared().append(&table, &[serde_json::json!({"span_id": "00000000000000ff"})]);
    pipeline.produce(5, 20, 100);
    pipeline.run_well();
    shown(&["verify", &file], &["rows: 10000 committed, 10001 live", "append, +1 rows"]);
    let all = ["table", "orphans", "--older-than", "0s", "--delete", "--writers-stopped", &file];
    shown(&all, &["telemetry.traces: "]);
    assert_eq!(Oracle::shared().span_ids(&table).count, 10_001);
    assert_eq!(spark.sql("SELECT count(*) AS n FROM lakehouse.telemetry.traces")[0]["n"], 10_001);
    shown(&["verify", &file], &["telemetry.traces: proven"]);
    // Expiry of our own: the others read what they read before, and nothing is left that nothing names.
    shown(&["table", "expire", "--older-than", "0s", "--keep", "1", &file], &["telemetry.traces: ", "snapshots gone"]);
    assert_eq!(Oracle::shared().span_ids(&table).count, 10_001);
    spark.sql("REFRESH TABLE lakehouse.telemetry.traces");
    assert_eq!(spark.sql("SELECT count(*) AS n FROM lakehouse.telemetry.traces")[0]["n"], 10_001);
    shown(&["table", "orphans", "--older-than", "0s", &file], &["telemetry.traces: 0 files"]);
    pipeline.produce(6, 20, 100);
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&table).count, 12_001);
    shown(&["verify", &file], &["telemetry.traces: proven"]);
}
