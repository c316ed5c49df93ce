//! The group gives and takes partitions.
//!
//! - **Given**: acknowledged at once, and told to the loop. Nothing is fetched before a seek.
//! - **Taken politely**: delivery stops, the loop is told, and until it is done, or the time is over, the group waits.
//!   librdkafka stops every other partition of this member for that while, too.
//! - **Lost** (the session is over, or the group has gone on without this member): delivery stops, the loop is told.
//!
//! What waits to be handed over of a partition that goes is dropped, and so are orders for it.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::oneshot;
use weir_pipeline::batch::TopicPartition;
use weir_pipeline::event::SourceEvent;

use super::Poller;
use crate::error::tidy;

/// A polite revocation that the loop has not answered yet.
#[derive(Debug)]
pub(crate) struct Revoking {
    partitions: Vec<TopicPartition>,
    /// Those of them that librdkafka fetches.
    fetched: TopicPartitionList,
    done: oneshot::Receiver<()>,
    deadline: Instant,
}

/// Answers the group while the client closes. Until then the thread reads the group's events by itself.
///
/// What rdkafka would do by itself fails, and closing waits for ever, if there is a partition that the group gave and
/// that was never sought.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    /// The newest failure that librdkafka told, for who asks a question and gets no answer.
    trouble: Mutex<Option<String>>,
}

impl Leaving {
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Leaving {
    /// Told where nobody reads events: on the way out, and by an observer. What fails there is said by who asked.
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        tracing::debug!(?level, fac, message, "librdkafka");
        if level as i32 <= RDKafkaLogLevel::Error as i32 {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(tidy(message));
        }
    }

    /// What fails on the way out is nobody's concern.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "while leaving the group");
    }
}

impl ConsumerContext for Leaving {
    fn rebalance(&self, client: &BaseConsumer<Self>, what: RDKafkaRespErr, _: &mut TopicPartitionList) {
        let done = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                client.incremental_assign(&TopicPartitionList::new())
            }
            _ => client.assignment().and_then(|fetched| client.incremental_unassign(&fetched)),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "a rebalance while leaving the group");
        }
    }
}

impl Poller {
    pub(crate) fn assigned(&mut self, partitions: Vec<(String, i32)>) {
        if let Err(e) = self.client.incremental_assign(&TopicPartitionList::new()) {
            let reason = e.to_string();
            return self.fail(crate::KafkaError::Answer { what: "an assignment cannot be taken".to_owned(), reason });
        }
        let partitions: Vec<_> = partitions.into_iter().map(|(topic, p)| TopicPartition::new(topic, p)).collect();
        for partition in &partitions {
            self.assignment.add(partition.clone());
        }
        self.answered();
        if !partitions.is_empty() {
            tracing::debug!(?partitions, "assigned");
            self.news.push_back(SourceEvent::Assigned(partitions));
        }
    }

    pub(crate) fn revoked(&mut self, partitions: Vec<(String, i32)>) {
        let lost = self.client.assignment_lost();
        let (partitions, fetched) = self.let_go(partitions);
        tracing::debug!(?partitions, lost, "revoked");
        if let Some(earlier) = self.revoking.take() {
            self.unassign(&earlier.fetched);
        }
        if partitions.is_empty() {
            self.unassign(&fetched);
        } else if lost {
            self.unassign(&fetched);
            self.news.push_back(SourceEvent::Lost(partitions));
        } else {
            let (tell, done) = oneshot::channel();
            self.news.push_back(SourceEvent::Revoked(partitions.clone(), tell));
            let deadline = Instant::now() + self.revoke_timeout;
            self.revoking = Some(Revoking { partitions, fetched, done, deadline });
        }
    }

    /// Lets the group go on when the loop is done with what it must give back, or has taken too long.
    pub(crate) fn serve_revocation(&mut self) {
        let Some(revoking) = &mut self.revoking else { return };
        let is_done = !matches!(revoking.done.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        let is_lost = !is_done && self.client.assignment_lost();
        let is_late = !is_done && !is_lost && Instant::now() >= revoking.deadline;
        if !(is_done || is_lost || is_late) {
            return;
        }
        if let Some(revoking) = self.revoking.take() {
            self.unassign(&revoking.fetched);
            if is_late {
                let (partitions, waited) = (&revoking.partitions, self.revoke_timeout);
                tracing::warn!(?partitions, ?waited, "partitions were not given back in time, and are given up");
            }
            if is_late || is_lost {
                self.news.push_back(SourceEvent::Lost(revoking.partitions));
            }
        }
    }

    /// Leaves the group. Politeness ends here: whoever closes has committed what it wanted to commit.
    pub(crate) fn leave(mut self) {
        if let Some(revoking) = self.revoking.take() {
            self.unassign(&revoking.fetched);
        }
        // The client closes when the last that holds it is dropped, which is this thread, but for a question to the
        // cluster that is still on its way.
    }

    /// Forgets partitions; which ones they were, and which of them librdkafka fetches.
    fn let_go(&mut self, partitions: Vec<(String, i32)>) -> (Vec<TopicPartition>, TopicPartitionList) {
        let mut fetched = TopicPartitionList::new();
        let mut gone = Vec::with_capacity(partitions.len());
        for (topic, number) in partitions {
            let partition = TopicPartition::new(topic, number);
            let Some(slot) = self.assignment.remove(&partition) else { continue };
            if slot.fetched {
                fetched.add_partition(&partition.topic, partition.partition);
            }
            gone.push(partition);
        }
        self.batches.retain(|batch| !gone.contains(&batch.source));
        self.shared.forget(&gone);
        (gone, fetched)
    }

    fn unassign(&mut self, fetched: &TopicPartitionList) {
        if let Err(e) = self.client.incremental_unassign(fetched) {
            let reason = e.to_string();
            self.fail(crate::KafkaError::Answer { what: "partitions cannot be given back".to_owned(), reason });
        }
    }
}
