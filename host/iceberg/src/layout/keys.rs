//! Rows' places in a table's sort order as bytes that compare like them, across batches and files.

use arrow::row::{RowConverter, Rows, SortField};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef, SortOptions};
use iceberg::spec::TableMetadata;

use super::{LayoutError, SortKey, sort_keys};

/// A table's sort order, bound to the columns of some rows.
#[derive(Debug)]
pub(crate) struct Order {
    keys: Vec<SortKey>,
    converter: RowConverter,
}

impl Order {
    /// The order of rows `rows`, which data files hold as `file`; `None` where the table has none.
    ///
    /// # Errors
    /// As [`super::Layout::new`].
    pub(crate) fn new(metadata: &TableMetadata, file: &Schema, rows: &SchemaRef) -> Result<Option<Self>, LayoutError> {
        let keys = sort_keys(metadata, file)?;
        if keys.is_empty() {
            return Ok(None);
        }
        let empty = RecordBatch::new_empty(SchemaRef::clone(rows));
        let field = |key: &SortKey| {
            let options = SortOptions { descending: key.is_descending, nulls_first: key.nulls_first };
            Ok(SortField::new_with_options(key.key.of(&empty)?.data_type().clone(), options))
        };
        let fields = keys.iter().map(field).collect::<Result<_, LayoutError>>()?;
        Ok(Some(Self { converter: RowConverter::new(fields)?, keys }))
    }

    /// The keys of rows. Those of one order may be compared.
    ///
    /// # Errors
    /// None that a checked batch causes.
    pub(crate) fn keys(&self, rows: &RecordBatch) -> Result<Rows, LayoutError> {
        let columns: Vec<ArrayRef> = self.keys.iter().map(|key| key.key.of(rows)).collect::<Result<_, _>>()?;
        Ok(self.converter.convert_columns(&columns)?)
    }
}
