//! Columns that are asked for, and attributes that are promoted.

use super::kit::*;
use crate::FlattenLogs;
use crate::logs::{FURTHER, NAMES};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use weir_sdk::testing;

#[test]
fn columns_that_are_asked_for_come_after_the_eighteen_in_their_own_order() {
    let all: Vec<&str> = FURTHER.iter().rev().copied().collect();
    let rows = rows(&[("columns", &all), ("promote", &["p"]), ("promote_resource", &["r"])], vec![]);
    let names = rows.table("logs").names();
    assert_eq!(names[..18], NAMES);
    assert_eq!(names[18..23], FURTHER);
    assert_eq!(names[23..], ["p", "r"]);
}

#[test]
fn every_optional_column_has_its_part() {
    let mut resource = resource(vec![text("service.name", "shop")], vec![record(), record()]);
    resource.schema_url = "resource-url".to_owned();
    resource.resource.as_mut().unwrap().dropped_attributes_count = 8;
    resource.scope_logs[0].schema_url = "scope-url".to_owned();
    resource.scope_logs[0].scope =
        Some(InstrumentationScope { dropped_attributes_count: u32::MAX, ..InstrumentationScope::default() });
    let rows = run(&[("columns", &FURTHER)], [value(vec![resource])]);
    assert_eq!(cells(&rows, "resource_dropped_attributes_count"), ["8", "8"]);
    assert_eq!(cells(&rows, "scope_dropped_attributes_count"), ["4294967295", "4294967295"]);
    assert_eq!(cells(&rows, "resource_schema_url"), ["\"resource-url\"", "\"resource-url\""]);
    assert_eq!(cells(&rows, "scope_schema_url"), ["\"scope-url\"", "\"scope-url\""]);
}

#[test]
fn attributes_are_promoted_with_the_types_that_spans_have() {
    let right = vec![
        text("s", "text"),
        attribute("l", Value::IntValue(1 << 60)),
        attribute("d", Value::DoubleValue(0.5)),
        attribute("b", Value::BoolValue(true)),
    ];
    let wrong = vec![attribute("s", Value::IntValue(1)), text("l", "2")];
    let records = [right, wrong].map(|attributes| LogRecord { attributes, ..record() });
    let promote = ("promote", &["s", "l:long", "d:double", "b:boolean"][..]);
    let rows = rows(&[promote, ("promote_only", &["true"])], records.to_vec());
    assert_eq!(cells(&rows, "s"), ["\"text\"", "null"]);
    assert_eq!(cells(&rows, "l"), ["1152921504606846976", "null"]);
    assert_eq!(cells(&rows, "d"), ["0.5", "null"]);
    assert_eq!(cells(&rows, "b"), ["true", "null"]);
    assert_eq!(cells(&rows, "attributes"), ["{}", r#"{"s":"1","l":"2"}"#]);
    assert_eq!(counters(&rows), [("promoted_mismatches", 2)]);
}

#[test]
fn the_service_has_its_column_even_where_its_attribute_is_promoted_too() {
    let given: Given<'_> = &[("promote_resource", &["host.name", "service.name"])];
    let refused = testing::run::<FlattenLogs>(given, testing::logs([])).unwrap_err();
    let taken = "`promote_resource`: `service.name` would be the column `service_name`, which there is already";
    assert_eq!(refused, taken);
}

#[test]
fn a_setting_or_column_that_does_not_exist_is_refused_with_those_that_do() {
    let refused = |given: Given<'_>| testing::run::<FlattenLogs>(given, testing::logs([])).unwrap_err();
    let all = "columns, promote, promote_only, promote_resource";
    let expected = format!("unknown setting `promoted`; did you mean `promote`? (there are: {all})");
    assert_eq!(refused(&[("promoted", &["a"])]), expected);
    let expected = format!("`columns`: `body` is always there; choose from {}", FURTHER.join(", "));
    assert_eq!(refused(&[("columns", &["body"])]), expected);
}
