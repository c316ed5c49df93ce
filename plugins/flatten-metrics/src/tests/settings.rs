//! Columns that are asked for, and attributes that are promoted: in each table.

use super::kit::*;
use crate::FlattenMetrics;
use crate::points::FURTHER;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};
use weir_sdk::testing;

#[test]
fn columns_that_are_asked_for_come_last_in_their_own_order_in_each_table() {
    let all: Vec<&str> = FURTHER.iter().rev().copied().collect();
    let without = rows(&[], vec![]);
    let rows = rows(&[("columns", &all), ("promote", &["p"]), ("promote_resource", &["r"])], vec![]);
    for table in TABLES {
        let expected = [&without.table(table).names()[..], &FURTHER, &["p", "r"]].concat();
        assert_eq!(rows.table(table).names(), expected);
    }
}

#[test]
fn every_optional_column_has_its_part_in_each_table() {
    let told = |data| Metric { metadata: vec![text("prometheus.type", "info")], ..metric(data) };
    let mut resource = resource(vec![text("service.name", "shop")], one_of_each().map(told).to_vec());
    resource.schema_url = "resource-url".to_owned();
    resource.resource.as_mut().unwrap().dropped_attributes_count = 8;
    resource.scope_metrics[0].schema_url = "scope-url".to_owned();
    resource.scope_metrics[0].scope =
        Some(InstrumentationScope { dropped_attributes_count: u32::MAX, ..InstrumentationScope::default() });
    let rows = run(&[("columns", &FURTHER)], [value(vec![resource])]);
    for table in TABLES {
        let check = |column: &str, expected: &str| assert_eq!(cells(&rows, table, column), [expected], "{column}");
        check("time_unix_nano", "1700000060123456789");
        check("start_time_unix_nano", "1700000000000000789");
        check("metric_metadata", r#"{"prometheus.type":"info"}"#);
        check("resource_dropped_attributes_count", "8");
        check("scope_dropped_attributes_count", "4294967295");
        check("resource_schema_url", "\"resource-url\"");
        check("scope_schema_url", "\"scope-url\"");
    }
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
    let points = [right, wrong].map(|attributes| NumberDataPoint { attributes, ..number(Number::AsInt(1)) });
    let promote = ("promote", &["s", "l:long", "d:double", "b:boolean"][..]);
    let rows = rows(&[promote, ("promote_only", &["true"])], vec![sum(points.to_vec(), CUMULATIVE)]);
    assert_eq!(cells(&rows, "sum", "s"), ["\"text\"", "null"]);
    assert_eq!(cells(&rows, "sum", "l"), ["1152921504606846976", "null"]);
    assert_eq!(cells(&rows, "sum", "d"), ["0.5", "null"]);
    assert_eq!(cells(&rows, "sum", "b"), ["true", "null"]);
    assert_eq!(cells(&rows, "sum", "attributes"), ["{}", r#"{"s":"1","l":"2"}"#]);
    assert_eq!(counters(&rows), [("promoted_mismatches", 2)]);
}

#[test]
fn an_attribute_named_as_a_column_of_any_table_is_not_promoted() {
    for name in ["value", "Count", "quantile_values", "positive.offset", "is-monotonic", "time_unix_nano"] {
        let refused = testing::run::<FlattenMetrics>(&[("promote", &[name])], testing::metrics([])).unwrap_err();
        assert!(refused.ends_with("which there is already"), "{refused}");
    }
}

#[test]
fn a_setting_that_does_not_exist_is_refused_with_those_that_do() {
    let refused = testing::run::<FlattenMetrics>(&[("tables", &["sum"])], testing::metrics([])).unwrap_err();
    let all = "columns, promote, promote_only, promote_resource";
    assert_eq!(refused, format!("unknown setting `tables` (there are: {all})"));
}
