//! Questions to a cluster by somebody who joins no group, so that nobody who reads is disturbed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use weir_pipeline::source::{Extent, TopicInfo};

use crate::Client;
use crate::config::KafkaConfig;
use crate::error::{KafkaError, is_unknown_topic, of_client, of_property, tidy};
use crate::ffi::admin::{self, Unanswered, Which};
use crate::poll::Leaving;

/// Asks a cluster about topics and their ends.
pub struct KafkaObserver {
    client: Arc<Client>,
    brokers: String,
    answer_timeout: Duration,
}

impl KafkaObserver {
    /// Makes a client. Talks to nobody yet.
    ///
    /// # Errors
    /// Settings that make no sense, forbidden or unknown properties, certificates that cannot be read.
    pub fn new(config: &KafkaConfig) -> Result<Self, KafkaError> {
        let client: Client = config.client_config()?.create_with_context(Leaving::default()).map_err(of_property)?;
        Ok(Self { client: Arc::new(client), brokers: config.brokers_shown(), answer_timeout: config.answer_timeout })
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    pub(crate) fn answer_timeout(&self) -> Duration {
        self.answer_timeout
    }

    /// What the cluster says of a topic. Awaits the broker.
    ///
    /// # Errors
    /// No answer in time, an error as answer.
    pub async fn describe(&self, topic: &str) -> Result<TopicInfo, KafkaError> {
        let name = topic.to_owned();
        self.ask(topic, move |client, deadline, give_up| {
            let description = admin::describe_topic(client, &name, deadline, give_up)?;
            let left = deadline.saturating_duration_since(Instant::now());
            let cluster_id = admin::cluster_id(client, left).ok_or(Unanswered::Silence)?;
            let admin::Description { topic_id, partitions } = description;
            Ok(TopicInfo { cluster_id, topic_id, partitions })
        })
        .await
    }

    /// What partitions of a topic hold now, for a reader of committed records. Awaits the broker.
    ///
    /// # Errors
    /// No answer in time, an error as answer.
    pub async fn extents(&self, topic: &str, partitions: &[i32]) -> Result<Vec<Extent>, KafkaError> {
        let name = topic.to_owned();
        let wanted = |which| partitions.iter().map(|p| (*p, which)).collect::<Vec<_>>();
        let (first, last) = (wanted(Which::Earliest), wanted(Which::Latest));
        self.ask(topic, move |client, deadline, give_up| {
            let starts = admin::list_offsets(client, &name, &first, deadline, give_up)?;
            let ends = admin::list_offsets(client, &name, &last, deadline, give_up)?;
            let extent = |(start, end): (Option<i64>, Option<i64>)| Some(Extent { start: start?, end: end? });
            starts.into_iter().zip(ends).map(extent).collect::<Option<Vec<_>>>().ok_or(Unanswered::Silence)
        })
        .await
    }

    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        topic: &str,
        question: impl Fn(&Arc<Client>, Instant, &dyn Fn() -> bool) -> Result<T, Unanswered> + Send + 'static,
    ) -> Result<T, KafkaError> {
        let (client, deadline) = (Arc::clone(&self.client), Instant::now() + self.answer_timeout);
        let answer = tokio::task::spawn_blocking(move || {
            // While it waits for an answer it hears what the client has to say.
            let listen = || {
                drop(client.poll(Duration::ZERO));
                false
            };
            admin::believe(&listen, || question(&client, deadline, &listen))
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(self.explain(topic, why)),
            Err(e) => Err(KafkaError::Answer { what: format!("topic {topic:?}"), reason: e.to_string() }),
        }
    }

    pub(crate) fn explain(&self, topic: &str, why: Unanswered) -> KafkaError {
        match why {
            Unanswered::Silence => KafkaError::NoAnswer {
                brokers: self.brokers.clone(),
                within: self.answer_timeout,
                last: self.client.client().context().trouble(),
            },
            Unanswered::Error(code, _) if is_unknown_topic(code) => {
                KafkaError::UnknownTopic { topic: topic.to_owned(), brokers: self.brokers.clone() }
            }
            Unanswered::Error(code, reason) => of_client(code, false, &reason)
                .unwrap_or_else(|| KafkaError::Answer { what: format!("topic {topic:?}"), reason: tidy(&reason) }),
        }
    }
}

impl fmt::Debug for KafkaObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaObserver").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}
