//! Tables told: to a plugin that works on their rows, and to a person who reads why it does not.

use std::fmt::Write;

use arrow_schema::{DataType, Field, TimeUnit};
use weir_pipeline::transform::TableSchema;

use crate::bindings::columns::{DataType as Kind, FieldParam, TableParam};
use crate::schema::DOC;

/// The longest text of tables, in bytes: the default table of spans has 1,500.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Calls with the tables as the contract has them.
pub(crate) fn with_tables<T>(tables: &[TableSchema], call: impl FnOnce(&[TableParam<'_>]) -> T) -> T {
    let fields: Vec<Vec<FieldParam<'_>>> = tables
        .iter()
        .map(|table| {
            let mut fields = Vec::new();
            table.schema.fields().iter().for_each(|field| push(field, &mut fields));
            fields
        })
        .collect();
    let lowered =
        tables.iter().zip(&fields).map(|(table, fields)| TableParam { name: &table.name, doc: &table.doc, fields });
    call(&lowered.collect::<Vec<_>>())
}

fn push<'a>(field: &'a Field, fields: &mut Vec<FieldParam<'a>>) {
    let (kind, children) = match field.data_type() {
        DataType::Boolean => (Kind::Boolean, 0),
        DataType::Int32 => (Kind::Int32, 0),
        DataType::Int64 => (Kind::Int64, 0),
        DataType::Float32 => (Kind::Float32, 0),
        DataType::Float64 => (Kind::Float64, 0),
        DataType::Date32 => (Kind::Date, 0),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => (Kind::TimestampUtc, 0),
        DataType::Timestamp(_, _) => (Kind::TimestampLocal, 0),
        DataType::Utf8 => (Kind::Utf8, 0),
        DataType::List(_) => (Kind::List, 1),
        DataType::Map(_, _) => (Kind::Map, 1),
        DataType::Struct(children) => (Kind::Struct, children.len()),
        DataType::Dictionary(_, _) => (Kind::Dictionary, 1),
        _ => (Kind::Binary, 0),
    };
    fields.push(FieldParam {
        name: field.name(),
        type_: kind,
        nullable: field.is_nullable(),
        doc: field.metadata().get(DOC).map_or("", String::as_str),
        children: u32::try_from(children).unwrap_or(u32::MAX),
    });
    match field.data_type() {
        DataType::List(child) | DataType::Map(child, _) => push(child, fields),
        DataType::Struct(children) => children.iter().for_each(|child| push(child, fields)),
        DataType::Dictionary(_, values) => {
            let type_ = if **values == DataType::Utf8 { Kind::Utf8 } else { Kind::Binary };
            fields.push(FieldParam { name: "values", type_, nullable: false, doc: "", children: 0 });
        }
        _ => {}
    }
}

/// The tables for a person: `spans(timestamp timestamp-utc not null, name dictionary<utf8>, tags map<utf8, utf8>)`.
pub fn text(tables: &[TableSchema]) -> String {
    let mut text = String::new();
    for (at, table) in tables.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "; " });
        text.push_str(&table.name);
        text.push('(');
        for (at, field) in table.schema.fields().iter().enumerate() {
            text.push_str(if at == 0 { "" } else { ", " });
            column(&mut text, field);
        }
        text.push(')');
    }
    let cut = crate::voice::cut(&text, TEXT_BYTES_MAX).len();
    if cut < text.len() {
        text.truncate(cut);
        text.push_str(" ...");
    }
    text
}

fn column(text: &mut String, field: &Field) {
    // Writing to a string does not fail.
    let _ = write!(text, "{} ", field.name());
    data_type(text, field.data_type());
    if !field.is_nullable() {
        text.push_str(" not null");
    }
}

fn data_type(text: &mut String, of: &DataType) {
    let name = match of {
        DataType::Boolean => "boolean",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::Float32 => "float32",
        DataType::Float64 => "float64",
        DataType::Date32 => "date",
        DataType::Timestamp(_, Some(_)) => "timestamp-utc",
        DataType::Timestamp(_, None) => "timestamp-local",
        DataType::Utf8 => "utf8",
        DataType::List(_) => "list",
        DataType::Map(_, _) => "map",
        DataType::Struct(_) => "struct",
        DataType::Dictionary(_, _) => "dictionary",
        _ => "binary",
    };
    text.push_str(name);
    let mut inner = |types: &mut dyn Iterator<Item = &DataType>| {
        for (at, of) in types.enumerate() {
            text.push_str(if at == 0 { "<" } else { ", " });
            data_type(text, of);
        }
        text.push('>');
    };
    match of {
        DataType::List(element) => inner(&mut std::iter::once(element.data_type())),
        DataType::Dictionary(_, values) => inner(&mut std::iter::once(values.as_ref())),
        DataType::Map(entries, _) => {
            if let DataType::Struct(parts) = entries.data_type() {
                inner(&mut parts.iter().map(|part| part.data_type()));
            }
        }
        DataType::Struct(parts) => {
            for (at, part) in parts.iter().enumerate() {
                text.push_str(if at == 0 { "<" } else { ", " });
                column(text, part);
            }
            text.push('>');
        }
        _ => {}
    }
}
