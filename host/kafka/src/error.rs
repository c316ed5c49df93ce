//! What can go wrong between Weir and Kafka, and what each of it makes the loop do.

use std::time::Duration;

use rdkafka::error::KafkaError as Native;
use rdkafka::types::RDKafkaErrorCode as Code;
use weir_pipeline::batch::TopicPartition;
use weir_pipeline::error::Error;

/// What can go wrong between Weir and Kafka.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KafkaError {
    /// A setting makes no sense by itself.
    #[error("{0}")]
    Setting(String),
    /// A property that would break the promises.
    #[error("property {name:?} cannot be set: {reason}")]
    ForbiddenProperty {
        /// Its name.
        name: String,
        /// Why, and what to write instead where there is something.
        reason: &'static str,
    },
    /// librdkafka does not know the property, or not this value of it.
    #[error("property {name:?}: {reason}")]
    InvalidProperty {
        /// Its name.
        name: String,
        /// What librdkafka says; the value is left out of it, since it may be a secret.
        reason: String,
    },
    /// librdkafka cannot make a client of these settings.
    #[error("no Kafka client can be made of these settings: {0}")]
    Client(String),
    /// Nobody answers.
    #[error("no broker of [{brokers}] answers within {within:?}{}", last.as_ref().map(|l| format!(": {l}")).unwrap_or_default())]
    NoAnswer {
        /// The bootstrap addresses.
        brokers: String,
        /// How long was waited.
        within: Duration,
        /// The newest failure to connect.
        last: Option<String>,
    },
    /// The brokers do not take the credentials.
    #[error("the brokers refuse this client: {0}")]
    Refused(String),
    /// The cluster has no such topic, or no longer as many partitions.
    #[error("there is no topic {topic:?} on [{brokers}], or not with these partitions")]
    UnknownTopic {
        /// Its name.
        topic: String,
        /// The bootstrap addresses.
        brokers: String,
    },
    /// An access list says no.
    #[error("not authorized: {0}")]
    NotAuthorized(String),
    /// The wanted offset is older than the log.
    #[error("retention ran past {partition}: offset {wanted} is wanted, the oldest record left is {oldest}")]
    RanPast {
        /// Where.
        partition: TopicPartition,
        /// The offset that was to be read next.
        wanted: i64,
        /// The oldest offset there is.
        oldest: i64,
    },
    /// The wanted offset is not in the log: the log is shorter than it was, or is another one.
    #[error("{partition} holds nothing at offset {wanted}, which was to be read next: {reason}")]
    OutOfRange {
        /// Where.
        partition: TopicPartition,
        /// The offset that was to be read next.
        wanted: i64,
        /// What the broker says.
        reason: String,
    },
    /// A record that cannot be read: going on would lose it.
    #[error("a record of {partition} at or after offset {offset} cannot be read: {reason}")]
    Unreadable {
        /// Where.
        partition: TopicPartition,
        /// The offset from which on nothing can be read.
        offset: i64,
        /// What librdkafka says.
        reason: String,
    },
    /// The client as a whole cannot go on.
    #[error("the Kafka client cannot go on: {0}")]
    Broken(String),
    /// The cluster answers, and says no; another time it may say yes.
    #[error("{what}: {reason}")]
    Answer {
        /// What was asked.
        what: String,
        /// What was answered.
        reason: String,
    },
}

impl From<KafkaError> for Error {
    fn from(e: KafkaError) -> Self {
        match e {
            KafkaError::NoAnswer { .. } | KafkaError::Answer { .. } => Self::retry(e),
            _ => Self::fatal(e),
        }
    }
}

/// What librdkafka says of a property, without the wrapping and without the value.
pub(crate) fn of_property(e: Native) -> KafkaError {
    match e {
        Native::ClientConfig(_, reason, name, _) => {
            let reason = if reason.starts_with("No such configuration property") {
                "librdkafka knows no such property".to_owned()
            } else {
                tidy(&reason)
            };
            KafkaError::InvalidProperty { name, reason }
        }
        Native::ClientCreation(reason) => KafkaError::Client(tidy(&reason)),
        other => KafkaError::Client(tidy(&other.to_string())),
    }
}

/// A message of librdkafka in the house's form: one line, lower case at the start, without the full stop and without
/// the state of its connection.
pub(crate) fn tidy(reason: &str) -> String {
    let reason = reason.split(" (after ").next().unwrap_or_default();
    let line = reason.trim().trim_end_matches('.').replace(['\n', '\r'], " ");
    let mut chars = line.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().collect::<String>() + &line[first.len_utf8()..]
        }
        _ => line,
    }
}

/// What an error that is not about one partition means for the pipeline; `None` where librdkafka gets over it alone.
pub(crate) fn of_client(code: Code, fatal: bool, reason: &str) -> Option<KafkaError> {
    let reason = tidy(reason);
    match code {
        _ if fatal => Some(KafkaError::Broken(reason)),
        Code::Fatal | Code::FencedInstanceId | Code::InconsistentGroupProtocol | Code::InvalidGroupId => {
            Some(KafkaError::Broken(reason))
        }
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            Some(KafkaError::Refused(reason))
        }
        Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            Some(KafkaError::NotAuthorized(reason))
        }
        _ => None,
    }
}

/// Whether a code says that there is no such topic, or that a broker does not know it yet.
pub(crate) fn is_unknown_topic(code: Code) -> bool {
    matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic)
}

/// Whether librdkafka gives up on what it fetched and goes on behind it, so that records would be missing.
pub(crate) fn skips_records(code: Code) -> bool {
    matches!(
        code,
        Code::BadMessage
            | Code::BadCompression
            | Code::NotImplemented
            | Code::Underflow
            | Code::InvalidMessage
            | Code::InvalidRecord
            | Code::MessageSizeTooLarge
            | Code::UnsupportedCompressionType
    )
}

#[cfg(test)]
mod tests;
