//! The port's implementation: orders go to the poll thread, questions to the cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::topic_partition_list::Offset;
use weir_pipeline::batch::{Generation, TopicPartition};
use weir_pipeline::error::Error;
use weir_pipeline::event::{Budget, Events};
use weir_pipeline::source::{Extent, Source, Start, TopicInfo};

use crate::Client;
use crate::config::KafkaConfig;
use crate::error::{KafkaError, is_unknown_topic, of_client, of_property, tidy};
use crate::ffi::admin::{self, Unanswered, Which};
use crate::orders::{Order, Shared};
use crate::poll::{Leaving, Poller};

/// How long closing may take before it goes on by itself.
const CLOSE_MAX: Duration = Duration::from_secs(15);

/// A member of a consumer group.
///
/// Made by [`KafkaSource::connect`]; leaves the group when it is closed or dropped.
pub struct KafkaSource {
    /// Held by the thread alone, so that it is closed there.
    client: Weak<Client>,
    shared: Arc<Shared>,
    brokers: String,
    answer_timeout: Duration,
}

impl KafkaSource {
    /// Makes a client and begins to join the group, which goes on by itself: events will tell. Talks to nobody yet, so
    /// that it works while no broker can be reached; [`Source::describe`] is the way to find out.
    ///
    /// # Errors
    /// Settings that make no sense, forbidden or unknown properties, certificates that cannot be read.
    pub fn connect(config: KafkaConfig, events: Events, budget: Budget) -> Result<Self, KafkaError> {
        let client: Client = config.client_config()?.create_with_context(Leaving::default()).map_err(of_property)?;
        let client = Arc::new(client);
        let (shared, for_questions) = (Arc::new(Shared::new()), Arc::downgrade(&client));
        let poller = Poller::new(&config, client, Arc::clone(&shared), events, budget)?;
        let for_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("weir-kafka".to_owned())
            .spawn(move || {
                poller.run();
                for_thread.set_closed();
            })
            .map_err(|e| KafkaError::Client(format!("no thread for the consumer: {e}")))?;
        Ok(Self {
            client: for_questions,
            shared,
            brokers: config.brokers_shown(),
            answer_timeout: config.answer_timeout,
        })
    }

    /// How many offsets lie between what was last acked of each held partition (before the first ack: where the last
    /// seek went) and its end as the last fetch saw it. Asks nobody; partitions that were not fetched yet are left out.
    pub fn lag(&self) -> BTreeMap<TopicPartition, i64> {
        let Some(client) = self.client.upgrade() else { return BTreeMap::new() };
        let lag = |(partition, next): (TopicPartition, i64)| {
            let end = admin::seen_end(&client, &partition.topic, partition.partition)?;
            Some((partition, (end - next).max(0)))
        };
        self.shared.positions().into_iter().filter_map(lag).collect()
    }

    /// Asks the cluster something about a topic, on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        topic: &str,
        question: impl Fn(&Arc<Client>, Instant, &dyn Fn() -> bool) -> Result<T, Unanswered> + Send + 'static,
    ) -> Result<T, KafkaError> {
        let closed = || KafkaError::Broken("it is closed".to_owned());
        let (client, shared) = (self.client.upgrade().ok_or_else(closed)?, Arc::clone(&self.shared));
        let deadline = Instant::now() + self.answer_timeout;
        let answer = tokio::task::spawn_blocking(move || {
            let give_up = || shared.is_closing() || shared.refusal().is_some();
            admin::believe(&give_up, || question(&client, deadline, &give_up))
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(self.explain(topic, why)),
            Err(e) => Err(KafkaError::Answer { what: format!("topic {topic:?}"), reason: e.to_string() }),
        }
    }

    fn explain(&self, topic: &str, why: Unanswered) -> KafkaError {
        match why {
            Unanswered::Silence => self.shared.refusal().unwrap_or_else(|| KafkaError::NoAnswer {
                brokers: self.brokers.clone(),
                within: self.answer_timeout,
                last: self.shared.trouble(),
            }),
            Unanswered::Error(code, _) if is_unknown_topic(code) => {
                KafkaError::UnknownTopic { topic: topic.to_owned(), brokers: self.brokers.clone() }
            }
            Unanswered::Error(code, reason) => of_client(code, false, &reason)
                .unwrap_or_else(|| KafkaError::Answer { what: format!("topic {topic:?}"), reason: tidy(&reason) }),
        }
    }

    async fn list(&self, topic: &str, wanted: Vec<(i32, Which)>) -> Result<Vec<Option<i64>>, Error> {
        let name = topic.to_owned();
        let found = self.ask(topic, move |client, deadline, give_up| {
            admin::list_offsets(client, &name, &wanted, deadline, give_up)
        });
        Ok(found.await?)
    }
}

impl Source for KafkaSource {
    fn seek(&self, partition: &TopicPartition, offset: i64, generation: Generation) -> Result<(), Error> {
        if offset < 0 {
            return Err(Error::fatal(format!("{partition} has no offset {offset}")));
        }
        self.shared.order(partition, Order::Seek(offset, generation));
        Ok(())
    }

    fn pause(&self, partition: &TopicPartition) {
        self.shared.order(partition, Order::Pause);
    }

    fn ack(&self, next: &BTreeMap<TopicPartition, i64>) {
        self.shared.move_positions(next);
        let Some(client) = self.client.upgrade() else { return };
        let mut list = TopicPartitionList::with_capacity(next.len());
        for (partition, offset) in next {
            if list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*offset)).is_err() {
                return;
            }
        }
        if let Err(error) = client.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "an ack was not sent; the table has the offsets");
        }
    }

    async fn describe(&self, topic: &str) -> Result<TopicInfo, Error> {
        let name = topic.to_owned();
        let answer = self.ask(topic, move |client, deadline, give_up| {
            let description = admin::describe_topic(client, &name, deadline, give_up)?;
            let left = deadline.saturating_duration_since(Instant::now());
            let cluster_id = admin::cluster_id(client, left).ok_or(Unanswered::Silence)?;
            let admin::Description { topic_id, partitions } = description;
            Ok(TopicInfo { cluster_id, topic_id, partitions })
        });
        Ok(answer.await?)
    }

    async fn offsets(&self, topic: &str, partitions: i32, start: Start) -> Result<Vec<i64>, Error> {
        let which = match start {
            Start::Earliest => Which::Earliest,
            Start::Latest => Which::Latest,
            Start::Time(ms) => Which::Time(ms),
        };
        let mut found = self.list(topic, (0..partitions).map(|p| (p, which)).collect()).await?;
        // None is as new as the time asked for.
        let open: Vec<_> = (0..partitions).zip(&found).filter(|(_, f)| f.is_none()).map(|(p, _)| p).collect();
        if !open.is_empty() {
            let ends = self.list(topic, open.iter().map(|p| (*p, Which::Latest)).collect()).await?;
            for (partition, end) in open.into_iter().zip(ends) {
                found[partition as usize] = end;
            }
        }
        let missing = || Error::retry(format!("topic {topic:?} has partitions whose ends no broker knows"));
        found.into_iter().collect::<Option<Vec<_>>>().ok_or_else(missing)
    }

    async fn extent(&self, partition: &TopicPartition) -> Result<Extent, Error> {
        let start = self.list(&partition.topic, vec![(partition.partition, Which::Earliest)]).await?;
        let end = self.list(&partition.topic, vec![(partition.partition, Which::Latest)]).await?;
        match (start.first().copied().flatten(), end.first().copied().flatten()) {
            (Some(start), Some(end)) => Ok(Extent { start, end }),
            _ => Err(Error::retry(format!("no broker knows where {partition} begins and ends"))),
        }
    }

    async fn close(&self) {
        self.shared.close();
        let mut closed = self.shared.closed();
        if tokio::time::timeout(CLOSE_MAX, closed.wait_for(|closed| *closed)).await.is_err() {
            tracing::warn!(waited = ?CLOSE_MAX, "leaving the consumer group takes long and goes on by itself");
        }
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
