//! From a file's columns, under the names and types of the snapshot, to the columns of the query.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;

/// Batches of one shape out of batches of several: columns by the snapshot's name, types cast where a column was
/// widened since, nulls where it did not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    schema: SchemaRef,
    /// For each column, its name in the snapshot; `None` where it has none.
    names: Vec<Option<String>>,
}

impl Adapter {
    pub(crate) fn new(schema: SchemaRef, names: Vec<Option<String>>) -> Self {
        Self { schema, names }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// # Errors
    /// Where a value does not fit the column's type, or a column that may not be null has no values.
    pub(crate) fn adapt(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.schema.fields().iter().zip(&self.names);
        let columns: Result<Vec<ArrayRef>, ArrowError> = columns
            .map(|(field, name)| match name.as_deref().and_then(|name| batch.column_by_name(name)) {
                Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
                Some(column) => {
                    let options = CastOptions { safe: false, ..CastOptions::default() };
                    cast_with_options(column, field.data_type(), &options)
                }
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns?, &options)
    }
}

/// A schema without the field ids and comments that Iceberg keeps in Arrow's metadata: to DataFusion they would make
/// equal types differ.
pub(crate) fn plain_schema(schema: &Schema) -> Schema {
    Schema::new(schema.fields().iter().map(|field| plain_field(field)).collect::<Vec<_>>())
}

fn plain_field(field: &Field) -> Field {
    Field::new(field.name(), plain_type(field.data_type()), field.is_nullable())
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::List(field) => DataType::List(Arc::new(plain_field(field))),
        DataType::LargeList(field) => DataType::LargeList(Arc::new(plain_field(field))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| plain_field(field)).collect()),
        DataType::Map(entries, is_sorted) => DataType::Map(Arc::new(plain_field(entries)), *is_sorted),
        other => other.clone(),
    }
}
