//! The partitions that the group gave this process.

use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode as Code;
use weir_pipeline::batch::TopicPartition;

use crate::assembly::Assembly;

/// One partition.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) partition: TopicPartition,
    /// Whether librdkafka fetches it: from its first seek on.
    pub(crate) fetched: bool,
    /// Whether librdkafka was told to pause.
    pub(crate) paused: bool,
    /// What is being filled; `None` while nothing may be delivered.
    pub(crate) assembly: Option<Assembly>,
    /// Since when a seek is being refused.
    pub(crate) refused_since: Option<Instant>,
    /// The newest failure to fetch, said already.
    pub(crate) trouble: Option<Code>,
}

/// All of them. Few, and asked for once per record, nearly always the one of the record before.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    slots: Vec<Slot>,
    last: usize,
}

impl Assignment {
    pub(crate) fn add(&mut self, partition: TopicPartition) {
        if self.get(&partition).is_none() {
            let (assembly, refused_since, trouble) = (None, None, None);
            self.slots.push(Slot { partition, fetched: false, paused: false, assembly, refused_since, trouble });
        }
    }

    pub(crate) fn remove(&mut self, partition: &TopicPartition) -> Option<Slot> {
        let index = self.slots.iter().position(|slot| slot.partition == *partition)?;
        Some(self.slots.swap_remove(index))
    }

    pub(crate) fn get(&mut self, partition: &TopicPartition) -> Option<&mut Slot> {
        self.find(&partition.topic, partition.partition)
    }

    pub(crate) fn find(&mut self, topic: &str, partition: i32) -> Option<&mut Slot> {
        let is = |slot: &Slot| slot.partition.partition == partition && *slot.partition.topic == *topic;
        if !self.slots.get(self.last).is_some_and(is) {
            self.last = self.slots.iter().position(is)?;
        }
        self.slots.get_mut(self.last)
    }

    pub(crate) fn assemblies(&mut self) -> impl Iterator<Item = &mut Assembly> {
        self.slots.iter_mut().filter_map(|slot| slot.assembly.as_mut())
    }

    /// When the first of the batches that are being filled has waited long enough.
    pub(crate) fn due(&self, linger: Duration) -> Option<Instant> {
        self.slots.iter().filter_map(|slot| slot.assembly.as_ref()?.due(linger)).min()
    }
}
