//! Plugins that turn rows into rows: they filter rows, drop, rename and add columns, and split tables.
//!
//! Only what a plugin reads and makes crosses the sandbox; the host carries over the rest.

mod plan;
mod rows;

pub use plan::{Bools, DerivedTable, Floats, Ints, Plan, Texts};
pub use rows::{BoolColumn, FloatColumn, IntColumn, Rows, TextColumn};

use crate::column::count;
use crate::instance::{Describe, Take};
use crate::output::{Field, RecordBatch, TableSchema};
use crate::plugin::Visit;
use crate::settings::{Setting, Settings};
use rows::Layout;

/// A plugin that turns rows into rows.
///
/// ```
/// use weir_sdk::prelude::*;
///
/// /// Keeps the spans of one service, and says how long their names are.
/// struct OneService { service: Texts, wanted: String, name: Texts, name_length: Int64 }
///
/// impl ArrowToArrow for OneService {
///     fn configure(settings: &mut Settings, plan: &mut Plan) -> Result<Self, String> {
///         let wanted = settings.text("service")?.ok_or("setting `service` is missing")?;
///         let (service, name) = (plan.texts("spans", "service_name")?, plan.texts("spans", "operation_name")?);
///         plan.table("spans")?.without(&["span_kind"])?;
///         Ok(OneService { service, wanted, name, name_length: Int64::new() })
///     }
///     fn columns(&mut self, _: &str, visit: &mut dyn Visit) {
///         visit.column("name_length", "Bytes of the operation's name.", &mut self.name_length);
///     }
///     fn transform(&mut self, rows: &Rows<'_>, choice: &mut Choice) -> Result<(), String> {
///         let (service, name) = (rows.texts(self.service), rows.texts(self.name));
///         choice.keep("spans", |row| service.get(row) == Some(self.wanted.as_bytes()));
///         for row in choice.rows("spans") {
///             self.name_length.push_option(name.get(row).map(|name| name.len() as i64));
///         }
///         Ok(())
///     }
/// }
///
/// weir_sdk::export!(OneService as ArrowToArrow);
/// ```
pub trait ArrowToArrow: Sized {
    /// Reads the settings, looks at the tables that are given, and says in `plan` what it reads of them and which
    /// tables it gives. Without a word all tables and columns go on as they are.
    ///
    /// # Errors
    /// A mistake in the settings, or a table or column that is missing or of another type: the pipeline does not
    /// start, and the text is shown beside the tables.
    fn configure(settings: &mut Settings, plan: &mut Plan) -> Result<Self, String>;

    /// Shows the columns that it adds to a table that it gives, always the same ones in the same order. One that has
    /// the name of a column that would go on takes its place.
    fn columns(&mut self, _table: &str, _visit: &mut dyn Visit) {}

    /// Looks at the rows of a batch, chooses those that stay, and appends to each added column a value for each row
    /// that stays. Without a word all rows stay.
    ///
    /// # Errors
    /// The batch as a whole cannot be done: it is halved until the record at fault is alone, which becomes a dead
    /// letter. [`Choice::refuse`] costs less.
    fn transform(&mut self, _rows: &Rows<'_>, _choice: &mut Choice) -> Result<(), String> {
        Ok(())
    }
}

/// Which rows stay, and which records are refused.
#[derive(Debug)]
pub struct Choice {
    /// For each table that the plugin gives: its name, and its source.
    tables: Vec<(String, usize)>,
    /// For each of them the rows that were chosen; all where there is none.
    chosen: Vec<Option<Vec<u32>>>,
    /// For each table that is given: its name, and how many rows it has.
    given: Vec<(String, u32)>,
    refused: Vec<RefusedRow>,
    fault: Option<String>,
}

impl Choice {
    /// Keeps those rows of a table that the plugin gives for which `keep` says so. Rows are those of its source.
    pub fn keep(&mut self, table: &str, mut keep: impl FnMut(usize) -> bool) {
        match self.find(table) {
            Some((at, rows)) => self.chosen[at] = Some((0..rows).filter(|row| keep(*row as usize)).collect()),
            None => self.fault = Some(format!("it chooses rows of `{table}`, which is no table of its plan")),
        }
    }

    /// The rows of its source that a table has as things stand; none where there is no such table.
    pub fn rows(&self, table: &str) -> Vec<usize> {
        let Some((at, rows)) = self.find(table) else { return Vec::new() };
        match &self.chosen[at] {
            None => (0..rows as usize).collect(),
            Some(chosen) => chosen.iter().map(|row| *row as usize).collect(),
        }
    }

    /// Refuses the Kafka record that a row of a given table came from: it becomes a dead letter with this reason, and
    /// none of its rows reach a table.
    pub fn refuse(&mut self, table: &str, row: usize, reason: impl Into<String>) {
        match self.given.iter().position(|(name, _)| name == table) {
            Some(at) => self.refused.push(RefusedRow { table: count(at), row: count(row), reason: reason.into() }),
            None => self.fault = Some(format!("it refuses a row of `{table}`, which is no table that is given")),
        }
    }

    /// Adds to a counter, which appears as `weir_plugin_counter_total{plugin, counter}`.
    pub fn count(&mut self, counter: &str, amount: u64) {
        crate::log::count(counter, amount);
    }

    /// A table that the plugin gives, and how many rows its source has.
    fn find(&self, table: &str) -> Option<(usize, u32)> {
        let at = self.tables.iter().position(|(name, _)| name == table)?;
        Some((at, self.given.get(self.tables[at].1).map_or(0, |(_, rows)| *rows)))
    }
}

/// Where a column's values come from, as the contract has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSource {
    /// A column of the source, by index.
    Kept(u32),
    /// The same under another name.
    Renamed(u32, String),
    /// The plugin: the column's fields, depth first.
    Made(Vec<Field>),
}

/// A table that a plugin gives, as the contract has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedSchema {
    /// Its name.
    pub name: String,
    /// What a row is.
    pub doc: String,
    /// The given table that its rows come from, by index.
    pub source: u32,
    /// Its columns.
    pub columns: Vec<ColumnSource>,
}

/// What a plugin reads and gives, as the contract has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// For each given table the columns that are read, by rising index.
    pub reads: Vec<Vec<u32>>,
    /// The tables that it gives.
    pub tables: Vec<DerivedSchema>,
}

/// What one batch gave to one table, as the contract has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedRows {
    /// The rows of the source, rising; all where there is none.
    pub rows: Option<Vec<u32>>,
    /// The columns that are made.
    pub made: RecordBatch,
}

/// A row for whose sake its record is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// The given table, by index.
    pub table: u32,
    /// The row.
    pub row: u32,
    /// Why.
    pub reason: String,
}

/// What a batch gave, as the contract has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedOutput {
    /// One element for each table that the plugin gives.
    pub tables: Vec<DerivedRows>,
    /// The rows whose records are refused.
    pub refused: Vec<RefusedRow>,
}

/// A configured plugin. The same code runs it in a component and natively, in tests.
pub struct Deriver<P> {
    plugin: P,
    given: Vec<TableSchema>,
    layout: Layout,
    /// Name and source of each table that it gives.
    tables: Vec<(String, usize)>,
}

impl<P: ArrowToArrow> Deriver<P> {
    /// Makes a plugin of its settings and the tables that are given, and says what it does with them.
    ///
    /// # Errors
    /// A mistake in the settings, or tables that do not fit.
    pub fn configure(settings: Vec<Setting>, given: Vec<TableSchema>) -> Result<(Self, Planned), String> {
        let mut settings = Settings::new(settings);
        let mut plan = Plan::new(given);
        let mut plugin = P::configure(&mut settings, &mut plan)?;
        settings.refuse_the_rest()?;
        let (reads, derived, given) = plan.into_parts();
        let (mut schemas, mut tables) = (Vec::new(), Vec::new());
        for table in derived {
            let mut fields = Vec::new();
            plugin.columns(&table.name, &mut Describe { fields: &mut fields });
            tables.push((table.name.clone(), table.source));
            schemas.push(table.into_schema(fields));
        }
        let layout = Layout::new(&given, &reads);
        Ok((Deriver { plugin, given, layout, tables }, Planned { reads, tables: schemas }))
    }

    /// Turns a batch's rows into rows; `batches` hold the columns that are read.
    ///
    /// # Errors
    /// The plugin's own, or its columns do not fit together.
    pub fn transform(&mut self, batches: &[RecordBatch]) -> Result<DerivedOutput, String> {
        let given = self.given.iter().zip(batches).map(|(table, batch)| (table.name.clone(), batch.rows));
        let mut choice = Choice {
            tables: self.tables.clone(),
            chosen: vec![None; self.tables.len()],
            given: given.collect(),
            refused: Vec::new(),
            fault: None,
        };
        let done = self.plugin.transform(&Rows::new(&self.given, &self.layout, batches), &mut choice);
        if let Err(why) = done.and(choice.fault.take().map_or(Ok(()), Err)) {
            self.tables.iter().for_each(|(name, _)| self.plugin.columns(name, &mut crate::column::Truncate(0)));
            return Err(why);
        }
        let (mut tables, mut fault) = (Vec::new(), None);
        for ((name, source), chosen) in self.tables.iter().zip(choice.chosen) {
            let all = batches.get(*source).map_or(0, |batch| batch.rows);
            let rows = chosen.filter(|rows| rows.len() < all as usize);
            let selected = rows.as_ref().map_or(all as usize, Vec::len);
            let mut made = RecordBatch { rows: count(selected), ..RecordBatch::default() };
            let mut take = Take { into: &mut made, parent: name, expected: Some(selected), fault: &mut fault };
            self.plugin.columns(name, &mut take);
            tables.push(DerivedRows { rows, made });
        }
        fault.map_or(Ok(DerivedOutput { tables, refused: choice.refused }), Err)
    }
}

/// Splits fields into those of each column.
fn columns_of(fields: Vec<Field>) -> Vec<Vec<Field>> {
    let mut columns: Vec<Vec<Field>> = Vec::new();
    let mut missing = 0;
    for field in fields {
        let children = field.children as usize;
        match columns.last_mut() {
            Some(column) if missing > 0 => {
                column.push(field);
                missing += children;
                missing -= 1;
            }
            _ => {
                columns.push(vec![field]);
                missing = children;
            }
        }
    }
    columns
}

#[cfg(test)]
mod tests;
