//! Records and batches: what a source hands over.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::event::Held;

/// A partition of a topic. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// Names a partition.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Counts the assignments and seeks of one partition in this process: a batch of an older generation is stale.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Generation(pub u64);

/// One Kafka record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its timestamp, milliseconds since 1970, where the broker has one.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// Consecutive records of one partition, and the offset range they stand for.
///
/// `from` is where the one before ended, or the offset of the seek; `to` is the next offset to read. The range may be
/// wider than the records: offsets have holes. A batch without records moves the end all the same.
#[derive(Debug)]
pub struct Batch {
    /// Where the records come from.
    pub source: TopicPartition,
    /// The generation of the seek that this batch follows.
    pub generation: Generation,
    /// First offset of the range.
    pub from: i64,
    /// First offset after the range.
    pub to: i64,
    /// The records, by rising offset, each in `from..to`.
    pub records: Vec<Record>,
    /// The part of the source's memory budget that this batch occupies, given back when the batch is dropped.
    pub held: Held,
}

impl Batch {
    /// Bytes of keys, values and headers.
    pub fn bytes(&self) -> usize {
        self.records.iter().map(Record::bytes).sum()
    }
}

impl Record {
    /// Bytes of key, value and headers.
    pub fn bytes(&self) -> usize {
        let len = |b: &Option<Bytes>| b.as_ref().map_or(0, Bytes::len);
        len(&self.key) + len(&self.value) + self.headers.iter().map(|(k, v)| k.len() + len(v)).sum::<usize>()
    }
}
