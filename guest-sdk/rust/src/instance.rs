//! A configured plugin, and the rules that hold for every plugin: the grain of rejection is the record, a refused
//! record leaves nothing behind, columns have one length.

use crate::column::Column;
use crate::message::{Batch, Message};
use crate::otlp::{Fault, merge};
use crate::output::{Field, Output, RecordBatch, Rejection, TableRows, TableSchema};
use crate::plugin::{Context, Counts, OtlpToArrow, Reason, Refusal, Visit};
use crate::settings::{Setting, Settings};

/// A configured plugin. The same code runs it in a component and natively, in tests and benches.
pub struct Instance<P> {
    plugin: P,
    /// How many rows each table had before the record at hand.
    rows: Vec<usize>,
    staged: Counts,
}

impl<P: OtlpToArrow> Instance<P> {
    /// Makes a plugin of its settings, and gives the schemas of its tables.
    ///
    /// # Errors
    /// A mistake in the settings, for whoever wrote them.
    pub fn configure(given: Vec<Setting>) -> Result<(Self, Vec<TableSchema>), String> {
        let mut settings = Settings::new(given);
        let mut plugin = P::configure(&mut settings)?;
        settings.refuse_the_rest()?;
        let mut tables = Vec::new();
        plugin.tables(&mut |table| {
            let mut fields = Vec::new();
            table.columns(&mut Describe { fields: &mut fields });
            tables.push(TableSchema { name: table.name().to_owned(), doc: table.doc().to_owned(), fields });
        });
        let rows = vec![0; tables.len()];
        Ok((Instance { plugin, rows, staged: Counts::default() }, tables))
    }

    /// Turns a batch into rows. Counters go out at the end.
    ///
    /// # Errors
    /// The plugin's columns do not fit together: its own mistake, whatever the batch. The rows are lost, the
    /// instance is not.
    pub fn transform(&mut self, batch: &Batch) -> Result<Output, String> {
        let mut per_message = vec![Vec::with_capacity(batch.messages.len()); self.rows.len()];
        let mut rejections = Vec::new();
        let mut counts = Counts::default();
        self.rows.fill(0);
        for (index, message) in batch.messages.iter().enumerate() {
            match self.transform_message(batch, message) {
                Ok(()) => self.staged.drain().for_each(|(counter, amount)| counts.add(counter, amount)),
                Err(reason) => {
                    rejections.push(Rejection { index: crate::column::count(index), reason });
                    self.take_back();
                }
            }
            let (rows, mut table_index) = (&mut self.rows, 0);
            self.plugin.tables(&mut |table| {
                if let (Some(before), Some(counts)) = (rows.get_mut(table_index), per_message.get_mut(table_index)) {
                    let now = table.rows();
                    counts.push(crate::column::count(now.saturating_sub(*before)));
                    *before = now;
                }
                table_index += 1;
            });
        }
        let tables = self.take(per_message)?;
        counts.drain().for_each(|(counter, amount)| crate::log::count(counter, amount));
        Ok(Output { tables, rejections })
    }

    /// Shows one record to the plugin; a record in pieces a second time, merged.
    fn transform_message(&mut self, batch: &Batch, message: &Message) -> Result<(), String> {
        match self.show(batch, message) {
            Ok(()) => Ok(()),
            Err(Refusal(Reason::Malformed(malformed))) if malformed.fault == Fault::Split => {
                self.take_back();
                let value = merge(batch.signal, &message.value);
                let value = value.map_err(|malformed| malformed.describe_in(&message.value))?;
                let merged = Message { value, ..message.clone() };
                self.show(batch, &merged).map_err(|refusal| refusal.0.text(&merged.value))
            }
            Err(refusal) => Err(refusal.0.text(&message.value)),
        }
    }

    fn show(&mut self, batch: &Batch, message: &Message) -> Result<(), Refusal> {
        let Batch { signal, topic, partition, .. } = batch;
        let mut context = Context { signal: *signal, topic, partition: *partition, counts: &mut self.staged };
        self.plugin.transform(message, &mut context)
    }

    /// Takes back what the record at hand has appended and counted.
    fn take_back(&mut self) {
        self.staged.clear();
        let (rows, mut index) = (&self.rows, 0);
        self.plugin.tables(&mut |table| {
            let before = rows.get(index).copied().unwrap_or(0);
            table.columns(&mut crate::column::Truncate(before));
            index += 1;
        });
    }

    /// Empties the tables.
    fn take(&mut self, per_message: Vec<Vec<u32>>) -> Result<Vec<TableRows>, String> {
        let mut per_message = per_message.into_iter();
        let (mut taken, mut fault) = (Vec::new(), None);
        self.plugin.tables(&mut |table| {
            let rows = table.rows();
            let mut batch = RecordBatch { rows: crate::column::count(rows), ..RecordBatch::default() };
            let name = table.name().to_owned();
            table.columns(&mut Take { into: &mut batch, parent: &name, expected: Some(rows), fault: &mut fault });
            taken.push(TableRows { rows: batch, rows_per_message: per_message.next().unwrap_or_default() });
        });
        fault.map_or(Ok(taken), Err)
    }
}

/// Lists the fields of a schema, depth first.
pub(crate) struct Describe<'a> {
    pub(crate) fields: &'a mut Vec<Field>,
}

impl Visit for Describe<'_> {
    fn column(&mut self, name: &str, doc: &str, column: &mut dyn Column) {
        let at = self.fields.len();
        self.fields.push(Field {
            name: name.to_owned(),
            data_type: column.data_type(),
            nullable: column.nullable(),
            doc: doc.to_owned(),
            children: 0,
        });
        let mut count = Count(0);
        column.children(&mut count);
        self.fields[at].children = count.0;
        column.children(self);
    }
}

struct Count(u32);

impl Visit for Count {
    fn column(&mut self, _: &str, _: &str, _: &mut dyn Column) {
        self.0 += 1;
    }
}

/// Takes the nodes and buffers of columns, depth first, and checks what only a mistake in the plugin can break.
pub(crate) struct Take<'a> {
    pub(crate) into: &'a mut RecordBatch,
    pub(crate) parent: &'a str,
    pub(crate) expected: Option<usize>,
    pub(crate) fault: &'a mut Option<String>,
}

impl Visit for Take<'_> {
    fn column(&mut self, name: &str, _: &str, column: &mut dyn Column) {
        let path = format!("{}.{name}", self.parent);
        let (len, child_len) = (column.len(), column.child_len());
        let first = self.into.buffers.len();
        column.take(self.into);
        let nulls = self.into.nodes.last().map_or(0, |node| node.null_count);
        let largest = self.into.buffers[first..].iter().map(Vec::len).max().unwrap_or(0);
        let fault = match self.expected {
            Some(expected) if expected != len => Some(format!("column `{path}` has {len} values, not {expected}")),
            _ if nulls > 0 && !column.nullable() => Some(format!("column `{path}` is required and has {nulls} nulls")),
            _ if largest > i32::MAX as usize => Some(format!("column `{path}` is larger than 2 GiB")),
            _ => None,
        };
        if self.fault.is_none() {
            *self.fault = fault;
        }
        column.children(&mut Take { into: self.into, parent: &path, expected: child_len, fault: self.fault });
    }
}

#[cfg(test)]
mod tests;
