//! Every contradiction stops the pipeline, says what was found, and names the flag that overrides it.

use weir_tests::{Kafka, Oracle, Rest, Table};

use crate::pipeline::{Pipeline, refused};

#[test]
fn a_topic_that_was_made_again_stops_the_pipeline_and_a_flag_begins_it() {
    let pipeline = Pipeline::new("made-again", 1);
    let kafka = Kafka::shared();
    let first = pipeline.produce(1, 10, 10);
    pipeline.run_well();
    kafka.delete_topic("made-again");
    kafka.create_topic("made-again", 1);
    let second = pipeline.produce(2, 20, 10);
    refused(&pipeline.run(&[]), 1, &["made-again was deleted and made again", "--accept-new-topic"]);
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
    refused(
        &pipeline.run(&[]),
        1,
        &["wants retention/0 from offset 10, the oldest there is 25", "--accept-lost-records"],
    );
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
    let more = pipeline.produce(2, 10, 10);
    made.count += more.count;
    made.distinct += more.distinct;
    made.xor ^= more.xor;
    pipeline.run_well();
    Oracle::shared().python(
        Some(&table),
        "t = load(at)\nt.manage_snapshots().rollback_to_snapshot(t.current_snapshot().parent_snapshot_id).commit()\nresult = 0",
    );
    refused(&pipeline.run(&[]), 1, &["rolled back", "--accept-rollback"]);
    let output = pipeline.run(&["--accept-rollback"]);
    assert!(output.status.success(), "{}", crate::pipeline::said(&output));
    assert_eq!(Oracle::shared().span_ids(&table), made);
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
    refused(
        &output,
        1,
        &["already filled from the topic two-names by the pipeline two-names", "--accept-other-pipeline"],
    );
}
