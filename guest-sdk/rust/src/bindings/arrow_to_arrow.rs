//! The world `arrow-to-arrow-plugin`.

use super::weir::plugin::columns;
use super::{Setting, Table};
use crate::arrow_to_arrow::{self, ArrowToArrow, ColumnSource, Deriver};
use crate::output::{self, DataType};
use std::cell::RefCell;
use std::thread::LocalKey;

wit_bindgen::generate!({
    world: "arrow-to-arrow-plugin",
    path: "../../wit",
    pub_export_macro: true,
    export_macro_name: "export_arrow_to_arrow",
    default_bindings_module: "weir_sdk::bindings::arrow_to_arrow",
    with: {
        "weir:plugin/settings@0.1.0": super::weir::plugin::settings,
        "weir:plugin/columns@0.1.0": super::weir::plugin::columns,
        "weir:plugin/log@0.1.0": super::weir::plugin::log,
        "weir:plugin/counters@0.1.0": super::weir::plugin::counters,
    },
});

pub use super::weir::plugin::columns::RecordBatch;
pub use exports::weir::plugin::arrow_to_arrow::{
    Column, DerivedRows, DerivedTable, Guest, Output, Plan, RefusedRow, RenamedColumn, Selection,
};

/// Where a component keeps its one instance.
pub type Slot<P> = RefCell<Option<Deriver<P>>>;

pub fn configure<P: ArrowToArrow + 'static>(
    slot: &'static LocalKey<Slot<P>>,
    settings: Vec<Setting>,
    tables: Vec<Table>,
) -> Result<Plan, String> {
    let (deriver, plan) = Deriver::configure(super::begin(settings), tables.into_iter().map(table).collect())?;
    slot.set(Some(deriver));
    let tables = plan.tables.into_iter().map(|table| DerivedTable {
        name: table.name,
        doc: table.doc,
        source: table.source,
        columns: table.columns.into_iter().map(column).collect(),
    });
    Ok(Plan { reads: plan.reads, tables: tables.collect() })
}

pub fn transform<P: ArrowToArrow + 'static>(
    slot: &'static LocalKey<Slot<P>>,
    tables: Vec<RecordBatch>,
) -> Result<Output, String> {
    slot.with_borrow_mut(|slot| {
        let deriver = slot.as_mut().ok_or("transform was called before configure")?;
        let batches: Vec<output::RecordBatch> = tables.into_iter().map(batch).collect();
        let output = deriver.transform(&batches)?;
        let rows = |rows: arrow_to_arrow::DerivedRows| DerivedRows {
            selection: rows.rows.map_or(Selection::All, Selection::Rows),
            made: super::record_batch(rows.made),
        };
        let refused =
            |row: arrow_to_arrow::RefusedRow| RefusedRow { table: row.table, row: row.row, reason: row.reason };
        Ok(Output {
            tables: output.tables.into_iter().map(rows).collect(),
            refused: output.refused.into_iter().map(refused).collect(),
        })
    })
}

fn column(source: ColumnSource) -> Column {
    match source {
        ColumnSource::Kept(column) => Column::Kept(column),
        ColumnSource::Renamed(column, name) => Column::Renamed(RenamedColumn { column, name }),
        ColumnSource::Made(fields) => Column::Made(fields.into_iter().map(super::field).collect()),
    }
}

fn batch(given: RecordBatch) -> output::RecordBatch {
    let node = |columns::Node { length, null_count }| output::Node { length, null_count };
    output::RecordBatch { rows: given.rows, nodes: given.nodes.into_iter().map(node).collect(), buffers: given.buffers }
}

fn table(given: Table) -> output::TableSchema {
    let field = |field: columns::Field| output::Field {
        name: field.name,
        data_type: kind(field.type_),
        nullable: field.nullable,
        doc: field.doc,
        children: field.children,
    };
    output::TableSchema { name: given.name, doc: given.doc, fields: given.fields.into_iter().map(field).collect() }
}

fn kind(given: columns::DataType) -> DataType {
    match given {
        columns::DataType::Boolean => DataType::Boolean,
        columns::DataType::Int32 => DataType::Int32,
        columns::DataType::Int64 => DataType::Int64,
        columns::DataType::Float32 => DataType::Float32,
        columns::DataType::Float64 => DataType::Float64,
        columns::DataType::Date => DataType::Date,
        columns::DataType::TimestampUtc => DataType::TimestampUtc,
        columns::DataType::TimestampLocal => DataType::TimestampLocal,
        columns::DataType::Utf8 => DataType::Utf8,
        columns::DataType::Binary => DataType::Binary,
        columns::DataType::List => DataType::List,
        columns::DataType::Struct => DataType::Struct,
        columns::DataType::Map => DataType::Map,
        columns::DataType::Dictionary => DataType::Dictionary,
    }
}
