//! A slice of a topic, read by somebody who joins no group and moves no offset.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError as Native;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use weir_pipeline::batch::{Record, TopicPartition};

use crate::Client;
use crate::error::{KafkaError, is_unknown_topic, of_client, tidy};
use crate::ffi::admin::{self, Unanswered, Which};
use crate::observer::KafkaObserver;

/// How long one poll waits.
const TICK: Duration = Duration::from_millis(100);

/// Where a slice lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// The oldest records.
    Earliest,
    /// The newest records.
    Newest,
    /// Those from a time on, milliseconds since 1970.
    Time(i64),
}

impl KafkaObserver {
    /// Up to `records_max` committed records of a topic, by partition and offset; each partition gives about its share.
    /// What is written after the call began is not waited for. Awaits the broker.
    ///
    /// # Errors
    /// No answer in time, an error as answer, a record that cannot be read.
    pub async fn slice(
        &self,
        topic: &str,
        since: Since,
        records_max: usize,
    ) -> Result<Vec<(TopicPartition, Record)>, KafkaError> {
        let partitions: Vec<i32> = (0..self.describe(topic).await?.partitions).collect();
        let extents = self.extents(topic, &partitions).await?;
        let starts = match since {
            Since::Time(ms) => self.at_time(topic, &partitions, ms).await?,
            Since::Earliest | Since::Newest => vec![None; partitions.len()],
        };
        let mut left = i64::try_from(records_max).unwrap_or(i64::MAX);
        let mut wanted = BTreeMap::new();
        let mut places: Vec<_> = partitions.into_iter().zip(extents).zip(starts).collect();
        // The short ones first, so that what they lack falls to the long ones.
        places.sort_by_key(|((partition, extent), _)| (extent.end - extent.start, *partition));
        let count = places.len();
        for (at, ((partition, extent), start)) in places.into_iter().enumerate() {
            let share = left / i64::try_from(count - at).unwrap_or(1);
            let range = match since {
                Since::Earliest => extent.start..extent.end.min(extent.start.saturating_add(share)),
                Since::Newest => extent.start.max(extent.end - share)..extent.end,
                // None is as new as the time asked for.
                Since::Time(_) => {
                    let start = start.unwrap_or(extent.end);
                    start..extent.end.min(start.saturating_add(share))
                }
            };
            left -= (range.end - range.start).max(0);
            if !range.is_empty() {
                wanted.insert(partition, range);
            }
        }
        self.read(topic, wanted).await
    }

    async fn at_time(&self, topic: &str, partitions: &[i32], ms: i64) -> Result<Vec<Option<i64>>, KafkaError> {
        let (name, wanted) = (topic.to_owned(), partitions.iter().map(|p| (*p, Which::Time(ms))).collect::<Vec<_>>());
        self.ask(topic, move |client, deadline, give_up| admin::list_offsets(client, &name, &wanted, deadline, give_up))
            .await
    }

    async fn read(
        &self,
        topic: &str,
        wanted: BTreeMap<i32, Range<i64>>,
    ) -> Result<Vec<(TopicPartition, Record)>, KafkaError> {
        let (client, patience, name) = (Arc::clone(self.client()), self.answer_timeout(), Arc::<str>::from(topic));
        let reading = tokio::task::spawn_blocking(move || {
            let read = Reading { client: &client, topic: name, wanted, taken: Vec::new() }.finish(patience);
            // What it assigned to itself does not go on being fetched.
            drop(client.unassign());
            read
        });
        let answer = reading.await.map_err(|e| KafkaError::Answer { what: topic.to_owned(), reason: e.to_string() })?;
        answer.map_err(|stopped| match stopped {
            Stopped::Unanswered(why) => self.explain(topic, why),
            Stopped::Failed(error) => error,
        })
    }
}

/// Why a slice is not whole.
enum Stopped {
    Unanswered(Unanswered),
    Failed(KafkaError),
}

/// What is read, and what is still to come.
struct Reading<'a> {
    client: &'a Client,
    topic: Arc<str>,
    wanted: BTreeMap<i32, Range<i64>>,
    taken: Vec<(TopicPartition, Record)>,
}

impl Reading<'_> {
    fn finish(mut self, patience: Duration) -> Result<Vec<(TopicPartition, Record)>, Stopped> {
        let mut list = TopicPartitionList::with_capacity(self.wanted.len());
        for (partition, range) in &self.wanted {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(range.start)).map_err(failed)?;
        }
        self.client.assign(&list).map_err(failed)?;
        let mut heard = Instant::now();
        while !self.wanted.is_empty() {
            match self.client.poll(TICK) {
                Some(Ok(message)) => self.take(&message),
                Some(Err(Native::PartitionEOF(partition))) => drop(self.wanted.remove(&partition)),
                Some(Err(error)) => {
                    self.hear(&error)?;
                    continue;
                }
                None if heard.elapsed() > patience => return Err(Stopped::Unanswered(Unanswered::Silence)),
                None => continue,
            }
            heard = Instant::now();
        }
        self.taken.sort_by_key(|(place, record)| (place.partition, record.offset));
        Ok(self.taken)
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let Some(range) = self.wanted.get(&message.partition()) else { return };
        let (end, offset) = (range.end, message.offset());
        if offset < end {
            let place = TopicPartition::new(Arc::clone(&self.topic), message.partition());
            self.taken.push((place, record(message)));
        }
        if offset + 1 >= end {
            self.wanted.remove(&message.partition());
        }
    }

    /// librdkafka gets over most of what it reports.
    fn hear(&self, error: &Native) -> Result<(), Stopped> {
        let Some(code) = error.rdkafka_error_code() else { return Err(failed(error.clone())) };
        if is_unknown_topic(code) {
            return Err(Stopped::Unanswered(Unanswered::Error(code, error.to_string())));
        }
        let is_lost = matches!(error, Native::MessageConsumptionFatal(_)) || crate::error::skips_records(code);
        match of_client(code, is_lost, &error.to_string()) {
            Some(error) => Err(Stopped::Failed(error)),
            None => Ok(()),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Stopped {
    Stopped::Failed(KafkaError::Answer { what: "no slice is read".to_owned(), reason: tidy(&error.to_string()) })
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers.iter().map(|h| (h.key.to_owned(), h.value.map(Bytes::copy_from_slice))).collect()
    });
    Record {
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
    }
}
