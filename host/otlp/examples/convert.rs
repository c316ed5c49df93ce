//! How fast OTLP/JSON becomes protobuf on one core: `cargo run --release -p weir-otlp --example convert`.
//!
//! One request of 1,000 spans like a web shop's, as the Collector writes it; and, to compare, the same through serde
//! and prost.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use prost::Message as _;
use weir_otlp::{Converter, Signal, check, split};

const SPANS: u64 = 1_000;
const RUN: Duration = Duration::from_secs(2);

fn main() {
    let spans = (0..SPANS).map(span).collect();
    let attributes = vec![text("service.name", "checkout"), text("host.name", "host-17")];
    let resource = Some(Resource { attributes, ..Default::default() });
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let message = TracesData { resource_spans: vec![ResourceSpans { resource, scope_spans, ..Default::default() }] };
    let json = json(&message);
    let pretty = serde_json::to_vec_pretty(&serde_json::from_slice::<serde_json::Value>(&json).unwrap()).unwrap();
    let (mut converter, mut out) = (Converter::new(), Vec::new());
    converter.convert(Signal::Traces, &json, &mut out).unwrap();
    let protobuf = out.clone();
    assert_eq!(TracesData::decode(protobuf.as_slice()).unwrap(), message);
    println!("a span: {} B of JSON, {} B of protobuf", json.len() as u64 / SPANS, protobuf.len() as u64 / SPANS);
    measure("convert", json.len(), || {
        out.clear();
        converter.convert(Signal::Traces, black_box(&json), &mut out).unwrap();
        out.len()
    });
    measure("convert, keys sorted and indented", pretty.len(), || {
        out.clear();
        converter.convert(Signal::Traces, black_box(&pretty), &mut out).unwrap();
        out.len()
    });
    measure("check for UTF-8 only", json.len(), || usize::from(simdutf8::basic::from_utf8(black_box(&json)).is_ok()));
    measure("check of protobuf", protobuf.len(), || usize::from(check(Signal::Traces, black_box(&protobuf)).is_ok()));
    measure("split in 16 KB", protobuf.len(), || split(black_box(&protobuf), 16 << 10).unwrap().map(|p| p.len()).sum());
    measure("serde and prost", json.len(), || {
        serde_json::from_slice::<TracesData>(black_box(&json)).unwrap().encode_to_vec().len()
    });
}

/// As the Collector writes it: without fields that have their default value.
fn json(message: &TracesData) -> Vec<u8> {
    fn prune(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(members) => {
                members.retain(|_, member| {
                    prune(member);
                    !matches!(member, serde_json::Value::Null)
                        && *member != serde_json::json!(0)
                        && *member != serde_json::json!("")
                        && *member != serde_json::json!([])
                });
            }
            serde_json::Value::Array(elements) => elements.iter_mut().for_each(prune),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(message).unwrap();
    prune(&mut value);
    // `Value` sorts its members; the Collector writes them in the order of the `.proto` files.
    let mut out = Vec::new();
    write(&value, &mut out);
    out
}

const ORDER: [&str; 16] = [
    "resource",
    "scopeSpans",
    "traceId",
    "spanId",
    "parentSpanId",
    "flags",
    "name",
    "kind",
    "startTimeUnixNano",
    "endTimeUnixNano",
    "key",
    "value",
    "attributes",
    "message",
    "code",
    "status",
];

fn write(value: &serde_json::Value, out: &mut Vec<u8>) {
    match value {
        serde_json::Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name));
            out.push(b'{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                out.extend(if at == 0 { &b"\""[..] } else { b",\"" });
                out.extend(name.as_bytes());
                out.extend(b"\":");
                write(member, out);
            }
            out.push(b'}');
        }
        serde_json::Value::Array(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                out.extend(if at == 0 { &b""[..] } else { b"," });
                write(element, out);
            }
            out.push(b']');
        }
        scalar => out.extend(scalar.to_string().as_bytes()),
    }
}

fn span(number: u64) -> Span {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63;
    Span {
        trace_id: [mixed.to_be_bytes(), (mixed ^ number).to_be_bytes()].concat(),
        span_id: mixed.to_be_bytes().to_vec(),
        parent_span_id: (!mixed | 1 << 62).to_be_bytes().to_vec(),
        flags: 257,
        name: "POST /api/checkout".into(),
        kind: 2,
        start_time_unix_nano: 1_795_569_715_083_720_662 + number,
        end_time_unix_nano: 1_795_569_715_085_047_947 + number,
        attributes: vec![
            text("http.request.method", "POST"),
            text("http.route", "/api/checkout"),
            text("url.path", "/api/checkout"),
            text("server.address", "checkout.shop.svc.cluster.local"),
            pair("http.response.status_code", Value::IntValue(200)),
            pair("server.port", Value::IntValue(8080)),
            text("network.peer.address", "10.12.7.31"),
            text("user_agent.original", "Mozilla/5.0"),
            pair("cache.hit", Value::BoolValue(number.is_multiple_of(3))),
            pair("cart.total", Value::DoubleValue(number as f64 + 0.25)),
        ],
        status: Some(Status::default()),
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// Prints the best of many runs: what disturbs a run only makes it slower.
fn measure(what: &str, bytes: usize, mut run: impl FnMut() -> usize) {
    let (begin, mut best) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < RUN {
        let start = Instant::now();
        black_box(run());
        best = best.min(start.elapsed());
    }
    let seconds = best.as_secs_f64();
    println!("{what}: {:.0} MB/s, {:.0} spans/s", bytes as f64 / seconds / 1e6, SPANS as f64 / seconds);
}
