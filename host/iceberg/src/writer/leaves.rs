//! The columns of a row group as Parquet counts them, and how rows get there.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, StructArray};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::SerializedRowGroupWriter;

use super::chunk::OwnChunk;
use super::codec::Codec;
use super::encoding::Encoding;
use super::general::leaf_count;
use super::spans::Spans;

/// One column chunk that grows.
pub(super) enum Chunk {
    /// By Arrow's writer.
    Arrow(Box<ArrowColumnWriter>),
    /// Of a type that is written here.
    Own(Box<OwnChunk>),
}

impl Chunk {
    /// Those of a new row group.
    pub(super) fn all(encoding: &Encoding, group: usize) -> Result<Vec<Self>> {
        let writers = encoding.general.writers(group)?;
        let chunk = |(index, writer): (usize, Option<ArrowColumnWriter>)| match writer {
            Some(writer) => Ok(Self::Arrow(Box::new(writer))),
            None => {
                let (column, leaf) = (encoding.descriptor.column(index), &encoding.leaves[index]);
                let own = OwnChunk::new(&column, &leaf.data_type, &leaf.kind, &encoding.properties)?;
                let own = own.ok_or_else(|| ParquetError::General(format!("no writer for {}", column.path())))?;
                Ok(Self::Own(Box::new(own)))
            }
        };
        writers.into_iter().enumerate().map(chunk).collect()
    }

    /// About how many encoded bytes there are.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Arrow(writer) => writer.get_estimated_total_bytes(),
            Self::Own(chunk) => chunk.bytes(),
        }
    }

    fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// Ends the chunk and puts it into a row group.
    pub(super) fn append_to_row_group<W: std::io::Write + Send>(
        self,
        row_group: &mut SerializedRowGroupWriter<'_, W>,
        codec: &mut Codec,
    ) -> Result<()> {
        match self {
            Self::Arrow(writer) => writer.close()?.append_to_row_group(row_group),
            Self::Own(chunk) => chunk.append_to_row_group(row_group, codec),
        }
    }
}

/// Rows that a page takes before it looks at its size again.
const AT_ONCE: usize = 1024;

/// Adds one column's rows to its chunks, which are the first of `chunks`, and gives those behind them. A page has
/// `page_rows` at the most.
pub(super) fn write<'a>(
    field: &FieldRef,
    column: &ArrayRef,
    chunks: &'a mut [Chunk],
    page_rows: usize,
    codec: &mut Codec,
) -> Result<&'a mut [Chunk]> {
    let (chunks, behind) = chunks.split_at_mut(leaf_count(field.data_type()));
    if chunks.iter().any(Chunk::is_own) {
        for rows in pieces(column.len(), page_rows.min(AT_ONCE)) {
            let mut chunks = chunks.iter_mut();
            write_own(field, column, (&Spans::rows(&rows), rows.len()), &mut chunks, codec)?;
        }
    }
    let is_kept: Vec<bool> = chunks.iter().map(|chunk| !chunk.is_own()).collect();
    if let Some((field, column)) = project(field, column, &mut is_kept.iter().copied())? {
        let leaves = compute_leaves(&field, &column)?;
        let writers = chunks.iter_mut().filter_map(|chunk| match chunk {
            Chunk::Arrow(writer) => Some(writer),
            Chunk::Own(_) => None,
        });
        for (leaf, writer) in leaves.iter().zip(writers) {
            writer.write(leaf)?;
        }
    }
    Ok(behind)
}

/// Adds what is below a column, at these places, to those of its chunks that are written here.
fn write_own<'a>(
    field: &FieldRef,
    array: &ArrayRef,
    (spans, rows): (&Spans, usize),
    chunks: &mut impl Iterator<Item = &'a mut Chunk>,
    codec: &mut Codec,
) -> Result<()> {
    let within = |spans: &Spans| match field.is_nullable() {
        true => spans.nullable(array.nulls()),
        false => spans.clone(),
    };
    match field.data_type() {
        DataType::List(inside) => {
            let list = array.as_list::<i32>();
            let below = within(spans).list(list.offsets());
            write_own(inside, list.values(), (&below, rows), chunks, codec)
        }
        DataType::Map(entries, _) => {
            let map = array.as_map();
            let below = within(spans).list(map.offsets());
            let below_entries: ArrayRef = Arc::new(map.entries().clone());
            write_own(entries, &below_entries, (&below, rows), chunks, codec)
        }
        DataType::Struct(fields) => {
            let below = within(spans);
            let columns = array.as_struct().columns();
            fields.iter().zip(columns).try_for_each(|(f, c)| write_own(f, c, (&below, rows), chunks, codec))
        }
        _ => match chunks.next() {
            Some(Chunk::Own(chunk)) => chunk.write((spans, rows), field.is_nullable(), array, codec),
            _ => Ok(()),
        },
    }
}

/// A column with those of its leaves alone that are kept; `None` if none is. A map becomes a list, whose levels are the
/// same.
fn project(
    field: &FieldRef,
    array: &ArrayRef,
    is_kept: &mut impl Iterator<Item = bool>,
) -> std::result::Result<Option<(FieldRef, ArrayRef)>, ArrowError> {
    let made = |array: ArrayRef| {
        let field = Field::new(field.name(), array.data_type().clone(), field.is_nullable());
        (Arc::new(field), array)
    };
    let list = |inside: Option<(FieldRef, ArrayRef)>, offsets, nulls| match inside {
        None => Ok(None),
        Some((inside, values)) => {
            let list = ListArray::try_new(inside, offsets, values, nulls)?;
            Ok(Some(made(Arc::new(list))))
        }
    };
    match field.data_type() {
        DataType::List(inside) => {
            let whole = array.as_list::<i32>();
            let inside = project(inside, whole.values(), is_kept)?;
            list(inside, whole.offsets().clone(), whole.nulls().cloned())
        }
        DataType::Map(entries, _) => {
            let whole = array.as_map();
            let below: ArrayRef = Arc::new(whole.entries().clone());
            let inside = project(entries, &below, is_kept)?;
            list(inside, whole.offsets().clone(), whole.nulls().cloned())
        }
        DataType::Struct(fields) => {
            let whole = array.as_struct();
            let columns = fields.iter().zip(whole.columns()).map(|(f, c)| project(f, c, is_kept));
            let kept = columns.collect::<std::result::Result<Vec<_>, ArrowError>>()?;
            let (fields, columns): (Vec<_>, Vec<_>) = kept.into_iter().flatten().unzip();
            if fields.is_empty() {
                return Ok(None);
            }
            let part = StructArray::try_new(Fields::from(fields), columns, whole.nulls().cloned())?;
            Ok(Some(made(Arc::new(part))))
        }
        _ => Ok(is_kept.next().unwrap_or_default().then(|| (Arc::clone(field), Arc::clone(array)))),
    }
}

/// Rows in pieces of at most so many.
fn pieces(rows: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let most = most.max(1);
    (0..rows.div_ceil(most)).map(move |i| i * most..rows.min((i + 1) * most))
}
