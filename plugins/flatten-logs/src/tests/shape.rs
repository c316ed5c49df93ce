//! The table: names, order, types, and a whole row.

use super::kit::*;
use crate::FlattenLogs;
use crate::logs::{FURTHER, NAMES};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use weir_sdk::DataType::{self, *};
use weir_sdk::{Field, Instance, testing};

fn fields(given: Given<'_>) -> Vec<Field> {
    let mut tables = Instance::<FlattenLogs>::configure(testing::settings(given)).unwrap().1;
    assert_eq!((tables.len(), tables[0].name.as_str()), (1, "logs"));
    tables.remove(0).fields
}

/// The columns themselves, without what they are made of.
fn columns(fields: &[Field]) -> Vec<(&str, DataType)> {
    let mut columns = Vec::new();
    let mut within = 0u32;
    for field in fields {
        if within == 0 {
            columns.push((field.name.as_str(), field.data_type));
        }
        within = within.saturating_sub(1) + field.children;
    }
    columns
}

#[test]
fn the_table_has_eighteen_columns_by_name_order_and_type() {
    let fields = fields(&[]);
    let expected = [
        ("timestamp", TimestampUtc),
        ("observed_timestamp", TimestampUtc),
        ("trace_id", Utf8),
        ("span_id", Utf8),
        ("service_name", Dictionary),
        ("severity_number", Int32),
        ("severity_text", Dictionary),
        ("body", Utf8),
        ("event_name", Dictionary),
        ("attributes", Map),
        ("resource_attributes", Map),
        ("scope_name", Dictionary),
        ("scope_version", Dictionary),
        ("scope_attributes", Map),
        ("flags", Int64),
        ("dropped_attributes_count", Int64),
        ("time_unix_nano", Int64),
        ("observed_time_unix_nano", Int64),
    ];
    assert_eq!(columns(&fields), expected);
    assert_eq!(expected.map(|(name, _)| name), NAMES);
}

#[test]
fn every_column_may_be_missing() {
    let fields = fields(&[("columns", &FURTHER), ("promote", &["a", "b:long"])]);
    // Within a map the entries and keys, and within a dictionary the values, are there by Arrow's rules.
    let required = fields.iter().filter(|field| !field.nullable);
    assert!(required.clone().all(|field| ["entries", "key", "values"].contains(&field.name.as_str())));
}

#[test]
fn a_log_record_is_a_row_of_all_its_parts() {
    let whole = LogRecord {
        severity_text: "INFO".to_owned(),
        attributes: vec![text("http.route", "/cart"), text("zone", "eu")],
        dropped_attributes_count: 3,
        flags: 0x8000_0001,
        trace_id: (0xA0..0xB0).collect(),
        span_id: (0xF0..0xF8).collect(),
        event_name: "cart.emptied".to_owned(),
        ..record()
    };
    let mut resource = resource(vec![text("service.name", "shop"), text("host.name", "h1")], vec![whole]);
    resource.scope_logs[0].scope = Some(InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![text("short", "yes")],
        ..InstrumentationScope::default()
    });
    let rows = run(&[], [value(vec![resource])]);
    let expected = concat!(
        r#"{"timestamp":1700000000123456,"observed_timestamp":1700000000125956,"#,
        r#""trace_id":"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf","span_id":"f0f1f2f3f4f5f6f7","service_name":"shop","#,
        r#""severity_number":9,"severity_text":"INFO","body":"hello","event_name":"cart.emptied","#,
        r#""attributes":{"http.route":"/cart","zone":"eu"},"#,
        r#""resource_attributes":{"service.name":"shop","host.name":"h1"},"#,
        r#""scope_name":"lib","scope_version":"1.2","scope_attributes":{"short":"yes"},"flags":2147483649,"#,
        r#""dropped_attributes_count":3,"time_unix_nano":1700000000123456789,"#,
        r#""observed_time_unix_nano":1700000000125956789}"#,
    );
    assert_eq!(rows.table("logs").row(0), expected);
    assert_eq!(counters(&rows), []);
}

#[test]
fn an_empty_log_record_is_a_row_of_what_is_unknown() {
    let rows = run(&[], [value(vec![resource(vec![], vec![LogRecord::default()])])]);
    let expected = concat!(
        r#"{"timestamp":0,"observed_timestamp":null,"trace_id":null,"span_id":null,"service_name":null,"#,
        r#""severity_number":0,"severity_text":null,"body":null,"event_name":null,"attributes":{},"#,
        r#""resource_attributes":{},"scope_name":null,"scope_version":null,"scope_attributes":{},"flags":0,"#,
        r#""dropped_attributes_count":0,"time_unix_nano":0,"observed_time_unix_nano":0}"#,
    );
    assert_eq!(rows.table("logs").row(0), expected);
    assert_eq!(counters(&rows), [("missing_service_names", 1), ("unknown_times", 1)]);
}

#[test]
fn resources_and_scopes_give_their_own_to_each_of_their_records() {
    let mut first = resource(vec![text("service.name", "a"), text("only", "a")], vec![record(), record()]);
    let mut second_scope = first.scope_logs[0].clone();
    second_scope.scope = Some(InstrumentationScope { name: "second".to_owned(), ..InstrumentationScope::default() });
    first.scope_logs.push(second_scope);
    let without_records = resource(vec![text("service.name", "nobody")], vec![]);
    let last = resource(vec![text("service.name", "b")], vec![record()]);
    let rows = run(&[], [value(vec![first, without_records, last.clone()]), value(vec![last])]);
    assert_eq!(rows.table("logs").rows_per_message, [5, 1]);
    let quoted = |texts: &[&str]| texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>();
    assert_eq!(cells(&rows, "service_name"), quoted(&["a", "a", "a", "a", "b", "b"]));
    assert_eq!(cells(&rows, "scope_name"), ["null", "null", "\"second\"", "\"second\"", "null", "null"]);
    let attributes = cells(&rows, "resource_attributes");
    assert!(attributes[..4].iter().all(|map| map.contains("only")) && !attributes[4].contains("only"));
}
