//! What cannot be read becomes one dead letter, and its neighbours are committed.

use serde_json::Value;
use weir_tests::{Kafka, Oracle, Spans, Weir};

use crate::pipeline::{LIMIT, Pipeline, START_NANOS, refused, said};

fn offsets(rows: &[Value]) -> Vec<i64> {
    let mut offsets: Vec<i64> = rows.iter().map(|r| r["offset"].as_i64().expect("a number")).collect();
    offsets.sort_unstable();
    offsets
}

#[test]
fn what_cannot_be_read_becomes_one_dead_letter_each_and_its_neighbours_are_committed() {
    let pipeline = Pipeline::new("letters-json", 1);
    let mut made = Spans::new(1, START_NANOS, 1);
    let deep = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"key":"k","value":{}{}}}]}}]}}]}}]}}"#,
        r#"{"arrayValue":{"values":["#.repeat(500),
        "]}}".repeat(500)
    );
    let values = [
        made.request(10),
        "{\"resourceSpans\": [".to_string(),
        made.request(10),
        "not json".to_string(),
        String::new(),
        deep,
        made.request(10),
        "{}".to_string(),
        r#"{"unknown": {"a": [1, 2, {}]}}"#.to_string(),
    ];
    Kafka::shared().produce("letters-json", 0, &values);
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made.made());
    let letters = Oracle::shared().rows(&pipeline.dead_letters(), &[]);
    assert_eq!(offsets(&letters), [1, 3, 4, 5]);
    for letter in &letters {
        assert_eq!(letter["topic"], "letters-json");
        assert_eq!(letter["pipeline"], "letters-json");
        assert!(!letter["error"].as_str().unwrap().is_empty(), "{letter}");
        let (component, settings) = letter["plugin_digest"].as_str().unwrap().split_once('+').unwrap();
        assert_eq!((component.len(), settings.len()), (64, 16), "{letter}");
    }
    let third = letters.iter().find(|l| l["offset"] == 3).unwrap();
    assert_eq!(third["value"], "6e6f74206a736f6e");
}

#[test]
fn protobuf_that_cannot_be_read_becomes_a_dead_letter_too() {
    let mut pipeline = Pipeline::new("letters-proto", 1);
    pipeline.encoding = "otlp_proto";
    let good = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/collector/traces.proto")).unwrap();
    let cut = good[..good.len() - 7].to_vec();
    let zeros = vec![0u8; 1_000_000];
    Kafka::shared().produce("letters-proto", 0, &[good.clone(), cut, zeros, Vec::new(), good]);
    pipeline.run_well();
    assert_eq!(offsets(&Oracle::shared().rows(&pipeline.dead_letters(), &["offset"])), [1, 2]);
    let spans = Oracle::shared().span_ids(&pipeline.traces());
    assert_eq!(spans.count, 2 * spans.distinct);
}

#[test]
fn letters_that_pass_today_are_replayed_once_however_often_and_beside_the_running_pipeline() {
    let mut pipeline = Pipeline::new("replayed", 3);
    // JSON in a topic of protobuf: nothing passes, until somebody corrects the file.
    pipeline.encoding = "otlp_proto";
    let made = pipeline.produce(1, 30, 40);
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/collector/traces.proto")).unwrap();
    Kafka::shared().produce("replayed", 0, std::slice::from_ref(&golden));
    pipeline.run_well();
    let before = Oracle::shared().span_ids(&pipeline.traces());
    let file = pipeline.file();
    let list = said(&Weir::output(&["dead-letters", "list", &file]));
    assert!(list.contains("30 letters, 0 of them replayed") && list.contains("replayed/2 offset 9: "), "{list}");
    let show = said(&Weir::output(&["dead-letters", "show", &file, "--partition", "1", "--offset", "3"]));
    assert!(show.contains("{\"resourceSpans\":["), "{show}");

    let refused_again = said(&Weir::output(&["dead-letters", "replay", &file]));
    assert!(refused_again.contains("0 letters replayed, 0 rows; 30 refused again, 0 left"), "{refused_again}");
    pipeline.encoding = "otlp_json";
    let file = pipeline.file();
    let trial = said(&Weir::output(&["dead-letters", "replay", "--dry-run", &file]));
    assert!(trial.contains("30 letters would be replayed"), "{trial}");
    let mut running = pipeline.start();
    // Dead at its first swap, then at its second: something stands that nobody was told of.
    for fault in ["swapped:1", "swapped:2"] {
        let mut replay = weir_tests::process::command(Weir::binary());
        replay.args(["dead-letters", "replay", &file]).env("WEIR_FAULT", fault);
        let mut replay = Weir::start_command(replay);
        assert!(!replay.wait_end(LIMIT).success(), "{}", replay.log());
    }
    assert!(Oracle::shared().span_ids(&pipeline.traces()).count > before.count);
    let more = pipeline.produce(2, 30, 40);
    let whole = said(&Weir::output(&["dead-letters", "replay", &file]));
    assert!(whole.contains(" 0 refused again, 0 left"), "{whole}");
    running
        .wait(LIMIT, || Oracle::shared().span_ids(&pipeline.traces()).count == before.count + made.count + more.count);
    assert!(running.stop().success(), "{}", running.log());
    let again = said(&Weir::output(&["dead-letters", "replay", &file]));
    assert!(again.contains("0 letters replayed"), "{again}");

    let after = Oracle::shared().span_ids(&pipeline.traces());
    assert_eq!(after.count, before.count + made.count + more.count);
    assert_eq!(after.xor, before.xor ^ made.xor ^ more.xor);
    assert_eq!(after.distinct, before.distinct + made.distinct + more.distinct);
    let letters = Oracle::shared().rows(&pipeline.dead_letters(), &["offset", "replayed_at"]);
    let marks = letters.iter().filter(|l| !l["replayed_at"].is_null()).count();
    assert_eq!((letters.len(), marks), (60, 30), "each letter stays, and has one mark");
    let verified = Weir::output(&["verify", &file]);
    assert!(verified.status.success(), "{}", said(&verified));
}

#[test]
fn a_topic_that_holds_something_else_stops_the_pipeline_before_its_commit() {
    let pipeline = Pipeline::new("brake", 1);
    Kafka::shared().produce("brake", 0, &vec!["<xml/>"; 200]);
    refused(&pipeline.run(&[]), 1, &["200 of 200 records of this epoch were refused", "max_rejected"]);
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()).count, 0);
}

#[test]
fn without_a_dead_letter_table_a_refused_record_halts_the_pipeline() {
    let mut pipeline = Pipeline::new("no-letters", 1);
    pipeline.letters = false;
    Kafka::shared().produce("no-letters", 0, &["{}", "broken"]);
    refused(&pipeline.run(&[]), 1, &["no-letters/0@1", "[dead_letter]"]);
}

#[test]
fn a_span_larger_than_a_collectors_message_passes() {
    let pipeline = Pipeline::new("large-records", 1);
    let mut made = Spans::new(3, START_NANOS, 1);
    let values = made.requests(2, 20_000);
    assert!(values[0].len() > 10_000_000);
    Kafka::shared().produce("large-records", 0, &values);
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made.made());
}
