//! How a source is set up, and what may not be changed about it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::error::{KafkaError, of_property};

/// How large batches become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchLimits {
    /// Bytes of keys, values and headers after which a batch is whole. A record that alone is larger is a batch alone.
    pub bytes_max: usize,
    /// Records after which a batch is whole.
    pub records_max: usize,
    /// How long a batch waits for more records.
    pub linger: Duration,
}

impl Default for BatchLimits {
    /// One call of a plugin per MiB costs it nothing measurable; a tenth of a second is far below any commit interval.
    fn default() -> Self {
        Self { bytes_max: 1 << 20, records_max: 16_384, linger: Duration::from_millis(100) }
    }
}

/// How to reach a cluster, what to read from it, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Bootstrap addresses, `host:port`.
    pub brokers: Vec<String>,
    /// Names of topics, no patterns.
    pub topics: Vec<String>,
    /// The consumer group: liveness and the sharing of partitions, nothing else.
    pub group: String,
    /// A name for this process that outlives a restart: within its session nothing is rebalanced.
    pub group_instance_id: Option<String>,
    /// Handed to librdkafka as they are; see [`forbidden_property`].
    pub properties: BTreeMap<String, String>,
    /// How large batches become.
    pub batch: BatchLimits,
    /// How long the group waits for a polite revocation at the most. Below `max.poll.interval.ms`.
    pub revoke_timeout: Duration,
    /// How long a question to the cluster may take.
    pub answer_timeout: Duration,
}

impl KafkaConfig {
    /// The defaults for one group.
    pub fn new(brokers: Vec<String>, topics: Vec<String>, group: impl Into<String>) -> Self {
        Self {
            brokers,
            topics,
            group: group.into(),
            group_instance_id: None,
            properties: BTreeMap::new(),
            batch: BatchLimits::default(),
            revoke_timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(10),
        }
    }

    /// The bootstrap addresses as messages show them.
    pub(crate) fn brokers_shown(&self) -> String {
        self.brokers.join(", ")
    }

    /// What librdkafka is given.
    ///
    /// # Errors
    /// A setting that makes no sense, a property that is forbidden or unknown.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, KafkaError> {
        self.check()?;
        let mut config = ClientConfig::new();
        // rdkafka would take the level from a logger that Weir does not have.
        config.set_log_level(RDKafkaLogLevel::Info);
        for (name, value) in DEFAULTS {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            check_property(name, value)?;
            config.set(name, value);
        }
        config.set("bootstrap.servers", self.brokers.join(",")).set("group.id", &self.group);
        if let Some(id) = &self.group_instance_id {
            config.set("group.instance.id", id);
        }
        for (name, value) in FIXED {
            config.set(*name, *value);
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), KafkaError> {
        let setting = |m: &str| Err(KafkaError::Setting(m.to_owned()));
        if self.brokers.iter().all(|b| b.trim().is_empty()) {
            return setting("no broker is named");
        }
        if self.topics.is_empty() {
            return setting("no topic is named");
        }
        if self.group.is_empty() {
            return setting("the consumer group has no name");
        }
        if let Some(topic) = self.topics.iter().find(|t| !is_topic_name(t)) {
            return Err(KafkaError::Setting(format!(
                "{topic:?} is no topic name: letters, digits, '.', '_' and '-', at most 249"
            )));
        }
        let poll_interval = self.properties.get("max.poll.interval.ms").and_then(|v| v.parse().ok()).unwrap_or(300_000);
        if self.revoke_timeout >= Duration::from_millis(poll_interval) {
            return Err(KafkaError::Setting(format!(
                "a revocation may not take {:?}: the group waits max.poll.interval.ms = {poll_interval}",
                self.revoke_timeout
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for KafkaConfig {
    /// Without the properties' values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("topics", &self.topics)
            .field("group", &self.group)
            .field("group_instance_id", &self.group_instance_id)
            .field("properties", &self.properties.keys())
            .field("batch", &self.batch)
            .field("revoke_timeout", &self.revoke_timeout)
            .field("answer_timeout", &self.answer_timeout)
            .finish()
    }
}

/// What a property may override.
///
/// Memory is flat because three numbers are small: what the queue may hold before fetching stops, what one fetch may
/// bring on top (times the ratio of the compression), and how often a full queue is looked at again, which has to be
/// often since the queue is small.
const DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "weir"),
    ("queued.max.messages.kbytes", "16384"),
    ("queued.min.messages", "20000"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.message.max.bytes", "1048576"),
    ("fetch.max.bytes", "2097152"),
    // A broker sends a record that is larger than these whole, if it comes first: this bounds what is taken from it.
    ("receive.message.max.bytes", "268435456"),
    // A damaged record is found out before it is believed.
    ("check.crcs", "true"),
    // A partition that is added is found within this time.
    ("topic.metadata.refresh.interval.ms", "30000"),
    ("reconnect.backoff.max.ms", "5000"),
    ("socket.keepalive.enable", "true"),
];

/// What no property may override: the promises rest on these.
const FIXED: &[(&str, &str)] = &[
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("group.protocol", "classic"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("enable.partition.eof", "true"),
];

/// Why a property of librdkafka cannot be passed through, or `None` if it can.
pub fn forbidden_property(name: &str) -> Option<&'static str> {
    Some(match name {
        "bootstrap.servers" | "metadata.broker.list" => "the key `brokers` says it",
        "group.id" => "the key `group` says it",
        "group.instance.id" => "the key `group_instance_id` says it",
        "enable.auto.commit" | "auto.commit.enable" | "auto.commit.interval.ms" | "enable.auto.offset.store" => {
            "offsets live in the table; the group's are only a hint for monitors, written after each commit"
        }
        "offset.store.method" | "offset.store.path" | "offset.store.sync.interval.ms" => "offsets live in the table",
        "auto.offset.reset" => {
            "where a table has no offsets yet, `start` decides, once; a lost offset stops the pipeline, since a reset would lose or double rows"
        }
        "isolation.level" => "Weir always reads committed records only",
        "partition.assignment.strategy" | "group.protocol" | "group.protocol.type" | "group.remote.assignor" => {
            "Weir gives back single partitions, which needs cooperative-sticky"
        }
        "enable.partition.eof" => "the end of a partition tells where a range ends that holds no record",
        "plugin.library.paths" => "it would load foreign code into this process",
        "test.mock.num.brokers" | "test.mock.broker.rtt" => "it would put an empty cluster in the place of `brokers`",
        "enabled_events" => "the source lives by these events",
        _ => return None,
    })
}

/// Checks one property: that it may be passed through, and that librdkafka knows it and takes the value.
///
/// # Errors
/// [`KafkaError::ForbiddenProperty`] and [`KafkaError::InvalidProperty`].
pub fn check_property(name: &str, value: &str) -> Result<(), KafkaError> {
    if let Some(reason) = forbidden_property(name) {
        return Err(KafkaError::ForbiddenProperty { name: name.to_owned(), reason });
    }
    if name.contains('\0') || value.contains('\0') {
        let reason = "holds a zero byte".to_owned();
        return Err(KafkaError::InvalidProperty { name: name.replace('\0', "\\0"), reason });
    }
    ClientConfig::new().set(name, value).create_native_config().map(|_| ()).map_err(of_property)
}

/// Kafka's own rule (`Topic.java`); it also keeps out librdkafka's patterns, which begin with `^`.
fn is_topic_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.chars().all(legal)
}

#[cfg(test)]
mod tests;
