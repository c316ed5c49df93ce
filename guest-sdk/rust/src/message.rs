//! Kafka records as a plugin sees them.

/// What a topic carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Values are `TracesData`, the same wire form as `ExportTraceServiceRequest`.
    Traces,
    /// Values are `MetricsData`.
    Metrics,
    /// Values are `LogsData`.
    Logs,
}

impl Signal {
    /// Its name, as a pipeline's TOML has it.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }
}

/// A Kafka record header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The header's name.
    pub key: String,
    /// Its value; none where Kafka holds null.
    pub value: Option<Vec<u8>>,
}

/// One Kafka record, or the part of one that was too large to be sent whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// OTLP protobuf, whatever the topic's encoding was. May be empty: a valid request without data. Its strings
    /// may hold invalid UTF-8: pass the bytes on, the host repairs and counts.
    pub value: Vec<u8>,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's headers, in order.
    pub headers: Vec<Header>,
    /// The record's timestamp in milliseconds since 1970, where the broker has one.
    pub timestamp_ms: Option<i64>,
    /// The record's offset in its partition.
    pub offset: i64,
}

/// Consecutive records of one partition, in offset order. Offsets may have holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// What the values are.
    pub signal: Signal,
    /// The topic that the records came from.
    pub topic: String,
    /// The partition that the records came from.
    pub partition: i32,
    /// The records; at least one.
    pub messages: Vec<Message>,
}
