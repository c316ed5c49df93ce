//! The port to Kafka.
//!
//! A source pushes [`SourceEvent`](crate::event::SourceEvent)s into the queue it was made with, and obeys these calls.
//! Its promises to the loop:
//!
//! 1. Nothing is delivered from a partition before a [`Source::seek`] of it, nor after it was revoked or lost.
//! 2. Batches of one partition and generation join: each begins where the one before ended, the first at the seek's
//!    offset. An end of partition, or offsets that hold no record (transactions, compaction), give a batch that moves
//!    the end, with or without records.
//! 3. A batch carries the generation of the newest seek; a source drops what an older seek still had under way, and
//!    the loop drops what slips through.
//! 4. Group membership never depends on the loop's speed: when the budget is spent the source pauses its partitions
//!    and goes on heartbeating.

use std::collections::BTreeMap;
use std::future::Future;

use crate::batch::{Generation, TopicPartition};
use crate::error::Error;

/// Where a table that has no offsets yet begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// At the oldest record.
    Earliest,
    /// After the newest record.
    Latest,
    /// At the first record of this time, milliseconds since 1970, or after the newest if none is as new.
    Time(i64),
}

/// What the cluster says of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicInfo {
    /// The cluster's id.
    pub cluster_id: String,
    /// The topic's id, in base64 as Kafka's tools print it (`-` and `_`, no padding): another one after the topic was
    /// deleted and made again. `None` where the broker has none.
    pub topic_id: Option<String>,
    /// How many partitions it has.
    pub partitions: i32,
}

/// A topic's id as Kafka's own tools print it. librdkafka, and what Weir wrote before, has `+` and `/` where those have
/// `-` and `_`.
pub fn topic_id(base64: &str) -> String {
    base64.replace('+', "-").replace('/', "_")
}

/// What a partition holds for a reader of committed records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// The oldest offset.
    pub start: i64,
    /// The first offset that is not yet there, or not yet committed.
    pub end: i64,
}

/// A consumer of one group. Calls are cheap or say that they await the broker.
pub trait Source: Send + Sync + 'static {
    /// Begins to deliver a partition at `offset`, under `generation`. Also un-pauses it.
    fn seek(&self, partition: &TopicPartition, offset: i64, generation: Generation) -> Result<(), Error>;

    /// Stops delivery of a partition until the next seek.
    fn pause(&self, partition: &TopicPartition);

    /// Tells the group's offset store where a partition stands: for monitors only, lost without harm.
    fn ack(&self, next: &BTreeMap<TopicPartition, i64>);

    /// Asks the cluster about a topic. Awaits the broker.
    fn describe(&self, topic: &str) -> impl Future<Output = Result<TopicInfo, Error>> + Send;

    /// The offsets that `start` means, one for each partition `0..partitions`. Awaits the broker.
    fn offsets(
        &self,
        topic: &str,
        partitions: i32,
        start: Start,
    ) -> impl Future<Output = Result<Vec<i64>, Error>> + Send;

    /// What a partition holds now, for a reader of committed records. Awaits the broker.
    fn extent(&self, partition: &TopicPartition) -> impl Future<Output = Result<Extent, Error>> + Send;

    /// Leaves the group and closes. Awaits the broker, within bounds.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
