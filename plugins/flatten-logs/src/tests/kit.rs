//! Log records to give, by prost, and rows to look at.

use crate::FlattenLogs;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
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

/// A log record that nothing is odd about.
pub(super) fn record() -> LogRecord {
    LogRecord {
        time_unix_nano: 1_700_000_000_123_456_789,
        observed_time_unix_nano: 1_700_000_000_125_956_789,
        severity_number: 9,
        body: Some(holding(string("hello"))),
        ..LogRecord::default()
    }
}

/// The same with a body.
pub(super) fn saying(body: AnyValue) -> LogRecord {
    LogRecord { body: Some(body), ..record() }
}

pub(super) fn resource(attributes: Vec<KeyValue>, log_records: Vec<LogRecord>) -> ResourceLogs {
    ResourceLogs {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    }
}

pub(super) fn value(resource_logs: Vec<ResourceLogs>) -> Vec<u8> {
    LogsData { resource_logs }.encode_to_vec()
}

/// The rows of records with these values.
pub(super) fn run(given: Given<'_>, values: impl IntoIterator<Item = Vec<u8>>) -> Rows {
    testing::run::<FlattenLogs>(given, testing::logs(values)).unwrap()
}

/// The rows of log records of a service.
pub(super) fn rows(given: Given<'_>, records: Vec<LogRecord>) -> Rows {
    run(given, [value(vec![resource(vec![text("service.name", "shop")], records)])])
}

/// One column as text.
pub(super) fn cells(rows: &Rows, column: &str) -> Vec<String> {
    rows.table("logs").column(column).iter().map(Cell::to_string).collect()
}

/// The counters that are not 0.
pub(super) fn counters(rows: &Rows) -> Vec<(&str, u64)> {
    rows.counters.iter().map(|(name, amount)| (name.as_str(), *amount)).collect()
}
