//! Prints what a span costs natively: `cargo run --profile guest -p flatten-spans --example ns_per_span`.
//!
//! Spans of about 550 bytes with twelve attributes, 1,000 to a record, as a Collector would batch them. The fastest
//! of many rounds: what the machine does besides only ever adds.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use flatten_spans::FlattenSpans;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span};
use prost::Message as _;
use std::time::{Duration, Instant};
use weir_sdk::{Instance, testing};

/// The host's allocator: the other would be half of what is measured.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// A number that looks random and is the same each time (splitmix64).
fn noise(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn one(seed: u64) -> Span {
    let n = noise(seed);
    let route = ["/cart", "/cart/{id}", "/products/{id}", "/checkout", "/orders/{id}/items"][n as usize % 5];
    let start = 1_700_000_000_000_000_000 + seed * 1_000_003;
    let event = span::Event {
        time_unix_nano: start + 5_000,
        name: "exception".to_owned(),
        attributes: vec![text("exception.type", "java.io.IOException"), text("exception.message", "reset by peer")],
        ..Default::default()
    };
    Span {
        trace_id: [n.to_le_bytes(), noise(n).to_le_bytes()].concat(),
        span_id: noise(n + 1).to_le_bytes().to_vec(),
        parent_span_id: noise(n + 2).to_le_bytes().to_vec(),
        flags: 257,
        name: format!("GET {route}"),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + n % 1_000_000_000,
        attributes: vec![
            text("http.request.method", "GET"),
            text("http.route", route),
            attribute("http.response.status_code", Value::IntValue(200)),
            text("url.scheme", "https"),
            text("url.path", format!("/cart/{}", n % 1_000_000)),
            text("server.address", "shop.example.com"),
            attribute("server.port", Value::IntValue(443)),
            text("client.address", format!("10.{}.{}.{}", n % 256, n / 256 % 256, n / 65_536 % 256)),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
            text("user.id", format!("{:016x}", noise(n + 3))),
            text("thread.name", format!("http-nio-8080-exec-{}", n % 50)),
            text("url.query", format!("session={:016x}&page={}", noise(n + 4), n % 40)),
        ],
        events: if seed.is_multiple_of(20) { vec![event] } else { vec![] },
        status: Some(Status { code: i32::from(n.is_multiple_of(50)) * 2, ..Default::default() }),
        ..Default::default()
    }
}

fn record(first: u64) -> Vec<u8> {
    let resource = |n: u64| Resource {
        attributes: vec![
            text("service.name", format!("service-{n}")),
            text("service.version", "1.4.2"),
            text("k8s.pod.name", format!("service-{n}-7d9c5b8f6-x2x9k")),
            text("k8s.namespace.name", "shop"),
            text("host.name", "node-17.eu-west-1.example.com"),
            text("telemetry.sdk.language", "java"),
        ],
        ..Default::default()
    };
    let scope = || InstrumentationScope { name: "io.opentelemetry.tomcat".to_owned(), ..Default::default() };
    let spans = |n: u64| ResourceSpans {
        resource: Some(resource(n)),
        scope_spans: vec![ScopeSpans {
            scope: Some(scope()),
            spans: (0..100).map(|i| one(first + n * 100 + i)).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    TracesData { resource_spans: (0..10).map(spans).collect() }.encode_to_vec()
}

fn main() {
    for records in [1, 8] {
        let batch = testing::traces((0..records).map(|n| record(n * 1000)));
        let spans = records * 1000;
        let bytes: usize = batch.messages.iter().map(|message| message.value.len()).sum();
        for given in [&[][..], &[("promote", &["http.route", "http.response.status_code:long"][..])]] {
            let mut instance = Instance::<FlattenSpans>::configure(testing::settings(given)).unwrap().0;
            let mut best = Duration::MAX;
            for _ in 0..400 {
                let start = Instant::now();
                let output = instance.transform(&batch).unwrap();
                best = best.min(start.elapsed());
                assert_eq!(u64::from(output.tables[0].rows.rows), spans);
            }
            let out: usize = instance.transform(&batch).unwrap().tables[0].rows.buffers.iter().map(Vec::len).sum();
            println!(
                "{spans} spans of {} bytes, {} settings: {} ns a span, {} bytes out",
                bytes as u64 / spans,
                given.len(),
                best.as_nanos() / u128::from(spans),
                out as u64 / spans
            );
        }
    }
}
