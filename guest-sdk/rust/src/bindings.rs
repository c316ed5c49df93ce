//! The component's side of the contract, generated from `wit/weir.wit`, and what joins it to a plugin.
//!
//! Generated code needs `unsafe` to read and write the canonical ABI; nothing else in this crate does.
#![allow(unsafe_code, missing_docs, unreachable_pub, rust_2018_idioms, clippy::all, clippy::unwrap_used)]

use crate::instance::Instance;
use crate::{message, output, plugin::OtlpToArrow, settings};
use std::cell::RefCell;
use std::thread::LocalKey;

pub mod arrow_to_arrow;
pub mod otlp_to_otlp;

wit_bindgen::generate!({
    world: "otlp-to-arrow-plugin",
    path: "../../wit",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "weir_sdk::bindings",
});

pub use exports::weir::plugin::otlp_to_arrow::{Guest, Output};
pub use weir::plugin::columns::Table;
pub use weir::plugin::records::Batch;
pub use weir::plugin::settings::Setting;

use weir::plugin::{columns, records};

/// Where a component keeps its one instance.
pub type Slot<P> = RefCell<Option<Instance<P>>>;

pub fn configure<P: OtlpToArrow + 'static>(
    slot: &'static LocalKey<Slot<P>>,
    given: Vec<Setting>,
) -> Result<Vec<Table>, String> {
    let (instance, tables) = Instance::configure(begin(given))?;
    slot.set(Some(instance));
    Ok(tables.into_iter().map(table).collect())
}

/// What comes before any plugin is configured.
fn begin(given: Vec<Setting>) -> Vec<settings::Setting> {
    // Without it a panic's message is lost: this target has no stderr.
    std::panic::set_hook(Box::new(|panic| crate::log::error(&panic.to_string())));
    given.into_iter().map(|Setting { key, values }| settings::Setting { key, values }).collect()
}

pub fn transform<P: OtlpToArrow + 'static>(slot: &'static LocalKey<Slot<P>>, given: Batch) -> Result<Output, String> {
    slot.with_borrow_mut(|slot| {
        let instance = slot.as_mut().ok_or("transform was called before configure")?;
        let output = instance.transform(&batch(given))?;
        Ok(Output {
            tables: output.tables.into_iter().map(table_rows).collect(),
            rejections: output.rejections.into_iter().map(rejection).collect(),
        })
    })
}

fn batch(given: Batch) -> message::Batch {
    message::Batch {
        signal: match given.signal {
            records::Signal::Traces => message::Signal::Traces,
            records::Signal::Metrics => message::Signal::Metrics,
            records::Signal::Logs => message::Signal::Logs,
        },
        topic: given.topic,
        partition: given.partition,
        messages: given.messages.into_iter().map(one).collect(),
    }
}

fn one(given: records::Message) -> message::Message {
    let header = |records::Header { key, value }| message::Header { key, value };
    message::Message {
        value: given.value,
        key: given.key,
        headers: given.headers.into_iter().map(header).collect(),
        timestamp_ms: given.timestamp_ms,
        offset: given.offset,
    }
}

fn table(table: output::TableSchema) -> Table {
    Table { name: table.name, doc: table.doc, fields: table.fields.into_iter().map(field).collect() }
}

fn field(field: output::Field) -> columns::Field {
    let output::Field { name, data_type, nullable, doc, children } = field;
    columns::Field { name, type_: kind(data_type), nullable, doc, children }
}

fn kind(data_type: output::DataType) -> columns::DataType {
    match data_type {
        output::DataType::Boolean => columns::DataType::Boolean,
        output::DataType::Int32 => columns::DataType::Int32,
        output::DataType::Int64 => columns::DataType::Int64,
        output::DataType::Float32 => columns::DataType::Float32,
        output::DataType::Float64 => columns::DataType::Float64,
        output::DataType::Date => columns::DataType::Date,
        output::DataType::TimestampUtc => columns::DataType::TimestampUtc,
        output::DataType::TimestampLocal => columns::DataType::TimestampLocal,
        output::DataType::Utf8 => columns::DataType::Utf8,
        output::DataType::Binary => columns::DataType::Binary,
        output::DataType::List => columns::DataType::List,
        output::DataType::Struct => columns::DataType::Struct,
        output::DataType::Map => columns::DataType::Map,
        output::DataType::Dictionary => columns::DataType::Dictionary,
    }
}

fn table_rows(given: output::TableRows) -> columns::TableRows {
    columns::TableRows { rows: record_batch(given.rows), rows_per_message: given.rows_per_message }
}

fn record_batch(given: output::RecordBatch) -> columns::RecordBatch {
    let node = |output::Node { length, null_count }| columns::Node { length, null_count };
    let nodes = given.nodes.into_iter().map(node).collect();
    columns::RecordBatch { rows: given.rows, nodes, buffers: given.buffers }
}

fn rejection(given: output::Rejection) -> records::Rejection {
    records::Rejection { index: given.index, reason: given.reason }
}
