//! What one pod measures.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, SummaryDataPoint, exemplar,
    number_data_point,
};

use crate::generate::attributes::{int, text};
use crate::generate::chance::Chance;
use crate::generate::walk::Place;

/// The bounds that the semantic conventions advise for durations in seconds.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// What the pod's server is asked for, and with which answer.
const ROUTES: [(&str, &str, u64); 4] = [
    ("GET", "/api/products/{id}", 200),
    ("GET", "/api/cart", 200),
    ("POST", "/api/checkout", 200),
    ("POST", "/api/checkout", 500),
];

/// A kind of metric.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Gauge,
    Sum { is_monotonic: bool },
    Histogram,
    ExponentialHistogram,
    Summary,
}

/// What is measured.
#[derive(Debug)]
pub(super) struct Instrument {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) unit: &'static str,
    pub(super) kind: Kind,
}

static CPU: Instrument = Instrument {
    name: "process.cpu.utilization",
    description: "The share of the processors that the process uses.",
    unit: "1",
    kind: Kind::Gauge,
};
static MEMORY: Instrument = Instrument {
    name: "process.memory.usage",
    description: "The physical memory that the process uses.",
    unit: "By",
    kind: Kind::Gauge,
};
static REQUESTS: Instrument = Instrument {
    name: "http.server.request.count",
    description: "Requests that were answered.",
    unit: "{request}",
    kind: Kind::Sum { is_monotonic: true },
};
static ACTIVE: Instrument = Instrument {
    name: "http.server.active_requests",
    description: "Requests that are being answered.",
    unit: "{request}",
    kind: Kind::Sum { is_monotonic: false },
};
static DURATION: Instrument = Instrument {
    name: "http.server.request.duration",
    description: "How long requests took.",
    unit: "s",
    kind: Kind::Histogram,
};
static RPC_DURATION: Instrument = Instrument {
    name: "rpc.client.duration",
    description: "How long calls to other services took.",
    unit: "ms",
    kind: Kind::ExponentialHistogram,
};
static PAUSES: Instrument = Instrument {
    name: "runtime.gc.pause",
    description: "How long the collector stopped the program.",
    unit: "s",
    kind: Kind::Summary,
};

/// A data point and what it is of.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) instrument: &'static Instrument,
    pub(super) value: Value,
}

/// A data point.
#[derive(Debug)]
pub(super) enum Value {
    Number(NumberDataPoint),
    Histogram(HistogramDataPoint),
    Exponential(ExponentialHistogramDataPoint),
    Summary(SummaryDataPoint),
}

/// A pod and what has added up in it.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) place: Place,
    routes: [Route; 4],
    /// How many pauses there were, and how many microseconds they took.
    pauses: (u64, u64),
}

/// What has added up of one route.
#[derive(Debug, Default)]
struct Route {
    count: u64,
    micros: u64,
    buckets: [u64; BOUNDS.len() + 1],
    shortest: Option<u64>,
    longest: Option<u64>,
}

/// Few digits, so that every reader of JSON reads the same double.
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// When it is, and since when sums add up.
#[derive(Clone, Copy)]
struct Moment {
    start: u64,
    time: u64,
}

impl Pod {
    pub(super) fn new(place: Place) -> Self {
        Self { place, routes: Default::default(), pauses: (0, 0) }
    }

    /// All that the pod says at one moment: fifteen data points.
    pub(super) fn measure(&mut self, start: u64, time: u64, chance: &mut Chance) -> Vec<Measured> {
        let now = Moment { start, time };
        let mut all = Vec::with_capacity(15);
        let cpu = chance.below(10_000) as f64 / 10_000.0;
        let memory = (200 << 20) + chance.below(300 << 20);
        all.push(number(&CPU, now, vec![], number_data_point::Value::AsDouble(cpu)));
        all.push(number(&MEMORY, now, vec![], number_data_point::Value::AsInt(memory.cast_signed())));
        let examples: Vec<_> = self.routes.iter_mut().map(|route| route.serve(now, chance)).collect();
        for (route, of) in self.routes.iter().zip(ROUTES) {
            let count = number_data_point::Value::AsInt(route.count.cast_signed());
            all.push(number(&REQUESTS, now, attributes(of), count));
        }
        let active = number_data_point::Value::AsInt(chance.below(40).cast_signed());
        all.push(number(&ACTIVE, now, vec![text("url.scheme", "https")], active));
        for ((route, of), example) in self.routes.iter().zip(ROUTES).zip(examples) {
            let point = route.histogram(now, attributes(of), example);
            all.push(Measured { instrument: &DURATION, value: Value::Histogram(point) });
        }
        for to in ["product-catalog", "currency", "payment"] {
            let attributes = vec![text("rpc.system", "grpc"), text("server.address", to)];
            let point = exponential(now, attributes, chance);
            all.push(Measured { instrument: &RPC_DURATION, value: Value::Exponential(point) });
        }
        all.push(Measured { instrument: &PAUSES, value: Value::Summary(self.pauses(now, chance)) });
        all
    }

    fn pauses(&mut self, now: Moment, chance: &mut Chance) -> SummaryDataPoint {
        let pause = chance.duration_ns(2_000.0, 0.7) / 1_000;
        self.pauses.0 += 1;
        self.pauses.1 += pause;
        let quantile = |quantile, share: u64| ValueAtQuantile { quantile, value: seconds(pause * share / 10) };
        SummaryDataPoint {
            start_time_unix_nano: now.start,
            time_unix_nano: now.time,
            count: self.pauses.0,
            sum: seconds(self.pauses.1),
            quantile_values: vec![quantile(0.5, 5), quantile(0.99, 9), quantile(1.0, 10)],
            ..Default::default()
        }
    }
}

impl Route {
    /// Adds up some requests; gives one of them as an example now and then.
    fn serve(&mut self, now: Moment, chance: &mut Chance) -> Option<Exemplar> {
        let mut last = 0;
        for _ in 0..1 + chance.below(8) {
            last = chance.duration_ns(40_000.0, 0.9) / 1_000;
            self.count += 1;
            self.micros += last;
            self.buckets[BOUNDS.iter().position(|bound| seconds(last) <= *bound).unwrap_or(BOUNDS.len())] += 1;
            self.shortest = Some(self.shortest.map_or(last, |shortest| shortest.min(last)));
            self.longest = Some(self.longest.map_or(last, |longest| longest.max(last)));
        }
        chance.permille(200).then(|| Exemplar {
            filtered_attributes: vec![text("enduser.id", format!("user-{:05}", chance.below(50_000)))],
            time_unix_nano: now.time - chance.below(1_000_000_000),
            span_id: chance.next().to_be_bytes().to_vec(),
            trace_id: [chance.next().to_be_bytes(), chance.next().to_be_bytes()].concat(),
            value: Some(exemplar::Value::AsDouble(seconds(last))),
        })
    }

    fn histogram(&self, now: Moment, attributes: Vec<KeyValue>, example: Option<Exemplar>) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes,
            start_time_unix_nano: now.start,
            time_unix_nano: now.time,
            count: self.count,
            sum: Some(seconds(self.micros)),
            bucket_counts: self.buckets.to_vec(),
            explicit_bounds: BOUNDS.to_vec(),
            exemplars: example.into_iter().collect(),
            min: self.shortest.map(seconds),
            max: self.longest.map(seconds),
            ..Default::default()
        }
    }
}

fn attributes((method, route, status): (&str, &str, u64)) -> Vec<KeyValue> {
    vec![
        text("http.request.method", method),
        text("http.route", route),
        int("http.response.status_code", status),
        text("network.protocol.version", "1.1"),
        text("url.scheme", "https"),
    ]
}

fn number(
    instrument: &'static Instrument,
    now: Moment,
    attributes: Vec<KeyValue>,
    value: number_data_point::Value,
) -> Measured {
    // Of what does not add up, nobody says since when.
    let start = if matches!(instrument.kind, Kind::Gauge) { 0 } else { now.start };
    let point = NumberDataPoint {
        attributes,
        start_time_unix_nano: start,
        time_unix_nano: now.time,
        value: Some(value),
        ..Default::default()
    };
    Measured { instrument, value: Value::Number(point) }
}

/// The calls since the moment before, with eight buckets from 2^(1/8) ms on, more or less.
fn exponential(now: Moment, attributes: Vec<KeyValue>, chance: &mut Chance) -> ExponentialHistogramDataPoint {
    let bucket_counts: Vec<u64> = (0..8).map(|_| chance.below(6)).collect();
    let zero_count = chance.below(2);
    let count = zero_count + bucket_counts.iter().sum::<u64>();
    let offset = chance.below(20) as i32;
    ExponentialHistogramDataPoint {
        attributes,
        start_time_unix_nano: now.time - super::INTERVAL_NS,
        time_unix_nano: now.time,
        count,
        sum: Some(count as f64 * 4.5),
        scale: 3,
        zero_count,
        positive: Some(Buckets { offset, bucket_counts }),
        negative: Some(Buckets::default()),
        ..Default::default()
    }
}
