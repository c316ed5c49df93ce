//! Every contradiction stops the pipeline, says what was found, and names the flag that overrides it.

mod forgetful;

use std::path::Path;
use std::process::Output;

use weir_tests::{Kafka, Oracle, Rest, Table};

use crate::pipeline::{Catalog, Pipeline, said};
use crate::tables::{assert_once, events, produce, two_tables};

/// What a contradiction is told as, in `golden/fail-closed`: with what differs from run to run blotted out. `WEIR_ACCEPT`
/// writes it.
fn golden(name: &str, pipeline: &Pipeline, output: &Output) {
    assert_eq!(output.status.code(), Some(1), "{}", said(output));
    let text = String::from_utf8_lossy(&output.stderr);
    let told: String = text.lines().filter(|line| line.starts_with("weir: ")).map(|line| format!("{line}\n")).collect();
    let told = blotted(&told.replace(&pipeline.folder.path().display().to_string(), "FOLDER"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/fail-closed/{name}.txt"));
    if std::env::var_os("WEIR_ACCEPT").is_some() {
        std::fs::write(&file, &told).expect("the golden file");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}; it is:\n{told}", file.display()));
    assert_eq!(told, expected, "{}", said(output));
}

/// Ids are words of sixteen characters and more that hold a digit or a capital (one topic id in forty has no digit), and
/// numbers of six digits and more.
fn blotted(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_id = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let is_random = digits > 0 || word.bytes().any(|b| b.is_ascii_uppercase());
        word.len() >= 16 && is_random || word.len() >= 6 && digits == word.len()
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| is_part(c) != is_part(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        out.push_str(if is_part(first) && is_id(word) { "ID" } else { word });
        rest = after;
    }
    out
}

#[test]
fn a_topic_that_was_made_again_stops_the_pipeline_and_a_flag_begins_it() {
    let pipeline = Pipeline::new("made-again", 1);
    let kafka = Kafka::shared();
    let first = pipeline.produce(1, 10, 10);
    pipeline.run_well();
    kafka.delete_topic("made-again");
    kafka.create_topic("made-again", 1);
    let second = pipeline.produce(2, 20, 10);
    golden("topic-made-again", &pipeline, &pipeline.run(&[]));
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), first);
    assert!(pipeline.run(&["--accept-new-topic"]).status.success());
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()).count, first.count + second.count);
}

#[test]
fn retention_beyond_the_offsets_stops_the_pipeline_and_a_flag_goes_on() {
    let pipeline = Pipeline::new("retention", 1);
    let first = pipeline.produce(1, 10, 10);
    pipeline.run_well();
    pipeline.produce(2, 20, 10);
    Kafka::shared().delete_records("retention", 0, 25);
    golden("retention", &pipeline, &pipeline.run(&[]));
    assert!(pipeline.run(&["--accept-lost-records"]).status.success());
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()).count, first.count + 50);
}

#[test]
fn a_rollback_stops_the_pipeline_and_a_flag_fills_what_is_missing() {
    let rest = Rest::start();
    let mut pipeline = Pipeline::new("rollback", 1);
    pipeline.sink = format!("catalog = {{ type = \"rest\", uri = \"{}\" }}", rest.uri());
    let table = Table::rest(&rest.uri(), "telemetry.traces");
    let mut made = pipeline.produce(1, 10, 10);
    pipeline.run_well();
    made += pipeline.produce(2, 10, 10);
    pipeline.run_well();
    roll_back(&table, "t.current_snapshot().parent_snapshot_id");
    golden("rollback", &pipeline, &pipeline.run(&[]));
    let output = pipeline.run(&["--accept-rollback"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(Oracle::shared().span_ids(&table), made);
}

fn roll_back(table: &Table, to: &str) {
    let code = format!("t = load(at)\nt.manage_snapshots().rollback_to_snapshot({to}).commit()\nresult = 0");
    Oracle::shared().python(Some(table), &code);
}

#[test]
fn a_rollback_of_one_of_two_tables_is_refused_until_the_first_is_rolled_back_as_far() {
    let pipeline = two_tables("rollback-one", 1).in_catalog(Catalog::Sqlite);
    let mut made = produce(&pipeline, 1, 10, 10);
    pipeline.run_well();
    made += produce(&pipeline, 2, 10, 10);
    pipeline.run_well();
    roll_back(&events(&pipeline), "t.snapshot_by_id(t.current_snapshot().parent_snapshot_id).parent_snapshot_id");
    let refused = pipeline.run(&["--accept-rollback"]);
    golden("rollback-one-table", &pipeline, &refused);
    let told = said(&refused);
    let (_, snapshot) = told.split_once("back as far, to snapshot ").expect("names a snapshot");
    roll_back(&pipeline.traces(), snapshot.split(',').next().expect("a number"));
    let output = pipeline.run(&["--accept-rollback"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_once(&pipeline, &made, 2);
}

#[test]
fn another_pipeline_over_the_same_topic_and_table_is_refused() {
    let pipeline = Pipeline::new("two-names", 1);
    pipeline.produce(1, 10, 10);
    pipeline.run_well();
    let text = std::fs::read_to_string(pipeline.file())
        .unwrap()
        .replace("name = \"two-names\"\n[source", "name = \"other\"\n[source");
    let other = pipeline.folder.join("other.toml");
    std::fs::write(&other, text).unwrap();
    let output = weir_tests::Weir::output(&["run", "--until-end", other.to_str().unwrap()]);
    golden("other-pipeline", &pipeline, &output);
}

#[test]
fn a_pipeline_of_the_same_name_that_reads_another_cluster_is_refused() {
    let mut pipeline = Pipeline::new("one-name", 1);
    pipeline.produce(1, 10, 10);
    pipeline.run_well();
    let elsewhere = Kafka::start();
    elsewhere.create_topic("one-name", 1);
    pipeline.brokers = elsewhere.bootstrap();
    golden("same-name", &pipeline, &pipeline.run(&[]));
}

#[test]
fn offsets_that_were_edited_by_hand_are_not_believed() {
    let pipeline = Pipeline::new("edited", 1).in_catalog(Catalog::Sqlite);
    let made = pipeline.produce(1, 10, 10);
    pipeline.run_well();
    let traces = pipeline.traces();
    let name = "weir.edited.offsets";
    let as_it_was = Oracle::shared().metadata(&traces)["properties"][name].as_str().expect("offsets").to_owned();
    let edit = |text: &str| {
        let set = format!("load(at).transaction().set_properties({{{name:?}: {text:?}}}).commit_transaction()");
        Oracle::shared().python(Some(&traces), &format!("{set}\nresult = 0"));
    };
    // Where it stands: partition 0 at 10. Its rows would come twice.
    let earlier = as_it_was.replace("[0,10,", "[0,4,");
    assert_ne!(earlier, as_it_was);
    edit(&earlier);
    golden("property-edited", &pipeline, &pipeline.run(&[]));
    edit("10");
    golden("property-unreadable", &pipeline, &pipeline.run(&[]));
    let remove = format!("load(at).transaction().remove_properties({name:?}).commit_transaction()\nresult = 0");
    Oracle::shared().python(Some(&traces), &remove);
    golden("property-removed", &pipeline, &pipeline.run(&[]));
    edit(&as_it_was);
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&traces), made);
}

#[test]
fn an_object_store_without_conditional_writes_holds_no_heads() {
    let mut pipeline = Pipeline::new("forgetful", 1);
    pipeline.produce(1, 10, 10);
    pipeline.sink = "catalog = { type = \"hadoop\" }\nwarehouse = \"s3://lake/warehouse\"".into();
    for ignored in [&["if-none-match", "if-match"][..], &["if-match"]] {
        pipeline.sections = format!(
            "[sink.iceberg.s3]\nendpoint = \"http://127.0.0.1:{}\"\nregion = \"us-east-1\"\npath_style = true\n\
             access_key_id = \"weir\"\nsecret_access_key = \"weir-secret\"\n",
            forgetful::start(ignored)
        );
        golden(&format!("no-{}", ignored[0]), &pipeline, &pipeline.run(&[]));
    }
}
