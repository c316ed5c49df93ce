//! A real OpenTelemetry Collector: the otlp receiver, the batch processor and the kafka exporter.

use std::time::Duration;

use crate::http;
use crate::install::{component, kit};
use crate::kafka::Kafka;
use crate::process::{Process, answers, command, free_port};
use crate::scratch::Scratch;

const START_LIMIT: Duration = Duration::from_secs(30);

/// A running Collector that exports to one topic, with the configuration that the README gives.
#[derive(Debug)]
pub struct Collector {
    process: Process,
    http_port: u16,
    grpc_port: u16,
    _folder: Scratch,
}

impl Collector {
    /// Starts a Collector that writes to `topic`, which must exist, as `otlp_json` or `otlp_proto`.
    pub fn start(kafka: &Kafka, topic: &str, encoding: &str) -> Self {
        let folder = Scratch::new("collector");
        let (http_port, grpc_port) = (free_port(), free_port());
        let mut collector = command(component("collector").join("collector"));
        collector.arg("--config").arg(kit().join("collector/collector.yaml"));
        collector.env("KAFKA_BROKERS", kafka.bootstrap()).env("TOPIC", topic).env("ENCODING", encoding);
        collector.env("HTTP_PORT", http_port.to_string()).env("GRPC_PORT", grpc_port.to_string());
        // Long enough to make batches of many requests, short enough to be waited for.
        collector.env("BATCH_TIMEOUT", "200ms");
        let mut process = Process::start("the collector", collector, &folder.join("collector.log"));
        process.wait_ready(START_LIMIT, || answers(http_port) && answers(grpc_port));
        Self { process, http_port, grpc_port, _folder: folder }
    }

    /// Sends an OTLP/JSON request of a signal: `traces`, `metrics` or `logs`.
    ///
    /// # Panics
    /// When the Collector refuses it.
    pub fn send_json(&self, signal: &str, request: &str) {
        self.send(signal, "application/json", request.as_bytes());
    }

    /// Sends an OTLP protobuf request of a signal: `traces`, `metrics` or `logs`.
    ///
    /// # Panics
    /// When the Collector refuses it.
    pub fn send_proto(&self, signal: &str, request: &[u8]) {
        self.send(signal, "application/x-protobuf", request);
    }

    /// The port of its OTLP/gRPC receiver.
    pub fn grpc_port(&self) -> u16 {
        self.grpc_port
    }

    /// Shuts it down cleanly: it sends what it still holds. Returns what it logged.
    pub fn stop(mut self) -> String {
        self.process.stop();
        self.process.log()
    }

    fn send(&self, signal: &str, content_type: &str, body: &[u8]) {
        let answer = http::post(self.http_port, &format!("/v1/{signal}"), content_type, body);
        let answer = answer.unwrap_or_else(|error| panic!("the collector does not answer: {error}"));
        assert_eq!(answer.status, 200, "the collector refuses a request: {}", answer.body);
    }
}
