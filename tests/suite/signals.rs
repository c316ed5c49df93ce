//! Logs and metrics go the way that traces go.

use std::collections::HashSet;

use serde_json::Value;
use weir_tests::{Kafka, Oracle, Table, Weir};

use crate::pipeline::{Pipeline, said};

const LOGS: usize = 4321;

/// How often each pod of the made-up shop says what it measured.
const ROUNDS: usize = 20;
/// The shop's pods.
const PODS: usize = 28;
/// What they say each time.
const POINTS_A_ROUND: usize = PODS * 15;

/// The plugin's tables, where they are, and how many points of each a pod says each time.
const KINDS: [(&str, &str, usize); 5] = [
    ("gauge", "telemetry.metrics_gauge", 2),
    ("sum", "telemetry.metrics_sum", 5),
    ("histogram", "telemetry.metrics_histogram", 4),
    ("exponential_histogram", "telemetry.metrics_exponential_histogram", 3),
    ("summary", "telemetry.metrics_summary", 1),
];

/// A pipeline of logs, whose topic holds made-up ones.
fn logs(encoding: &'static str) -> Pipeline {
    let mut pipeline = Pipeline::new(&format!("logs-{}", encoding.replace('_', "-")), 2);
    (pipeline.signal, pipeline.encoding) = ("logs", encoding);
    pipeline.plugin = "plugin = \"flatten-logs\"\nconfig = { promote = [\"log.record.uid\"] }".into();
    pipeline.tables = vec![("logs", "telemetry.logs")];
    generate(&pipeline, LOGS, 500);
    pipeline
}

/// A pipeline of metrics, whose topic holds made-up ones.
fn metrics(encoding: &'static str) -> Pipeline {
    let mut pipeline = Pipeline::new(&format!("metrics-{}", encoding.replace('_', "-")), 2);
    (pipeline.signal, pipeline.encoding) = ("metrics", encoding);
    pipeline.plugin = "plugin = \"flatten-metrics\"\nconfig = { promote_resource = [\"service.instance.id\"] }".into();
    pipeline.tables = KINDS.iter().map(|(kind, table, _)| (*kind, *table)).collect();
    generate(&pipeline, ROUNDS * POINTS_A_ROUND, POINTS_A_ROUND);
    pipeline
}

/// Fills the pipeline's topic.
fn generate(pipeline: &Pipeline, count: usize, per_message: usize) {
    let (brokers, count, per_message) = (Kafka::shared().bootstrap(), count.to_string(), per_message.to_string());
    let mut command = vec!["generate", "--brokers", &brokers, "--topic", &pipeline.name, "--signal", pipeline.signal];
    command.extend(["--encoding", pipeline.encoding, "--count", &count, "--items-per-message", &per_message]);
    command.extend(["--seed", "5", "--start-time", "1769731200000"]);
    let output = Weir::output(&command);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn each_log_record_of_a_topic_is_a_row_once_and_the_same_in_both_encodings() {
    let columns = ["log_record_uid", "timestamp", "service_name", "severity_text", "body", "trace_id", "attributes"];
    let mut tables = Vec::new();
    for encoding in ["otlp_proto", "otlp_json"] {
        let pipeline = logs(encoding);
        pipeline.run_well();
        let mut rows = Oracle::shared().rows(&Table::hadoop(pipeline.lake(), "telemetry.logs"), &columns);
        rows.sort_by_key(|row| row["log_record_uid"].as_str().map(str::to_owned));
        tables.push(rows);
    }
    let [protobuf, json] = &tables[..] else { unreachable!("two encodings") };
    let uids: HashSet<_> = protobuf.iter().map(|row| row["log_record_uid"].as_str().expect("an id")).collect();
    assert_eq!((protobuf.len(), uids.len()), (LOGS, LOGS));
    assert!(protobuf == json, "the encodings differ");
    let is_whole = |row: &&Value| {
        let text = |column: &str| row[column].as_str().is_some_and(|text| !text.is_empty());
        text("service_name") && text("body") && text("trace_id") && row["attributes"].as_object().is_some()
    };
    assert!(protobuf.iter().all(|row| is_whole(&row)));
    let event = protobuf.iter().find(|row| row["body"].as_str().is_some_and(|body| body.starts_with('{')));
    let body = event.and_then(|row| row["body"].as_str()).expect("a body that is a list");
    assert_eq!(serde_json::from_str::<Value>(body).expect("JSON")["order.state"], "accepted");
}

#[test]
fn each_data_point_of_a_topic_is_a_row_once_in_its_kinds_table_and_the_same_in_both_encodings() {
    let mut lakes = Vec::new();
    for encoding in ["otlp_proto", "otlp_json"] {
        let pipeline = metrics(encoding);
        pipeline.run_well();
        let tables = KINDS.map(|(_, table, _)| {
            let mut rows = Oracle::shared().rows(&Table::hadoop(pipeline.lake(), table), &[]);
            rows.sort_by_key(series_and_time);
            rows
        });
        lakes.push(tables);
    }
    let [protobuf, json] = &lakes[..] else { unreachable!("two encodings") };
    for ((rows, same), (kind, _, each)) in protobuf.iter().zip(json).zip(KINDS) {
        let points: HashSet<_> = rows.iter().map(series_and_time).collect();
        let wanted = ROUNDS * PODS * each;
        assert_eq!((rows.len(), points.len()), (wanted, wanted), "{kind}");
        assert!(rows == same, "the encodings differ in {kind}");
    }
    let numbers = |row: &Value, column: &str| -> u64 {
        row[column].as_array().expect("a list").iter().filter_map(Value::as_u64).sum()
    };
    let [gauge, sum, histogram, exponential, summary] = protobuf;
    assert!(gauge.iter().any(|row| row["value_int"].is_null()) && gauge.iter().any(|row| row["value_int"].is_u64()));
    assert!(sum.iter().all(|row| row["value_int"].as_f64() == row["value"].as_f64() && row["value"].is_number()));
    assert!(histogram.iter().all(|row| row["count"] == numbers(row, "bucket_counts")));
    assert!(histogram.iter().any(|row| row["exemplars"][0]["filtered_attributes"]["enduser.id"].is_string()));
    let all = |row: &Value| numbers(row, "positive_bucket_counts") + row["zero_count"].as_u64().unwrap_or(0);
    assert!(exponential.iter().all(|row| row["count"] == all(row)));
    assert!(summary.iter().all(|row| row["quantile_values"].as_array().map(Vec::len) == Some(3)));
}

/// What no two data points of a kind have in common.
fn series_and_time(row: &Value) -> String {
    format!("{} {} {} {}", row["service_instance_id"], row["metric_name"], row["attributes"], row["timestamp"])
}

/// The rows that a plugin makes of a sample in the sandbox.
fn invoked(plugin: &str, signal: &str, sample: &str) -> Vec<Value> {
    let file = golden(sample);
    let output = Weir::output(&["invoke", "--output", "json", "--signal", signal, plugin, &file]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line.get("_table").is_some()).collect()
}

fn golden(file: &str) -> String {
    format!("{}/golden/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// Ids in either case, numbers as text and as numbers, enums by name, values that are not finite, unknown fields.
#[test]
fn odd_values_in_both_spellings_of_json_become_the_rows_that_are_written_down() {
    for signal in ["logs", "metrics"] {
        let rows = invoked(&format!("flatten-{signal}"), signal, &format!("odd/{signal}.json"));
        let file = golden(&format!("odd/{signal}.rows"));
        let text = std::fs::read_to_string(file).expect("golden rows");
        let expected: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(rows.len(), expected.len(), "{signal}");
        for (row, expected) in rows.iter().zip(&expected) {
            assert_eq!(row, expected, "{signal}");
        }
    }
}

#[test]
fn a_collectors_logs_and_metrics_become_rows_in_the_sandbox() {
    for sample in ["collector/logs-attributes.json", "collector/logs-attributes.proto"] {
        let rows = invoked("flatten-logs", "logs", sample);
        assert_eq!(rows.len(), 3, "{sample}");
        for row in rows {
            assert_eq!((&row["_table"], &row["service_name"]), (&"logs".into(), &"checkout".into()), "{sample}");
            assert_eq!((&row["severity_number"], &row["body"]), (&17.into(), &"the message".into()), "{sample}");
            assert_eq!(row["attributes"]["http.response.status_code"], "200", "{sample}");
            assert_eq!(row["trace_id"], "5b8efff798038103d269b633813fc60c", "{sample}");
        }
    }
    for sample in ["collector/metrics.json", "collector/metrics.proto"] {
        let rows = invoked("flatten-metrics", "metrics", sample);
        let values: Vec<_> = rows.iter().filter_map(|row| row["value_int"].as_i64()).collect();
        assert_eq!(values, (0..10).collect::<Vec<_>>(), "{sample}");
        assert!(rows.iter().all(|row| row["_table"] == "gauge" && row["metric_name"] == "gen"), "{sample}");
    }
    for sample in ["collector/metrics-histogram.json", "collector/metrics-histogram.proto"] {
        let rows = invoked("flatten-metrics", "metrics", sample);
        assert_eq!(rows.len(), 3, "{sample}");
        for row in rows {
            assert_eq!((&row["_table"], &row["count"]), (&"histogram".into(), &10.into()), "{sample}");
            let counts = row["bucket_counts"].as_array().expect("a list");
            assert_eq!(counts.iter().filter_map(Value::as_u64).sum::<u64>(), 10, "{sample}");
            assert_eq!(row["explicit_bounds"].as_array().map(Vec::len), Some(15), "{sample}");
            assert_eq!(row["aggregation_temporality"], "CUMULATIVE", "{sample}");
        }
    }
}
