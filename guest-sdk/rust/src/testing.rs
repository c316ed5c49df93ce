//! What a plugin's tests need: batches to give, and the rows of what came back.
//!
//! ```no_run
//! # use weir_sdk::testing;
//! # fn check<P: weir_sdk::OtlpToArrow>(value: Vec<u8>) -> Result<(), String> {
//! let rows = testing::run::<P>(&[("promote", &["http.route"])], testing::traces([value]))?;
//! assert_eq!(rows.table("spans").cell(0, "service_name").to_string(), "\"checkout\"");
//! # Ok(())
//! # }
//! ```

mod cell;
mod columns;
mod derived;

pub use cell::Cell;
pub use derived::{Given, derive, given};

use crate::instance::Instance;
use crate::message::{Batch, Message, Signal};
use crate::otlp_to_otlp::{OtlpToOtlp, Outcome, Rewriter};
use crate::output::{Output, Rejection, TableSchema};
use crate::plugin::OtlpToArrow;
use crate::settings::Setting;
use std::collections::BTreeMap;

/// A batch of traces, one record for each value, at offsets 0, 1 and so on.
pub fn traces(values: impl IntoIterator<Item = Vec<u8>>) -> Batch {
    batch(Signal::Traces, values)
}

/// A batch of logs.
pub fn logs(values: impl IntoIterator<Item = Vec<u8>>) -> Batch {
    batch(Signal::Logs, values)
}

/// A batch of metrics.
pub fn metrics(values: impl IntoIterator<Item = Vec<u8>>) -> Batch {
    batch(Signal::Metrics, values)
}

fn batch(signal: Signal, values: impl IntoIterator<Item = Vec<u8>>) -> Batch {
    let message = |(offset, value)| Message { value, offset, ..Message::default() };
    let messages = (0..).zip(values).map(message).collect();
    Batch { signal, topic: signal.name().to_owned(), partition: 0, messages }
}

/// Settings as a pipeline's TOML would give them.
pub fn settings(given: &[(&str, &[&str])]) -> Vec<Setting> {
    let setting = |(key, values): &(&str, &[&str])| Setting {
        key: (*key).to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    given.iter().map(setting).collect()
}

/// Makes a plugin, gives it one batch, and reads back what came.
///
/// # Errors
/// The plugin's own, and whatever breaks the contract in what it gave.
pub fn run<P: OtlpToArrow>(given: &[(&str, &[&str])], batch: Batch) -> Result<Rows, String> {
    let (mut instance, schemas) = Instance::<P>::configure(settings(given))?;
    drop(crate::log::counted());
    let output = instance.transform(&batch)?;
    let mut rows = Rows::read(&schemas, &output)?;
    rows.counters.append(&mut crate::log::counted());
    Ok(rows)
}

/// Makes a plugin of the kind that turns OTLP into OTLP and gives it one batch: for each record what goes on, or why it
/// is refused. What it counted is in [`crate::log::counted`].
///
/// # Errors
/// The plugin refuses the settings.
pub fn rewrite<P: OtlpToOtlp>(
    given: &[(&str, &[&str])],
    batch: &Batch,
) -> Result<Vec<Result<Outcome, String>>, String> {
    let mut rewriter = Rewriter::<P>::configure(settings(given))?;
    drop(crate::log::counted());
    Ok(rewriter.transform(batch))
}

/// What a plugin gave, readable.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    tables: Vec<TableCells>,
    /// The records that it refused.
    pub rejections: Vec<Rejection>,
    /// What it counted.
    pub counters: BTreeMap<String, u64>,
}

/// The rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableCells {
    name: String,
    columns: Vec<(String, Vec<Cell>)>,
    len: usize,
    /// How many rows each record gave.
    pub rows_per_message: Vec<u32>,
}

impl Rows {
    /// Reads an output by the contract in `wit/weir.wit`, as strictly as the host.
    ///
    /// # Errors
    /// Whatever breaks the contract, with the column's name.
    pub fn read(schemas: &[TableSchema], output: &Output) -> Result<Self, String> {
        if schemas.len() != output.tables.len() {
            return Err(format!("{} tables for {} schemas", output.tables.len(), schemas.len()));
        }
        let mut tables = Vec::new();
        for (schema, given) in schemas.iter().zip(&output.tables) {
            let columns = columns::read(schema, &given.rows)?;
            let len = given.rows.rows as usize;
            let sum: u64 = given.rows_per_message.iter().map(|rows| u64::from(*rows)).sum();
            if sum != len as u64 {
                return Err(format!("table `{}`: {len} rows, but the messages gave {sum}", schema.name));
            }
            let rows_per_message = given.rows_per_message.clone();
            tables.push(TableCells { name: schema.name.clone(), columns, len, rows_per_message });
        }
        Ok(Rows { tables, rejections: output.rejections.clone(), counters: BTreeMap::new() })
    }

    /// The rows of a table.
    ///
    /// # Panics
    /// There is no such table.
    pub fn table(&self, name: &str) -> &TableCells {
        let found = self.tables.iter().find(|table| table.name == name);
        found.unwrap_or_else(|| panic!("no table `{name}`"))
    }

    /// How much it counted under a name; 0 if nothing.
    pub fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }
}

impl TableCells {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The names of the columns, in order.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The cells of a column.
    ///
    /// # Panics
    /// There is no such column.
    pub fn column(&self, name: &str) -> &[Cell] {
        let found = self.columns.iter().find(|(own, _)| own == name);
        found.map_or_else(|| panic!("no column `{name}` in `{}`", self.name), |(_, cells)| cells)
    }

    /// One cell.
    ///
    /// # Panics
    /// There is no such column or row.
    pub fn cell(&self, row: usize, name: &str) -> &Cell {
        self.column(name).get(row).unwrap_or_else(|| panic!("no row {row} in `{}`", self.name))
    }

    /// A row as text: `{"timestamp":1,"name":"a"}`.
    ///
    /// # Panics
    /// There is no such row.
    pub fn row(&self, row: usize) -> String {
        let cells = self.columns.iter().map(|(name, _)| (name.clone(), self.cell(row, name).clone()));
        Cell::Struct(cells.collect()).to_string()
    }
}

#[cfg(test)]
mod tests;
