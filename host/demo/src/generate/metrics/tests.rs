use std::collections::{HashMap, HashSet};

use opentelemetry_proto::tonic::metrics::v1::MetricsData;
use prost::Message as _;

use super::*;
use crate::generate::{encode_json, encode_proto};

fn messages(options: Options, count: usize) -> Vec<MetricsData> {
    MetricGenerator::new(options).take(count).collect()
}

fn metrics(message: &MetricsData) -> impl Iterator<Item = &Metric> {
    message.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics).flat_map(|scope| &scope.metrics)
}

/// A metric's kind, and how many points it has.
fn points(metric: &Metric) -> (&'static str, usize) {
    match metric.data.as_ref().unwrap() {
        Data::Gauge(data) => ("gauge", data.data_points.len()),
        Data::Sum(data) => ("sum", data.data_points.len()),
        Data::Histogram(data) => ("histogram", data.data_points.len()),
        Data::ExponentialHistogram(data) => ("exponential_histogram", data.data_points.len()),
        Data::Summary(data) => ("summary", data.data_points.len()),
    }
}

#[test]
fn both_encodings_hold_the_same_points_and_the_same_seed_gives_the_same_bytes() {
    let options = Options { seed: 7, ..Options::default() };
    for message in messages(options, 20) {
        assert!(MetricsData::decode(encode_proto(&message).as_slice()).unwrap() == message);
        assert!(serde_json::from_slice::<MetricsData>(&encode_json(&message)).unwrap() == message);
    }
    assert!(messages(options, 5) == messages(options, 5));
    assert!(messages(options, 5) != messages(Options { seed: 8, ..options }, 5));
}

#[test]
fn every_message_holds_exactly_as_many_points_as_asked() {
    let options = Options { items_per_message: 70, ..Options::default() };
    for message in messages(options, 50) {
        assert_eq!(metrics(&message).map(|metric| points(metric).1).sum::<usize>(), 70);
    }
}

#[test]
fn a_pod_says_fifteen_points_of_five_kinds_each_time() {
    let pods: u64 = SERVICES.iter().map(|service| service.pods).sum();
    let options = Options { items_per_message: pods as usize * 15, ..Options::default() };
    for message in messages(options, 3) {
        let mut kinds: HashMap<_, usize> = HashMap::new();
        metrics(&message).map(points).for_each(|(kind, points)| *kinds.entry(kind).or_default() += points);
        let each = |points: u64| (pods * points) as usize;
        let expected = [
            ("gauge", each(2)),
            ("sum", each(5)),
            ("histogram", each(4)),
            ("exponential_histogram", each(3)),
            ("summary", each(1)),
        ];
        assert_eq!(kinds, HashMap::from(expected));
    }
}

#[test]
fn no_two_points_of_a_series_share_a_time_and_sums_only_grow() {
    let messages = messages(Options::default(), 200);
    let (mut seen, mut sums) = (HashSet::new(), HashMap::new());
    for resource in messages.iter().flat_map(|message| &message.resource_metrics) {
        let pod = &resource.resource.as_ref().unwrap().attributes[3];
        for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            let Some(Data::Sum(sum)) = &metric.data else { continue };
            for point in &sum.data_points {
                let series = format!("{pod:?} {} {:?}", metric.name, point.attributes);
                assert!(seen.insert(format!("{series} {}", point.time_unix_nano)), "{series}");
                let value = format!("{:?}", point.value);
                let number: i64 = value.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
                let before = sums.insert(series.clone(), number).unwrap_or(0);
                assert!(number > before || !sum.is_monotonic, "{series}");
            }
        }
    }
}

#[test]
fn a_histograms_buckets_are_its_count() {
    for message in messages(Options::default(), 50) {
        for metric in metrics(&message) {
            let Some(Data::Histogram(histogram)) = &metric.data else { continue };
            for point in &histogram.data_points {
                assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
            }
        }
    }
}

#[test]
fn a_message_that_is_cut_keeps_so_many_points() {
    let mut message = messages(Options::default(), 1).remove(0);
    assert_eq!(message.cut(33), 33);
    assert_eq!(metrics(&message).map(|metric| points(metric).1).sum::<usize>(), 33);
}
