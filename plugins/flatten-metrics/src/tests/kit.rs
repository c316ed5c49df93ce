//! Metrics to give, by prost, and rows to look at.

use crate::FlattenMetrics;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, MetricsData,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, metric::Data,
    number_data_point::Value as Number,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use weir_sdk::testing::{self, Cell, Rows};

pub(super) type Given<'a> = &'a [(&'a str, &'a [&'a str])];

/// The tables, in their order.
pub(super) const TABLES: [&str; 5] = ["gauge", "sum", "histogram", "exponential_histogram", "summary"];

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
pub(super) const CUMULATIVE: i32 = 2;
/// `DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`.
pub(super) const NO_VALUE: u32 = 1;

const START: u64 = 1_700_000_000_000_000_789;
const TIME: u64 = 1_700_000_060_123_456_789;

pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// A point of a gauge or a sum that nothing is odd about.
pub(super) fn number(value: Number) -> NumberDataPoint {
    NumberDataPoint { value: Some(value), start_time_unix_nano: START, time_unix_nano: TIME, ..Default::default() }
}

pub(super) fn histogram_point() -> HistogramDataPoint {
    HistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 6,
        sum: Some(12.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.5, 5.0],
        min: Some(0.25),
        max: Some(7.0),
        ..Default::default()
    }
}

pub(super) fn exponential_point() -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 3,
        scale: -2,
        zero_count: 1,
        ..Default::default()
    }
}

pub(super) fn summary_point() -> SummaryDataPoint {
    SummaryDataPoint { start_time_unix_nano: START, time_unix_nano: TIME, count: 4, sum: -1.5, ..Default::default() }
}

pub(super) fn gauge(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Gauge(Gauge { data_points })
}

pub(super) fn sum(data_points: Vec<NumberDataPoint>, aggregation_temporality: i32) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
}

pub(super) fn histogram(data_points: Vec<HistogramDataPoint>) -> Data {
    Data::Histogram(Histogram { data_points, aggregation_temporality: CUMULATIVE })
}

pub(super) fn exponential(data_points: Vec<ExponentialHistogramDataPoint>) -> Data {
    Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality: 1 })
}

pub(super) fn summary(data_points: Vec<SummaryDataPoint>) -> Data {
    Data::Summary(Summary { data_points })
}

/// One point of each kind.
pub(super) fn one_of_each() -> [Data; 5] {
    [
        gauge(vec![number(Number::AsDouble(0.5))]),
        sum(vec![number(Number::AsInt(7))], CUMULATIVE),
        histogram(vec![histogram_point()]),
        exponential(vec![exponential_point()]),
        summary(vec![summary_point()]),
    ]
}

pub(super) fn metric(data: Data) -> Metric {
    Metric { name: "m".to_owned(), data: Some(data), ..Metric::default() }
}

pub(super) fn resource(attributes: Vec<KeyValue>, metrics: Vec<Metric>) -> ResourceMetrics {
    ResourceMetrics {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
        ..ResourceMetrics::default()
    }
}

pub(super) fn value(resource_metrics: Vec<ResourceMetrics>) -> Vec<u8> {
    MetricsData { resource_metrics }.encode_to_vec()
}

/// The rows of records with these values.
pub(super) fn run(given: Given<'_>, values: impl IntoIterator<Item = Vec<u8>>) -> Rows {
    testing::run::<FlattenMetrics>(given, testing::metrics(values)).unwrap()
}

/// The rows of metrics of a service.
pub(super) fn rows(given: Given<'_>, data: Vec<Data>) -> Rows {
    let metrics = data.into_iter().map(metric).collect();
    run(given, [value(vec![resource(vec![text("service.name", "shop")], metrics)])])
}

/// One column of a table, as text.
pub(super) fn cells(rows: &Rows, table: &str, column: &str) -> Vec<String> {
    rows.table(table).column(column).iter().map(Cell::to_string).collect()
}

/// How many rows each table has.
pub(super) fn lens(rows: &Rows) -> [usize; 5] {
    TABLES.map(|table| rows.table(table).len())
}

/// The counters that are not 0.
pub(super) fn counters(rows: &Rows) -> Vec<(&str, u64)> {
    rows.counters.iter().map(|(name, amount)| (name.as_str(), *amount)).collect()
}
