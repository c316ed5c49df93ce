//! Messages thrown from random bytes: few bytes give a small message, so that a failing case shrinks by itself.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};

const TEXTS: [&str; 12] = [
    "",
    "a",
    "http.request.method",
    "sixteen bytes ab",
    "schön",
    "日本語",
    "🦀 crab",
    "quote \" and \\ and / and \n\t\r",
    "nul \0 and \u{1f}",
    "{\"json\":[1,2]}",
    "\u{FFFD}\u{FEFF}",
    "a text of more than one hundred and twenty-seven bytes, so that its length takes two bytes, and so that \
     whatever it is inside of takes two bytes as well",
];

/// A source of decisions. When the bytes are used up, every decision is 0.
pub(crate) struct Dice<'a>(std::slice::Iter<'a, u8>);

impl<'a> Dice<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % bound
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn word(&mut self) -> u64 {
        match self.byte() % 6 {
            0 => 0,
            1 => u64::from(self.byte()),
            2 => u64::MAX - u64::from(self.byte()),
            3 => 1_795_569_715_083_720_662,
            4 => (1 << 53) + 1,
            _ => (0..8).fold(0, |word, _| word << 8 | u64::from(self.byte())),
        }
    }

    fn double(&mut self) -> f64 {
        match self.byte() % 5 {
            0 => 0.0,
            1 => f64::from(self.byte()),
            2 => -0.1,
            3 => 1e-308,
            _ => {
                // Not every double survives serde_json's own reader.
                // Adding 0 makes -0 of it 0: prost leaves out both, protobuf only the latter.
                let double = f64::from_bits(self.word()) + 0.0;
                let is_read = |text: String| serde_json::from_str(&text).is_ok_and(|read: f64| read == double);
                if double.is_finite() && is_read(serde_json::to_string(&double).unwrap()) { double } else { f64::MAX }
            }
        }
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(make(self)) } else { None }
    }

    fn some<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let length = self.byte() % 4;
        (0..length).map(|_| make(self)).collect()
    }

    fn text(&mut self) -> String {
        TEXTS[usize::from(self.byte()) % TEXTS.len()].to_owned()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.byte() % 40;
        (0..length).map(|_| self.byte()).collect()
    }

    fn id(&mut self, length: u8) -> Vec<u8> {
        let length = match self.byte() % 4 {
            0 => 0,
            1 => self.byte() % 33,
            _ => length,
        };
        (0..length).map(|_| self.byte()).collect()
    }

    fn any(&mut self, depth: u32) -> AnyValue {
        let value = match self.byte() % if depth < 4 { 8 } else { 6 } {
            0 => None,
            1 => Some(Value::StringValue(self.text())),
            2 => Some(Value::BoolValue(self.flag())),
            3 => Some(Value::IntValue(self.word().cast_signed())),
            4 => Some(Value::DoubleValue(self.double())),
            5 => Some(Value::BytesValue(self.bytes())),
            6 => Some(Value::ArrayValue(ArrayValue { values: self.some(|dice| dice.any(depth + 1)) })),
            _ => Some(Value::KvlistValue(KeyValueList { values: self.some(|dice| dice.pair(depth + 1)) })),
        };
        AnyValue { value }
    }

    fn pair(&mut self, depth: u32) -> KeyValue {
        KeyValue { key: self.text(), value: self.maybe(|dice| dice.any(depth)), ..Default::default() }
    }

    fn pairs(&mut self) -> Vec<KeyValue> {
        self.some(|dice| dice.pair(0))
    }

    fn resource(&mut self) -> Resource {
        let entity_refs = self.some(|dice| EntityRef {
            schema_url: dice.text(),
            r#type: dice.text(),
            id_keys: dice.some(Self::text),
            description_keys: dice.some(Self::text),
        });
        Resource { attributes: self.pairs(), dropped_attributes_count: self.word() as u32, entity_refs }
    }

    fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.text(),
            version: self.text(),
            attributes: self.pairs(),
            dropped_attributes_count: self.word() as u32,
        }
    }

    pub(crate) fn traces(&mut self) -> TracesData {
        let resource_spans = self.some(|dice| ResourceSpans {
            resource: dice.maybe(Self::resource),
            scope_spans: dice.some(|dice| ScopeSpans {
                scope: dice.maybe(Self::scope),
                spans: dice.some(Self::span),
                schema_url: dice.text(),
            }),
            schema_url: dice.text(),
        });
        TracesData { resource_spans }
    }

    fn span(&mut self) -> Span {
        Span {
            trace_id: self.id(16),
            span_id: self.id(8),
            parent_span_id: self.id(8),
            trace_state: self.text(),
            flags: self.word() as u32,
            name: self.text(),
            kind: self.word() as i32,
            start_time_unix_nano: self.word(),
            end_time_unix_nano: self.word(),
            attributes: self.pairs(),
            dropped_attributes_count: self.word() as u32,
            events: self.some(|dice| Event {
                time_unix_nano: dice.word(),
                name: dice.text(),
                attributes: dice.pairs(),
                dropped_attributes_count: dice.word() as u32,
            }),
            dropped_events_count: self.word() as u32,
            links: self.some(|dice| Link {
                trace_id: dice.id(16),
                span_id: dice.id(8),
                trace_state: dice.text(),
                attributes: dice.pairs(),
                dropped_attributes_count: dice.word() as u32,
                flags: dice.word() as u32,
            }),
            dropped_links_count: self.word() as u32,
            status: self.maybe(|dice| Status { message: dice.text(), code: i32::from(dice.byte()) - 1 }),
        }
    }

    pub(crate) fn logs(&mut self) -> LogsData {
        let resource_logs = self.some(|dice| ResourceLogs {
            resource: dice.maybe(Self::resource),
            scope_logs: dice.some(|dice| ScopeLogs {
                scope: dice.maybe(Self::scope),
                log_records: dice.some(Self::log_record),
                schema_url: dice.text(),
            }),
            schema_url: dice.text(),
        });
        LogsData { resource_logs }
    }

    fn log_record(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.word(),
            observed_time_unix_nano: self.word(),
            severity_number: self.word() as i32,
            severity_text: self.text(),
            body: self.maybe(|dice| dice.any(0)),
            attributes: self.pairs(),
            dropped_attributes_count: self.word() as u32,
            flags: self.word() as u32,
            trace_id: self.id(16),
            span_id: self.id(8),
            event_name: self.text(),
        }
    }

    pub(crate) fn metrics(&mut self) -> MetricsData {
        let resource_metrics = self.some(|dice| ResourceMetrics {
            resource: dice.maybe(Self::resource),
            scope_metrics: dice.some(|dice| ScopeMetrics {
                scope: dice.maybe(Self::scope),
                metrics: dice.some(Self::metric),
                schema_url: dice.text(),
            }),
            schema_url: dice.text(),
        });
        MetricsData { resource_metrics }
    }

    fn metric(&mut self) -> Metric {
        let aggregation_temporality = i32::from(self.byte() % 3);
        let data = match self.byte() % 6 {
            0 => None,
            1 => Some(metric::Data::Gauge(Gauge { data_points: self.some(Self::number) })),
            2 => Some(metric::Data::Sum(Sum {
                data_points: self.some(Self::number),
                aggregation_temporality,
                is_monotonic: self.flag(),
            })),
            3 => Some(metric::Data::Histogram(Histogram {
                data_points: self.some(Self::histogram),
                aggregation_temporality,
            })),
            4 => Some(metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.some(Self::exponential),
                aggregation_temporality,
            })),
            _ => Some(metric::Data::Summary(Summary { data_points: self.some(Self::summary) })),
        };
        let (name, description, unit) = (self.text(), self.text(), self.text());
        Metric { name, description, unit, metadata: self.pairs(), data }
    }

    fn number(&mut self) -> NumberDataPoint {
        let value = match self.byte() % 3 {
            0 => None,
            1 => Some(number_data_point::Value::AsDouble(self.double())),
            _ => Some(number_data_point::Value::AsInt(self.word().cast_signed())),
        };
        NumberDataPoint {
            attributes: self.pairs(),
            start_time_unix_nano: self.word(),
            time_unix_nano: self.word(),
            exemplars: self.some(Self::exemplar),
            flags: self.word() as u32,
            value,
        }
    }

    fn exemplar(&mut self) -> Exemplar {
        let value = match self.byte() % 3 {
            0 => None,
            1 => Some(exemplar::Value::AsDouble(self.double())),
            _ => Some(exemplar::Value::AsInt(self.word().cast_signed())),
        };
        Exemplar {
            filtered_attributes: self.pairs(),
            time_unix_nano: self.word(),
            span_id: self.id(8),
            trace_id: self.id(16),
            value,
        }
    }

    fn histogram(&mut self) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.pairs(),
            start_time_unix_nano: self.word(),
            time_unix_nano: self.word(),
            count: self.word(),
            sum: self.maybe(Self::double),
            bucket_counts: self.some(Self::word),
            explicit_bounds: self.some(Self::double),
            exemplars: self.some(Self::exemplar),
            flags: self.word() as u32,
            min: self.maybe(Self::double),
            max: self.maybe(Self::double),
        }
    }

    fn exponential(&mut self) -> ExponentialHistogramDataPoint {
        let buckets = |dice: &mut Self| Buckets { offset: dice.word() as i32, bucket_counts: dice.some(Self::word) };
        ExponentialHistogramDataPoint {
            attributes: self.pairs(),
            start_time_unix_nano: self.word(),
            time_unix_nano: self.word(),
            count: self.word(),
            sum: self.maybe(Self::double),
            scale: self.word() as i32,
            zero_count: self.word(),
            positive: self.maybe(buckets),
            negative: self.maybe(buckets),
            flags: self.word() as u32,
            exemplars: self.some(Self::exemplar),
            min: self.maybe(Self::double),
            max: self.maybe(Self::double),
            zero_threshold: self.double(),
        }
    }

    fn summary(&mut self) -> SummaryDataPoint {
        SummaryDataPoint {
            attributes: self.pairs(),
            start_time_unix_nano: self.word(),
            time_unix_nano: self.word(),
            count: self.word(),
            sum: self.double(),
            quantile_values: self.some(|dice| ValueAtQuantile { quantile: dice.double(), value: dice.double() }),
            flags: self.word() as u32,
        }
    }
}
