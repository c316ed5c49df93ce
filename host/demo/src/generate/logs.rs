//! What the shop's pods log while they serve: records of the spans that the same options give.

use std::collections::VecDeque;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::attributes::{int, text};
use super::chance::{Chance, mix};
use super::walk::{Finished, Place};
use super::{Generator, Left, Options, Request, item_id, json, request};

/// Severity numbers, and what the shop's loggers call them.
const DEBUG: (i32, &str) = (5, "DEBUG");
const INFO: (i32, &str) = (9, "INFO");
const WARN: (i32, &str) = (13, "WARN");
const ERROR: (i32, &str) = (17, "ERROR");

/// W3C's "sampled".
const SAMPLED: u32 = 1;

/// Makes up one message of logs after the other, without end.
///
/// The spans that they are of are [`Generator`]'s of the same options: chance for what only logs have is drawn apart.
#[derive(Debug)]
pub struct LogGenerator {
    spans: Generator,
    chance: Chance,
    /// Records that no message has taken yet, in the order of their numbers.
    waiting: VecDeque<(Place, LogRecord)>,
    /// How many records were made up.
    records: u64,
}

impl LogGenerator {
    /// A generator at the beginning of its run.
    pub fn new(options: Options) -> Self {
        let chance = Chance::new(mix(u64::from(options.seed) << 1 | 1 << 32));
        Self { spans: Generator::new(options), chance, waiting: VecDeque::new(), records: 0 }
    }

    /// What is logged of one span.
    fn log(&mut self, Finished { span, place }: &Finished) {
        let milliseconds = (span.end_time_unix_nano - span.start_time_unix_nano) as f64 / 1e6;
        let status = span.status.as_ref().filter(|status| status.code != 0);
        if let Some(status) = status {
            let exception = span.events.first().map(|event| event.attributes.clone()).unwrap_or_default();
            self.push(span, *place, ERROR, said(format!("{} failed: {}", span.name, status.message)), exception);
        } else if milliseconds > 400.0 {
            let body = said(format!("{} was slow: {milliseconds:.1} ms", span.name));
            self.push(span, *place, WARN, body, vec![int("app.threshold_ms", 400)]);
        }
        match SpanKind::try_from(span.kind) {
            Ok(SpanKind::Server) => {
                let body = said(format!("{} done in {milliseconds:.1} ms", span.name));
                self.push(span, *place, INFO, body, span.attributes.iter().take(5).cloned().collect());
            }
            Ok(SpanKind::Consumer) => {
                let values = vec![text("order.state", "accepted"), int("order.lines", 1 + self.chance.below(4))];
                let body = AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) };
                let attributes = span.attributes.iter().take(3).cloned().collect();
                let record = self.push(span, *place, INFO, body, attributes);
                "shop.order.accepted".clone_into(&mut record.event_name);
            }
            Ok(SpanKind::Internal) if self.chance.permille(300) => {
                let body = said(format!("{} took {milliseconds:.3} ms", span.name));
                self.push(span, *place, DEBUG, body, Vec::new());
            }
            _ => {}
        }
    }

    fn push(
        &mut self,
        span: &Span,
        place: Place,
        (severity_number, severity_text): (i32, &str),
        body: AnyValue,
        mut attributes: Vec<KeyValue>,
    ) -> &mut LogRecord {
        let uid = u64::from_be_bytes(item_id(self.spans.options.seed, self.records));
        attributes.push(text("log.record.uid", format!("{uid:016x}")));
        attributes.push(text("logger.name", format!("shop.{}", place.service.name)));
        self.records += 1;
        let record = LogRecord {
            time_unix_nano: span.end_time_unix_nano,
            observed_time_unix_nano: span.end_time_unix_nano + self.chance.below(5_000_000),
            severity_number,
            severity_text: severity_text.to_owned(),
            body: Some(body),
            attributes,
            flags: SAMPLED,
            trace_id: span.trace_id.clone(),
            span_id: span.span_id.clone(),
            ..Default::default()
        };
        self.waiting.push_back((place, record));
        let last = self.waiting.len() - 1;
        &mut self.waiting[last].1
    }
}

/// A body that is text.
fn said(text: String) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text)) }
}

impl Iterator for LogGenerator {
    type Item = LogsData;

    fn next(&mut self) -> Option<LogsData> {
        let wanted = self.spans.options.items_per_message;
        while self.waiting.len() < wanted {
            self.spans.trace().iter().for_each(|finished| self.log(finished));
        }
        let pods = request::by_pod(self.waiting.drain(..wanted));
        let resource_logs = pods.into_iter().map(|(place, log_records)| ResourceLogs {
            resource: request::resource(place),
            scope_logs: vec![ScopeLogs { scope: request::scope(place), log_records, schema_url: String::new() }],
            schema_url: request::SCHEMA_URL.to_owned(),
        });
        Some(LogsData { resource_logs: resource_logs.collect() })
    }
}

impl Request for LogsData {
    fn encode_json(&self) -> Vec<u8> {
        json::logs::encode(self)
    }

    fn cut(&mut self, most: u64) -> u64 {
        let mut left = Left::new(most);
        for resource in &mut self.resource_logs {
            for scope in &mut resource.scope_logs {
                left.cut(&mut scope.log_records);
            }
            resource.scope_logs.retain(|scope| !scope.log_records.is_empty());
        }
        self.resource_logs.retain(|resource| !resource.scope_logs.is_empty());
        left.kept
    }
}

#[cfg(test)]
mod tests;
