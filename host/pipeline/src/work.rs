//! What a worker does with one batch: decode, call the stage, find the record at fault when a call fails.
//!
//! The grain of rejection is the Kafka record: it gives all of its rows or one dead letter. Pure of I/O; runs on a
//! worker's own thread.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;

use crate::batch::{Batch, Record};
use crate::transform::{Effort, Failure, Message, Output, Stage, TableRows};

/// Records larger than this are split along resources, scopes and items before they are given to a stage: a guest
/// holds its input, what it builds and what it returns at the same time, a few times this.
const PART_BYTES_MAX: usize = 8 << 20;
/// A call gets about this many bytes: large enough that a call's own cost vanishes, small enough to stay in cache.
const CALL_BYTES: usize = 1 << 20;

/// Turns a topic's encoding into OTLP protobuf.
pub trait Codec: Send {
    /// Decodes a record's value. `None` says that the value is OTLP protobuf as it stands; else it was appended to
    /// `out`.
    ///
    /// # Errors
    /// Why the value cannot be read: the record is rejected with it, and what was appended is ignored.
    fn decode(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<Option<()>, String>;

    /// Splits one message into several of at most `bytes_max` each, items whole.
    ///
    /// # Errors
    /// Why the message cannot be read.
    fn split(&mut self, value: &[u8], bytes_max: usize) -> Result<Vec<Vec<u8>>, String>;
}

/// What the tables hold of records that are read again, because a process ended between the commits of two tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Offsets that stand among the dead letters: refused again without a call.
    pub rejected: BTreeSet<i64>,
    /// For each data table the offset below which it has its rows already: further ones are dropped. Absent: none.
    pub floors: Vec<i64>,
}

impl Known {
    /// The offset below which a data table has its rows already.
    fn floor(&self, table: usize) -> i64 {
        self.floors.get(table).copied().unwrap_or(i64::MIN)
    }

    /// Whether some table may hold rows of a record.
    pub fn may_have_rows(&self, offset: i64) -> bool {
        self.floors.iter().any(|floor| offset < *floor)
    }
}

/// A record that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its index in the batch.
    pub record: usize,
    /// `decode`, `plugin`, or the kind of a failure.
    pub kind: &'static str,
    /// Why.
    pub reason: String,
    /// The digest of the plugin that refused it; `None` where it is not known, or where it was no plugin.
    pub plugin: Option<Arc<str>>,
}

/// What a batch became.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Record batches of each table.
    pub tables: Vec<Vec<RecordBatch>>,
    /// Records refused now.
    pub refused: Vec<Refused>,
    /// Records that stood among the dead letters already.
    pub refused_before: u64,
    /// Records without a value.
    pub tombstones: u64,
    /// Calls that failed as a whole.
    pub failures: Vec<Failure>,
    /// Strings whose invalid UTF-8 was replaced.
    pub repaired_strings: u64,
}

impl Applied {
    /// Rows of one table.
    pub fn rows(&self, table: usize) -> u64 {
        self.tables.get(table).map_or(0, |b| b.iter().map(|b| b.num_rows() as u64).sum())
    }

    /// Takes the rows of a call, but for those that a table has already.
    fn take(&mut self, items: &[Item<'_>], output: Output, known: &Known) {
        self.repaired_strings += output.repaired_strings;
        self.tables.resize_with(self.tables.len().max(output.tables.len()), Vec::new);
        for (at, (table, given)) in self.tables.iter_mut().zip(output.tables).enumerate() {
            let rows = beyond(items, given, known.floor(at));
            if rows.num_rows() > 0 {
                table.push(rows);
            }
        }
    }
}

/// A stage and a codec, owned by one thread.
#[derive(Debug)]
pub struct Worker<S, C> {
    /// The plugins.
    pub stage: S,
    /// The topic's encoding.
    pub codec: C,
    decoded: Vec<u8>,
}

/// A message of a call, and the record it came from.
struct Item<'a> {
    record: usize,
    message: Message<'a>,
}

impl<S: Stage, C: Codec> Worker<S, C> {
    /// A worker without work.
    pub fn new(stage: S, codec: C) -> Self {
        Self { stage, codec, decoded: Vec::new() }
    }

    /// Runs a batch through. What is `known` of its records is not put into a table once more.
    pub fn apply(&mut self, batch: &Batch, known: &Known) -> Applied {
        let mut applied = Applied::default();
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let values = self.decode(batch, &known.rejected, &mut decoded, &mut applied);
        let items: Vec<Item<'_>> = values
            .iter()
            .map(|(record, place)| {
                let value = match place {
                    Some((from, to)) => &decoded[*from..*to],
                    None => batch.records[*record].value.as_deref().unwrap_or_default(),
                };
                Item { record: *record, message: message(&batch.records[*record], value) }
            })
            .collect();
        let mut rest = items.as_slice();
        while !rest.is_empty() {
            let (call, after) = rest.split_at(call_length(rest));
            if call.len() == 1 && call[0].message.value.len() > PART_BYTES_MAX {
                self.parts(batch, &call[0], PART_BYTES_MAX, known, &mut applied);
            } else {
                self.run(batch, call, known, &mut applied);
            }
            rest = after;
        }
        self.decoded = decoded;
        // One absurd record must not keep its memory for good.
        self.decoded.shrink_to(4 * PART_BYTES_MAX);
        applied.refused.sort_by_key(|r| r.record);
        applied
    }

    fn decode(
        &mut self,
        batch: &Batch,
        rejected: &BTreeSet<i64>,
        decoded: &mut Vec<u8>,
        applied: &mut Applied,
    ) -> Vec<(usize, Option<(usize, usize)>)> {
        let mut values = Vec::with_capacity(batch.records.len());
        for (at, record) in batch.records.iter().enumerate() {
            if rejected.contains(&record.offset) {
                applied.refused_before += 1;
                continue;
            }
            let Some(value) = &record.value else {
                applied.tombstones += 1;
                continue;
            };
            let from = decoded.len();
            match self.codec.decode(value, decoded) {
                Ok(None) => values.push((at, None)),
                Ok(Some(())) => values.push((at, Some((from, decoded.len())))),
                Err(reason) => {
                    decoded.truncate(from);
                    applied.refused.push(Refused { record: at, kind: "decode", reason, plugin: None });
                }
            }
        }
        values
    }

    /// Calls the stage; when it fails, halves what it was given until the message at fault is alone.
    fn run(&mut self, batch: &Batch, items: &[Item<'_>], known: &Known, applied: &mut Applied) {
        let failure = match self.call(batch, items, Effort::Normal) {
            Ok(output) => return accept(items, output, known, applied),
            Err(failure) => failure,
        };
        applied.failures.push(failure);
        if let [alone] = items {
            return self.alone(batch, alone, known, applied);
        }
        let (left, right) = items.split_at(items.len() / 2);
        self.run(batch, left, known, applied);
        self.run(batch, right, known, applied);
    }

    /// One message whose call failed: blamed only if it fails again, in a fresh instance with ten times the limits.
    /// What is too large even then is split, and only one item that alone exceeds the limits is at fault.
    fn alone(&mut self, batch: &Batch, item: &Item<'_>, known: &Known, applied: &mut Applied) {
        let failure = match self.call(batch, std::slice::from_ref(item), Effort::Fresh) {
            Ok(output) => return accept(std::slice::from_ref(item), output, known, applied),
            Err(failure) => failure,
        };
        let half = item.message.value.len() / 2;
        if matches!(failure, Failure::Memory(_) | Failure::Deadline(_) | Failure::Output(_)) && half > 0 {
            return self.parts(batch, item, half, known, applied);
        }
        applied.refused.push(self.refuse(item.record, &failure));
    }

    /// One record in parts: all of them pass or none does.
    fn parts(&mut self, batch: &Batch, item: &Item<'_>, bytes_max: usize, known: &Known, applied: &mut Applied) {
        let parts = match self.codec.split(item.message.value, bytes_max) {
            Ok(parts) => parts,
            Err(reason) => {
                return applied.refused.push(Refused { record: item.record, kind: "decode", reason, plugin: None });
            }
        };
        let divided = parts.len() > 1;
        let mut all = Applied::default();
        for part in &parts {
            let part = Item { record: item.record, message: Message { value: part, ..item.message } };
            match self.call(batch, std::slice::from_ref(&part), Effort::Fresh) {
                Ok(output) => accept(std::slice::from_ref(&part), output, known, &mut all),
                Err(f @ (Failure::Memory(_) | Failure::Deadline(_) | Failure::Output(_))) if divided => {
                    all.failures.push(f);
                    self.parts(batch, &part, (part.message.value.len() / 2).max(1), known, &mut all);
                }
                Err(failure) => all.refused.push(self.refuse(item.record, &failure)),
            }
            if !all.refused.is_empty() {
                break;
            }
        }
        applied.failures.append(&mut all.failures);
        match all.refused.into_iter().next() {
            Some(refused) => applied.refused.push(refused),
            None => {
                applied.repaired_strings += all.repaired_strings;
                applied.tables.resize_with(applied.tables.len().max(all.tables.len()), Vec::new);
                applied.tables.iter_mut().zip(all.tables).for_each(|(to, from)| to.extend(from));
            }
        }
    }

    /// A record for whose sake the last call failed.
    fn refuse(&self, record: usize, failure: &Failure) -> Refused {
        Refused { record, kind: failure.kind(), reason: failure.to_string(), plugin: self.stage.failed_plugin() }
    }

    fn call(&mut self, batch: &Batch, items: &[Item<'_>], effort: Effort) -> Result<Output, Failure> {
        let messages: Vec<Message<'_>> = items.iter().map(|i| i.message).collect();
        self.stage.call(&batch.source.topic, batch.source.partition, &messages, effort)
    }
}

/// How many of `items` go into one call: at least one, about [`CALL_BYTES`], a large one alone.
fn call_length(items: &[Item<'_>]) -> usize {
    let mut bytes = 0;
    for (at, item) in items.iter().enumerate() {
        bytes += item.message.value.len();
        if at > 0 && (bytes > CALL_BYTES || item.message.value.len() > PART_BYTES_MAX) {
            return at;
        }
    }
    items.len()
}

fn message<'a>(record: &'a Record, value: &'a [u8]) -> Message<'a> {
    Message {
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.as_deref(),
        headers: &record.headers,
        value,
    }
}

fn accept(items: &[Item<'_>], mut output: Output, known: &Known, applied: &mut Applied) {
    for rejection in output.rejections.drain(..) {
        let record = items[rejection.index as usize].record;
        let (reason, plugin) = (rejection.reason, rejection.plugin);
        applied.refused.push(Refused { record, kind: "plugin", reason, plugin });
    }
    applied.take(items, output, known);
}

/// The rows of the messages at or beyond an offset. Messages come by rising offset, and rows in their order.
fn beyond(items: &[Item<'_>], given: TableRows, floor: i64) -> RecordBatch {
    let below = items.partition_point(|item| item.message.offset < floor);
    if below == 0 {
        return given.rows;
    }
    let rows: usize = given.rows_per_message.iter().take(below).map(|n| *n as usize).sum();
    let rows = rows.min(given.rows.num_rows());
    given.rows.slice(rows, given.rows.num_rows() - rows)
}

#[cfg(test)]
mod tests;
