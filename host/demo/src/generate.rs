//! Traces, logs and metrics of a small web shop, made up: twelve services, their databases and a queue, one request
//! of the Collector after the other.
//!
//! The same options give the same bytes on every machine, and the k-th message holds exactly the spans, log records or
//! data points from `k * items_per_message` on: so a test can count what arrived, to the item. The n-th span of a run
//! has the id [`item_id`]`(seed, n)`, the n-th log record has it as its attribute `log.record.uid`. Logs are of the
//! spans that the same options give, and name them.

mod attributes;
mod chance;
mod json;
mod logs;
mod metrics;
mod request;
mod shop;
mod walk;

use std::collections::VecDeque;

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, TracesData};

use chance::{Chance, mix};
use walk::{Finished, Walk};

pub use json::encode_json;
pub use logs::LogGenerator;
pub use metrics::MetricGenerator;

/// A message of one signal, as a Collector sends it.
pub trait Request: prost::Message {
    /// The message as the Collector's `otlp_json` writes it.
    ///
    /// All that this module makes up is written, and nothing else: neither bytes, nor doubles that are not finite,
    /// nor entity references are.
    fn encode_json(&self) -> Vec<u8>;

    /// Leaves the first items of a message, `most` of them; gives how many there are then.
    fn cut(&mut self, most: u64) -> u64;
}

/// What to make up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Which run this is. Runs of different seeds share no id, whatever their length.
    pub seed: u16,
    /// How many spans, log records or data points a message holds; at least 1.
    pub items_per_message: usize,
    /// When the first trace begins, in nanoseconds since 1970.
    pub start_time_ns: u64,
    /// How many spans a second of the made-up time brings, on average; at least 1.
    pub spans_per_second: u64,
}

impl Default for Options {
    /// A small shop on 1 November 2026, in messages of a Collector's usual size.
    fn default() -> Self {
        Self { seed: 0, items_per_message: 200, start_time_ns: 1_793_491_200_000_000_000, spans_per_second: 1_000 }
    }
}

/// Makes up one message of traces after the other, without end.
///
/// A trace's spans follow each other; where a message is full, the rest of the trace is in the next one.
#[derive(Debug)]
pub struct Generator {
    options: Options,
    chance: Chance,
    /// Spans that no message has taken yet, in the order of their numbers.
    waiting: VecDeque<Finished>,
    /// How many spans were made up.
    spans: u64,
    traces: u64,
}

impl Generator {
    /// A generator at the beginning of its run.
    pub fn new(options: Options) -> Self {
        let options = Options {
            items_per_message: options.items_per_message.max(1),
            spans_per_second: options.spans_per_second.max(1),
            ..options
        };
        let chance = Chance::new(mix(u64::from(options.seed) << 1 | 1));
        Self { options, chance, waiting: VecDeque::new(), spans: 0, traces: 0 }
    }

    /// When the next trace begins: time goes on with the spans, and traces begin unevenly.
    fn now_ns(&mut self) -> u64 {
        let second = u128::from(self.spans) * 1_000_000_000 / u128::from(self.options.spans_per_second);
        let since = u64::try_from(second).unwrap_or(u64::MAX);
        self.options.start_time_ns.saturating_add(since).saturating_add(self.chance.below(2_000_000))
    }

    /// Makes up one trace.
    fn trace(&mut self) -> Vec<Finished> {
        let (begin, trace_id) = (self.now_ns(), self.trace_id());
        let mut walk = Walk::new(&mut self.chance, trace_id, self.options.seed, self.spans);
        walk.request(begin);
        let spans = walk.finish();
        self.spans += spans.len() as u64;
        self.traces += 1;
        spans
    }

    fn trace_id(&self) -> [u8; 16] {
        let number = u64::from(self.options.seed) << 48 | (self.traces + 1);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&mix(number).to_be_bytes());
        id[8..].copy_from_slice(&mix(!number).to_be_bytes());
        id
    }
}

impl Iterator for Generator {
    type Item = TracesData;

    fn next(&mut self) -> Option<TracesData> {
        while self.waiting.len() < self.options.items_per_message {
            let spans = self.trace();
            self.waiting.extend(spans);
        }
        let spans = self.waiting.drain(..self.options.items_per_message).map(|Finished { span, place }| (place, span));
        let resource_spans = request::by_pod(spans).into_iter().map(|(place, spans)| ResourceSpans {
            resource: request::resource(place),
            scope_spans: vec![ScopeSpans { scope: request::scope(place), spans, schema_url: String::new() }],
            schema_url: request::SCHEMA_URL.to_owned(),
        });
        Some(TracesData { resource_spans: resource_spans.collect() })
    }
}

impl Request for TracesData {
    fn encode_json(&self) -> Vec<u8> {
        json::traces::encode(self)
    }

    fn cut(&mut self, most: u64) -> u64 {
        let mut left = Left::new(most);
        for resource in &mut self.resource_spans {
            for scope in &mut resource.scope_spans {
                left.cut(&mut scope.spans);
            }
            resource.scope_spans.retain(|scope| !scope.spans.is_empty());
        }
        self.resource_spans.retain(|resource| !resource.scope_spans.is_empty());
        left.kept
    }
}

/// How many items may stay, and how many did.
struct Left {
    left: usize,
    kept: u64,
}

impl Left {
    fn new(most: u64) -> Self {
        Self { left: usize::try_from(most).unwrap_or(usize::MAX), kept: 0 }
    }

    fn cut<T>(&mut self, items: &mut Vec<T>) {
        items.truncate(self.left);
        self.left -= items.len();
        self.kept += items.len() as u64;
    }
}

/// The id of the n-th span or log record of a run, counted from 0.
///
/// No two of a kind share one, neither in a run (of up to 2^48) nor between runs of different seeds; none is zero.
pub fn item_id(seed: u16, n: u64) -> [u8; 8] {
    mix(u64::from(seed) << 48 | (n.wrapping_add(1) & 0xffff_ffff_ffff)).to_be_bytes()
}

/// A message as the Collector's `otlp_proto` writes it.
pub fn encode_proto(message: &impl Request) -> Vec<u8> {
    message.encode_to_vec()
}

#[cfg(test)]
mod tests;
