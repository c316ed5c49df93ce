//! Writes made-up telemetry to a topic, as a Collector's exporter would: one message a request, no key, zstd.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::generate::{Generator, LogGenerator, MetricGenerator, Options, Request};

/// How long the broker may take for what is still under way at the end.
const FLUSH_MAX: Duration = Duration::from_secs(60);

/// The encodings that a Collector's exporter knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// `otlp_proto`.
    Proto,
    /// `otlp_json`.
    Json,
}

/// What is made up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Traces: items are spans.
    Traces,
    /// Logs: items are log records.
    Logs,
    /// Metrics: items are data points.
    Metrics,
}

/// Where to and how much.
#[derive(Clone, Debug)]
pub struct Order {
    /// Bootstrap addresses.
    pub brokers: Vec<String>,
    /// The topic, which must be there.
    pub topic: String,
    /// librdkafka's properties.
    pub properties: BTreeMap<String, String>,
    /// How messages are encoded.
    pub encoding: Encoding,
    /// Of which signal.
    pub signal: Signal,
    /// What is made up.
    pub options: Options,
    /// How many items; no end where absent.
    pub items: Option<u64>,
    /// Items a second at the most.
    pub rate: Option<u64>,
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Spans, log records or data points.
    pub items: u64,
    /// Messages.
    pub messages: u64,
    /// Bytes of the messages before compression.
    pub bytes: u64,
}

/// Why nothing more was written.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// librdkafka does not take the settings.
    #[error("the producer's settings: {0}")]
    Settings(KafkaError),
    /// The broker does not take a message.
    #[error("topic {topic}: {why}")]
    Refused {
        /// The topic.
        topic: String,
        /// What librdkafka says.
        why: KafkaError,
    },
}

/// Writes until the order is done, or `tell`, called after every message, says to stop. Messages go to partitions in
/// turn. Blocks.
///
/// # Errors
/// [`ProduceError`].
pub fn produce(order: &Order, tell: impl FnMut(&Written) -> bool) -> Result<Written, ProduceError> {
    match order.signal {
        Signal::Traces => write(order, Generator::new(order.options), tell),
        Signal::Logs => write(order, LogGenerator::new(order.options), tell),
        Signal::Metrics => write(order, MetricGenerator::new(order.options), tell),
    }
}

fn write<R: Request>(
    order: &Order,
    mut messages: impl Iterator<Item = R>,
    mut tell: impl FnMut(&Written) -> bool,
) -> Result<Written, ProduceError> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", order.brokers.join(","))
        .set("compression.type", "zstd")
        .set("linger.ms", "5")
        .set("queue.buffering.max.kbytes", "65536")
        .set("message.max.bytes", "8000000")
        .set("enable.idempotence", "true");
    for (name, value) in &order.properties {
        config.set(name, value);
    }
    let producer: BaseProducer = config.create().map_err(ProduceError::Settings)?;
    let refused = |why| ProduceError::Refused { topic: order.topic.clone(), why };
    let partitions = partitions(&producer, &order.topic).map_err(refused)?;
    let (began, mut written) = (Instant::now(), Written::default());
    while order.items.is_none_or(|n| written.items < n) {
        let left = order.items.map_or(u64::MAX, |n| n - written.items);
        let Some(mut message) = messages.next() else { break };
        let items = message.cut(left);
        let value = match order.encoding {
            Encoding::Proto => message.encode_to_vec(),
            Encoding::Json => message.encode_json(),
        };
        let partition = i32::try_from(written.messages % partitions).unwrap_or(0);
        send(&producer, &order.topic, partition, &value).map_err(refused)?;
        written.items += items;
        written.messages += 1;
        written.bytes += value.len() as u64;
        if let Some(rate) = order.rate {
            hold(&producer, began, written.items, rate);
        }
        if !tell(&written) {
            break;
        }
    }
    producer.flush(FLUSH_MAX).map_err(refused)?;
    Ok(written)
}

fn partitions(producer: &BaseProducer, topic: &str) -> Result<u64, KafkaError> {
    let metadata = producer.client().fetch_metadata(Some(topic), Duration::from_secs(15))?;
    match metadata.topics().first() {
        Some(found) if !found.partitions().is_empty() => Ok(found.partitions().len() as u64),
        _ => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)),
    }
}

/// Puts one message into the queue, waiting while it is full.
fn send(producer: &BaseProducer, topic: &str, partition: i32, value: &[u8]) -> Result<(), KafkaError> {
    let mut record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => {
                producer.poll(Duration::ZERO);
                return Ok(());
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(Duration::from_millis(10));
            }
            Err((why, _)) => return Err(why),
        }
    }
}

/// Waits until no more than `rate` items a second have gone out.
fn hold(producer: &BaseProducer, began: Instant, items: u64, rate: u64) {
    let due = Duration::from_secs_f64(items as f64 / rate.max(1) as f64);
    while let Some(early) = due.checked_sub(began.elapsed()).filter(|d| !d.is_zero()) {
        producer.poll(early.min(Duration::from_millis(100)));
    }
}
