//! A plugin's columns and a table's: making one from the other, and matching them where both exist.
//!
//! Columns are matched by name, exactly; the ids are the table's. [`create_schema`] makes a new table's schema;
//! [`reconcile`] matches a plugin with a table that is there, and says what is to be added.

use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};
use iceberg::spec::{ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, StructType, Type};
use weir_pipeline::transform::TableSchema;

mod by_id;
mod former;
mod mapping;
mod reconcile;
#[cfg(test)]
mod tests;

pub(crate) use by_id::{by_id, file_schema};
pub use former::{Followed, Former};
pub use mapping::Mapping;
pub use reconcile::{Missing, Reconciled, add_columns, reconcile};

/// Why a plugin's columns and a table do not fit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SchemaError {
    /// Two columns, or two fields of one struct, have one name.
    #[error("the plugin gives two columns named {0}")]
    Duplicate(String),
    /// A type that no table can hold.
    #[error("column {column} has type {ours}, which an Iceberg table cannot hold")]
    Unsupported {
        /// The column, with the fields that lead to it.
        column: String,
        /// Its type in the plugin.
        ours: String,
    },
    /// Types of which neither is a safe widening of the other.
    #[error("column {column} is {theirs} in the table and {ours} in the plugin{hint}")]
    OtherType {
        /// The column, with the fields that lead to it.
        column: String,
        /// Its type in the table.
        theirs: String,
        /// Its type in the plugin.
        ours: String,
        /// What that would mean, or nothing.
        hint: &'static str,
    },
    /// The table requires a column that the plugin lacks.
    #[error("the table requires column {column} ({theirs}), which the plugin does not give")]
    NotGiven {
        /// The column.
        column: String,
        /// Its type in the table.
        theirs: String,
    },
    /// The table requires a value where the plugin may have none.
    #[error("the table requires a value in column {0}, which may be null in the plugin")]
    MayBeNull(String),
    /// The table lacks a column that the plugin requires.
    #[error("the table has no column {column} ({ours}), and the plugin requires it: only an optional one can be added")]
    CannotAdd {
        /// The column.
        column: String,
        /// Its type in the plugin.
        ours: String,
    },
    /// A data file's column that is not the table's.
    #[error("column {column} is {theirs} in the table and {found} in the file")]
    InFile {
        /// The column, with the fields that lead to it.
        column: String,
        /// Its type in the table.
        theirs: String,
        /// What the file has.
        found: String,
    },
    /// Rows that are not what the plugin promised.
    #[error("the plugin's rows do not fit its schema: {0}")]
    Rows(String),
    /// The crate `iceberg` refuses the schema.
    #[error("the schema is refused: {0}")]
    Refused(String),
}

/// The schema of a new table that holds what the plugin gives. Top-level columns get the first ids, comments are taken
/// along, dictionaries become what they hold.
///
/// # Errors
/// Two columns of one name, or a type that no table can hold.
pub fn create_schema(table: &TableSchema) -> Result<Schema, SchemaError> {
    let mut fields = Vec::with_capacity(table.schema.fields().len());
    for field in table.schema.fields() {
        fields.push(unnumbered(field.name(), field)?);
    }
    check_names("", table.schema.fields())?;
    let mut next = 1;
    let fields = number(fields, &mut next);
    Schema::builder().with_fields(fields).build().map_err(|e| SchemaError::Refused(e.to_string()))
}

/// A plugin's field as a table's, with ids that [`number`] replaces.
fn unnumbered(path: &str, field: &Field) -> Result<NestedFieldRef, SchemaError> {
    let made = NestedField::new(0, field.name(), table_type(path, field.data_type())?, !field.is_nullable());
    Ok(Arc::new(match field.metadata().get("doc").filter(|d| !d.is_empty()) {
        Some(doc) => made.with_doc(doc),
        None => made,
    }))
}

fn table_type(path: &str, data_type: &DataType) -> Result<Type, SchemaError> {
    let primitive = match data_type {
        DataType::Boolean => PrimitiveType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => PrimitiveType::Int,
        DataType::Int64 | DataType::UInt32 => PrimitiveType::Long,
        DataType::Float32 => PrimitiveType::Float,
        DataType::Float64 => PrimitiveType::Double,
        DataType::Date32 => PrimitiveType::Date,
        DataType::Time64(TimeUnit::Microsecond) => PrimitiveType::Time,
        DataType::Timestamp(TimeUnit::Microsecond, None) => PrimitiveType::Timestamp,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => PrimitiveType::Timestamptz,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => PrimitiveType::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => PrimitiveType::Binary,
        DataType::FixedSizeBinary(n) if *n > 0 => PrimitiveType::Fixed(u64::from(n.unsigned_abs())),
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            PrimitiveType::Decimal { precision: u32::from(*precision), scale: u32::from(scale.unsigned_abs()) }
        }
        DataType::Dictionary(_, values) if !values.is_nested() => return table_type(path, values),
        DataType::List(element) => {
            let inner = table_type(&format!("{path}.element"), element.data_type())?;
            let element = NestedField::list_element(0, inner, !element.is_nullable());
            return Ok(Type::List(ListType::new(Arc::new(element))));
        }
        DataType::Struct(fields) => {
            check_names(path, fields)?;
            let fields = fields.iter().map(|f| unnumbered(&format!("{path}.{}", f.name()), f));
            return Ok(Type::Struct(StructType::new(fields.collect::<Result<_, _>>()?)));
        }
        DataType::Map(entries, _) => {
            let (key, value) = map_fields(entries).ok_or_else(|| unsupported(path, data_type))?;
            let key = NestedField::map_key_element(0, table_type(&format!("{path}.key"), key.data_type())?);
            let inner = table_type(&format!("{path}.value"), value.data_type())?;
            let value = NestedField::map_value_element(0, inner, !value.is_nullable());
            return Ok(Type::Map(MapType::new(Arc::new(key), Arc::new(value))));
        }
        _ => return Err(unsupported(path, data_type)),
    };
    Ok(Type::Primitive(primitive))
}

fn map_fields(entries: &Field) -> Option<(&Field, &Field)> {
    match entries.data_type() {
        DataType::Struct(fields) => match &fields[..] {
            [key, value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}

fn check_names(path: &str, fields: &arrow_schema::Fields) -> Result<(), SchemaError> {
    let mut seen = std::collections::HashSet::new();
    match fields.iter().find(|f| !seen.insert(f.name())) {
        Some(twice) if path.is_empty() => Err(SchemaError::Duplicate(twice.name().clone())),
        Some(twice) => Err(SchemaError::Duplicate(format!("{path}.{}", twice.name()))),
        None => Ok(()),
    }
}

fn unsupported(path: &str, data_type: &DataType) -> SchemaError {
    SchemaError::Unsupported { column: path.to_string(), ours: data_type.to_string() }
}

/// Gives ids: those of one level first, then what is inside.
fn number(fields: Vec<NestedFieldRef>, next: &mut i32) -> Vec<NestedFieldRef> {
    let first = *next;
    *next += i32::try_from(fields.len()).unwrap_or(i32::MAX);
    let numbered = fields.into_iter().zip(first..).map(|(field, id)| {
        let mut field = Arc::unwrap_or_clone(field);
        field.id = id;
        field.field_type = Box::new(number_inside(*field.field_type, next));
        Arc::new(field)
    });
    numbered.collect()
}

/// Gives ids to what is inside a type.
pub(crate) fn number_inside(inside: Type, next: &mut i32) -> Type {
    match inside {
        Type::Primitive(p) => Type::Primitive(p),
        Type::Struct(s) => Type::Struct(StructType::new(number(s.fields().to_vec(), next))),
        Type::List(l) => {
            let mut element = number(vec![l.element_field], next);
            Type::List(ListType::new(element.remove(0)))
        }
        Type::Map(m) => {
            let mut pair = number(vec![m.key_field, m.value_field], next);
            let value = pair.remove(1);
            Type::Map(MapType::new(pair.remove(0), value))
        }
    }
}
