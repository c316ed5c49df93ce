//! How a plugin's rows become a table's: columns in the table's order, under its names and ids.
//!
//! Text travels as bytes from here on. A plugin's text is known to be UTF-8 by now, and neither ordering nor Parquet
//! asks again; Arrow's text arrays would, each time rows are put into order.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, DictionaryArray, Int32Array, ListArray, MapArray, RecordBatch, RecordBatchOptions,
    StructArray, new_null_array,
};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use super::SchemaError;

/// Plugin columns to table columns. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mapping(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plugin: SchemaRef,
    file: SchemaRef,
    rows: SchemaRef,
    slots: Vec<Slot>,
}

/// Where a field of the file comes from.
#[derive(Debug)]
pub(super) enum Slot {
    /// The plugin does not give it.
    Null(DataType),
    /// The plugin's field of this index.
    From(usize, Shape),
}

/// What is done to an array.
#[derive(Debug)]
pub(super) enum Shape {
    Same,
    Bytes,
    Cast(DataType),
    Struct(Fields, Vec<Slot>),
    List(FieldRef, Box<Shape>),
    Map(FieldRef, Box<Shape>, Box<Shape>),
}

impl Mapping {
    pub(super) fn new(plugin: SchemaRef, fields: Fields, slots: Vec<Slot>) -> Self {
        let rows = fields.iter().map(|f| Arc::new(as_bytes(f))).collect::<Vec<_>>();
        Self(Arc::new(Inner { plugin, file: Arc::new(Schema::new(fields)), rows: Arc::new(Schema::new(rows)), slots }))
    }

    /// The columns of the files: the table's names and order, its ids in the metadata of each field, dictionaries where
    /// the plugin has them.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.file
    }

    /// The columns of the rows that [`Self::apply`] makes: those of the files, but text is bytes.
    pub fn rows_schema(&self) -> &SchemaRef {
        &self.0.rows
    }

    /// Whether rows are what the plugin promised.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, rows: &RecordBatch) -> Result<(), SchemaError> {
        let found = rows.schema_ref().fields();
        let promised = self.0.plugin.fields();
        if found.len() != promised.len() {
            return Err(SchemaError::Rows(format!("{} columns, not {}", found.len(), promised.len())));
        }
        let differ = |(found, promised): &(&FieldRef, &FieldRef)| {
            found.name() != promised.name() || !found.data_type().equals_datatype(promised.data_type())
        };
        match found.iter().zip(promised).find(differ) {
            None => Ok(()),
            Some((found, promised)) => Err(SchemaError::Rows(format!(
                "column {} is {}, not {} {}",
                found.name(),
                found.data_type(),
                promised.name(),
                promised.data_type()
            ))),
        }
    }

    /// Gives a plugin's rows the table's columns. Copies only what is cast.
    ///
    /// # Errors
    /// Rows that are not what the plugin promised.
    pub fn apply(&self, rows: &RecordBatch) -> Result<RecordBatch, SchemaError> {
        self.check(rows)?;
        let columns = self.0.slots.iter().map(|s| apply_slot(s, rows.columns(), rows.num_rows()));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.0.rows), columns, &options).map_err(rows_error)
    }
}

fn apply_slot(slot: &Slot, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, SchemaError> {
    match slot {
        Slot::Null(data_type) => Ok(new_null_array(&bytes_type(data_type), rows)),
        Slot::From(index, shape) => apply(shape, &columns[*index]),
    }
}

fn apply(shape: &Shape, array: &ArrayRef) -> Result<ArrayRef, SchemaError> {
    Ok(match shape {
        Shape::Same => Arc::clone(array),
        Shape::Bytes => text_as_bytes(array)?,
        Shape::Cast(to) => text_as_bytes(&arrow::compute::cast(array, to).map_err(rows_error)?)?,
        Shape::Struct(fields, slots) => {
            let array = array.as_struct();
            let columns = slots.iter().map(|s| apply_slot(s, array.columns(), array.len()));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let fields = fields.iter().map(|f| Arc::new(as_bytes(f))).collect();
            Arc::new(StructArray::try_new(fields, columns, array.nulls().cloned()).map_err(rows_error)?)
        }
        Shape::List(field, element) => {
            let array = array.as_list::<i32>();
            let values = apply(element, array.values())?;
            let made =
                ListArray::try_new(Arc::new(as_bytes(field)), array.offsets().clone(), values, array.nulls().cloned());
            Arc::new(made.map_err(rows_error)?)
        }
        Shape::Map(entries, key, value) => {
            let array = array.as_map();
            let entries = Arc::new(as_bytes(entries));
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(SchemaError::Rows("a map without entries".to_string()));
            };
            let pair = vec![apply(key, array.keys())?, apply(value, array.values())?];
            let pair = StructArray::try_new(fields.clone(), pair, None).map_err(rows_error)?;
            let made =
                MapArray::try_new(Arc::clone(&entries), array.offsets().clone(), pair, array.nulls().cloned(), false);
            Arc::new(made.map_err(rows_error)?)
        }
    })
}

/// A field whose text, at any depth, is bytes.
fn as_bytes(field: &FieldRef) -> Field {
    Field::clone(field).with_data_type(bytes_type(field.data_type()))
}

fn bytes_type(data_type: &DataType) -> DataType {
    let inside = |f: &FieldRef| Arc::new(as_bytes(f));
    match data_type {
        DataType::Utf8 => DataType::Binary,
        DataType::Dictionary(keys, values) => DataType::Dictionary(keys.clone(), Box::new(bytes_type(values))),
        DataType::List(element) => DataType::List(inside(element)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inside).collect()),
        DataType::Map(entries, sorted) => DataType::Map(inside(entries), *sorted),
        other => other.clone(),
    }
}

/// The same array, its text as bytes. Copies nothing.
fn text_as_bytes(array: &ArrayRef) -> Result<ArrayRef, SchemaError> {
    match array.data_type() {
        DataType::Utf8 => Ok(Arc::new(BinaryArray::from(array.as_string::<i32>().clone()))),
        DataType::Dictionary(_, values) if matches!(**values, DataType::Utf8 | DataType::Binary) => {
            let dictionary = array
                .as_dictionary_opt::<Int32Type>()
                .ok_or_else(|| SchemaError::Rows(format!("a dictionary of type {}", array.data_type())))?;
            let values = text_as_bytes(dictionary.values())?;
            if values.null_count() == 0 {
                return Ok(Arc::new(dictionary.with_values(values)));
            }
            // A null among the values is a null in the rows: then all else may take values as they are.
            let keys = Int32Array::new(dictionary.keys().values().clone(), dictionary.logical_nulls());
            let (offsets, bytes, _) = values.as_binary::<i32>().clone().into_parts();
            let values = BinaryArray::new(offsets, bytes, None);
            Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(values)).map_err(rows_error)?))
        }
        _ => Ok(Arc::clone(array)),
    }
}

#[allow(clippy::needless_pass_by_value)]
fn rows_error(e: arrow_schema::ArrowError) -> SchemaError {
    SchemaError::Rows(e.to_string())
}
