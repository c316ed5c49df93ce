//! The columns of a row group as Parquet counts them, and how rows get there.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, FieldRef};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use parquet::errors::Result;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::SchemaDescriptor;

use super::coded::{CodedChunk, Levels};
use super::encoding::Encoding;

/// One column chunk that grows.
pub(super) enum Chunk {
    /// By Arrow's writer.
    Arrow(Box<ArrowColumnWriter>),
    /// From a dictionary.
    Coded(Box<CodedChunk>),
}

impl Chunk {
    /// Takes the places of Arrow's writers where a dictionary comes that they would look up again: in a column of its
    /// own, or as keys or values of one that is a map.
    pub(super) fn all(writers: Vec<ArrowColumnWriter>, schema: &SchemaDescriptor, encoding: &Encoding) -> Vec<Self> {
        let mut codable = Vec::with_capacity(writers.len());
        for field in encoding.rows.fields() {
            match (field.data_type(), map_fields(field)) {
                (DataType::Dictionary(..), _) => codable.push(true),
                (_, Some((key, value))) => codable.extend([key, value].map(is_dictionary)),
                _ => codable.resize(codable.len() + leaf_count(field), false),
            }
        }
        let chunk = |(index, writer): (usize, ArrowColumnWriter)| {
            let is_codable = codable.get(index).copied().unwrap_or(false);
            let kind = &encoding.leaves[index].kind;
            let coded =
                is_codable.then(|| CodedChunk::new(&schema.column(index), kind, &encoding.properties)).flatten();
            match coded {
                Some(coded) => Self::Coded(Box::new(coded)),
                None => Self::Arrow(Box::new(writer)),
            }
        };
        writers.into_iter().enumerate().map(chunk).collect()
    }

    /// About how many encoded bytes there are.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Arrow(writer) => writer.get_estimated_total_bytes(),
            Self::Coded(chunk) => chunk.bytes(),
        }
    }

    /// Ends the chunk and puts it into a row group.
    pub(super) fn append_to_row_group<W: std::io::Write + Send>(
        self,
        row_group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        match self {
            Self::Arrow(writer) => writer.close()?.append_to_row_group(row_group),
            Self::Coded(chunk) => chunk.append_to_row_group(row_group),
        }
    }
}

/// Adds one column's rows to its chunks, which are the first of these.
pub(super) fn write<'a>(
    field: &FieldRef,
    column: &ArrayRef,
    chunks: &mut impl Iterator<Item = &'a mut Chunk>,
) -> Result<()> {
    if let Some((key, value)) = map_fields(field) {
        if let (Some(keys), Some(values)) = (chunks.next(), chunks.next()) {
            return write_map(field, (key, value), column, keys, values);
        }
        return Ok(());
    }
    for _ in 0..leaf_count(field).min(1) {
        match chunks.next() {
            Some(Chunk::Coded(chunk)) => return write_coded(field, column, chunk),
            Some(Chunk::Arrow(first)) => {
                let mut leaves = compute_leaves(field, column)?.into_iter();
                if let Some(leaf) = leaves.next() {
                    first.write(&leaf)?;
                }
                for (leaf, chunk) in leaves.zip(chunks.by_ref()) {
                    if let Chunk::Arrow(writer) = chunk {
                        writer.write(&leaf)?;
                    }
                }
            }
            None => {}
        }
    }
    Ok(())
}

fn write_coded(field: &Field, column: &ArrayRef, chunk: &mut CodedChunk) -> Result<()> {
    let dictionary = column.as_dictionary::<Int32Type>();
    let (keys, nulls) = (dictionary.keys().values(), dictionary.keys().nulls());
    let mut def = Vec::new();
    for rows in pieces(column.len(), chunk.rows_max()) {
        def.clear();
        if field.is_nullable() {
            match nulls {
                None => def.resize(rows.len(), 1),
                Some(nulls) => def.extend(rows.clone().map(|row| u8::from(nulls.is_valid(row)))),
            }
        }
        let levels = Levels { rep: &[], def: &def, rows: rows.len() };
        let there = rows.filter(|row| nulls.is_none_or(|n| n.is_valid(*row)));
        chunk.write(levels, there.map(|row| keys[row]), dictionary.values())?;
    }
    Ok(())
}

/// Adds a map's rows to the chunks of its keys and values. For one that Arrow's writer takes, the map is a list of it:
/// the levels are the same.
fn write_map(
    field: &Field,
    (key, value): (&FieldRef, &FieldRef),
    column: &ArrayRef,
    keys: &mut Chunk,
    values: &mut Chunk,
) -> Result<()> {
    let map = column.as_map();
    for (field_below, below, chunk) in [(key, map.keys(), keys), (value, map.values(), values)] {
        match chunk {
            Chunk::Arrow(writer) => {
                let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
                let list = ListArray::try_new(Arc::clone(field_below), offsets, Arc::clone(below), nulls)?;
                let list_field = Field::new(field.name(), list.data_type().clone(), field.is_nullable());
                for leaf in compute_leaves(&list_field, &(Arc::new(list) as ArrayRef))? {
                    writer.write(&leaf)?;
                }
            }
            Chunk::Coded(chunk) => {
                let dictionary = below.as_dictionary::<Int32Type>();
                let nullable = (field.is_nullable(), field_below.is_nullable());
                let mut levels = ListLevels::default();
                for rows in pieces(column.len(), chunk.rows_max()) {
                    let offsets = &map.offsets()[rows.start..=rows.end];
                    levels.fill(offsets, map.nulls(), rows.clone(), dictionary.keys().nulls(), nullable);
                    let keys = dictionary.keys().values();
                    let there = levels.there.iter().flat_map(|range| &keys[range.clone()]).copied();
                    chunk.write(
                        Levels { rep: &levels.rep, def: &levels.def, rows: rows.len() },
                        there,
                        dictionary.values(),
                    )?;
                }
            }
        }
    }
    Ok(())
}

/// The levels of a list's elements, or of a map's keys or values, and which elements are there.
#[derive(Default)]
struct ListLevels {
    rep: Vec<u8>,
    def: Vec<u8>,
    there: Vec<Range<usize>>,
}

impl ListLevels {
    /// `offsets` are those of the rows; `nullable`: the list, and what is in it.
    fn fill(
        &mut self,
        offsets: &[i32],
        nulls: Option<&NullBuffer>,
        rows: Range<usize>,
        below: Option<&NullBuffer>,
        nullable: (bool, bool),
    ) {
        self.rep.clear();
        self.def.clear();
        self.there.clear();
        let empty = u8::from(nullable.0);
        let (null_below, full) = (empty + 1, empty + 1 + u8::from(nullable.1));
        for (row, ends) in rows.zip(offsets.windows(2)) {
            let (start, end) = (ends[0] as usize, ends[1] as usize);
            let is_null = nulls.is_some_and(|n| n.is_null(row));
            self.rep.push(0);
            if is_null || start == end {
                self.def.push(if is_null { 0 } else { empty });
                continue;
            }
            self.rep.resize(self.rep.len() + end - start - 1, 1);
            match below {
                None => {
                    self.def.resize(self.def.len() + end - start, full);
                    self.add(start..end);
                }
                Some(below) => {
                    for element in start..end {
                        let is_there = below.is_valid(element);
                        self.def.push(if is_there { full } else { null_below });
                        if is_there {
                            self.add(element..element + 1);
                        }
                    }
                }
            }
        }
    }

    fn add(&mut self, range: Range<usize>) {
        match self.there.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.there.push(range),
        }
    }
}

/// Rows in pieces of at most so many.
fn pieces(rows: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let most = most.max(1);
    (0..rows.div_ceil(most)).map(move |i| i * most..rows.min((i + 1) * most))
}

/// Key and value of a map of which one at least is a dictionary, and the other has no columns inside.
fn map_fields(field: &Field) -> Option<(&FieldRef, &FieldRef)> {
    let DataType::Map(entries, _) = field.data_type() else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    match &fields[..] {
        [key, value] if !key.data_type().is_nested() && !value.data_type().is_nested() => Some((key, value)),
        _ => None,
    }
}

fn is_dictionary(field: &FieldRef) -> bool {
    matches!(field.data_type(), DataType::Dictionary(..))
}

fn leaf_count(field: &Field) -> usize {
    match field.data_type() {
        DataType::List(inside) | DataType::Map(inside, _) => leaf_count(inside),
        DataType::Struct(fields) => fields.iter().map(|f| leaf_count(f)).sum(),
        _ => 1,
    }
}
