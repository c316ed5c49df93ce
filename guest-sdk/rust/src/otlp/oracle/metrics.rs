//! Metrics.

use super::super::{self as otlp, Malformed};
use super::*;
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::metrics::v1::{exemplar, metric, number_data_point};
use proptest::collection::vec;
use proptest::option::of;

impl Oracle for metrics::MetricsData {
    const SIGNAL: Signal = Signal::Metrics;

    fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut resource_metrics = Vec::new();
        for resource in otlp::metrics(value) {
            let resource = resource?;
            let mut scope_metrics = Vec::new();
            for scope in resource.scopes.clone() {
                let scope = scope?;
                scope_metrics.push(metrics::ScopeMetrics {
                    scope: Some(read_scope(&scope)?),
                    metrics: scope.items.clone().map(|item| read_metric(&item?)).collect::<Result<_, _>>()?,
                    schema_url: text(scope.schema_url()?),
                });
            }
            resource_metrics.push(metrics::ResourceMetrics {
                resource: Some(read_resource(&resource)?),
                scope_metrics,
                schema_url: text(resource.schema_url()?),
            });
        }
        Ok(metrics::MetricsData { resource_metrics })
    }

    fn normal(mut self) -> Self {
        for resource in &mut self.resource_metrics {
            normal_resource(&mut resource.resource);
            for scope in &mut resource.scope_metrics {
                normal_scope(&mut scope.scope);
                scope.metrics.iter_mut().for_each(normal_metric);
            }
        }
        self
    }

    fn any() -> BoxedStrategy<Self> {
        let scopes = (any_scope(), proptest::collection::vec(any_metric(), 0..3), ".{0,4}")
            .prop_map(|(scope, metrics, schema_url)| metrics::ScopeMetrics { scope, metrics, schema_url });
        let resources = (any_resource(), proptest::collection::vec(scopes, 0..3), ".{0,4}").prop_map(
            |(resource, scope_metrics, schema_url)| metrics::ResourceMetrics { resource, scope_metrics, schema_url },
        );
        proptest::collection::vec(resources, 0..3)
            .prop_map(|resource_metrics| metrics::MetricsData { resource_metrics })
            .boxed()
    }

    fn scopes(&self) -> Vec<u8> {
        let all = self.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        all.flat_map(prost::Message::encode_to_vec).collect()
    }

    fn items(&self) -> Vec<u8> {
        let scopes = self.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        scopes.flat_map(|scope| &scope.metrics).flat_map(prost::Message::encode_to_vec).collect()
    }

    fn resources(&self) -> Vec<u8> {
        self.resource_metrics.iter().flat_map(prost::Message::encode_to_vec).collect()
    }
}

type Points<'a, T> = super::super::Repeated<'a, T>;

fn all<'a, T: super::super::Read<'a>, U>(
    points: &Points<'a, T>,
    read: impl Fn(&T) -> Result<U, Malformed>,
) -> Result<Vec<U>, Malformed> {
    points.clone().map(|point| read(&point?)).collect()
}

fn read_metric(metric: &otlp::Metric<'_>) -> Result<metrics::Metric, Malformed> {
    let data = match &metric.data {
        otlp::Data::Unknown => None,
        otlp::Data::Gauge(points) => {
            Some(metric::Data::Gauge(metrics::Gauge { data_points: all(points, read_number_point)? }))
        }
        otlp::Data::Sum { points, temporality, is_monotonic } => Some(metric::Data::Sum(metrics::Sum {
            data_points: all(points, read_number_point)?,
            aggregation_temporality: *temporality,
            is_monotonic: *is_monotonic,
        })),
        otlp::Data::Histogram { points, temporality } => Some(metric::Data::Histogram(metrics::Histogram {
            data_points: all(points, read_histogram_point)?,
            aggregation_temporality: *temporality,
        })),
        otlp::Data::ExponentialHistogram { points, temporality } => {
            Some(metric::Data::ExponentialHistogram(metrics::ExponentialHistogram {
                data_points: all(points, read_exponential_point)?,
                aggregation_temporality: *temporality,
            }))
        }
        otlp::Data::Summary(points) => {
            Some(metric::Data::Summary(metrics::Summary { data_points: all(points, read_summary_point)? }))
        }
    };
    Ok(metrics::Metric {
        name: text(metric.name),
        description: text(metric.description),
        unit: text(metric.unit),
        metadata: attributes(metric.metadata.clone(), 0)?,
        data,
    })
}

fn read_exemplar(exemplar: &otlp::Exemplar<'_>) -> Result<metrics::Exemplar, Malformed> {
    Ok(metrics::Exemplar {
        filtered_attributes: attributes(exemplar.filtered_attributes.clone(), 0)?,
        time_unix_nano: exemplar.time_unix_nano,
        span_id: exemplar.span_id.to_vec(),
        trace_id: exemplar.trace_id.to_vec(),
        value: exemplar.value.map(|value| match value {
            otlp::Number::Double(value) => exemplar::Value::AsDouble(value),
            otlp::Number::Int(value) => exemplar::Value::AsInt(value),
        }),
    })
}

fn read_number_point(read: &otlp::NumberPoint<'_>) -> Result<metrics::NumberDataPoint, Malformed> {
    Ok(metrics::NumberDataPoint {
        attributes: attributes(read.point.attributes.clone(), 0)?,
        start_time_unix_nano: read.point.start_time_unix_nano,
        time_unix_nano: read.point.time_unix_nano,
        exemplars: all(&read.exemplars, read_exemplar)?,
        flags: read.point.flags,
        value: read.value.map(|value| match value {
            otlp::Number::Double(value) => number_data_point::Value::AsDouble(value),
            otlp::Number::Int(value) => number_data_point::Value::AsInt(value),
        }),
    })
}

fn read_histogram_point(read: &otlp::HistogramPoint<'_>) -> Result<metrics::HistogramDataPoint, Malformed> {
    Ok(metrics::HistogramDataPoint {
        attributes: attributes(read.point.attributes.clone(), 0)?,
        start_time_unix_nano: read.point.start_time_unix_nano,
        time_unix_nano: read.point.time_unix_nano,
        count: read.count,
        sum: read.sum,
        bucket_counts: read.bucket_counts.clone().collect::<Result<_, _>>()?,
        explicit_bounds: read.explicit_bounds.clone().collect::<Result<_, _>>()?,
        exemplars: all(&read.exemplars, read_exemplar)?,
        flags: read.point.flags,
        min: read.min,
        max: read.max,
    })
}

fn read_exponential_point(
    read: &otlp::ExponentialHistogramPoint<'_>,
) -> Result<metrics::ExponentialHistogramDataPoint, Malformed> {
    let buckets = |buckets: &otlp::Buckets<'_>| {
        let bucket_counts = buckets.bucket_counts.clone().collect::<Result<_, _>>()?;
        Ok(metrics::exponential_histogram_data_point::Buckets { offset: buckets.offset, bucket_counts })
    };
    Ok(metrics::ExponentialHistogramDataPoint {
        attributes: attributes(read.point.attributes.clone(), 0)?,
        start_time_unix_nano: read.point.start_time_unix_nano,
        time_unix_nano: read.point.time_unix_nano,
        count: read.count,
        sum: read.sum,
        scale: read.scale,
        zero_count: read.zero_count,
        positive: Some(buckets(&read.positive)?),
        negative: Some(buckets(&read.negative)?),
        flags: read.point.flags,
        exemplars: all(&read.exemplars, read_exemplar)?,
        min: read.min,
        max: read.max,
        zero_threshold: read.zero_threshold,
    })
}

fn read_summary_point(read: &otlp::SummaryPoint<'_>) -> Result<metrics::SummaryDataPoint, Malformed> {
    let quantile = |read: &otlp::QuantileValue| {
        Ok(metrics::summary_data_point::ValueAtQuantile { quantile: read.quantile, value: read.value })
    };
    Ok(metrics::SummaryDataPoint {
        attributes: attributes(read.point.attributes.clone(), 0)?,
        start_time_unix_nano: read.point.start_time_unix_nano,
        time_unix_nano: read.point.time_unix_nano,
        count: read.count,
        sum: read.sum,
        quantile_values: all(&read.quantile_values, quantile)?,
        flags: read.point.flags,
    })
}

fn normal_exemplars(exemplars: &mut [metrics::Exemplar]) {
    for exemplar in exemplars {
        exemplar.filtered_attributes.iter_mut().for_each(normal_attribute);
        if let Some(exemplar::Value::AsDouble(value)) = &mut exemplar.value {
            normal_double(value);
        }
    }
}

fn normal_number_point(point: &mut metrics::NumberDataPoint) {
    point.attributes.iter_mut().for_each(normal_attribute);
    normal_exemplars(&mut point.exemplars);
    if let Some(number_data_point::Value::AsDouble(value)) = &mut point.value {
        normal_double(value);
    }
}

fn normal_metric(metric: &mut metrics::Metric) {
    metric.metadata.iter_mut().for_each(normal_attribute);
    match &mut metric.data {
        None => {}
        Some(metric::Data::Gauge(gauge)) => gauge.data_points.iter_mut().for_each(normal_number_point),
        Some(metric::Data::Sum(sum)) => sum.data_points.iter_mut().for_each(normal_number_point),
        Some(metric::Data::Histogram(histogram)) => {
            for point in &mut histogram.data_points {
                point.attributes.iter_mut().for_each(normal_attribute);
                normal_exemplars(&mut point.exemplars);
                [&mut point.sum, &mut point.min, &mut point.max].into_iter().flatten().for_each(normal_double);
                point.explicit_bounds.iter_mut().for_each(normal_double);
            }
        }
        Some(metric::Data::ExponentialHistogram(histogram)) => {
            for point in &mut histogram.data_points {
                point.attributes.iter_mut().for_each(normal_attribute);
                normal_exemplars(&mut point.exemplars);
                [&mut point.sum, &mut point.min, &mut point.max].into_iter().flatten().for_each(normal_double);
                normal_double(&mut point.zero_threshold);
                point.positive.get_or_insert_default();
                point.negative.get_or_insert_default();
            }
        }
        Some(metric::Data::Summary(summary)) => {
            for point in &mut summary.data_points {
                point.attributes.iter_mut().for_each(normal_attribute);
                normal_double(&mut point.sum);
                for quantile in &mut point.quantile_values {
                    normal_double(&mut quantile.quantile);
                    normal_double(&mut quantile.value);
                }
            }
        }
    }
}

fn any_exemplars() -> impl Strategy<Value = Vec<metrics::Exemplar>> {
    let value = prop_oneof![
        Just(None),
        any::<f64>().prop_map(|value| Some(exemplar::Value::AsDouble(value))),
        any::<i64>().prop_map(|value| Some(exemplar::Value::AsInt(value))),
    ];
    let exemplar = (any_attributes(), any::<u64>(), any_id(), any_id(), value).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| metrics::Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    );
    vec(exemplar, 0..3)
}

/// Attributes, start, time, flags.
type Common = (Vec<common::KeyValue>, u64, u64, u32);

fn any_common() -> impl Strategy<Value = Common> {
    (any_attributes(), any::<u64>(), any::<u64>(), any::<u32>())
}

fn any_number_point() -> impl Strategy<Value = metrics::NumberDataPoint> {
    let value = prop_oneof![
        Just(None),
        any::<f64>().prop_map(|value| Some(number_data_point::Value::AsDouble(value))),
        any::<i64>().prop_map(|value| Some(number_data_point::Value::AsInt(value))),
    ];
    (any_common(), any_exemplars(), value).prop_map(
        |((attributes, start_time_unix_nano, time_unix_nano, flags), exemplars, value)| metrics::NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            exemplars,
            flags,
            value,
        },
    )
}

fn any_doubles() -> impl Strategy<Value = [Option<f64>; 3]> {
    [of(any::<f64>()), of(any::<f64>()), of(any::<f64>())]
}

fn any_histogram_point() -> impl Strategy<Value = metrics::HistogramDataPoint> {
    let buckets = (vec(any::<u64>(), 0..4), vec(any::<f64>(), 0..4));
    (any_common(), any_exemplars(), any::<u64>(), any_doubles(), buckets).prop_map(
        |((attributes, start_time_unix_nano, time_unix_nano, flags), exemplars, count, doubles, buckets)| {
            metrics::HistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum: doubles[0],
                bucket_counts: buckets.0,
                explicit_bounds: buckets.1,
                exemplars,
                flags,
                min: doubles[1],
                max: doubles[2],
            }
        },
    )
}

fn any_exponential_point() -> impl Strategy<Value = metrics::ExponentialHistogramDataPoint> {
    let buckets = || {
        of((any::<i32>(), vec(any::<u64>(), 0..4))).prop_map(|buckets| {
            buckets.map(|(offset, bucket_counts)| metrics::exponential_histogram_data_point::Buckets {
                offset,
                bucket_counts,
            })
        })
    };
    let numbers = (any::<u64>(), any::<i32>(), any::<u64>(), any::<f64>());
    (any_common(), any_exemplars(), numbers, any_doubles(), buckets(), buckets()).prop_map(
        |(common, exemplars, (count, scale, zero_count, zero_threshold), doubles, positive, negative)| {
            let (attributes, start_time_unix_nano, time_unix_nano, flags) = common;
            metrics::ExponentialHistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum: doubles[0],
                scale,
                zero_count,
                positive,
                negative,
                flags,
                exemplars,
                min: doubles[1],
                max: doubles[2],
                zero_threshold,
            }
        },
    )
}

fn any_summary_point() -> impl Strategy<Value = metrics::SummaryDataPoint> {
    let quantile = (any::<f64>(), any::<f64>())
        .prop_map(|(quantile, value)| metrics::summary_data_point::ValueAtQuantile { quantile, value });
    (any_common(), any::<u64>(), any::<f64>(), vec(quantile, 0..3)).prop_map(
        |((attributes, start_time_unix_nano, time_unix_nano, flags), count, sum, quantile_values)| {
            metrics::SummaryDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum,
                quantile_values,
                flags,
            }
        },
    )
}

fn any_metric() -> impl Strategy<Value = metrics::Metric> {
    use metric::Data;
    let data = prop_oneof![
        Just(None),
        vec(any_number_point(), 0..3).prop_map(|data_points| Some(Data::Gauge(metrics::Gauge { data_points }))),
        (vec(any_number_point(), 0..3), any::<i32>(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| {
                Some(Data::Sum(metrics::Sum { data_points, aggregation_temporality, is_monotonic }))
            }
        ),
        (vec(any_histogram_point(), 0..3), any::<i32>()).prop_map(|(data_points, aggregation_temporality)| {
            Some(Data::Histogram(metrics::Histogram { data_points, aggregation_temporality }))
        }),
        (vec(any_exponential_point(), 0..3), any::<i32>()).prop_map(|(data_points, aggregation_temporality)| {
            Some(Data::ExponentialHistogram(metrics::ExponentialHistogram { data_points, aggregation_temporality }))
        }),
        vec(any_summary_point(), 0..3).prop_map(|data_points| Some(Data::Summary(metrics::Summary { data_points }))),
    ];
    (".{0,4}", ".{0,4}", ".{0,4}", any_attributes(), data).prop_map(|(name, description, unit, metadata, data)| {
        metrics::Metric { name, description, unit, metadata, data }
    })
}
