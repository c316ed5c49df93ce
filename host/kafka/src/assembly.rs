//! Makes batches of one partition's records, so that the ranges join.

use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use weir_pipeline::batch::{Batch, Generation, Record, TopicPartition};
use weir_pipeline::event::Held;

use crate::config::BatchLimits;

/// What a [`Record`] takes beside its key, value and headers.
const RECORD_OVERHEAD: usize = size_of::<Record>();

/// A record that still lies in librdkafka's memory.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Vec<(String, Option<Bytes>)>,
}

impl Incoming<'_> {
    /// Bytes that it adds to a batch.
    pub(crate) fn bytes(&self) -> usize {
        let len = |b: &Option<&[u8]>| b.map_or(0, <[u8]>::len);
        let headers = self.headers.iter().map(|(k, v)| k.len() + v.as_ref().map_or(0, Bytes::len)).sum::<usize>();
        len(&self.key) + len(&self.value) + headers
    }
}

/// The batch of a partition that is being filled.
///
/// Keys and values lie one behind the other in one buffer, which the records of the batch share: one copy out of
/// librdkafka, whose own buffers are so given back at once, and no allocation per record.
#[derive(Debug)]
pub(crate) struct Assembly {
    source: TopicPartition,
    generation: Generation,
    from: i64,
    to: i64,
    buffer: BytesMut,
    pieces: Vec<Piece>,
    bytes: usize,
    /// When the first thing in it came.
    since: Option<Instant>,
    /// The size of the last batch: the next one will be about as large.
    hint: usize,
}

#[derive(Debug)]
struct Piece {
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Vec<(String, Option<Bytes>)>,
}

impl Assembly {
    /// Begins at `offset`, where a seek of this generation went.
    pub(crate) fn new(source: TopicPartition, offset: i64, generation: Generation) -> Self {
        Self {
            source,
            generation,
            from: offset,
            to: offset,
            buffer: BytesMut::new(),
            pieces: Vec::new(),
            bytes: 0,
            since: None,
            hint: 0,
        }
    }

    /// The next offset to come.
    pub(crate) fn next(&self) -> i64 {
        self.to
    }

    /// Bytes of memory in it.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.pieces.len() * RECORD_OVERHEAD
    }

    /// Whether a record of so many bytes belongs into the next batch.
    pub(crate) fn is_full_before(&self, bytes: usize, limits: &BatchLimits) -> bool {
        !self.pieces.is_empty() && (self.bytes + bytes > limits.bytes_max || self.pieces.len() >= limits.records_max)
    }

    /// Adds a record. One that lies before the end was delivered already and is left out.
    pub(crate) fn push(&mut self, record: Incoming<'_>, now: Instant) {
        if record.offset < self.to {
            return;
        }
        let bytes = record.bytes();
        if self.buffer.is_empty() {
            self.buffer.reserve(self.hint.max(bytes));
        }
        let mut keep = |part: Option<&[u8]>| {
            part.map(|part| {
                let begin = self.buffer.len();
                self.buffer.extend_from_slice(part);
                begin..self.buffer.len()
            })
        };
        let (key, value) = (keep(record.key), keep(record.value));
        let Incoming { offset, timestamp_ms, headers, .. } = record;
        self.pieces.push(Piece { offset, timestamp_ms, key, value, headers });
        self.bytes += bytes;
        self.move_to(offset + 1, now);
    }

    /// The partition holds nothing more before `offset`.
    pub(crate) fn end(&mut self, offset: i64, now: Instant) {
        if offset > self.to {
            self.move_to(offset, now);
        }
    }

    fn move_to(&mut self, offset: i64, now: Instant) {
        self.to = offset;
        self.since.get_or_insert(now);
    }

    /// When it has waited long enough, if there is anything in it.
    pub(crate) fn due(&self, linger: Duration) -> Option<Instant> {
        self.since.map(|since| since + linger)
    }

    /// The batch, if the range has moved; the next one begins where it ends. Nothing is taken from the budget yet.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        if self.to == self.from {
            return None;
        }
        self.hint = self.buffer.len();
        let buffer = std::mem::take(&mut self.buffer).freeze();
        let records = std::mem::take(&mut self.pieces)
            .into_iter()
            .map(|p| Record {
                offset: p.offset,
                timestamp_ms: p.timestamp_ms,
                key: p.key.map(|range| buffer.slice(range)),
                value: p.value.map(|range| buffer.slice(range)),
                headers: p.headers,
            })
            .collect();
        let from = std::mem::replace(&mut self.from, self.to);
        self.bytes = 0;
        self.since = None;
        let (source, generation) = (self.source.clone(), self.generation);
        Some(Batch { source, generation, from, to: self.to, records, held: Held::default() })
    }
}

/// Bytes of memory that a batch occupies.
pub(crate) fn weight(batch: &Batch) -> usize {
    batch.bytes() + batch.records.len() * RECORD_OVERHEAD
}

#[cfg(test)]
mod tests;
