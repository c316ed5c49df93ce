//! Columns that are asked for, and attributes that are promoted.

use super::kit::*;
use crate::FlattenSpans;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span};
use weir_sdk::testing::{self, Cell};

fn cells(rows: &testing::Rows, column: &str) -> Vec<String> {
    rows.table("spans").column(column).iter().map(Cell::to_string).collect()
}

#[test]
fn columns_that_are_asked_for_come_after_the_thirteen_in_their_own_order() {
    let all: Vec<&str> = crate::optional::Optional::NAMES.iter().rev().copied().collect();
    let rows = rows(&[("columns", &all), ("promote", &["p"]), ("promote_resource", &["r"])], vec![]);
    let names = rows.table("spans").names();
    assert_eq!(names[..13], crate::spans::NAMES);
    assert_eq!(names[13..30], crate::optional::Optional::NAMES);
    assert_eq!(names[30..], ["p", "r"]);
}

#[test]
fn every_optional_column_has_its_part_of_the_span() {
    let link = span::Link {
        trace_id: vec![0xAB; 16],
        span_id: vec![0; 8],
        trace_state: "k=v".to_owned(),
        attributes: vec![text("rel", "cause")],
        dropped_attributes_count: 3,
        flags: u32::MAX,
    };
    let event = span::Event { time_unix_nano: 1000, dropped_attributes_count: 7, ..Default::default() };
    let span = Span {
        trace_state: "a=b".to_owned(),
        flags: 0x8000_0301,
        links: vec![link],
        events: vec![event.clone(), event],
        dropped_attributes_count: 4,
        dropped_events_count: 5,
        dropped_links_count: u32::MAX,
        ..span()
    };
    let mut resource = resource(vec![text("service.name", "shop")], vec![span, Span::default()]);
    resource.schema_url = "resource-url".to_owned();
    resource.resource.as_mut().unwrap().dropped_attributes_count = 8;
    resource.scope_spans[0].schema_url = "scope-url".to_owned();
    resource.scope_spans[0].scope = Some(InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![text("short", "yes")],
        dropped_attributes_count: 9,
    });
    let given: Given<'_> = &[("columns", &crate::optional::Optional::NAMES)];
    let rows = run(given, [value(vec![resource])]);
    let check = |column: &str, first: &str, second: &str| assert_eq!(cells(&rows, column), [first, second], "{column}");
    check("start_time_unix_nano", "1700000000123456789", "0");
    check("end_time_unix_nano", "1700000000125956789", "0");
    check("trace_state", "\"a=b\"", "null");
    check("flags", "2147484417", "0");
    check("scope_name", "\"lib\"", "\"lib\"");
    check("scope_version", "\"1.2\"", "\"1.2\"");
    check("scope_attributes", r#"{"short":"yes"}"#, r#"{"short":"yes"}"#);
    let link = r#"[{"trace_id":"abababababababababababababababab","span_id":null,"trace_state":"k=v","#;
    check("links", &format!(r#"{link}"attributes":{{"rel":"cause"}},"flags":4294967295}}]"#), "[]");
    check("dropped_attributes_count", "4", "0");
    check("dropped_events_count", "5", "0");
    check("dropped_links_count", "4294967295", "0");
    check("event_dropped_attributes_counts", "[7,7]", "[]");
    check("link_dropped_attributes_counts", "[3]", "[]");
    check("resource_dropped_attributes_count", "8", "8");
    check("scope_dropped_attributes_count", "9", "9");
    check("resource_schema_url", "\"resource-url\"", "\"resource-url\"");
    check("scope_schema_url", "\"scope-url\"", "\"scope-url\"");
}

/// Spans with an attribute of each kind, one of another kind, and none.
fn promotable() -> Vec<Span> {
    let all = vec![
        text("s", "text"),
        attribute("l", Value::IntValue(1 << 60)),
        attribute("d", Value::DoubleValue(0.5)),
        attribute("b", Value::BoolValue(true)),
        text("other", "stays"),
    ];
    let wrong = vec![
        attribute("s", Value::IntValue(1)),
        text("l", "2"),
        attribute("d", Value::IntValue(3)),
        attribute("b", string("true")),
    ];
    vec![Span { attributes: all, ..span() }, Span { attributes: wrong, ..span() }, span()]
}

const PROMOTE: (&str, &[&str]) = ("promote", &["s", "l:long", "d:double", "b:boolean"]);

#[test]
fn a_promoted_attribute_is_a_column_and_still_in_its_map() {
    let rows = rows(&[PROMOTE], promotable());
    assert_eq!(cells(&rows, "s"), ["\"text\"", "null", "null"]);
    assert_eq!(cells(&rows, "l"), ["1152921504606846976", "null", "null"]);
    assert_eq!(cells(&rows, "d"), ["0.5", "null", "null"]);
    assert_eq!(cells(&rows, "b"), ["true", "null", "null"]);
    let first = r#"{"s":"text","l":"1152921504606846976","d":"0.5","b":"true","other":"stays"}"#;
    assert_eq!(cells(&rows, "attributes"), [first, r#"{"s":"1","l":"2","d":"3","b":"true"}"#, "{}"]);
    assert_eq!(counters(&rows), [("promoted_mismatches", 4)]);
}

#[test]
fn promote_only_takes_out_of_the_map_what_its_column_holds_and_nothing_else() {
    let rows = rows(&[PROMOTE, ("promote_only", &["true"])], promotable());
    assert_eq!(cells(&rows, "s"), ["\"text\"", "null", "null"]);
    let wrong_kinds_stay = r#"{"s":"1","l":"2","d":"3","b":"true"}"#;
    assert_eq!(cells(&rows, "attributes"), [r#"{"other":"stays"}"#, wrong_kinds_stay, "{}"]);
}

#[test]
fn of_promoted_attributes_with_one_key_the_last_is_kept() {
    let right_then_wrong = vec![attribute("l", Value::IntValue(1)), text("x", "y"), text("l", "two")];
    let wrong_then_right = vec![text("l", "two"), attribute("l", Value::IntValue(1))];
    let spans = [right_then_wrong, wrong_then_right].map(|attributes| Span { attributes, ..span() });
    let rows = rows(&[PROMOTE, ("promote_only", &["true"])], spans.to_vec());
    assert_eq!(cells(&rows, "l"), ["null", "1"]);
    assert_eq!(cells(&rows, "attributes"), [r#"{"x":"y","l":"two"}"#, "{}"]);
    assert_eq!(counters(&rows), [("duplicate_keys", 2), ("promoted_mismatches", 1)]);
}

#[test]
fn resource_attributes_are_promoted_by_their_own_setting() {
    let attributes = vec![text("service.name", "shop"), text("host.name", "h1"), attribute("pid", Value::IntValue(7))];
    let with = resource(attributes, vec![span(), span()]);
    let without = resource(vec![], vec![span()]);
    let given: Given<'_> = &[("promote_resource", &["host.name", "pid:long"]), ("promote_only", &["true"])];
    let rows = run(given, [value(vec![with, without])]);
    assert_eq!(cells(&rows, "host_name"), ["\"h1\"", "\"h1\"", "null"]);
    assert_eq!(cells(&rows, "pid"), ["7", "7", "null"]);
    let rest = r#"{"service.name":"shop"}"#;
    assert_eq!(cells(&rows, "resource_attributes"), [rest, rest, "{}"]);
}

#[test]
fn a_setting_that_does_not_exist_is_refused_with_those_that_do() {
    let refused = testing::run::<FlattenSpans>(&[("promoted", &["a"])], testing::traces([])).unwrap_err();
    let all = "columns, promote, promote_only, promote_resource";
    assert_eq!(refused, format!("unknown setting `promoted`; did you mean `promote`? (there are: {all})"));
}
