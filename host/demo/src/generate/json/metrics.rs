//! Metrics.

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, SummaryDataPoint, exemplar, metric::Data, number_data_point,
};

use super::{Json, document, entry, key_value, resource, scope};

/// A message of metrics.
pub(in crate::generate) fn encode(message: &MetricsData) -> Vec<u8> {
    document("resourceMetrics", &message.resource_metrics, resource_metrics)
}

fn resource_metrics(json: &mut Json, of: &ResourceMetrics) {
    let head = |json: &mut Json| resource(json, of.resource.as_ref());
    entry(json, ("resource", head), ("scopeMetrics", &of.scope_metrics), scope_metrics, &of.schema_url);
}

fn scope_metrics(json: &mut Json, of: &ScopeMetrics) {
    let head = |json: &mut Json| scope(json, of.scope.as_ref());
    entry(json, ("scope", head), ("metrics", &of.metrics), metric, &of.schema_url);
}

fn metric(json: &mut Json, metric: &Metric) {
    json.string("name", &metric.name);
    json.string("description", &metric.description);
    json.string("unit", &metric.unit);
    let temporality = |json: &mut Json, number: i32| json.number("aggregationTemporality", i64::from(number));
    match &metric.data {
        None => {}
        Some(Data::Gauge(gauge)) => {
            json.member("gauge", |json| json.list("dataPoints", &gauge.data_points, number_point));
        }
        Some(Data::Sum(sum)) => json.member("sum", |json| {
            json.list("dataPoints", &sum.data_points, number_point);
            temporality(json, sum.aggregation_temporality);
            json.truth("isMonotonic", sum.is_monotonic);
        }),
        Some(Data::Histogram(histogram)) => json.member("histogram", |json| {
            json.list("dataPoints", &histogram.data_points, histogram_point);
            temporality(json, histogram.aggregation_temporality);
        }),
        Some(Data::ExponentialHistogram(histogram)) => json.member("exponentialHistogram", |json| {
            json.list("dataPoints", &histogram.data_points, exponential_point);
            temporality(json, histogram.aggregation_temporality);
        }),
        Some(Data::Summary(summary)) => {
            json.member("summary", |json| json.list("dataPoints", &summary.data_points, summary_point));
        }
    }
    json.list("metadata", &metric.metadata, key_value);
}

fn times(json: &mut Json, start: u64, time: u64) {
    json.time("startTimeUnixNano", start);
    json.time("timeUnixNano", time);
}

fn number_point(json: &mut Json, point: &NumberDataPoint) {
    json.list("attributes", &point.attributes, key_value);
    times(json, point.start_time_unix_nano, point.time_unix_nano);
    match point.value {
        Some(number_data_point::Value::AsDouble(value)) => json.double("asDouble", value),
        Some(number_data_point::Value::AsInt(value)) => json.long("asInt", value),
        None => {}
    }
    json.list("exemplars", &point.exemplars, exemplar);
    json.number("flags", i64::from(point.flags));
}

fn aggregates(json: &mut Json, count: u64, sum: Option<f64>) {
    json.time("count", count);
    if let Some(sum) = sum {
        json.double("sum", sum);
    }
}

fn extremes(json: &mut Json, min: Option<f64>, max: Option<f64>) {
    for (name, value) in [("min", min), ("max", max)] {
        if let Some(value) = value {
            json.double(name, value);
        }
    }
}

fn histogram_point(json: &mut Json, point: &HistogramDataPoint) {
    json.list("attributes", &point.attributes, key_value);
    times(json, point.start_time_unix_nano, point.time_unix_nano);
    aggregates(json, point.count, point.sum);
    json.numbers("bucketCounts", &point.bucket_counts, "\"");
    json.numbers("explicitBounds", &point.explicit_bounds, "");
    json.list("exemplars", &point.exemplars, exemplar);
    json.number("flags", i64::from(point.flags));
    extremes(json, point.min, point.max);
}

fn exponential_point(json: &mut Json, point: &ExponentialHistogramDataPoint) {
    json.list("attributes", &point.attributes, key_value);
    times(json, point.start_time_unix_nano, point.time_unix_nano);
    aggregates(json, point.count, point.sum);
    json.number("scale", i64::from(point.scale));
    json.time("zeroCount", point.zero_count);
    for (name, side) in [("positive", &point.positive), ("negative", &point.negative)] {
        if let Some(Buckets { offset, bucket_counts }) = side {
            json.member(name, |json| {
                json.number("offset", i64::from(*offset));
                json.numbers("bucketCounts", bucket_counts, "\"");
            });
        }
    }
    json.number("flags", i64::from(point.flags));
    json.list("exemplars", &point.exemplars, exemplar);
    extremes(json, point.min, point.max);
    if point.zero_threshold != 0.0 {
        json.double("zeroThreshold", point.zero_threshold);
    }
}

fn summary_point(json: &mut Json, point: &SummaryDataPoint) {
    json.list("attributes", &point.attributes, key_value);
    times(json, point.start_time_unix_nano, point.time_unix_nano);
    aggregates(json, point.count, Some(point.sum));
    json.list("quantileValues", &point.quantile_values, |json, ValueAtQuantile { quantile, value }| {
        json.double("quantile", *quantile);
        json.double("value", *value);
    });
    json.number("flags", i64::from(point.flags));
}

fn exemplar(json: &mut Json, exemplar: &Exemplar) {
    json.list("filteredAttributes", &exemplar.filtered_attributes, key_value);
    json.time("timeUnixNano", exemplar.time_unix_nano);
    match exemplar.value {
        Some(exemplar::Value::AsDouble(value)) => json.double("asDouble", value),
        Some(exemplar::Value::AsInt(value)) => json.long("asInt", value),
        None => {}
    }
    json.id("spanId", &exemplar.span_id);
    json.id("traceId", &exemplar.trace_id);
}
