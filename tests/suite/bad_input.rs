//! Wrong configuration and a world that does not play along: one clear message each, and the right exit code.

use weir_tests::process::command;
use weir_tests::{Oracle, Spark, Weir};

use crate::pipeline::{LIMIT, Pipeline, refused};

#[test]
fn every_mistake_of_a_file_is_shown_with_its_place() {
    let pipeline = Pipeline::new("mistakes", 1);
    let file = pipeline.folder.join("wrong.toml");
    std::fs::write(&file, "nme = \"x\"\n[source.kafka]\nbrokers = []\nsignal = \"spans\"\n").unwrap();
    let output = Weir::output(&["check", file.to_str().unwrap()]);
    refused(&output, 2, &["wrong.toml:1:1", "wrong.toml:3:", "wrong.toml:4:", "did you mean `name`"]);
    let right = Weir::output(&["check", pipeline.file().as_str()]);
    assert!(right.status.success());
}

#[test]
fn a_plugin_that_is_not_there_or_is_none_is_named() {
    let mut pipeline = Pipeline::new("no-plugin", 1);
    pipeline.plugin = "plugin = \"flaten-spans\"".into();
    refused(&pipeline.run(&[]), 2, &["there is no plugin flaten-spans", "flatten-spans"]);
    std::fs::write(pipeline.folder.join("garbage.wasm"), "garbage").unwrap();
    pipeline.plugin = "plugin = \"./garbage.wasm\"".into();
    refused(&pipeline.run(&[]), 2, &["garbage"]);
    pipeline.plugin = "plugin = \"flatten-spans\"\nconfig = { promot = [\"http.route\"] }".into();
    refused(&pipeline.run(&[]), 2, &["promot"]);
}

#[test]
fn brokers_that_do_not_answer_and_topics_that_are_not_there_are_named() {
    let mut pipeline = Pipeline::new("no-topic", 1);
    let port = weir_tests::process::free_port();
    pipeline.brokers = format!("127.0.0.1:{port}");
    refused(&pipeline.run(&[]), 1, &["no broker of [127.0.0.1:", "within"]);
    pipeline.brokers = weir_tests::Kafka::shared().bootstrap();
    let text =
        std::fs::read_to_string(pipeline.file()).unwrap().replace("topics = [\"no-topic\"]", "topics = [\"nowhere\"]");
    let file = pipeline.folder.join("nowhere.toml");
    std::fs::write(&file, text).unwrap();
    refused(&Weir::output(&["run", "--until-end", file.to_str().unwrap()]), 1, &["there is no topic \"nowhere\""]);
}

#[test]
fn a_table_whose_columns_do_not_fit_is_refused_by_name_with_both_types() {
    let pipeline = Pipeline::new("no-fit", 1);
    let spark = Spark::shared().hadoop(&pipeline.lake());
    spark.sql("CREATE TABLE lakehouse.telemetry.traces (timestamp TIMESTAMP_NTZ, span_id STRING) USING iceberg");
    refused(&pipeline.run(&[]), 1, &["telemetry.traces", "timestamp", "timestamptz"]);
}

/// A limit on the size of files stands for a disk without room: a write fails in the middle.
#[test]
fn a_disk_without_room_is_named_and_loses_nothing() {
    let pipeline = Pipeline::new("no-room", 1);
    let made = pipeline.produce(1, 40, 500);
    let mut limited = command("prlimit");
    limited.args(["--fsize=60000", "env", "--ignore-signal=XFSZ"]).arg(Weir::binary());
    limited.args(["run", "--until-end", pipeline.file().as_str()]);
    let mut weir = Weir::start_command(limited);
    weir.wait_log("File too large", LIMIT);
    weir.kill9();
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()).count, 0);
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made);
}
