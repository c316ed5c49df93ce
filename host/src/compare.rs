//! What two chains of plugins make of the same records, record by record.
//!
//! Each record goes through both alone, on the way that batches take: decoded, called, halved, refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use weir_pipeline::batch::{Batch, Generation, Record, TopicPartition};
use weir_pipeline::event::Held;
use weir_pipeline::transform::{Stage, TableSchema};
use weir_pipeline::work::{Applied, Codec, Known, Worker};

use crate::capture;

/// How much of a value is shown, and how much of it before the place where two part.
const SHOWN_MAX: usize = 60;
const SHOWN_BEFORE: usize = 20;

/// What differs in one way: how often, and where first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// How often.
    pub count: u64,
    /// The first: the record, and what is there.
    pub first: String,
}

impl Difference {
    fn add(&mut self, count: u64, first: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = first();
        }
        self.count += count;
    }
}

/// What came out of a table on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableResult {
    /// Rows by the old chain and by the new one.
    pub rows: (u64, u64),
    /// Records that give another number of rows; their values are not compared.
    pub other_rows: Difference,
    /// Rows that were held against each other.
    pub compared: u64,
    /// Columns with other values, and in how many rows.
    pub columns: BTreeMap<String, Difference>,
}

/// What two chains made of the same records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Records that went through both.
    pub records: u64,
    /// What is in one schema only, or is another type: a line each.
    pub schema: Vec<String>,
    /// Tables that both fill, by name.
    pub tables: BTreeMap<String, TableResult>,
    /// Records that the new chain refuses and the old one takes.
    pub refused: Difference,
    /// Records that the new chain takes and the old one refuses.
    pub taken: Difference,
    /// Records that both refuse, for another reason.
    pub other_reason: Difference,
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_alike(&self) -> bool {
        let differences = [&self.refused, &self.taken, &self.other_reason];
        let alike = |table: &TableResult| table.other_rows.count == 0 && table.columns.is_empty();
        self.schema.is_empty() && differences.iter().all(|d| d.count == 0) && self.tables.values().all(alike)
    }
}

/// One side of a comparison.
#[derive(Debug)]
pub struct Side<S, C> {
    worker: Worker<S, C>,
    tables: Vec<TableSchema>,
}

impl<S: Stage, C: Codec> Side<S, C> {
    /// A chain and its tables.
    pub fn new(stage: S, codec: C, tables: Vec<TableSchema>) -> Self {
        Self { worker: Worker::new(stage, codec), tables }
    }

    /// The chain, for its figures.
    pub fn stage(&self) -> &S {
        &self.worker.stage
    }
}

/// Holds what two chains make of records against each other.
///
/// # Errors
/// Rows that Arrow cannot put together.
pub fn compare<S: Stage, C: Codec>(
    old: &mut Side<S, C>,
    new: &mut Side<S, C>,
    records: &[(TopicPartition, Record)],
) -> Result<Comparison, ArrowError> {
    let mut found = Comparison { schema: schemas(&old.tables, &new.tables), ..Comparison::default() };
    let pairs: Vec<(usize, usize)> = (0..old.tables.len())
        .filter_map(|at| Some((at, new.tables.iter().position(|t| t.name == old.tables[at].name)?)))
        .collect();
    for (place, record) in records {
        let batch = alone(place, record);
        let (was, is) = (old.worker.apply(&batch, &Known::default()), new.worker.apply(&batch, &Known::default()));
        let name = capture::name(place, record.offset);
        found.records += 1;
        if !refusals(&mut found, &name, &was, &is) {
            continue;
        }
        for (before, after) in &pairs {
            let (before, after) = (rows(&old.tables[*before], &was, *before)?, rows(&new.tables[*after], &is, *after)?);
            let result = found.tables.entry(before.0).or_default();
            values(result, &name, &before.1, &after.1);
        }
    }
    Ok(found)
}

/// Whether both take a record.
fn refusals(found: &mut Comparison, name: &str, was: &Applied, is: &Applied) -> bool {
    match (was.refused.first(), is.refused.first()) {
        (None, None) => return true,
        (None, Some(refused)) => found.refused.add(1, || format!("{name}: {}", refused.reason)),
        (Some(refused), None) => found.taken.add(1, || format!("{name}: {}", refused.reason)),
        (Some(was), Some(is)) if without_plugin(&was.reason) != without_plugin(&is.reason) => {
            found.other_reason.add(1, || format!("{name}: {} -> {}", was.reason, is.reason));
        }
        _ => {}
    }
    false
}

/// A reason but for the name of the plugin that it begins with, which differs where nothing else does.
fn without_plugin(reason: &str) -> (&str, &str) {
    let (kind, rest) = match reason.split_once("plugin ") {
        Some((kind, rest)) if kind.is_empty() || kind.ends_with(": ") => (kind, rest),
        _ => return (reason, ""),
    };
    (kind, rest.find([',', ':']).map_or("", |at| &rest[at..]))
}

fn alone(place: &TopicPartition, record: &Record) -> Batch {
    Batch {
        source: place.clone(),
        generation: Generation::default(),
        from: record.offset,
        to: record.offset + 1,
        records: vec![record.clone()],
        held: Held::default(),
    }
}

/// What a record gave to a table, and the table's name.
fn rows(table: &TableSchema, applied: &Applied, at: usize) -> Result<(String, RecordBatch), ArrowError> {
    let given = applied.tables.get(at).map_or(&[][..], Vec::as_slice);
    Ok((table.name.clone(), plain(&concat_batches(&table.schema, given)?)?))
}

fn values(result: &mut TableResult, name: &str, was: &RecordBatch, is: &RecordBatch) {
    let (before, after) = (was.num_rows(), is.num_rows());
    result.rows.0 += before as u64;
    result.rows.1 += after as u64;
    if before != after {
        return result.other_rows.add(1, || format!("{name}: {before} -> {after}"));
    }
    result.compared += before as u64;
    for (field, old) in was.schema().fields().iter().zip(was.columns()) {
        let Some(new) = is.column_by_name(field.name()) else { continue };
        if old.data_type() != new.data_type() || old == new {
            continue;
        }
        let differs: Vec<usize> = (0..before).filter(|row| old.slice(*row, 1) != new.slice(*row, 1)).collect();
        if let Some(row) = differs.first() {
            let (old, new) = apart(&text(old, *row), &text(new, *row));
            let first = || format!("{name} row {row}: {old} -> {new}");
            result.columns.entry(field.name().clone()).or_default().add(differs.len() as u64, first);
        }
    }
}

/// Rows as a table will hold them: values where the plugin gave numbers of a dictionary.
///
/// # Errors
/// A number that the dictionary does not have.
pub fn plain(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<_> = rows.schema().fields().iter().map(plain_field).collect();
    let columns = rows.columns().iter().zip(&fields).map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::Map(entries, sorted) => DataType::Map(plain_field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn text(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    array_value_to_string(column, row).unwrap_or_else(|e| e.to_string())
}

/// Two texts around the place where they part.
fn apart(old: &str, new: &str) -> (String, String) {
    let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    let from = same.saturating_sub(SHOWN_BEFORE);
    let part = |text: &str| {
        let shown: String = text.chars().skip(from).take(SHOWN_MAX).collect();
        let (before, after) =
            (if from > 0 { "..." } else { "" }, text.chars().nth(from + SHOWN_MAX).map_or("", |_| "..."));
        format!("{before}{shown}{after}")
    };
    (part(old), part(new))
}

fn schemas(old: &[TableSchema], new: &[TableSchema]) -> Vec<String> {
    let mut lines = Vec::new();
    for was in old {
        match new.iter().find(|is| is.name == was.name) {
            Some(is) => columns(was, is, &mut lines),
            None => lines.push(format!("{}: the table is gone", was.name)),
        }
    }
    let is_new = |table: &&TableSchema| old.iter().all(|was| was.name != table.name);
    lines.extend(new.iter().filter(is_new).map(|table| format!("{}: a new table", table.name)));
    lines
}

fn columns(was: &TableSchema, is: &TableSchema, lines: &mut Vec<String>) {
    let table = &was.name;
    let (before, after) = (was.schema.fields(), is.schema.fields());
    for old in before {
        let Some((_, new)) = after.find(old.name()) else {
            lines.push(format!("{table}: - {}", column(old)));
            continue;
        };
        let (old, new) = (column(old), column(new));
        if old != new {
            lines.push(format!("{table}: {old} -> {new}"));
        }
    }
    let added = after.iter().filter(|field| before.find(field.name()).is_none());
    lines.extend(added.map(|field| format!("{table}: + {}", column(field))));
}

/// A column as tables have it: name, type, and whether it is required.
pub(crate) fn column(field: &FieldRef) -> String {
    let mut text = format!("{} {}", field.name(), plain_field(field).data_type());
    if !field.is_nullable() {
        let _ = write!(text, " not null");
    }
    text
}

#[cfg(test)]
mod tests;
