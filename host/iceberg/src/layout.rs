//! Which partition a row belongs to, and in which order a file holds its rows.
//!
//! Everything here works on columns: a transform is computed once for a column, or once for each value of its
//! dictionary, never row by row; rows move once, when they are in order.
//!
//! Rows are those of [`crate::schema::Mapping::apply`]: text is bytes.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{Field, Schema};
use iceberg::spec::{NullOrder, PrimitiveType, SortDirection, TableMetadata, Transform, Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

mod dictionary;
mod gather;
mod keys;
mod order;
mod partition;
#[cfg(test)]
mod tests;
mod transform;

pub(crate) use dictionary::shrink;
pub(crate) use gather::{Column, Run, TooLarge, runs};
pub(crate) use keys::Order;
pub(crate) use order::Sorted;
pub use partition::Partitioned;
pub(crate) use transform::text_prefix;

/// Why rows cannot be laid out as the table wants.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A partition field or sort field that cannot be computed.
    #[error("the table's {what} {name:?} cannot be written: {reason}")]
    Unsupported {
        /// Partition field or sort field.
        what: &'static str,
        /// Its name, or that of its column.
        name: String,
        /// What is in the way.
        reason: String,
    },
    /// Arrow refused rows that were thought good.
    #[error("rows cannot be put into order: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

/// A table's partition spec and sort order, bound to the columns of its files.
#[derive(Clone, Debug)]
pub struct Layout {
    partition: Vec<Key>,
    order: Vec<SortKey>,
    sort_order_id: Option<i32>,
}

/// A column, and what is made of it.
#[derive(Clone, Debug)]
struct Key {
    /// Indices from the root: more than one inside structs.
    path: Vec<usize>,
    source: PrimitiveType,
    transform: Transform,
    result: PrimitiveType,
}

#[derive(Clone, Debug)]
struct SortKey {
    key: Key,
    is_descending: bool,
    nulls_first: bool,
}

impl Layout {
    /// Binds the table's default partition spec and sort order to the columns of its files.
    ///
    /// # Errors
    /// Transforms that are unknown or make no sense for their column.
    pub fn new(metadata: &TableMetadata, file: &Schema) -> Result<Self, LayoutError> {
        let fields = metadata.default_partition_spec().fields().iter();
        let partition = fields.map(|f| {
            let unsupported = unsupported("partition field", &f.name);
            Key::new(metadata, file, f.source_id, f.transform).map_err(unsupported)
        });
        let sort = metadata.default_sort_order();
        Ok(Self {
            partition: partition.collect::<Result<_, _>>()?,
            order: sort_keys(metadata, file)?,
            sort_order_id: (!sort.is_unsorted()).then(|| i32::try_from(sort.order_id).ok()).flatten(),
        })
    }

    /// The partition of each row.
    ///
    /// # Errors
    /// None that a checked batch causes.
    pub fn partitions(&self, rows: &RecordBatch) -> Result<Partitioned, LayoutError> {
        partition::partitions(&self.partition, rows)
    }

    /// One batch's rows, those of a partition together and in the table's order, and what the partitions are, in that
    /// order. Done while the batch is in the processor's caches, it makes whole stretches of what would be steps from
    /// row to row when many batches are put into order.
    ///
    /// # Errors
    /// None that a checked batch causes.
    pub(crate) fn arrange(&self, rows: RecordBatch) -> Result<(RecordBatch, Partitioned), LayoutError> {
        let mut found = self.partitions(&rows)?;
        let sorted = self.sorted(&[&rows])?;
        let mut numbers: Vec<Vec<u128>> = found.counts.iter().map(|c| Vec::with_capacity(*c as usize)).collect();
        for row in 0..rows.num_rows() {
            let partition = found.rows.as_ref().map_or(0, |of_rows| of_rows[row] as usize);
            numbers[partition].push(sorted.number(0, row as u32));
        }
        numbers.iter_mut().for_each(|rows| sorted.sort(rows));
        let runs = runs(&numbers.concat());
        found.rows = None;
        if runs.len() <= 1 {
            return Ok((rows, found));
        }
        let column =
            |c: &ArrayRef| match Column::new(std::slice::from_ref(c), c.data_type())?.gather(&runs, rows.num_rows()) {
                Ok(gathered) => Ok(gathered),
                Err(TooLarge::Arrow(e)) => Err(e),
                // The same rows fitted before.
                Err(TooLarge::Offsets) => Err(arrow_schema::ArrowError::OffsetOverflowError(rows.num_rows())),
            };
        let columns = rows.columns().iter().map(column).collect::<Result<_, _>>()?;
        Ok((RecordBatch::try_new(rows.schema(), columns)?, found))
    }

    /// The sort order that `sorted` gives rows, if the table has one.
    pub fn sort_order_id(&self) -> Option<i32> {
        self.sort_order_id
    }

    /// What is needed to put rows of these batches into order.
    ///
    /// # Errors
    /// None that a checked batch causes.
    pub(crate) fn sorted(&self, batches: &[&RecordBatch]) -> Result<Sorted, LayoutError> {
        Sorted::new(&self.order, batches)
    }
}

fn unsupported(what: &'static str, name: &str) -> impl FnOnce(String) -> LayoutError {
    move |reason| LayoutError::Unsupported { what, name: name.to_string(), reason }
}

/// The table's default sort order, bound to the columns of some rows.
fn sort_keys(metadata: &TableMetadata, file: &Schema) -> Result<Vec<SortKey>, LayoutError> {
    let key = |f: &iceberg::spec::SortField| {
        let name = metadata.current_schema().name_by_field_id(f.source_id).unwrap_or("?");
        Ok(SortKey {
            key: Key::new(metadata, file, f.source_id, f.transform).map_err(unsupported("sort field", name))?,
            is_descending: f.direction == SortDirection::Descending,
            nulls_first: f.null_order == NullOrder::First,
        })
    };
    metadata.default_sort_order().fields.iter().map(key).collect()
}

impl Key {
    fn new(metadata: &TableMetadata, file: &Schema, source_id: i32, transform: Transform) -> Result<Self, String> {
        let schema = metadata.current_schema();
        let field = schema.field_by_id(source_id).ok_or_else(|| format!("there is no column with id {source_id}"))?;
        let Type::Primitive(source) = &*field.field_type else {
            return Err(format!("column {} is {}", field.name, field.field_type));
        };
        match transform {
            Transform::Unknown => return Err("its transform is unknown".to_string()),
            Transform::Bucket(n) | Transform::Truncate(n) if n == 0 || i32::try_from(n).is_err() => {
                return Err(format!("{transform} makes no sense"));
            }
            _ => {}
        }
        let result = match transform.result_type(&field.field_type) {
            Ok(Type::Primitive(result)) => result,
            Ok(other) => return Err(format!("{transform} of it is {other}")),
            Err(e) => return Err(e.to_string()),
        };
        let path = path_to(file.fields(), source_id).ok_or("it is inside a list or a map")?;
        Ok(Self { path, source: source.clone(), transform, result })
    }

    /// The transformed column.
    fn of(&self, rows: &RecordBatch) -> Result<ArrayRef, LayoutError> {
        let (first, rest) = self
            .path
            .split_first()
            .ok_or_else(|| arrow_schema::ArrowError::InvalidArgumentError("a path without steps".to_string()))?;
        let mut column = std::sync::Arc::clone(rows.column(*first));
        let mut nulls: Option<NullBuffer> = None;
        for step in rest {
            nulls = NullBuffer::union(nulls.as_ref(), column.nulls());
            column = std::sync::Arc::clone(column.as_struct().column(*step));
        }
        if let Some(outer) = nulls {
            let nulls = NullBuffer::union(Some(&outer), column.nulls());
            let data = column.to_data().into_builder().nulls(nulls).build()?;
            column = arrow_array::make_array(data);
        }
        transform::apply(self.transform, &self.source, &column)
    }
}

/// Indices that lead to a field, through structs only.
fn path_to<'a>(fields: impl IntoIterator<Item = &'a std::sync::Arc<Field>>, id: i32) -> Option<Vec<usize>> {
    let wanted = id.to_string();
    for (index, field) in fields.into_iter().enumerate() {
        if field.metadata().get(PARQUET_FIELD_ID_META_KEY) == Some(&wanted) {
            return Some(vec![index]);
        }
        if let arrow_schema::DataType::Struct(inside) = field.data_type()
            && let Some(mut below) = path_to(inside, id)
        {
            below.insert(0, index);
            return Some(below);
        }
    }
    None
}
