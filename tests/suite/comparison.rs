//! What a plugin would do is known before it does it: records are captured, plugins compared and measured beside the
//! pipeline that reads the same topic.

use serde_json::Value;
use weir_tests::{Kafka, Oracle, Weir};

use crate::pipeline::{Pipeline, refused, said};

fn json(arguments: &[&str], code: i32) -> Value {
    let output = Weir::output(&[&["--output", "json"], arguments].concat());
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{}", said(&output)))
}

#[test]
fn a_capture_holds_the_topics_records_and_neither_it_nor_a_comparison_moves_the_pipeline() {
    let mut pipeline = Pipeline::new("captured", 2);
    let first = pipeline.produce(1, 20, 25);
    pipeline.run_well();
    pipeline.produce(2, 20, 25);
    let file = pipeline.file();
    let slice = pipeline.folder.join("slice.jsonl").display().to_string();
    assert_eq!(json(&["capture", &file, "--records", "30", "--to", &slice], 0)["records"], 30);
    let text = std::fs::read_to_string(&slice).expect("the capture");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["signal"], &lines[0]["encoding"]), (&"traces".into(), &"otlp_json".into()));
    let places: Vec<_> = lines[1..].iter().map(|line| (line["partition"].as_i64(), line["offset"].as_i64())).collect();
    let newest = |partition| (5..20).map(move |offset| (Some(partition), Some(offset)));
    assert_eq!(places, newest(0).chain(newest(1)).collect::<Vec<_>>());

    // The captured values are the topic's: through the same plugin they give the same rows.
    let told = Weir::output(&["--output", "json", "invoke", "flatten-spans", &slice, "--calls", "1"]);
    let rows = String::from_utf8_lossy(&told.stdout).lines().filter(|line| line.contains("\"_table\"")).count();
    assert_eq!(rows, 30 * 25, "{}", said(&told));

    let alike = json(&["plugin", "diff", "flatten-spans", "flatten-spans", "--topic-of", &file], 0);
    assert_eq!((&alike["alike"], &alike["records"]), (&true.into(), &40.into()));
    let unlike = json(&["plugin", "diff", "flatten-spans", "drop-health-checks", &slice], 1);
    assert_eq!(unlike["schema"], serde_json::json!(["spans: the table is gone", "requests: a new table"]));

    // It reads on from where it stood, each span once.
    pipeline.run_well();
    let spans = Oracle::shared().span_ids(&pipeline.traces());
    assert_eq!((spans.count, spans.distinct), (2 * first.count, 2 * first.count));
    pipeline.plugin = "plugin = \"nothing\"".into();
    refused(&Weir::output(&["capture", &file, "--since", "yesterday"]), 2, &["write newest, earliest or a time"]);
}

#[test]
fn a_comparison_shows_columns_values_and_refusals_that_differ_and_where_first() {
    let mut pipeline = Pipeline::new("compared", 1);
    pipeline.produce(3, 4, 10);
    // What the new chain refuses and the old one does not look at: a span whose kind is a text.
    Kafka::shared().produce(
        "compared",
        0,
        &[br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":{}}]}]}]}"#.to_vec()],
    );
    let old = pipeline.file();
    let kept = pipeline.folder.join("old.toml").display().to_string();
    std::fs::copy(&old, &kept).expect("a copy");
    pipeline.plugin = "plugin = \"redact-attributes\"\nconfig = { drop = [\"client.address\"] }\n[[transform]]\n\
                       plugin = \"flatten-spans\"\nconfig = { columns = [\"trace_state\"] }\n[[transform]]\n\
                       plugin = \"keep-columns\"\nconfig = { drop = [\"status_message\"] }"
        .into();
    let new = pipeline.file();
    let found = json(&["plugin", "diff", &kept, &new, "--topic-of", &new, "--since", "earliest"], 1);
    assert_eq!(found["records"], 5);
    assert_eq!(found["schema"], serde_json::json!(["spans: - status_message Utf8", "spans: + trace_state Utf8"]));
    let spans = &found["tables"]["spans"];
    assert_eq!((&spans["rows_old"], &spans["rows_new"], &spans["rows_compared"]), (&40.into(), &40.into(), &40.into()));
    let columns = spans["columns"].as_object().expect("columns");
    assert_eq!(columns.keys().collect::<Vec<_>>(), ["attributes"]);
    assert_eq!(columns["attributes"]["count"], 40);
    let first = columns["attributes"]["first"].as_str().expect("a text");
    assert!(first.starts_with("compared/0@0 row 0: ") && first.contains("client.address"), "{first}");
    // A plugin stands in its own place of the chain, and one of another name in the place that is said.
    assert_eq!(json(&["plugin", "diff", "keep-columns", "flatten-spans", "--topic-of", &new], 0)["alike"], true);
    let nowhere = Weir::output(&["plugin", "diff", "flatten-spans", "flatten-logs", "--topic-of", &new]);
    let parts = ["flatten-logs is none of the pipeline's plugins (redact-attributes, flatten-spans, keep-columns)"];
    refused(&nowhere, 2, &parts);
}

#[test]
fn a_bench_says_what_each_plugin_takes_and_of_which_whole() {
    let mut pipeline = Pipeline::new("measured", 1);
    pipeline.plugin = "plugin = \"redact-attributes\"\nconfig = { drop = [\"client.address\"] }\n[[transform]]\n\
                       plugin = \"flatten-spans\""
        .into();
    let made = pipeline.produce(5, 8, 20);
    let (file, slice) = (pipeline.file(), pipeline.folder.join("slice.jsonl").display().to_string());
    json(&["capture", &file, "--to", &slice], 0);
    let bench = json(&["plugin", "bench", &file, &slice, "--items", "300", "--rounds", "3"], 0);
    assert_eq!((bench["items"].as_u64(), bench["rounds"].as_u64()), (Some(2 * made.count), Some(3)));
    let steps = bench["steps"].as_array().expect("steps");
    let names: Vec<_> = steps.iter().filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(names, ["decode", "redact-attributes", "flatten-spans", "write"]);
    let shares: f64 = steps.iter().filter_map(|step| step["share"].as_f64()).sum();
    assert!(
        (shares - 1.0).abs() < 1e-6 && steps.iter().all(|step| step["ns_per_item"].as_f64() > Some(0.0)),
        "{bench}"
    );
    let made_up = Weir::output(&["plugin", "bench", "flatten-logs", "--signal", "logs", "--items", "500"]);
    assert!(made_up.status.success() && said(&made_up).starts_with("500 log records, "), "{}", said(&made_up));
}
