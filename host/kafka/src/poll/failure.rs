//! What failed, and whether librdkafka gets over it by itself.

use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode as Code;
use weir_pipeline::batch::TopicPartition;
use weir_pipeline::event::SourceEvent;

use super::Poller;
use crate::error::{KafkaError, is_unknown_topic, of_client, skips_records, tidy};
use crate::ffi::Failure;
use crate::ffi::admin::{Unanswered, Which, believe, describe_topic, list_offsets};

/// How long this thread may wait for the cluster, to say more clearly why the pipeline stops.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

impl Poller {
    /// Tells the loop that this is the end. Once: what follows from the first failure says nothing new.
    pub(crate) fn fail(&mut self, error: KafkaError) {
        if !std::mem::replace(&mut self.failed, true) {
            self.news.push_back(SourceEvent::Failed(error.into()));
        }
    }

    pub(crate) fn failed_to(&mut self, failure: Failure) {
        let Failure { code, fatal, reason, at } = failure;
        if let Some((topic, partition, offset)) = at
            && self.failed_partition(TopicPartition::new(topic, partition), offset, code, &reason)
        {
            return;
        }
        if is_unknown_topic(code) {
            return self.find_topics();
        }
        if let Some(error) = of_client(code, fatal, &reason) {
            if matches!(error, KafkaError::Refused(_) | KafkaError::NotAuthorized(_) | KafkaError::Broken(_)) {
                self.shared.refuse(error.clone());
            }
            return self.fail(error);
        }
        match code {
            Code::AllBrokersDown => {
                self.all_down = true;
                self.say_unreachable();
            }
            Code::PollExceeded => tracing::warn!("the group has given this member up: {}", tidy(&reason)),
            _ => {
                tracing::debug!(?code, "librdkafka: {reason}");
                self.shared.set_trouble(Some(tidy(&reason)));
                self.say_unreachable();
            }
        }
    }

    /// Says once that nobody can be reached, when it is known why: the two come in either order.
    fn say_unreachable(&mut self) {
        if self.all_down
            && !self.unreachable
            && let Some(why) = self.shared.trouble()
        {
            self.unreachable = true;
            tracing::warn!(why, "no broker can be reached; trying again until one can");
        }
    }

    /// A broker answered: whatever was wrong is over.
    pub(crate) fn answered(&mut self) {
        if std::mem::take(&mut self.all_down) {
            self.shared.set_trouble(None);
            if std::mem::take(&mut self.unreachable) {
                tracing::info!("brokers answer again");
            }
        }
    }

    /// Stops the pipeline if one of its topics is really gone. One that was made again meanwhile has another id, which
    /// is the loop's to see.
    fn find_topics(&mut self) {
        for topic in self.topics.clone() {
            let give_up = || self.shared.is_closing();
            let found =
                believe(&give_up, || describe_topic(&self.client, &topic, Instant::now() + ANSWER_WITHIN, &give_up));
            if matches!(found, Err(Unanswered::Error(code, _)) if is_unknown_topic(code)) {
                let brokers = self.brokers.clone();
                return self.fail(KafkaError::UnknownTopic { topic, brokers });
            }
        }
    }

    /// A failure of one partition. False if it is no matter of the partition's.
    fn failed_partition(&mut self, partition: TopicPartition, offset: i64, code: Code, reason: &str) -> bool {
        let Some(slot) = self.assignment.get(&partition) else { return false };
        let Some(assembly) = &slot.assembly else { return true };
        let wanted = assembly.next();
        match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation => {
                self.out_of_range(partition, wanted, reason);
            }
            code if skips_records(code) => {
                let offset = offset.max(wanted);
                slot.assembly = None;
                self.fail(KafkaError::Unreadable { partition, offset, reason: tidy(reason) });
            }
            code if of_client(code, false, reason).is_some() => return false,
            code => {
                if slot.trouble.replace(code) != Some(code) {
                    tracing::warn!(%partition, "fetching fails and is tried again: {}", tidy(reason));
                }
            }
        }
        true
    }

    fn out_of_range(&mut self, partition: TopicPartition, wanted: i64, reason: &str) {
        let ask = [(partition.partition, Which::Earliest)];
        let deadline = Instant::now() + ANSWER_WITHIN;
        let oldest = list_offsets(&self.client, &partition.topic, &ask, deadline, &|| self.shared.is_closing());
        let oldest = oldest.ok().and_then(|found| found.first().copied().flatten());
        self.fail(match oldest {
            Some(oldest) if oldest > wanted => KafkaError::RanPast { partition, wanted, oldest },
            _ => KafkaError::OutOfRange { partition, wanted, reason: tidy(reason) },
        });
    }
}
