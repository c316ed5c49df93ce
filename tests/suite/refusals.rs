//! What maintenance refuses, word for word (`golden/maintenance.txt`), and that the table is then as it was: Spark makes
//! what no rewrite here may touch, files are missing or broken, the disk is full.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use weir_tests::http::get;
use weir_tests::process::{command, free_port};
use weir_tests::{Oracle, SpanIds, Spark, SparkSession, Weir, fill_disk};

use crate::compaction::{compact, ingest, verified};
use crate::pipeline::{LIMIT, Pipeline};

const TRACES: &str = "lakehouse.telemetry.traces";

/// A pipeline's table with the files of some commits.
fn filled(name: &str) -> (Pipeline, SpanIds) {
    let pipeline = Pipeline::new(name, 1);
    let made = ingest(&pipeline, 1..4);
    (pipeline, made)
}

fn spark(pipeline: &Pipeline) -> SparkSession<'static> {
    Spark::shared().hadoop(&pipeline.lake())
}

/// `weir table` with a subcommand on the spans' table, and more arguments.
fn maintain(pipeline: &Pipeline, subcommand: &str, more: &[&str]) -> Command {
    let mut weir = command(Weir::binary());
    weir.args(["table", subcommand, &pipeline.file(), "telemetry.traces"]).args(more);
    weir
}

/// Everything below the table's folder.
fn files(pipeline: &Pipeline) -> BTreeSet<PathBuf> {
    fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(&entry.path(), found);
            } else {
                found.insert(entry.path());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&pipeline.lake().join("telemetry/traces"), &mut found);
    found
}

/// What a command said, without what differs from one run to the next: folders, names of files, and counts.
fn steady(pipeline: &Pipeline, output: &Output) -> String {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8(said).expect("text").replace(&pipeline.folder.path().display().to_string(), "FOLDER");
    let (mut steady, mut before) = (Vec::new(), "");
    for word in said.split(' ') {
        let number = word.trim_end_matches(',');
        let is_count = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
        let file = word.rsplit_once('/').filter(|_| word.contains("FOLDER"));
        steady.push(match file.and_then(|(folder, name)| Some((folder, name.split_once('.')?.1))) {
            Some((folder, kind)) => format!("{folder}/*.{kind}"),
            None if is_count && !["version", "error"].contains(&before) => word.replace(number, "N"),
            None => word.to_string(),
        });
        before = word;
    }
    steady.join(" ").trim_end().to_string()
}

/// What stands in the golden file below `== NAME`.
fn golden(name: &str) -> String {
    let all = include_str!("../golden/maintenance.txt");
    let section = all.split("== ").find_map(|section| section.strip_prefix(&format!("{name}\n")));
    section.unwrap_or_else(|| panic!("golden/maintenance.txt has no {name}")).trim_end().to_string()
}

/// Runs a command that must change nothing, end with this code, and say what is in the golden file.
fn refused(pipeline: &Pipeline, name: &str, mut weir: Command, code: i32) {
    let before = files(pipeline);
    let output = weir.output().expect("weir runs");
    assert_eq!((steady(pipeline, &output), output.status.code()), (golden(name), Some(code)), "{name}");
    assert_eq!(files(pipeline), before, "{name}: something was written or deleted");
}

/// Compaction, and a look at what it would do, refuse with the same words.
fn compaction_refused(pipeline: &Pipeline, name: &str) {
    refused(pipeline, name, maintain(pipeline, "compact", &["--dry-run"]), 1);
    refused(pipeline, name, maintain(pipeline, "compact", &[]), 1);
}

#[test]
fn rows_that_spark_has_deleted_do_not_come_back() {
    let (pipeline, made) = filled("refused-deletes");
    let spark = spark(&pipeline);
    spark.sql(&format!("ALTER TABLE {TRACES} SET TBLPROPERTIES ('write.delete.mode'='merge-on-read')"));
    spark.sql(&format!("DELETE FROM {TRACES} WHERE service_name = 'service-3' AND status_code = 2"));
    let left = Oracle::shared().span_ids(&pipeline.traces());
    assert!(left.count < made.count);
    compaction_refused(&pipeline, "delete files");
    // In version 3 they are deletion vectors, and rows have ids.
    spark.sql(&format!("ALTER TABLE {TRACES} SET TBLPROPERTIES ('format-version'='3')"));
    spark.sql(&format!("DELETE FROM {TRACES} WHERE service_name = 'service-4' AND status_code = 2"));
    assert!(files(&pipeline).iter().any(|file| file.extension().is_some_and(|kind| kind == "puffin")));
    compaction_refused(&pipeline, "deletion vectors");
}

#[test]
fn the_ids_of_rows_are_not_lost() {
    let (pipeline, _) = filled("refused-lineage");
    let spark = spark(&pipeline);
    spark.sql(&format!("ALTER TABLE {TRACES} SET TBLPROPERTIES ('format-version'='3')"));
    spark.sql(&format!("INSERT INTO {TRACES} SELECT * FROM {TRACES} LIMIT 1"));
    compaction_refused(&pipeline, "row lineage");
}

#[test]
fn files_that_are_not_parquet_are_left_to_others() {
    for format in ["avro", "orc"] {
        let (pipeline, _) = filled(&format!("refused-{format}"));
        let spark = spark(&pipeline);
        spark.sql(&format!("ALTER TABLE {TRACES} SET TBLPROPERTIES ('write.format.default'='{format}')"));
        spark.sql(&format!("INSERT INTO {TRACES} SELECT * FROM {TRACES} WHERE service_name = 'service-3' LIMIT 1"));
        spark.sql(&format!("ALTER TABLE {TRACES} SET TBLPROPERTIES ('write.format.default'='parquet')"));
        compaction_refused(&pipeline, format);
    }
}

#[test]
fn dead_letters_have_no_order_to_be_sorted_by() {
    let (pipeline, _) = filled("refused-order");
    let mut weir = command(Weir::binary());
    weir.args(["table", "compact", &pipeline.file(), "telemetry.dead_letters", "--strategy", "sort"]);
    refused(&pipeline, "no order", weir, 1);
}

/// The largest live file of one service.
fn a_file(pipeline: &Pipeline) -> PathBuf {
    let is_one = |file: &&PathBuf| file.to_string_lossy().contains("service_name=service-3/");
    let all = files(pipeline);
    let parquet = all.iter().filter(is_one).filter(|file| file.extension().is_some_and(|kind| kind == "parquet"));
    parquet.max_by_key(|file| file.metadata().map_or(0, |m| m.len())).expect("spans of the service").clone()
}

#[test]
fn a_file_that_is_missing_or_broken_is_named_and_what_it_has_to_do_with_stays() {
    type Break = fn(&Path);
    let ways: [(&str, Break); 3] = [
        ("missing file", |file| std::fs::remove_file(file).expect("it is there")),
        ("no parquet", |file| std::fs::write(file, b"PAR1 is how it begins, and no more").expect("a file")),
        ("broken pages", |file| {
            let mut bytes = std::fs::read(file).expect("a file");
            // Behind the magic, where the first column's pages are: a field of type 14, which no header has.
            bytes[4..400].fill(0x1e);
            std::fs::write(file, bytes).expect("a file");
        }),
    ];
    for (name, break_it) in ways {
        let (pipeline, _) = filled(&format!("refused-{}", name.replace(' ', "-")));
        let (file, before) = (a_file(&pipeline), files(&pipeline));
        break_it(&file);
        let output = maintain(&pipeline, "compact", &["--min-input-files", "2"]).output().expect("weir runs");
        assert_eq!((steady(&pipeline, &output), output.status.code()), (golden(name), Some(1)), "{name}");
        // The partition of the file is as it was, the others are compacted.
        let live = Oracle::shared().files(&pipeline.traces());
        let of_it = |path: &str| path.contains("service_name=service-3/");
        let paths: BTreeSet<PathBuf> = live
            .iter()
            .filter_map(|file| Some(PathBuf::from(file["file_path"].as_str()?.trim_start_matches("file://"))))
            .collect();
        assert!(paths.contains(&file), "{name}");
        let others =
            |paths: &BTreeSet<PathBuf>| paths.iter().filter(|p| of_it(&p.to_string_lossy())).cloned().collect();
        let (was, is): (Vec<PathBuf>, Vec<PathBuf>) = (others(&before), others(&paths));
        assert_eq!(was, is, "{name}: nothing comes to the partition or goes");
        assert!(live.len() < before.iter().filter(|file| file.extension().is_some_and(|k| k == "parquet")).count());
    }
}

#[test]
fn a_full_disk_ends_a_compaction_and_leaves_nothing_behind() {
    let (pipeline, made) = filled("refused-full");
    let traces = pipeline.lake().join("telemetry/traces");
    for (name, below) in [("disk full", traces.join("data")), ("disk of the metadata full", traces.join("metadata"))] {
        let full = pipeline.folder.join("full");
        std::fs::write(&full, "").expect("a file");
        let mut weir =
            maintain(&pipeline, "compact", &["--min-input-files", "2", "--max-file-group-size-bytes", "1GiB"]);
        fill_disk(&mut weir, &below, &full);
        let before = files(&pipeline);
        let output = weir.output().expect("weir runs");
        let said = steady(&pipeline, &output);
        // One line for each partition, in no order.
        let lines: BTreeSet<String> = said.lines().map(service_less).collect();
        let wanted: BTreeSet<String> = golden(name).lines().map(str::to_string).collect();
        assert_eq!((lines, output.status.code()), (wanted, Some(1)), "{name}: {said}");
        assert_eq!(files(&pipeline), before, "{name}: something is left");
        assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made);
        std::fs::remove_file(&full).expect("the file");
    }
    let done = compact(&pipeline, &["--min-input-files", "2"]);
    assert_eq!(done["rows"].as_u64(), Some(made.count));
    verified(&pipeline);
}

/// A line with `*` in place of the service.
fn service_less(line: &str) -> String {
    let mut parts = line.split("service_name=");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |line, part| {
        let rest = part.find('/').map_or("", |at| &part[at..]);
        format!("{line}service_name=*{rest}")
    })
}

#[test]
fn where_a_manifest_is_missing_nobody_deletes_anything() {
    let (pipeline, _) = filled("refused-manifest");
    let manifests = Oracle::shared().python(
        Some(&pipeline.traces()),
        "t = snapshot(at)\nresult = [m.manifest_path for m in t.current_snapshot().manifests(t.io)]",
    );
    let manifest = manifests[0].as_str().expect("a manifest").trim_start_matches("file://");
    std::fs::remove_file(manifest).expect("it is there");
    let commands: [(&str, &[&str]); 4] = [
        ("compact", &[]),
        ("expire", &["--keep", "1", "--older-than", "1s"]),
        ("orphans", &[]),
        ("rewrite-manifests", &[]),
    ];
    for (subcommand, more) in commands {
        let name = format!("missing manifest: {subcommand}");
        refused(&pipeline, &name, maintain(&pipeline, subcommand, more), 1);
    }
    refused(&pipeline, "missing manifest: orphans", maintain(&pipeline, "orphans", &["--delete"]), 1);
}

#[test]
fn a_running_process_says_why_it_does_not_compact_and_ingests_on() {
    let (mut pipeline, _) = filled("refused-within");
    let spark = spark(&pipeline);
    spark.sql(&format!("ALTER TABLE {TRACES} SET TBLPROPERTIES ('write.delete.mode'='merge-on-read')"));
    spark.sql(&format!("DELETE FROM {TRACES} WHERE service_name = 'service-3' AND status_code = 2"));
    let mut wanted = Oracle::shared().span_ids(&pipeline.traces());
    let port = free_port();
    pipeline.sections = format!(
        "[maintenance]\nevery = \"1s\"\ncompact = \"sort\"\nexpire = \"off\"\n[admin]\nlisten = \"127.0.0.1:{port}\"\n"
    );
    let mut running = pipeline.start();
    running.wait_log("it has delete files", LIMIT);
    running.wait(LIMIT, || {
        let metrics = get(port, "/metrics").map(|answer| answer.body).unwrap_or_default();
        metrics.lines().any(|line| {
            line.starts_with("weir_maintenance_failures_total{")
                && line.contains("telemetry.traces")
                && !line.ends_with(" 0")
        })
    });
    wanted += pipeline.produce(9, 12, 50);
    running.wait(LIMIT, || Oracle::shared().span_ids(&pipeline.traces()).count >= wanted.count);
    assert!(running.stop().success(), "{}", running.log());
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), wanted);
}
