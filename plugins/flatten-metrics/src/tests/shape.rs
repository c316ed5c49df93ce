//! The tables: names, order, types, and whole rows.

use super::kit::*;
use crate::FlattenMetrics;
use crate::points::FURTHER;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric, NumberDataPoint, ResourceMetrics, exemplar};
use weir_sdk::DataType::{self, *};
use weir_sdk::{Instance, TableSchema, testing};

fn tables(given: Given<'_>) -> Vec<TableSchema> {
    Instance::<FlattenMetrics>::configure(testing::settings(given)).unwrap().1
}

/// The columns themselves, without what they are made of.
fn columns(table: &TableSchema) -> Vec<(&str, DataType)> {
    let (mut columns, mut within) = (Vec::new(), 0u32);
    for field in &table.fields {
        if within == 0 {
            columns.push((field.name.as_str(), field.data_type));
        }
        within = within.saturating_sub(1) + field.children;
    }
    columns
}

const FIRST: [(&str, DataType); 6] = [
    ("timestamp", TimestampUtc),
    ("start_timestamp", TimestampUtc),
    ("service_name", Dictionary),
    ("metric_name", Dictionary),
    ("metric_description", Dictionary),
    ("metric_unit", Dictionary),
];

const LAST: [(&str, DataType); 7] = [
    ("attributes", Map),
    ("resource_attributes", Map),
    ("scope_name", Dictionary),
    ("scope_version", Dictionary),
    ("scope_attributes", Map),
    ("flags", Int64),
    ("exemplars", List),
];

#[test]
fn there_is_a_table_for_each_kind_with_its_columns_by_name_order_and_type() {
    let numbers = [("value", Float64), ("value_int", Int64)];
    let temporality = [("aggregation_temporality", Dictionary)];
    let aggregates = [("count", Int64), ("sum", Float64), ("min", Float64), ("max", Float64)];
    let exponential = [
        ("scale", Int32),
        ("zero_count", Int64),
        ("zero_threshold", Float64),
        ("positive_offset", Int32),
        ("positive_bucket_counts", List),
        ("negative_offset", Int32),
        ("negative_bucket_counts", List),
    ];
    let kinds = [
        numbers.to_vec(),
        [&numbers[..], &temporality, &[("is_monotonic", Boolean)]].concat(),
        [&temporality[..], &aggregates, &[("bucket_counts", List), ("explicit_bounds", List)]].concat(),
        [&temporality[..], &aggregates, &exponential].concat(),
        vec![("count", Int64), ("sum", Float64), ("quantile_values", List)],
    ];
    let tables = tables(&[]);
    assert_eq!(tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), TABLES);
    for (table, kind) in tables.iter().zip(kinds) {
        let last = if table.name == "summary" { &LAST[..6] } else { &LAST };
        let expected = [&FIRST[..], &kind, last].concat();
        assert_eq!(columns(table), expected, "{}", table.name);
    }
}

#[test]
fn every_column_may_be_missing() {
    for table in tables(&[("columns", &FURTHER), ("promote", &["a", "b:long"])]) {
        // Within a map the entries and keys, and within a dictionary the values, are there by Arrow's rules.
        let mut required = table.fields.iter().filter(|field| !field.nullable);
        assert!(required.all(|field| ["entries", "key", "values"].contains(&field.name.as_str())));
    }
}

/// What each row begins with, and what it ends with but for exemplars.
const BEGIN: &str = concat!(
    r#"{"timestamp":1700000060123456,"start_timestamp":1700000000000000,"service_name":"shop","metric_name":"m","#,
    r#""metric_description":null,"metric_unit":null,"#
);
const END: &str = concat!(
    r#","attributes":{},"resource_attributes":{"service.name":"shop"},"scope_name":null,"scope_version":null,"#,
    r#""scope_attributes":{},"flags":0"#
);

#[test]
fn a_number_is_a_double_and_where_it_was_sent_as_an_integer_exactly_that_too() {
    let beyond_doubles = 9_007_199_254_740_993;
    let points = vec![number(Number::AsDouble(0.5)), number(Number::AsInt(beyond_doubles))];
    let rows = rows(&[], vec![gauge(points.clone()), sum(points, CUMULATIVE)]);
    assert_eq!(lens(&rows), [2, 2, 0, 0, 0]);
    let values = [r#""value":0.5,"value_int":null"#, r#""value":9007199254740992.0,"value_int":9007199254740993"#];
    for (row, value) in values.iter().enumerate() {
        assert_eq!(rows.table("gauge").row(row), format!(r#"{BEGIN}{value}{END},"exemplars":[]}}"#));
        let kind = r#","aggregation_temporality":"CUMULATIVE","is_monotonic":true"#;
        assert_eq!(rows.table("sum").row(row), format!(r#"{BEGIN}{value}{kind}{END},"exemplars":[]}}"#));
    }
    assert_eq!(counters(&rows), []);
}

#[test]
fn a_histogram_is_a_row_of_its_buckets_and_what_was_not_sent_is_null_and_not_zero() {
    let mut bare = histogram_point();
    (bare.sum, bare.min, bare.max, bare.bucket_counts, bare.explicit_bounds) = (None, None, None, vec![], vec![]);
    let rows = rows(&[], vec![histogram(vec![histogram_point(), bare])]);
    let whole = concat!(
        r#""aggregation_temporality":"CUMULATIVE","count":6,"sum":12.5,"min":0.25,"max":7.0,"#,
        r#""bucket_counts":[1,2,3],"explicit_bounds":[0.5,5.0]"#
    );
    let bare = concat!(
        r#""aggregation_temporality":"CUMULATIVE","count":6,"sum":null,"min":null,"max":null,"#,
        r#""bucket_counts":[],"explicit_bounds":[]"#
    );
    assert_eq!(rows.table("histogram").row(0), format!(r#"{BEGIN}{whole}{END},"exemplars":[]}}"#));
    assert_eq!(rows.table("histogram").row(1), format!(r#"{BEGIN}{bare}{END},"exemplars":[]}}"#));
    assert_eq!(counters(&rows), []);
}

#[test]
fn an_exponential_histogram_is_a_row_of_both_its_sides() {
    let mut whole = exponential_point();
    whole.sum = Some(2.5);
    whole.zero_threshold = 0.125;
    whole.positive = Some(Buckets { offset: -3, bucket_counts: vec![1, 300] });
    whole.negative = Some(Buckets { offset: i32::MIN, bucket_counts: vec![] });
    let rows = rows(&[], vec![exponential(vec![whole, exponential_point()])]);
    let values = concat!(
        r#""aggregation_temporality":"DELTA","count":3,"sum":2.5,"min":null,"max":null,"scale":-2,"zero_count":1,"#,
        r#""zero_threshold":0.125,"positive_offset":-3,"positive_bucket_counts":[1,300],"#,
        r#""negative_offset":-2147483648,"negative_bucket_counts":[]"#
    );
    assert_eq!(rows.table("exponential_histogram").row(0), format!(r#"{BEGIN}{values}{END},"exemplars":[]}}"#));
    assert_eq!(cells(&rows, "exponential_histogram", "positive_offset"), ["-3", "0"]);
    assert_eq!(cells(&rows, "exponential_histogram", "positive_bucket_counts"), ["[1,300]", "[]"]);
}

#[test]
fn a_summary_is_a_row_of_its_quantiles() {
    let mut whole = summary_point();
    whole.quantile_values =
        vec![ValueAtQuantile { quantile: 0.5, value: 1.0 }, ValueAtQuantile { quantile: 1.0, value: 9.0 }];
    let rows = rows(&[], vec![summary(vec![whole, summary_point()])]);
    let quantiles = r#"[{"quantile":0.5,"value":1.0},{"quantile":1.0,"value":9.0}]"#;
    let values = format!(r#""count":4,"sum":-1.5,"quantile_values":{quantiles}"#);
    assert_eq!(rows.table("summary").row(0), format!("{BEGIN}{values}{END}}}"));
    assert_eq!(cells(&rows, "summary", "quantile_values"), [quantiles, "[]"]);
}

#[test]
fn exemplars_are_a_list_beside_their_point() {
    let exemplar = Exemplar {
        filtered_attributes: vec![text("user", "u1")],
        time_unix_nano: 5000,
        span_id: vec![0xAB; 8],
        trace_id: vec![0xCD; 16],
        value: Some(exemplar::Value::AsInt(3)),
    };
    let outside = Exemplar { time_unix_nano: 6000, value: Some(exemplar::Value::AsDouble(0.5)), ..Default::default() };
    let point = NumberDataPoint { exemplars: vec![exemplar.clone(), outside], ..number(Number::AsInt(1)) };
    let mut bucketed = histogram_point();
    bucketed.exemplars = vec![exemplar.clone()];
    let mut scaled = exponential_point();
    scaled.exemplars = vec![exemplar];
    let rows = rows(&[], vec![gauge(vec![point]), histogram(vec![bucketed]), exponential(vec![scaled])]);
    let first = concat!(
        r#"{"timestamp":5,"value":3.0,"value_int":3,"trace_id":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","#,
        r#""span_id":"abababababababab","filtered_attributes":{"user":"u1"}}"#
    );
    let second =
        r#"{"timestamp":6,"value":0.5,"value_int":null,"trace_id":null,"span_id":null,"filtered_attributes":{}}"#;
    assert_eq!(cells(&rows, "gauge", "exemplars"), [format!("[{first},{second}]")]);
    assert_eq!(cells(&rows, "histogram", "exemplars"), [format!("[{first}]")]);
    assert_eq!(cells(&rows, "exponential_histogram", "exemplars"), [format!("[{first}]")]);
    assert_eq!(counters(&rows), []);
}

#[test]
fn each_point_has_its_own_attributes_and_what_its_metric_scope_and_resource_give() {
    let at = |zone: &str| NumberDataPoint { attributes: vec![text("zone", zone)], ..number(Number::AsInt(1)) };
    let named = |name: &str, zones: [&str; 2]| Metric {
        name: name.to_owned(),
        description: format!("what {name} is"),
        unit: "By".to_owned(),
        ..metric(gauge(zones.map(at).to_vec()))
    };
    let scoped = |scope: &str, resource: &mut ResourceMetrics| {
        resource.scope_metrics[0].scope =
            Some(InstrumentationScope { name: scope.to_owned(), ..InstrumentationScope::default() });
    };
    let mut first = resource(vec![text("service.name", "a")], vec![named("x", ["1", "2"]), named("y", ["3", "4"])]);
    scoped("one", &mut first);
    let mut second = resource(vec![text("service.name", "b")], vec![named("x", ["5", "6"])]);
    scoped("two", &mut second);
    let rows = run(&[], [value(vec![first]), value(vec![second])]);
    let table = rows.table("gauge");
    assert_eq!(table.rows_per_message, [4, 2]);
    let texts = |column: &str| table.column(column).iter().filter_map(|cell| cell.text()).collect::<Vec<_>>();
    assert_eq!(texts("metric_name"), ["x", "x", "y", "y", "x", "x"]);
    assert_eq!(texts("metric_description")[2..5], ["what y is", "what y is", "what x is"]);
    assert_eq!(texts("metric_unit"), ["By"; 6]);
    assert_eq!(texts("service_name"), ["a", "a", "a", "a", "b", "b"]);
    assert_eq!(texts("scope_name"), ["one", "one", "one", "one", "two", "two"]);
    let zones: Vec<_> = table.column("attributes").iter().filter_map(|map| map.get("zone")?.text()).collect();
    assert_eq!(zones, ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn a_record_gives_rows_to_several_tables_and_each_knows_how_many() {
    let [gauge, _, histogram, ..] = one_of_each();
    let of = |data: Vec<_>| value(vec![resource(vec![], data.into_iter().map(metric).collect())]);
    let rows = run(&[], [of(vec![gauge.clone(), histogram]), of(one_of_each().to_vec()), of(vec![gauge])]);
    let counts = TABLES.map(|table| rows.table(table).rows_per_message.clone());
    assert_eq!(counts, [[1, 1, 1], [0, 1, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0]]);
}
