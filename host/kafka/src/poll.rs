//! The thread that owns the consumer.
//!
//! It never waits for the loop: what cannot be handed over now waits here, fetching stops (librdkafka's queue fills to
//! its bound and stops by itself, nothing is thrown away), and the group goes on being served. Two queues of librdkafka
//! make that possible: the group's events come on one, everything fetched on the other, which is left alone for as long
//! as the budget is spent or the loop is busy.
//!
//! A partition is handed to librdkafka only by the first seek after its assignment, so that nothing can be fetched
//! before: the group's assignment is acknowledged at once, with nothing in it.

mod assignment;
mod failure;
mod rebalance;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;
use tokio::sync::mpsc::error::TrySendError;
use weir_pipeline::batch::{Batch, Generation, TopicPartition};
use weir_pipeline::event::{Budget, Events, SourceEvent};

use crate::Client;
use crate::assembly::{Assembly, weight};
use crate::config::{BatchLimits, KafkaConfig};
use crate::error::KafkaError;
use crate::ffi::{Queue, RawRecord, Report};
use crate::orders::{Order, Shared};
use assignment::Assignment;
pub(crate) use rebalance::Leaving;
use rebalance::Revoking;

/// How long the thread waits for a record before it looks at everything else: the delay of a rebalance or a seek.
const TICK: Duration = Duration::from_millis(10);

/// Events that are worked off before everything else is looked at again.
const BURST: usize = 512;

/// Bytes in batches that are being filled, of all partitions together; above it the largest goes out as it is.
const FILLING_MAX: usize = 16 << 20;

/// How long a seek may be refused while librdkafka is starting or stopping the partition.
const SEEK_PATIENCE: Duration = Duration::from_secs(10);

/// The state of the thread.
pub(crate) struct Poller {
    client: Arc<Client>,
    group: Queue,
    records: Queue,
    shared: Arc<Shared>,
    events: Events,
    budget: Budget,
    limits: BatchLimits,
    revoke_timeout: Duration,
    assignment: Assignment,
    /// Rebalances and failures that the loop has yet to hear of: they overtake batches.
    news: VecDeque<SourceEvent>,
    /// Batches that wait for budget or for room in the queue.
    batches: VecDeque<Batch>,
    revoking: Option<Revoking>,
    topics: Vec<String>,
    brokers: String,
    /// librdkafka's word that no broker is connected.
    all_down: bool,
    /// Whether that was said.
    unreachable: bool,
    failed: bool,
}

impl Poller {
    /// Joins the group.
    pub(crate) fn new(
        config: &KafkaConfig,
        client: Arc<Client>,
        shared: Arc<Shared>,
        events: Events,
        budget: Budget,
    ) -> Result<Self, KafkaError> {
        let no_queue = || KafkaError::Client("librdkafka gives no queue".to_owned());
        let group = Queue::of_group(&client).ok_or_else(no_queue)?;
        let records = Queue::new(&client).ok_or_else(no_queue)?;
        let topics: Vec<&str> = config.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics).map_err(|e| KafkaError::Client(e.to_string()))?;
        Ok(Self {
            client,
            group,
            records,
            shared,
            events,
            budget,
            limits: config.batch,
            revoke_timeout: config.revoke_timeout,
            assignment: Assignment::default(),
            news: VecDeque::new(),
            batches: VecDeque::new(),
            revoking: None,
            topics: config.topics.clone(),
            brokers: config.brokers_shown(),
            all_down: false,
            unreachable: false,
            failed: false,
        })
    }

    /// Runs until the source is closed, or the loop has gone.
    pub(crate) fn run(mut self) {
        while !self.shared.is_closing() {
            self.serve_group(Duration::ZERO);
            self.serve_revocation();
            self.obey();
            self.release();
            if self.hand_over() {
                self.fetch();
            } else {
                self.serve_group(TICK);
            }
        }
        self.leave();
    }

    /// Works off what the group and the client as a whole have to say.
    fn serve_group(&mut self, timeout: Duration) {
        let mut timeout = timeout;
        for _ in 0..BURST {
            let Some(mut occurrence) = self.group.poll(timeout) else { return };
            timeout = Duration::ZERO;
            match occurrence.report() {
                Report::Assign(partitions) => self.assigned(partitions),
                Report::Revoke(partitions) => self.revoked(partitions),
                Report::Failure(failure) => self.failed_to(failure),
                Report::Acked(Some(code)) => tracing::debug!(%code, "an ack was not taken; the table has the offsets"),
                Report::Log { facility, line } if facility == "CONFWARN" => tracing::warn!("librdkafka: {line}"),
                Report::Log { facility, line } => tracing::debug!(target: "librdkafka", "{facility} {line}"),
                Report::Record(record) => self.take_in(&record, Instant::now()),
                Report::End { topic, partition, offset } => self.end(&topic, partition, offset, Instant::now()),
                Report::Acked(None) | Report::Other => {}
            }
        }
    }

    /// Takes what was fetched, for as long as batches can be handed over.
    fn fetch(&mut self) {
        let due = self.assignment.due(self.limits.linger);
        let mut timeout = due.map_or(TICK, |due| due.saturating_duration_since(Instant::now()).min(TICK));
        let mut now = None;
        for _ in 0..BURST {
            let Some(mut occurrence) = self.records.poll(timeout) else { return };
            timeout = Duration::ZERO;
            let now = *now.get_or_insert_with(Instant::now);
            match occurrence.report() {
                Report::Record(record) => self.take_in(&record, now),
                Report::End { topic, partition, offset } => self.end(&topic, partition, offset, now),
                Report::Failure(failure) => self.failed_to(failure),
                _ => {}
            }
            if !self.batches.is_empty() && !self.hand_over() {
                return;
            }
        }
    }

    fn take_in(&mut self, record: &RawRecord<'_>, now: Instant) {
        let Some(slot) = self.assignment.find(record.topic(), record.partition()) else { return };
        slot.trouble = None;
        let Some(assembly) = &mut slot.assembly else { return };
        let contents = record.contents();
        let bytes = contents.bytes();
        if assembly.is_full_before(bytes, &self.limits) {
            self.batches.extend(assembly.take());
        }
        assembly.push(contents, now);
        // A large record is on its way at once, rather than kept beside others.
        if bytes >= self.limits.bytes_max {
            self.batches.extend(assembly.take());
        }
        self.answered();
    }

    fn end(&mut self, topic: &str, partition: i32, offset: i64, now: Instant) {
        if let Some(assembly) = self.assignment.find(topic, partition).and_then(|slot| slot.assembly.as_mut()) {
            assembly.end(offset, now);
        }
        self.answered();
    }

    /// Moves batches that have waited long enough, or that together are too large, to those that are handed over.
    fn release(&mut self) {
        let now = Instant::now();
        let linger = self.limits.linger;
        let mut filling = 0;
        for assembly in self.assignment.assemblies() {
            if assembly.due(linger).is_some_and(|due| due <= now) {
                self.batches.extend(assembly.take());
            }
            filling += assembly.bytes();
        }
        while filling > FILLING_MAX {
            let Some(largest) = self.assignment.assemblies().max_by_key(|a| a.bytes()) else { return };
            filling -= largest.bytes();
            self.batches.extend(largest.take());
        }
    }

    /// Hands over what waits. False if something still does.
    fn hand_over(&mut self) -> bool {
        loop {
            let permit = match self.events.try_reserve() {
                Ok(permit) => permit,
                Err(TrySendError::Full(())) => return self.news.is_empty() && self.batches.is_empty(),
                Err(TrySendError::Closed(())) => {
                    self.shared.close();
                    return false;
                }
            };
            if let Some(news) = self.news.pop_front() {
                permit.send(news);
                continue;
            }
            let Some(batch) = self.batches.front_mut() else { return true };
            let Some(held) = self.budget.try_take(weight(batch)) else { return false };
            batch.held = held;
            if let Some(batch) = self.batches.pop_front() {
                permit.send(SourceEvent::Fetched(batch));
            }
        }
    }

    /// Does what the loop ordered since the last time.
    fn obey(&mut self) {
        let mut begin = Vec::new();
        for (partition, order) in self.shared.take_orders() {
            let Some(slot) = self.assignment.get(&partition) else { continue };
            slot.assembly = None;
            self.batches.retain(|batch| batch.source != partition);
            match order {
                Order::Pause => {
                    if slot.fetched && !slot.paused {
                        slot.paused = true;
                        self.pause(&partition);
                    }
                }
                Order::Seek(offset, generation) if slot.fetched => self.move_to(&partition, offset, generation),
                Order::Seek(offset, generation) => begin.push((partition, offset, generation)),
            }
        }
        if !begin.is_empty() {
            self.begin(begin);
        }
    }

    /// Has librdkafka fetch partitions that it has not had since they were assigned.
    fn begin(&mut self, partitions: Vec<(TopicPartition, i64, Generation)>) {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (partition, offset, _) in &partitions {
            // Both fail on nonsense only: a name with a zero byte, a negative offset.
            if !self.records.receive_partition(&partition.topic, partition.partition)
                || list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*offset)).is_err()
            {
                return self.fail(seek_failed(partition, *offset, "no such place"));
            }
        }
        if let Err(e) = self.client.incremental_assign(&list) {
            let (partition, offset, _) = &partitions[0];
            return self.fail(seek_failed(partition, *offset, &e.to_string()));
        }
        for (partition, offset, generation) in partitions {
            if let Some(slot) = self.assignment.get(&partition) {
                slot.fetched = true;
                self.shared.put_position(&partition, offset);
                slot.assembly = Some(Assembly::new(partition, offset, generation));
            }
        }
    }

    /// Moves a partition that librdkafka fetches. What it still has of before is outdated from here on (librdkafka
    /// counts versions); the assembly begins only when it agreed, so that no other position is taken for this one.
    fn move_to(&mut self, partition: &TopicPartition, offset: i64, generation: Generation) {
        let mut list = TopicPartitionList::with_capacity(1);
        if list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset)).is_err() {
            return self.fail(seek_failed(partition, offset, "no such place"));
        }
        let outcome = self
            .client
            .seek_partitions(list, Duration::from_secs(1))
            .and_then(|list| list.elements().first().map_or(Ok(()), |element| element.error()));
        let Some(slot) = self.assignment.get(partition) else { return };
        match outcome {
            Ok(()) => {
                slot.refused_since = None;
                self.shared.put_position(partition, offset);
                slot.assembly = Some(Assembly::new(partition.clone(), offset, generation));
                if std::mem::take(&mut slot.paused) {
                    self.resume(partition);
                }
            }
            // The partition is being started or stopped: the order stands, unless there is a newer one.
            Err(e) => {
                let since = *slot.refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() > SEEK_PATIENCE {
                    return self.fail(seek_failed(partition, offset, &e.to_string()));
                }
                self.shared.order_again(partition, Order::Seek(offset, generation));
            }
        }
    }

    fn pause(&self, partition: &TopicPartition) {
        if let Err(error) = self.client.pause(&only(partition)) {
            tracing::debug!(%partition, %error, "not paused; what comes is dropped");
        }
    }

    fn resume(&mut self, partition: &TopicPartition) {
        if let Err(e) = self.client.resume(&only(partition)) {
            self.fail(KafkaError::Answer { what: format!("{partition} cannot be resumed"), reason: e.to_string() });
        }
    }
}

fn seek_failed(partition: &TopicPartition, offset: i64, reason: &str) -> KafkaError {
    KafkaError::Answer { what: format!("{partition} cannot be read from offset {offset}"), reason: reason.to_owned() }
}

fn only(partition: &TopicPartition) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(&partition.topic, partition.partition);
    list
}
