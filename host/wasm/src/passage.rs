//! The messages of one call on their way through a chain: what they became, and who was refused where.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use weir_pipeline::transform::{Failure, Message, Output, Rejection, TableRows, TableSchema};

use crate::answer::REASON_BYTES_MAX;
use crate::bindings::otlp_to_otlp::Outcome;
use crate::rows::Derivation;
use crate::voice::cut;

/// Who a plugin of the chain is.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// What messages call it.
    pub(crate) name: String,
    /// The sha256 of the component.
    pub(crate) digest: Arc<str>,
}

/// One call's messages.
pub(crate) struct Passage<'a> {
    chain: &'a [Named],
    given: &'a [Message<'a>],
    /// What messages became, where that is something else.
    changed: Vec<Option<Vec<u8>>>,
    /// The messages that go on, by their index in the call. Rows are counted by these.
    going: Vec<usize>,
    /// Each message that is refused, the plugin that refused it, and why.
    refused: BTreeMap<usize, (usize, String)>,
    /// Strings whose invalid UTF-8 was replaced.
    pub(crate) repaired_strings: u64,
}

impl<'a> Passage<'a> {
    /// The messages at the beginning of a chain.
    pub(crate) fn new(chain: &'a [Named], given: &'a [Message<'a>]) -> Self {
        let going = (0..given.len()).collect();
        Self { chain, given, changed: Vec::new(), going, refused: BTreeMap::new(), repaired_strings: 0 }
    }

    /// Whether no message goes on.
    pub(crate) fn is_over(&self) -> bool {
        self.going.is_empty()
    }

    /// The messages that go on, as they are now.
    pub(crate) fn messages(&self) -> Vec<Message<'_>> {
        let now = |at: &usize| {
            let value = self.changed.get(*at).and_then(Option::as_deref);
            Message { value: value.unwrap_or(self.given[*at].value), ..self.given[*at] }
        };
        self.going.iter().map(now).collect()
    }

    /// Takes what the plugin at this place of the chain made of the messages that go on.
    pub(crate) fn rewrite(&mut self, plugin: usize, outcomes: Vec<Outcome>) {
        self.changed.resize_with(self.given.len(), || None);
        let mut going = Vec::with_capacity(self.going.len());
        for (at, outcome) in std::mem::take(&mut self.going).into_iter().zip(outcomes) {
            match outcome {
                Outcome::Rejected(reason) => drop(self.refused.insert(at, (plugin, reason))),
                Outcome::Changed(value) => {
                    self.changed[at] = Some(value);
                    going.push(at);
                }
                Outcome::Unchanged => going.push(at),
            }
        }
        self.going = going;
    }

    /// Takes the rows of the messages that go on, of which some are refused.
    pub(crate) fn make(&mut self, plugin: usize, output: Output) -> Vec<TableRows> {
        self.repaired_strings += output.repaired_strings;
        for Rejection { index, reason, .. } in output.rejections {
            self.refused.insert(self.going[index as usize], (plugin, reason));
        }
        output.tables
    }

    /// Takes rows that were made of rows. Those of messages that are refused go no further.
    pub(crate) fn derive(&mut self, plugin: usize, derivation: Derivation) -> Result<Vec<TableRows>, Failure> {
        let Derivation { tables, refused, repaired_strings } = derivation;
        self.repaired_strings += repaired_strings;
        if refused.is_empty() {
            return Ok(tables);
        }
        let mut stays = vec![true; self.going.len()];
        for (message, reason) in refused {
            stays[message] = false;
            self.refused.insert(self.going[message], (plugin, reason));
        }
        let without = tables.into_iter().map(|table| without_refused(table, &stays));
        without.collect::<Result<_, _>>().map_err(|e| Failure::Invalid(format!("rows cannot be taken out: {e}")))
    }

    /// What the call gave: rows counted by all of its messages. `tables` is empty where nothing gave rows.
    pub(crate) fn end(self, tables: Vec<TableRows>, schemas: &[TableSchema]) -> Output {
        let tables = match tables.is_empty() {
            true => schemas.iter().map(|table| self.no_rows(table)).collect(),
            false => tables.into_iter().map(|table| self.counted_by_all(table)).collect(),
        };
        let several = self.chain.len() > 1;
        let rejection = |(at, (plugin, reason)): (usize, (usize, String))| {
            let Named { name, digest } = &self.chain[plugin];
            let mut reason = if several { format!("plugin {name}: {reason}") } else { reason };
            reason.truncate(cut(&reason, REASON_BYTES_MAX).len());
            Rejection { index: u32::try_from(at).unwrap_or(u32::MAX), reason, plugin: Some(Arc::clone(digest)) }
        };
        let rejections = self.refused.into_iter().map(rejection).collect();
        Output { tables, rejections, repaired_strings: self.repaired_strings }
    }

    fn no_rows(&self, table: &TableSchema) -> TableRows {
        let rows = RecordBatch::new_empty(Arc::clone(&table.schema));
        TableRows { rows, rows_per_message: vec![0; self.given.len()] }
    }

    fn counted_by_all(&self, mut table: TableRows) -> TableRows {
        if self.going.len() < self.given.len() {
            let mut counts = vec![0; self.given.len()];
            self.going.iter().zip(table.rows_per_message).for_each(|(at, count)| counts[*at] = count);
            table.rows_per_message = counts;
        }
        table
    }
}

fn without_refused(table: TableRows, stays: &[bool]) -> Result<TableRows, arrow_schema::ArrowError> {
    let mut counts = table.rows_per_message;
    let rows = counts.iter().zip(stays).flat_map(|(count, stays)| std::iter::repeat_n(*stays, *count as usize));
    let rows = filter_record_batch(&table.rows, &BooleanArray::from(rows.collect::<Vec<_>>()))?;
    counts.iter_mut().zip(stays).filter(|(_, stays)| !**stays).for_each(|(count, _)| *count = 0);
    Ok(TableRows { rows, rows_per_message: counts })
}
