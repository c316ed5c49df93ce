//! The commands that stand on their own.

use rdkafka::producer::FutureRecord;
use serde_json::Value;
use weir_tests::{Kafka, Oracle, Scratch, Spans, Table, Weir, http};

use crate::pipeline::{LIMIT, Pipeline, START_NANOS, refused, said};

#[test]
fn the_demo_goes_the_whole_way_and_others_read_its_table() {
    let scratch = Scratch::new("demo");
    let folder = scratch.join("shown");
    let output = Weir::output(&["demo", "--spans", "20000", "--folder", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("20000 rows") && said(&output).contains("p99_ms"), "{}", said(&output));
    let table = Table::hadoop(folder.join("lake"), "telemetry.traces");
    let spans = Oracle::shared().span_ids(&table);
    assert_eq!((spans.count, spans.distinct), (20_000, 20_000));
}

#[test]
fn generated_spans_are_countable_in_both_encodings() {
    let mut counted = Vec::new();
    for encoding in ["otlp_proto", "otlp_json"] {
        let mut pipeline = Pipeline::new(&format!("generated-{}", encoding.replace('_', "-")), 2);
        pipeline.encoding = encoding;
        let brokers = Kafka::shared().bootstrap();
        let output = Weir::output(&[
            "generate",
            "--brokers",
            &brokers,
            "--topic",
            &pipeline.name,
            "--encoding",
            encoding,
            "--count",
            "4321",
            "--seed",
            "5",
            "--start-time",
            "1769731200000",
        ]);
        assert!(output.status.success(), "{}", said(&output));
        pipeline.run_well();
        counted.push(Oracle::shared().span_ids(&pipeline.traces()));
    }
    assert_eq!((counted[0].count, counted[0].distinct), (4321, 4321));
    assert_eq!(counted[0], counted[1]);
}

#[test]
fn every_codec_of_a_topic_is_read() {
    let mut pipeline = Pipeline::new("codecs", 1);
    pipeline.encoding = "otlp_proto";
    let brokers = Kafka::shared().bootstrap();
    for (seed, codec) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        let (seed, property) = (seed.to_string(), format!("compression.type={codec}"));
        let output = Weir::output(&[
            "generate",
            "--brokers",
            &brokers,
            "--topic",
            "codecs",
            "--count",
            "500",
            "--seed",
            &seed,
            "--property",
            &property,
        ]);
        assert!(output.status.success(), "{}", said(&output));
    }
    pipeline.run_well();
    let spans = Oracle::shared().span_ids(&pipeline.traces());
    assert_eq!((spans.count, spans.distinct), (2500, 2500));
}

#[test]
fn a_time_is_a_place_to_begin_and_counts_only_once() {
    let mut pipeline = Pipeline::new("start-time", 1);
    let producer = Kafka::shared().producer();
    let mut made = Spans::new(4, START_NANOS, 1);
    let mut send = |seconds: i64| {
        let request = made.request(10);
        let record = FutureRecord::<(), _>::to("start-time").partition(0).payload(&request).timestamp(seconds * 1000);
        futures::executor::block_on(producer.send(record, LIMIT)).expect("the record is taken");
    };
    (1..=5).for_each(&mut send);
    pipeline.start = "1970-01-01T00:00:04Z";
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()).count, 20);
    send(1);
    pipeline.start = "latest";
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()).count, 30);
}

#[test]
fn invoke_shows_what_a_plugin_makes_of_a_captured_message() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/collector/traces.json");
    let output = Weir::output(&["invoke", "--output", "json", "flatten-spans", sample]);
    assert!(output.status.success(), "{}", said(&output));
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let rows: Vec<&Value> = lines.iter().filter(|l| l["_table"] == "spans").collect();
    assert!(rows.len() >= 10 && rows.iter().all(|r| r["service_name"] == "telemetrygen"), "{lines:?}");
    assert!(lines.last().unwrap()["peak_memory_bytes"].as_u64() > Some(0));
}

#[test]
fn invoke_runs_a_plugin_of_any_kind_beside_the_one_that_makes_rows_or_a_whole_pipeline() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/collector/traces.json");
    let lines = |arguments: &[&str]| -> Vec<Value> {
        let output = Weir::output(&[&["invoke", "--output", "json"], arguments].concat());
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    let rows = |lines: &[Value]| lines.iter().filter(|l| l["_table"] == "spans").cloned().collect::<Vec<_>>();
    let plugins = |lines: &[Value]| {
        lines
            .iter()
            .filter_map(|l| Some(format!("{} {}", l["plugin"].as_str()?, l["world"].as_str()?)))
            .collect::<Vec<_>>()
    };
    let redacted = lines(&["redact-attributes", "--set", "drop=service.name", sample]);
    assert_eq!(plugins(&redacted), ["redact-attributes otlp-to-otlp", "flatten-spans otlp-to-arrow"]);
    assert!(rows(&redacted).len() >= 10 && rows(&redacted).iter().all(|row| row["service_name"].is_null()));
    let flagged = lines(&["flag-slow-spans", "--set", "slower_than_ms=0", sample]);
    assert_eq!(plugins(&flagged), ["flatten-spans otlp-to-arrow", "flag-slow-spans arrow-to-arrow"]);
    assert!(rows(&flagged).iter().any(|row| row["is_slow"] == true));
    let mut pipeline = Pipeline::new("invoked", 1);
    pipeline.plugin = "plugin = \"flatten-spans\"\n[[transform]]\nplugin = \"keep-columns\"\n\
                       config = { keep = [\"span_id\", \"timestamp\", \"service_name\"] }"
        .into();
    let whole = lines(&[pipeline.file().as_str(), sample]);
    assert_eq!(plugins(&whole), ["flatten-spans otlp-to-arrow", "keep-columns arrow-to-arrow"]);
    assert_eq!(rows(&whole)[0].as_object().unwrap().len(), 4, "three columns and the table's name");
    let misfit = Weir::output(&["invoke", "flag-slow-spans", "--signal", "logs", sample]);
    refused(&misfit, 2, &["there is no table `spans`", "flatten-logs gives logs("]);
}

#[test]
fn metrics_and_health_are_served_while_it_runs() {
    let mut pipeline = Pipeline::new("admin", 1);
    let port = weir_tests::process::free_port();
    pipeline.sections = format!("[admin]\nlisten = \"127.0.0.1:{port}\"\n");
    pipeline.produce(1, 10, 10);
    let mut weir = pipeline.start();
    let metrics = || http::get(port, "/metrics").map(|a| a.body).unwrap_or_default();
    weir.wait(LIMIT, || {
        metrics().contains("weir_rows_committed_total{pipeline=\"admin\",table=\"telemetry.traces\"} 100")
    });
    for name in
        ["weir_lag_records", "weir_last_commit_age_seconds", "weir_plugin_cpu_seconds_total", "weir_buffered_bytes"]
    {
        assert!(metrics().contains(name), "no {name} in {}", metrics());
    }
    assert_eq!(http::get(port, "/healthz").unwrap().status, 200);
    assert_eq!(http::get(port, "/readyz").unwrap().status, 200);
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
}
