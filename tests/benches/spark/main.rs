//! What does the Spark job cost that Weir takes the place of? CPU seconds a million spans, and peak memory.
//!
//! `SPANS=500000 cargo bench --profile dev -p weir-tests --bench spark` fills a topic of two partitions, runs `job.py`
//! once on nothing, which is what the job costs by itself, and once on everything, and asks the oracle whether every
//! span is there once. The last line is JSON.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weir_tests::{Kafka, Oracle, Scratch, Spans, Table, component};

const SPANS_PER_MESSAGE: usize = 100;
const MESSAGES_AT_ONCE: usize = 500;
const FIRST_DAY_NANOS: u64 = 1_769_731_200_000_000_000;
const TOPIC: &str = "otel-traces-lake";

#[allow(clippy::print_stdout)]
fn main() {
    let spans: usize = std::env::var("SPANS").map_or(500_000, |text| text.parse().expect("SPANS is a number"));
    let kafka = Kafka::start();
    kafka.create_topic(TOPIC, 2);
    let mut source = Spans::new(1, FIRST_DAY_NANOS, 2);
    let (mut bytes, mut sent) = (0, 0);
    while sent < spans {
        let requests =
            source.requests(MESSAGES_AT_ONCE.min((spans - sent).div_ceil(SPANS_PER_MESSAGE)), SPANS_PER_MESSAGE);
        bytes += requests.iter().map(String::len).sum::<usize>();
        sent += requests.len() * SPANS_PER_MESSAGE;
        let (half, rest) = requests.split_at(requests.len() / 2);
        kafka.produce(TOPIC, 0, half);
        kafka.produce(TOPIC, 1, rest);
    }

    let folder = Scratch::new("spark-baseline");
    let nothing = run(&kafka, &folder.join("nothing"), "latest");
    let all = run(&kafka, &folder.join("all"), "earliest");
    let written = Oracle::shared().span_ids(&Table::hadoop(folder.join("all/lake"), "telemetry.traces"));
    assert_eq!(written, source.made(), "the baseline loses or repeats spans");

    let cpu = |result: &Value| result["cpu_s"].as_f64().expect("a number");
    let per_million = (cpu(&all) - cpu(&nothing)) * 1e6 / sent as f64;
    println!(
        "{}",
        json!({"spans": sent, "json_bytes": bytes, "nothing": nothing, "all": all, "cpu_s_per_million": per_million})
    );
}

/// Runs the job with its folders in `folder`; what `measure.py` says.
fn run(kafka: &Kafka, folder: &Path, start: &str) -> Value {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    let spark = component("spark");
    let python = spark.join("venv/bin/python");
    let mut command = Command::new(&python);
    command.arg(benches.join("measure.py")).arg(&python).arg(benches.join("spark/job.py"));
    command.args(["--brokers", &kafka.bootstrap(), "--topic", TOPIC, "--start", start]);
    command.arg("--warehouse").arg(folder.join("lake")).arg("--checkpoint").arg(folder.join("checkpoint"));
    command.arg("--jars").arg(spark.join("jars")).arg("--columns").arg(benches.join("../kit/spark/traces.sql"));
    let output = command.output().expect("python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "the job fails: {said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(said.lines().last().unwrap_or_default()).expect("measure.py's JSON")
}
