//! A broker inside this process, for a demonstration without Kafka.
//!
//! Honestly: it is the mock cluster that librdkafka carries for its own tests. It speaks Kafka's protocol on a port of
//! this machine, to any client, and does what a pipeline needs: groups, topic ids, compressed batches, offsets. It is
//! no broker to keep anything in:
//! - Everything lies in memory and is gone with the process; the cluster's id is another one each time.
//! - A partition holds [`PARTITION_BYTES`] of batches, as they were sent, then it forgets the oldest. 200,000 spans as
//!   OTLP protobuf under zstd are a few MB in all: eight partitions have plenty of room. [`Broker::forgotten`] tells.
//! - It knows no transactions, no retention, no authentication, and no times: an offset asked for by time is none.

mod mock;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

/// What a partition holds before it forgets: librdkafka's constant (`rdkafka_mock.c`, `max_size`).
pub const PARTITION_BYTES: usize = 5 << 20;

/// How long the cluster may take to answer itself.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What keeps the broker from starting, or from answering.
#[derive(Debug, thiserror::Error)]
#[error("the embedded broker: {0}")]
pub struct BrokerError(#[from] KafkaError);

/// A running broker with one topic. Stops when it is dropped.
pub struct Broker {
    /// A client of no other use: the cluster lives and dies with it.
    host: BaseProducer,
    topic: String,
    partitions: i32,
}

impl Broker {
    /// Starts a broker on a free port of 127.0.0.1 that has this topic.
    ///
    /// # Errors
    /// No port, no memory, or a name that is none.
    pub fn start(topic: &str, partitions: i32) -> Result<Self, BrokerError> {
        let mut config = ClientConfig::new();
        // Nobody reads the host's log.
        config.set("test.mock.num.brokers", "1").set_log_level(RDKafkaLogLevel::Emerg);
        let host: BaseProducer = config.create()?;
        mock::prepare(host.client())?;
        if let Some(cluster) = host.client().mock_cluster() {
            cluster.create_topic(topic, partitions, 1)?;
        }
        Ok(Self { host, topic: topic.to_owned(), partitions })
    }

    /// The address for `brokers`.
    pub fn bootstrap(&self) -> String {
        self.host.client().mock_cluster().map(|cluster| cluster.bootstrap_servers()).unwrap_or_default()
    }

    /// How many records it has had to forget. A demonstration that promises that every row arrives looks here.
    ///
    /// # Errors
    /// No answer.
    pub fn forgotten(&self) -> Result<i64, BrokerError> {
        let oldest = |partition| self.host.client().fetch_watermarks(&self.topic, partition, ANSWER_MAX);
        (0..self.partitions).try_fold(0, |sum, partition| Ok(sum + oldest(partition)?.0))
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("bootstrap", &self.bootstrap())
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
