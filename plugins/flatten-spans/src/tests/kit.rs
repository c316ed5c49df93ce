//! Spans to give, by prost, and rows to look at.

use crate::FlattenSpans;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message;
use weir_sdk::testing::{self, Cell, Rows};

pub(super) type Given<'a> = &'a [(&'a str, &'a [&'a str])];

pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(holding(value)), ..KeyValue::default() }
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, string(value))
}

pub(super) fn holding(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

pub(super) fn string(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

pub(super) fn array(values: Vec<AnyValue>) -> Value {
    Value::ArrayValue(ArrayValue { values })
}

pub(super) fn list(values: Vec<KeyValue>) -> Value {
    Value::KvlistValue(KeyValueList { values })
}

/// A span that nothing is odd about.
pub(super) fn span() -> Span {
    Span {
        trace_id: (1..=16).collect(),
        span_id: (1..=8).collect(),
        name: "work".to_owned(),
        start_time_unix_nano: 1_700_000_000_123_456_789,
        end_time_unix_nano: 1_700_000_000_125_956_789,
        ..Span::default()
    }
}

pub(super) fn resource(attributes: Vec<KeyValue>, spans: Vec<Span>) -> ResourceSpans {
    ResourceSpans {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

pub(super) fn value(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    TracesData { resource_spans }.encode_to_vec()
}

/// The rows of records with these values.
pub(super) fn run(given: Given<'_>, values: impl IntoIterator<Item = Vec<u8>>) -> Rows {
    testing::run::<FlattenSpans>(given, testing::traces(values)).unwrap()
}

/// The rows of spans of a service.
pub(super) fn rows(given: Given<'_>, spans: Vec<Span>) -> Rows {
    run(given, [value(vec![resource(vec![text("service.name", "shop")], spans)])])
}

/// One column of the spans of a service, as text.
pub(super) fn column(name: &str, spans: Vec<Span>) -> Vec<String> {
    rows(&[], spans).table("spans").column(name).iter().map(Cell::to_string).collect()
}

/// The counters that are not 0.
pub(super) fn counters(rows: &Rows) -> Vec<(&str, u64)> {
    rows.counters.iter().map(|(name, amount)| (name.as_str(), *amount)).collect()
}
