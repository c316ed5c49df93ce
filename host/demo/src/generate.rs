//! Traces of a small web shop, made up: twelve services, their databases and a queue, one request of the Collector
//! after the other.
//!
//! The same options give the same spans, byte for byte, on every machine. The n-th span of a run has the id
//! [`span_id`]`(seed, n)`, and the k-th message holds exactly the spans from `k * spans_per_message` on: so a test can
//! count what arrived, to the span.

mod attributes;
mod chance;
mod json;
mod request;
mod shop;
mod walk;

use std::collections::VecDeque;

use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message as _;

use chance::{Chance, mix};
use walk::{Finished, Walk};

pub use json::encode_json;

/// What to make up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Which run this is. Runs of different seeds share no span id, whatever their length.
    pub seed: u16,
    /// How many spans a message holds; at least 1.
    pub spans_per_message: usize,
    /// When the first trace begins, in nanoseconds since 1970.
    pub start_time_ns: u64,
    /// How many spans a second of the made-up time brings, on average; at least 1.
    pub spans_per_second: u64,
}

impl Default for Options {
    /// A small shop on 1 November 2026, in messages of a Collector's usual size.
    fn default() -> Self {
        Self { seed: 0, spans_per_message: 200, start_time_ns: 1_793_491_200_000_000_000, spans_per_second: 1_000 }
    }
}

/// Makes up one message after the other, without end.
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
            spans_per_message: options.spans_per_message.max(1),
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
        while self.waiting.len() < self.options.spans_per_message {
            let (begin, trace_id) = (self.now_ns(), self.trace_id());
            let mut walk = Walk::new(&mut self.chance, trace_id, self.options.seed, self.spans);
            walk.request(begin);
            let spans = walk.finish();
            self.spans += spans.len() as u64;
            self.traces += 1;
            self.waiting.extend(spans);
        }
        Some(request::of(self.waiting.drain(..self.options.spans_per_message)))
    }
}

/// The id of the n-th span of a run, counted from 0.
///
/// No two spans share one, neither in a run (of up to 2^48 spans) nor between runs of different seeds; none is zero.
pub fn span_id(seed: u16, n: u64) -> [u8; 8] {
    mix(u64::from(seed) << 48 | (n.wrapping_add(1) & 0xffff_ffff_ffff)).to_be_bytes()
}

/// A message as the Collector's `otlp_proto` writes it.
pub fn encode_proto(message: &TracesData) -> Vec<u8> {
    message.encode_to_vec()
}

#[cfg(test)]
mod tests;
