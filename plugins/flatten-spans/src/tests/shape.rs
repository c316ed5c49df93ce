//! The table: names, order, types, and a whole row.

use super::kit::*;
use crate::FlattenSpans;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span};
use weir_sdk::DataType::{self, *};
use weir_sdk::{Instance, testing};

/// Name, type, direct children, depth first.
fn schema(given: Given<'_>) -> Vec<(String, DataType, u32)> {
    let tables = Instance::<FlattenSpans>::configure(testing::settings(given)).unwrap().1;
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].name, "spans");
    tables[0].fields.iter().map(|field| (field.name.clone(), field.data_type, field.children)).collect()
}

fn map_of(values: DataType) -> Vec<(&'static str, DataType, u32)> {
    let mut fields = vec![("entries", Struct, 2), ("key", Dictionary, 1), ("values", Utf8, 0)];
    match values {
        Utf8 => fields.push(("value", Utf8, 0)),
        _ => fields.extend([("value", Dictionary, 1), ("values", Utf8, 0)]),
    }
    fields
}

#[test]
fn the_table_has_the_thirteen_columns_by_name_order_and_type() {
    let expected: Vec<(&str, DataType, u32)> = [
        vec![("timestamp", TimestampUtc, 0), ("trace_id", Utf8, 0), ("span_id", Utf8, 0), ("parent_span_id", Utf8, 0)],
        vec![
            ("service_name", Dictionary, 1),
            ("values", Utf8, 0),
            ("operation_name", Dictionary, 1),
            ("values", Utf8, 0),
        ],
        vec![("span_kind", Dictionary, 1), ("values", Utf8, 0), ("duration_ms", Float64, 0), ("status_code", Int32, 0)],
        vec![("status_message", Dictionary, 1), ("values", Utf8, 0), ("attributes", Map, 1)],
        map_of(Utf8),
        vec![("resource_attributes", Map, 1)],
        map_of(Dictionary),
        vec![("events", List, 1), ("element", Struct, 3), ("timestamp", TimestampUtc, 0)],
        vec![("name", Dictionary, 1), ("values", Utf8, 0), ("attributes", Map, 1)],
        map_of(Utf8),
    ]
    .concat();
    let schema = schema(&[]);
    let own: Vec<_> = schema.iter().map(|(name, data_type, children)| (name.as_str(), *data_type, *children)).collect();
    assert_eq!(own, expected);
}

#[test]
fn every_column_may_be_missing() {
    let all: Vec<&str> = crate::optional::Optional::NAMES.to_vec();
    let given: Given<'_> = &[("columns", &all), ("promote", &["a", "b:long"])];
    let tables = Instance::<FlattenSpans>::configure(testing::settings(given)).unwrap().1;
    // Within a map the entries and keys, and within a dictionary the values, are there by Arrow's rules.
    let required = tables[0].fields.iter().filter(|field| !field.nullable);
    assert!(required.clone().all(|field| ["entries", "key", "values"].contains(&field.name.as_str())));
}

#[test]
fn a_span_is_a_row_of_all_its_parts() {
    let event = span::Event {
        time_unix_nano: 1_700_000_000_124_000_999,
        name: "retry".to_owned(),
        attributes: vec![text("why", "timeout")],
        dropped_attributes_count: 0,
    };
    let whole = Span {
        trace_id: (0xA0..0xB0).collect(),
        span_id: (0xF0..0xF8).collect(),
        parent_span_id: (1..=8).collect(),
        name: "GET /cart".to_owned(),
        kind: 2,
        attributes: vec![text("http.route", "/cart"), text("zone", "eu")],
        events: vec![event],
        status: Some(Status { message: "no stock".to_owned(), code: 2 }),
        ..span()
    };
    let resource_attributes = vec![text("service.name", "shop"), text("host.name", "h1")];
    let rows = run(&[], [value(vec![resource(resource_attributes, vec![whole])])]);
    let expected = concat!(
        r#"{"timestamp":1700000000123456,"trace_id":"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf","#,
        r#""span_id":"f0f1f2f3f4f5f6f7","parent_span_id":"0102030405060708","service_name":"shop","#,
        r#""operation_name":"GET /cart","span_kind":"SERVER","duration_ms":2.5,"status_code":2,"#,
        r#""status_message":"no stock","attributes":{"http.route":"/cart","zone":"eu"},"#,
        r#""resource_attributes":{"service.name":"shop","host.name":"h1"},"#,
        r#""events":[{"timestamp":1700000000124000,"name":"retry","attributes":{"why":"timeout"}}]}"#,
    );
    assert_eq!(rows.table("spans").row(0), expected);
    assert_eq!(counters(&rows), []);
}

#[test]
fn an_empty_span_is_a_row_of_what_is_unknown() {
    let rows = run(&[], [value(vec![resource(vec![], vec![Span::default()])])]);
    let expected = concat!(
        r#"{"timestamp":0,"trace_id":null,"span_id":null,"parent_span_id":null,"service_name":null,"#,
        r#""operation_name":null,"span_kind":"UNSPECIFIED","duration_ms":0.0,"status_code":0,"status_message":null,"#,
        r#""attributes":{},"resource_attributes":{},"events":[]}"#,
    );
    assert_eq!(rows.table("spans").row(0), expected);
    assert_eq!(counters(&rows), [("invalid_ids", 2), ("missing_service_names", 1), ("unknown_times", 2)]);
}

#[test]
fn resources_and_scopes_give_their_own_to_each_of_their_spans() {
    let mut first = resource(vec![text("service.name", "a"), text("only", "a")], vec![span(), span()]);
    first.scope_spans.push(first.scope_spans[0].clone());
    let without_spans = resource(vec![text("service.name", "nobody")], vec![]);
    let last = resource(vec![text("service.name", "b")], vec![span()]);
    let rows = run(&[], [value(vec![first, without_spans, last.clone()]), value(vec![last])]);
    let spans = rows.table("spans");
    assert_eq!(spans.rows_per_message, [5, 1]);
    let services: Vec<_> = spans.column("service_name").iter().filter_map(|cell| cell.text()).collect();
    assert_eq!(services, ["a", "a", "a", "a", "b", "b"]);
    let own: Vec<_> = spans.column("resource_attributes").iter().map(|cell| cell.get("only").is_some()).collect();
    assert_eq!(own, [true, true, true, true, false, false]);
}
