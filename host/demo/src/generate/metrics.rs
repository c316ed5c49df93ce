//! What the shop's pods measure: each of them says it all every ten seconds, in every kind that there is.

mod measure;

use std::collections::VecDeque;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, Gauge, Histogram, Metric, MetricsData, ResourceMetrics, ScopeMetrics, Sum, Summary,
};

use super::chance::{Chance, mix};
use super::shop::SERVICES;
use super::walk::Place;
use super::{Left, Options, Request, json, request};
use measure::{Kind, Measured, Pod, Value};

/// How often a pod says what it measured.
const INTERVAL_NS: u64 = 10_000_000_000;

/// `AGGREGATION_TEMPORALITY_DELTA` and `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

/// Makes up one message of metrics after the other, without end. Sums and most histograms add up from the run's
/// beginning.
#[derive(Debug)]
pub struct MetricGenerator {
    options: Options,
    chance: Chance,
    pods: Vec<Pod>,
    /// Data points that no message has taken yet.
    waiting: VecDeque<(Place, Measured)>,
    /// How many times each pod has said what it measured.
    rounds: u64,
}

impl MetricGenerator {
    /// A generator at the beginning of its run.
    pub fn new(options: Options) -> Self {
        let options = Options { items_per_message: options.items_per_message.max(1), ..options };
        let chance = Chance::new(mix(u64::from(options.seed) << 1 | 1 << 33));
        let places = SERVICES.iter().flat_map(|service| (0..service.pods).map(|pod| Place { service, pod }));
        Self { options, chance, pods: places.map(Pod::new).collect(), waiting: VecDeque::new(), rounds: 0 }
    }

    fn round(&mut self) {
        self.rounds += 1;
        let time = self.options.start_time_ns.saturating_add(self.rounds.saturating_mul(INTERVAL_NS));
        for pod in &mut self.pods {
            let place = pod.place;
            let measured = pod.measure(self.options.start_time_ns, time, &mut self.chance);
            self.waiting.extend(measured.into_iter().map(|one| (place, one)));
        }
    }
}

impl Iterator for MetricGenerator {
    type Item = MetricsData;

    fn next(&mut self) -> Option<MetricsData> {
        while self.waiting.len() < self.options.items_per_message {
            self.round();
        }
        let pods = request::by_pod(self.waiting.drain(..self.options.items_per_message));
        let resource_metrics = pods.into_iter().map(|(place, points)| {
            let metrics = points.into_iter().fold(Vec::new(), add);
            ResourceMetrics {
                resource: request::resource(place),
                scope_metrics: vec![ScopeMetrics { scope: request::scope(place), metrics, schema_url: String::new() }],
                schema_url: request::SCHEMA_URL.to_owned(),
            }
        });
        Some(MetricsData { resource_metrics: resource_metrics.collect() })
    }
}

/// Adds a point to its metric, which is the last one or a new one.
fn add(mut metrics: Vec<Metric>, Measured { instrument, value }: Measured) -> Vec<Metric> {
    if metrics.last().is_none_or(|metric| metric.name != instrument.name) {
        metrics.push(Metric {
            name: instrument.name.to_owned(),
            description: instrument.description.to_owned(),
            unit: instrument.unit.to_owned(),
            data: Some(empty(instrument.kind)),
            ..Default::default()
        });
    }
    match (metrics.last_mut().and_then(|metric| metric.data.as_mut()), value) {
        (Some(Data::Gauge(data)), Value::Number(point)) => data.data_points.push(point),
        (Some(Data::Sum(data)), Value::Number(point)) => data.data_points.push(point),
        (Some(Data::Histogram(data)), Value::Histogram(point)) => data.data_points.push(point),
        (Some(Data::ExponentialHistogram(data)), Value::Exponential(point)) => data.data_points.push(point),
        (Some(Data::Summary(data)), Value::Summary(point)) => data.data_points.push(point),
        (data, value) => debug_assert!(false, "{value:?} in {data:?}"),
    }
    metrics
}

/// The data of a metric without points.
fn empty(kind: Kind) -> Data {
    match kind {
        Kind::Gauge => Data::Gauge(Gauge::default()),
        Kind::Sum { is_monotonic } => {
            Data::Sum(Sum { aggregation_temporality: CUMULATIVE, is_monotonic, ..Sum::default() })
        }
        Kind::Histogram => Data::Histogram(Histogram { aggregation_temporality: CUMULATIVE, ..Histogram::default() }),
        Kind::ExponentialHistogram => Data::ExponentialHistogram(ExponentialHistogram {
            aggregation_temporality: DELTA,
            ..ExponentialHistogram::default()
        }),
        Kind::Summary => Data::Summary(Summary::default()),
    }
}

impl Request for MetricsData {
    fn encode_json(&self) -> Vec<u8> {
        json::metrics::encode(self)
    }

    fn cut(&mut self, most: u64) -> u64 {
        let mut left = Left::new(most);
        for resource in &mut self.resource_metrics {
            for scope in &mut resource.scope_metrics {
                for metric in &mut scope.metrics {
                    match &mut metric.data {
                        None => {}
                        Some(Data::Gauge(data)) => left.cut(&mut data.data_points),
                        Some(Data::Sum(data)) => left.cut(&mut data.data_points),
                        Some(Data::Histogram(data)) => left.cut(&mut data.data_points),
                        Some(Data::ExponentialHistogram(data)) => left.cut(&mut data.data_points),
                        Some(Data::Summary(data)) => left.cut(&mut data.data_points),
                    }
                }
            }
        }
        left.kept
    }
}

#[cfg(test)]
mod tests;
