//! A plugin's own description of its tables, turned into Arrow schemas: bounded, and only what Iceberg can hold.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use weir_pipeline::transform::TableSchema;

use crate::bindings::columns::{self as guest, DataType as Kind};

/// Tables of one plugin.
const TABLES_MAX: usize = 64;

/// Fields of one table, nested ones included. Readers are slow long before.
const FIELDS_MAX: usize = 2048;

/// How deep fields nest. Attributes of the links of a span are at depth 5.
const DEPTH_MAX: usize = 12;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// The longest doc, in bytes.
const DOC_BYTES_MAX: usize = 4 << 10;

/// The metadata key under which a field's comment stands.
pub(crate) const DOC: &str = "doc";

/// The zone of a timestamp that is a point in time, as Iceberg's Arrow schemas have it.
const UTC: &str = "+00:00";

/// The schemas of the tables that `configure` gave.
///
/// # Errors
/// Which table and field cannot be, and why.
pub(crate) fn tables(tables: &[guest::TableResult]) -> Result<Vec<TableSchema>, String> {
    check_names(tables.iter().map(|table| (table.name.as_str(), table.doc.as_str())))?;
    tables.iter().map(|t| table(t).map_err(|e| format!("table {}: {e}", t.name))).collect()
}

/// Holds tables' names and docs to their bounds: at least one table, none twice.
pub(crate) fn check_names<'a>(tables: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> Result<(), String> {
    if tables.len() == 0 {
        return Err("there is no table; a plugin has at least one".to_owned());
    }
    if tables.len() > TABLES_MAX {
        return Err(format!("there are {} tables, more than {TABLES_MAX}", tables.len()));
    }
    let mut names = HashSet::new();
    for (index, (name, doc)) in tables.enumerate() {
        check_texts(name, doc).map_err(|e| format!("table {index}: {e}"))?;
        if !names.insert(name) {
            return Err(format!("two tables are called {name}"));
        }
    }
    Ok(())
}

/// The schema of a table with these columns.
pub(crate) fn of_columns(columns: Vec<FieldRef>) -> Result<SchemaRef, String> {
    if columns.is_empty() {
        return Err("it has no column".to_owned());
    }
    let fields = columns.iter().map(|column| nodes(column.data_type())).sum::<usize>();
    if fields > FIELDS_MAX {
        return Err(format!("it has {fields} fields, more than {FIELDS_MAX}"));
    }
    columns.iter().try_for_each(|column| check_texts(column.name(), ""))?;
    check_distinct(&columns)?;
    Ok(Arc::new(Schema::new(columns)))
}

/// The one column that fields describe.
pub(crate) fn column(fields: &[guest::FieldResult]) -> Result<FieldRef, String> {
    if fields.len() > FIELDS_MAX {
        return Err(format!("it has {} fields, more than {FIELDS_MAX}", fields.len()));
    }
    let mut walk = Walk { fields: fields.iter() };
    let column = walk.field(1)?;
    match walk.fields.as_slice() {
        [] => Ok(column),
        [next, ..] => Err(format!("field {} is of no column", crate::voice::one_line(&next.name))),
    }
}

/// How many fields a column of this type has, itself included.
fn nodes(data_type: &DataType) -> usize {
    1 + match data_type {
        DataType::List(child) | DataType::Map(child, _) => nodes(child.data_type()),
        DataType::Struct(children) => children.iter().map(|child| nodes(child.data_type())).sum(),
        DataType::Dictionary(_, values) => nodes(values),
        _ => 0,
    }
}

fn table(table: &guest::TableResult) -> Result<TableSchema, String> {
    if table.fields.is_empty() {
        return Err("it has no column".to_owned());
    }
    if table.fields.len() > FIELDS_MAX {
        return Err(format!("it has {} fields, more than {FIELDS_MAX}", table.fields.len()));
    }
    let mut walk = Walk { fields: table.fields.iter() };
    let mut columns = Vec::new();
    while !walk.fields.as_slice().is_empty() {
        columns.push(walk.field(1)?);
    }
    let schema = of_columns(columns)?;
    Ok(TableSchema { name: table.name.clone(), doc: table.doc.clone(), schema })
}

/// A walk over the fields, depth first.
struct Walk<'a> {
    fields: std::slice::Iter<'a, guest::FieldResult>,
}

impl Walk<'_> {
    /// The next field with all its children.
    fn field(&mut self, depth: usize) -> Result<FieldRef, String> {
        let field = self.fields.next().ok_or("the fields end before the last child")?;
        let named = |e: &dyn Display| format!("field {}: {e}", crate::voice::one_line(&field.name));
        check_texts(&field.name, &field.doc).map_err(|e| named(&e))?;
        if depth > DEPTH_MAX {
            return Err(named(&format!("it is nested more than {DEPTH_MAX} deep")));
        }
        let wanted = field.children as usize;
        if wanted > self.fields.as_slice().len() {
            return Err(named(&format!(
                "it has {wanted} children, and {} fields follow",
                self.fields.as_slice().len()
            )));
        }
        let mut children = Vec::with_capacity(wanted);
        for _ in 0..wanted {
            children.push(self.field(depth + 1).map_err(|e| named(&e))?);
        }
        let data_type = data_type(field.type_, children).map_err(|e| named(&e))?;
        let metadata = match field.doc.as_str() {
            "" => HashMap::new(),
            doc => HashMap::from([(DOC.to_owned(), doc.to_owned())]),
        };
        Ok(Arc::new(Field::new(&field.name, data_type, field.nullable).with_metadata(metadata)))
    }
}

fn data_type(kind: Kind, children: Vec<FieldRef>) -> Result<DataType, String> {
    match kind {
        Kind::List => {
            let [element] = exactly(children, "a list has one child, its element")?;
            Ok(DataType::List(element))
        }
        Kind::Struct => {
            if children.is_empty() {
                return Err("a struct has at least one child".to_owned());
            }
            check_distinct(&children)?;
            Ok(DataType::Struct(Fields::from(children)))
        }
        Kind::Map => {
            let [entries] = exactly(children, "a map has one child, a struct")?;
            check_entries(&entries)?;
            Ok(DataType::Map(entries, false))
        }
        Kind::Dictionary => {
            let [values] = exactly(children, "a dictionary has one child, its values")?;
            match values.data_type() {
                DataType::Utf8 | DataType::Binary => {}
                _ => return Err("the values of a dictionary are utf8 or binary".to_owned()),
            }
            Ok(DataType::Dictionary(Box::new(DataType::Int32), Box::new(values.data_type().clone())))
        }
        leaf => {
            let [] = exactly(children, "only lists, structs, maps and dictionaries have children")?;
            Ok(leaf_type(leaf))
        }
    }
}

fn leaf_type(kind: Kind) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Int32 => DataType::Int32,
        Kind::Int64 => DataType::Int64,
        Kind::Float32 => DataType::Float32,
        Kind::Float64 => DataType::Float64,
        Kind::Date => DataType::Date32,
        Kind::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        Kind::TimestampLocal => DataType::Timestamp(TimeUnit::Microsecond, None),
        Kind::Utf8 => DataType::Utf8,
        Kind::Binary | Kind::List | Kind::Struct | Kind::Map | Kind::Dictionary => DataType::Binary,
    }
}

fn exactly<const N: usize>(children: Vec<FieldRef>, rule: &str) -> Result<[FieldRef; N], String> {
    children.try_into().map_err(|c: Vec<FieldRef>| format!("{rule}; it has {}", c.len()))
}

fn check_entries(entries: &Field) -> Result<(), String> {
    let DataType::Struct(parts) = entries.data_type() else {
        return Err("the child of a map is a struct".to_owned());
    };
    if entries.is_nullable() {
        return Err("the entries of a map are not nullable".to_owned());
    }
    match parts.as_ref() {
        [key, _] if key.is_nullable() => Err("the key of a map is not nullable".to_owned()),
        [key, _] if key.data_type().is_nested() => Err("the key of a map is not nested".to_owned()),
        [_, _] => Ok(()),
        parts => Err(format!("the entries of a map are a key and a value; they have {} fields", parts.len())),
    }
}

fn check_distinct(siblings: &[FieldRef]) -> Result<(), String> {
    let mut names = HashSet::new();
    match siblings.iter().find(|f| !names.insert(f.name().as_str())) {
        Some(twice) => Err(format!("two fields beside each other are called {}", twice.name())),
        None => Ok(()),
    }
}

fn check_texts(name: &str, doc: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("it has no name".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("its name has {} bytes, more than {NAME_BYTES_MAX}", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err("its name holds a control character".to_owned());
    }
    if doc.len() > DOC_BYTES_MAX {
        return Err(format!("its doc has {} bytes, more than {DOC_BYTES_MAX}", doc.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
