//! The rows of one epoch that are in no file yet, and the files that its other rows are in.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use iceberg::spec::Struct;
use weir_pipeline::error::Error;

use super::WriteError;
use super::partition::PartitionFiles;
use super::plan::Plan;
use crate::layout::Partitioned;

/// An epoch that is open.
pub(super) struct Buffer {
    pub(super) plan: Arc<Plan>,
    /// Partitions by number, and the numbers by partition.
    pub(super) partitions: Vec<Struct>,
    numbers: HashMap<Struct, u32>,
    /// Rows of each partition that are in no file.
    pub(super) rows: Vec<usize>,
    pub(super) batches: Vec<Buffered>,
    pub(super) bytes: usize,
    pub(super) files: HashMap<u32, PartitionFiles>,
    /// Once something went wrong, nothing goes right again: the epoch will be discarded.
    pub(super) failed: Option<Error>,
}

/// Rows, those of a partition together and in order.
pub(super) struct Buffered {
    pub(super) rows: RecordBatch,
    pub(super) bytes: usize,
    /// The partitions' numbers and how many rows each has.
    partitions: Vec<(u32, usize)>,
}

impl Buffered {
    /// Makes a batch ready: the costly part of adding one, done without holding anything.
    pub(super) fn prepare(plan: &Plan, rows: &RecordBatch) -> Result<(Self, Partitioned), WriteError> {
        let (rows, partitioned) = plan.layout.arrange(plan.mapping.apply(rows)?)?;
        let bytes = bytes_of(&rows);
        Ok((Self { rows, bytes, partitions: Vec::new() }, partitioned))
    }

    /// Rows of one partition.
    pub(super) fn of_one(rows: RecordBatch, number: u32) -> Self {
        let bytes = bytes_of(&rows);
        let partitions = vec![(number, rows.num_rows())];
        Self { rows, bytes, partitions }
    }

    /// The number of each row's partition.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.partitions.iter().flat_map(|(number, rows)| std::iter::repeat_n(*number, *rows))
    }
}

impl Buffer {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            partitions: Vec::new(),
            numbers: HashMap::new(),
            rows: Vec::new(),
            batches: Vec::new(),
            bytes: 0,
            files: HashMap::new(),
            failed: None,
        }
    }

    pub(super) fn add(&mut self, mut batch: Buffered, partitioned: Partitioned) {
        for (values, count) in partitioned.values.into_iter().zip(partitioned.counts) {
            let number = self.number(values);
            self.rows[number as usize] += count as usize;
            batch.partitions.push((number, count as usize));
        }
        self.bytes += batch.bytes;
        self.batches.push(batch);
    }

    fn number(&mut self, values: Struct) -> u32 {
        if let Some(number) = self.numbers.get(&values) {
            return *number;
        }
        let number = self.partitions.len() as u32;
        self.partitions.push(values.clone());
        self.numbers.insert(values, number);
        self.rows.push(0);
        number
    }

    /// Takes in the rows of another buffer of the same epoch, which has no files.
    pub(super) fn join(&mut self, other: Self) {
        let renumbered: Vec<u32> = other.partitions.into_iter().map(|p| self.number(p)).collect();
        for (number, rows) in renumbered.iter().zip(other.rows) {
            self.rows[*number as usize] += rows;
        }
        for mut batch in other.batches {
            batch.partitions.iter_mut().for_each(|(n, _)| *n = renumbered[*n as usize]);
            self.batches.push(batch);
        }
        self.bytes += other.bytes;
    }

    /// Forgets rows, not files: the epoch will come to nothing. Gives the bytes that they took.
    pub(super) fn fail(&mut self, error: Error) -> usize {
        self.failed = Some(error);
        self.batches.clear();
        self.rows.fill(0);
        std::mem::take(&mut self.bytes)
    }

    /// Puts rows back that were not written.
    pub(super) fn put_back(&mut self, batch: Buffered) {
        for (number, rows) in &batch.partitions {
            self.rows[*number as usize] += rows;
        }
        self.bytes += batch.bytes;
        self.batches.push(batch);
    }

    /// The partitions to be written so that at most `bytes_left` stay: the largest first, so that small ones grow until
    /// they are worth a row group.
    pub(super) fn largest(&self, bytes_left: usize) -> Vec<u32> {
        let rows: usize = self.rows.iter().sum();
        let mut by_size: Vec<u32> = (0..self.rows.len() as u32).filter(|n| self.rows[*n as usize] > 0).collect();
        by_size.sort_unstable_by_key(|n| std::cmp::Reverse(self.rows[*n as usize]));
        let mut left = rows as u128;
        let may_stay = |left: u128| left * self.bytes as u128 <= bytes_left as u128 * rows.max(1) as u128;
        let needed = by_size.iter().take_while(|n| {
            let is_needed = !may_stay(left);
            left -= self.rows[**n as usize] as u128;
            is_needed
        });
        let count = needed.count();
        by_size.truncate(count);
        by_size
    }
}

/// Bytes that rows take (those of their slices, if they are slices), and the 16 a row that ordering them takes.
fn bytes_of(rows: &RecordBatch) -> usize {
    let column = |c: &arrow_array::ArrayRef| c.to_data().get_slice_memory_size();
    let columns = rows.columns().iter().map(|c| column(c).unwrap_or_else(|_| c.get_array_memory_size()));
    columns.sum::<usize>() + 16 * rows.num_rows()
}
