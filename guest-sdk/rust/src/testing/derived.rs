//! Runs plugins that turn rows into rows as the host does: what they neither read nor make is carried over.

use super::{Cell, Rows, TableCells, columns, settings};
use crate::arrow_to_arrow::{ArrowToArrow, ColumnSource, DerivedOutput, DerivedSchema, Deriver};
use crate::column::count;
use crate::instance::{Describe, Take};
use crate::output::{Field, RecordBatch, Rejection, TableSchema};
use crate::plugin::Table;
use std::collections::BTreeMap;

/// Rows of a table, to be given to a plugin.
#[derive(Clone, Debug)]
pub struct Given {
    pub(crate) schema: TableSchema,
    rows: RecordBatch,
}

/// The rows that a table holds.
///
/// # Panics
/// Its columns do not fit together.
pub fn given(table: &mut dyn Table) -> Given {
    let mut schema = TableSchema { name: table.name().to_owned(), doc: table.doc().to_owned(), fields: Vec::new() };
    table.columns(&mut Describe { fields: &mut schema.fields });
    let len = table.rows();
    let (mut rows, mut fault) = (RecordBatch { rows: count(len), ..RecordBatch::default() }, None);
    table.columns(&mut Take { into: &mut rows, parent: &schema.name, expected: Some(len), fault: &mut fault });
    assert_eq!(fault, None);
    Given { schema, rows }
}

/// Makes a plugin of the kind that turns rows into rows, gives it one batch, and reads back what came. The rows of each
/// table count as one record's; those that it refuses stay, and are named in `rejections` by their row.
///
/// # Errors
/// The plugin's own, and whatever breaks the contract in what it gave.
pub fn derive<P: ArrowToArrow>(given: &[(&str, &[&str])], tables: &[Given]) -> Result<Rows, String> {
    let schemas = tables.iter().map(|table| table.schema.clone()).collect();
    let (mut deriver, planned) = Deriver::<P>::configure(settings(given), schemas)?;
    let batches: Vec<RecordBatch> =
        tables.iter().zip(&planned.reads).map(|(table, reads)| read_of(table, reads)).collect();
    drop(crate::log::counted());
    let DerivedOutput { tables: derived, refused } = deriver.transform(&batches)?;
    let cells = tables.iter().map(|table| columns::read(&table.schema, &table.rows));
    let cells = cells.collect::<Result<Vec<_>, _>>()?;
    let mut read = Vec::new();
    for (schema, rows) in planned.tables.iter().zip(&derived) {
        let source = &tables[schema.source as usize];
        let selected = rows.rows.clone().unwrap_or_else(|| (0..source.rows.rows).collect());
        read.push(table(schema, &cells[schema.source as usize], &selected, &rows.made)?);
    }
    let rejections = refused.into_iter().map(|row| Rejection { index: row.row, reason: row.reason });
    let counters: BTreeMap<_, _> = crate::log::counted();
    Ok(Rows { tables: read, rejections: rejections.collect(), counters })
}

/// The columns of a table that cross.
fn read_of(table: &Given, reads: &[u32]) -> RecordBatch {
    let mut crossing = RecordBatch { rows: table.rows.rows, ..RecordBatch::default() };
    let (mut nodes, mut buffers, mut column, mut missing) = (0, 0, 0, 0);
    for field in &table.schema.fields {
        let next = buffers + field.data_type.buffers();
        if reads.contains(&column) {
            crossing.nodes.push(table.rows.nodes[nodes]);
            crossing.buffers.extend_from_slice(&table.rows.buffers[buffers..next]);
        }
        (nodes, buffers) = (nodes + 1, next);
        missing = (missing + field.children).saturating_sub(u32::from(missing > 0));
        column += u32::from(missing == 0);
    }
    crossing
}

fn table(
    schema: &DerivedSchema,
    source: &[(String, Vec<Cell>)],
    selected: &[u32],
    made: &RecordBatch,
) -> Result<TableCells, String> {
    let made_fields = schema.columns.iter().filter_map(|column| match column {
        ColumnSource::Made(fields) => Some(fields.clone()),
        _ => None,
    });
    let made_fields: Vec<Field> = made_fields.flatten().collect();
    let made_schema = TableSchema { name: schema.name.clone(), doc: String::new(), fields: made_fields };
    let mut made = columns::read(&made_schema, made)?.into_iter();
    let kept = |column: u32| -> (String, Vec<Cell>) {
        let (name, cells) = &source[column as usize];
        (name.clone(), selected.iter().map(|row| cells[*row as usize].clone()).collect())
    };
    let columns = schema.columns.iter().map(|column| match column {
        ColumnSource::Kept(column) => Ok(kept(*column)),
        ColumnSource::Renamed(column, name) => Ok((name.clone(), kept(*column).1)),
        ColumnSource::Made(_) => made.next().ok_or("a made column is missing"),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let rows_per_message = vec![count(selected.len())];
    Ok(TableCells { name: schema.name.clone(), columns, len: selected.len(), rows_per_message })
}
