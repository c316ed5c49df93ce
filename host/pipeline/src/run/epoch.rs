//! What an epoch has gathered.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::{Batch, TopicPartition};
use crate::event::Transformed;
use crate::sink::Epoch;

/// Below this many refusals in one epoch the brake leaves it alone: a handful of bad records is no bad topic.
const BRAKE_MIN: u64 = 100;

/// An epoch that fills, or has stopped filling and is not yet committed.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) epoch: Epoch,
    pub(super) opened_ms: i64,
    /// The chain that makes its rows: one for the whole epoch.
    pub(super) chain: Arc<str>,
    /// What was given to workers, and by the time nothing is in flight what was transformed: `[from, to)`.
    pub(super) ranges: BTreeMap<TopicPartition, (i64, i64)>,
    pub(super) in_flight: usize,
    pub(super) rows: Vec<BTreeMap<TopicPartition, u64>>,
    records: u64,
    refused: u64,
}

impl Gathered {
    pub(super) fn new(epoch: Epoch, opened_ms: i64, tables: usize, chain: Arc<str>) -> Self {
        let rows = vec![BTreeMap::new(); tables];
        Self { epoch, opened_ms, chain, ranges: BTreeMap::new(), in_flight: 0, rows, records: 0, refused: 0 }
    }

    /// A batch goes to a worker.
    pub(super) fn dispatch(&mut self, batch: &Batch) {
        self.ranges.entry(batch.source.clone()).or_insert((batch.from, batch.to)).1 = batch.to;
        self.in_flight += 1;
    }

    /// A batch is back.
    pub(super) fn gather(&mut self, done: &Transformed) {
        self.in_flight -= 1;
        self.records += done.records;
        self.refused += done.refused;
        for (rows, n) in self.rows.iter_mut().zip(&done.rows).filter(|(_, n)| **n > 0) {
            *rows.entry(done.source.clone()).or_default() += n;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.values().all(|(from, to)| from == to) && self.in_flight == 0
    }

    /// Whether giving a partition back must wait for this epoch.
    pub(super) fn holds(&self, partition: &TopicPartition) -> bool {
        !self.is_empty() && self.ranges.contains_key(partition)
    }

    /// Whether so much was refused that the topic, not its records, must be wrong.
    pub(super) fn brake(&self, refused_max: f64) -> Option<String> {
        let too_many = self.refused >= BRAKE_MIN && self.refused as f64 > refused_max * self.records as f64;
        too_many.then(|| {
            format!(
                "{} of {} records of this epoch were refused, more than max_rejected allows ({:.0} %): the topic holds \
                 something else than the pipeline expects; nothing of the epoch was committed",
                self.refused,
                self.records,
                refused_max * 100.0
            )
        })
    }
}
