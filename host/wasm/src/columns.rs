//! Guest columns, checked and turned into an Arrow record batch.
//!
//! Nothing a guest says about its columns is believed. Each buffer was copied once, out of the guest's memory, when it
//! was lifted; that copy is adopted where it is aligned, as allocators align it. Then lengths, null counts, offsets and
//! dictionary keys are checked here, with errors that name the column, and everything, UTF-8 too, by Arrow's own checks
//! as each level is made, children first: the `try_new` of text and of dictionaries, which look at values in half the
//! time, and the full validation of `ArrayData`'s `build` for all else. Whole columns are checked by simple loops; only
//! what is wrong is looked at value by value.
//!
//! Three things are mended instead of refused: invalid UTF-8 becomes U+FFFD and is counted; dictionary keys that are out
//! of range where the value is null become 0; what buffers hold beyond their use is cut off.

use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, StringArray, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, SchemaRef};

use crate::bindings::columns as guest;

mod text;

#[cfg(target_endian = "big")]
compile_error!("the contract's buffers are little-endian and are used as they are");

/// The record batch that a guest's columns are; adds the strings whose UTF-8 was mended to `repaired`.
///
/// # Errors
/// Names the column and what is wrong with it.
pub(crate) fn record_batch(
    schema: &SchemaRef,
    guest: guest::RecordBatchResult,
    repaired: &mut u64,
) -> Result<RecordBatch, String> {
    let (nodes, buffers) = schema.fields().iter().map(|f| layout(f.data_type())).fold((0, 0), add);
    if guest.nodes.len() != nodes {
        return Err(format!("it has {} nodes, and its schema has {nodes}", guest.nodes.len()));
    }
    if guest.buffers.len() != buffers {
        return Err(format!("it has {} buffers, and its schema needs {buffers}", guest.buffers.len()));
    }
    let rows = guest.rows as usize;
    let mut reader = Reader { nodes: guest.nodes.into_iter(), buffers: guest.buffers.into_iter(), repaired: 0 };
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let column = Column { name: field.name(), parent: None, nullable: field.is_nullable(), hides_nulls: false };
        columns.push(make_array(reader.read(&column, field.data_type(), Length::Exactly(rows))?));
    }
    *repaired += reader.repaired;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|e| e.to_string())
}

/// How many nodes and buffers a column of this type has, its children included.
fn layout(data_type: &DataType) -> (usize, usize) {
    match data_type {
        DataType::Utf8 | DataType::Binary => (1, 3),
        DataType::List(child) | DataType::Map(child, _) => add((1, 2), layout(child.data_type())),
        DataType::Struct(children) => children.iter().map(|child| layout(child.data_type())).fold((1, 1), add),
        DataType::Dictionary(_, values) => add((1, 2), layout(values)),
        _ => (1, 2),
    }
}

fn add(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0 + b.0, a.1 + b.1)
}

/// A column, or a part of a nested one; its display is the path to it.
struct Column<'a> {
    name: &'a str,
    parent: Option<&'a Column<'a>>,
    nullable: bool,
    /// Whether its parent is a struct with nulls, under which a child has values that do not count.
    hides_nulls: bool,
}

impl<'a> Column<'a> {
    fn child(&'a self, field: &'a arrow_schema::Field, hides_nulls: bool) -> Column<'a> {
        Column { name: field.name(), parent: Some(self), nullable: field.is_nullable(), hides_nulls }
    }

    fn lie(&self, what: impl fmt::Display) -> String {
        format!("column {self}: {what}")
    }
}

impl fmt::Display for Column<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)
    }
}

/// How many values a node must have.
#[derive(Clone, Copy)]
enum Length {
    Exactly(usize),
    AtLeast(usize),
    Any,
}

/// Takes nodes and buffers in the order of the schema.
struct Reader {
    nodes: std::vec::IntoIter<guest::Node>,
    buffers: std::vec::IntoIter<Vec<u8>>,
    repaired: u64,
}

impl Reader {
    fn read(&mut self, column: &Column<'_>, data_type: &DataType, length: Length) -> Result<ArrayData, String> {
        let node = self.nodes.next().ok_or_else(|| column.lie("its node is missing"))?;
        let len = node.length as usize;
        match length {
            Length::Exactly(wanted) if len != wanted => {
                return Err(column.lie(format_args!("it has {len} values, not {wanted}")));
            }
            Length::AtLeast(wanted) if len < wanted => {
                return Err(column.lie(format_args!("it has {len} values, and {wanted} are referred to")));
            }
            _ => {}
        }
        let nulls = self.validity(column, len, node.null_count as usize)?;
        let builder = ArrayData::builder(data_type.clone()).len(len);
        let builder = match data_type {
            DataType::Utf8 => return self.text(column, len, nulls),
            DataType::Binary => {
                let (offsets, bytes) = self.bytes(column, len)?;
                builder.add_buffer(offsets).add_buffer(bytes)
            }
            DataType::List(child) | DataType::Map(child, _) => {
                let offsets = self.offsets(column, len)?;
                let last = offsets.typed_data::<i32>().last().map_or(0, |last| *last as usize);
                let values = self.read(&column.child(child, false), child.data_type(), Length::AtLeast(last))?;
                builder.add_buffer(offsets).add_child_data(values)
            }
            DataType::Struct(children) => {
                let mut parts = Vec::with_capacity(children.len());
                for child in children {
                    let part = column.child(child, nulls.is_some());
                    parts.push(self.read(&part, child.data_type(), Length::Exactly(len))?);
                }
                builder.child_data(parts)
            }
            DataType::Dictionary(_, value_type) => return self.dictionary(column, value_type, len, nulls),
            DataType::Boolean => builder.add_buffer(self.bits(column, len)?),
            fixed => {
                let width = fixed.primitive_width().ok_or_else(|| column.lie("its type is not in the contract"))?;
                builder.add_buffer(self.fixed(column, len, width)?)
            }
        };
        builder.nulls(nulls).build().map_err(|e| column.lie(e))
    }

    fn buffer(&mut self, column: &Column<'_>) -> Result<Vec<u8>, String> {
        self.buffers.next().ok_or_else(|| column.lie("a buffer is missing"))
    }

    /// The validity bitmap, its null count recounted; none where nothing is null.
    fn validity(&mut self, column: &Column<'_>, len: usize, null_count: usize) -> Result<Option<NullBuffer>, String> {
        let bits = self.buffer(column)?;
        if bits.is_empty() && null_count == 0 {
            return Ok(None);
        }
        let needed = len.div_ceil(8);
        if bits.len() < needed {
            return Err(column.lie(format_args!("its validity has {} bytes, not {needed}", bits.len())));
        }
        let nulls = NullBuffer::new(BooleanBuffer::new(adopt(bits, needed, 1), 0, len));
        if nulls.null_count() != null_count {
            return Err(column.lie(format_args!("it says {null_count} nulls and has {}", nulls.null_count())));
        }
        if null_count == 0 {
            return Ok(None);
        }
        if !column.nullable && !column.hides_nulls {
            return Err(column.lie(format_args!("it has {null_count} nulls and may have none")));
        }
        Ok(Some(nulls))
    }

    fn bits(&mut self, column: &Column<'_>, len: usize) -> Result<Buffer, String> {
        let (bits, needed) = (self.buffer(column)?, len.div_ceil(8));
        if bits.len() < needed {
            return Err(column.lie(format_args!("its values have {} bytes, not {needed}", bits.len())));
        }
        Ok(adopt(bits, needed, 1))
    }

    /// Values of a fixed width, which is also their alignment.
    fn fixed(&mut self, column: &Column<'_>, len: usize, width: usize) -> Result<Buffer, String> {
        let (values, needed) = (self.buffer(column)?, len.saturating_mul(width));
        if values.len() < needed {
            return Err(column.lie(format_args!("its values have {} bytes, not {needed}", values.len())));
        }
        Ok(adopt(values, needed, width))
    }

    /// `len + 1` offsets that begin at 0 or above and never fall.
    fn offsets(&mut self, column: &Column<'_>, len: usize) -> Result<Buffer, String> {
        let offsets = self.buffer(column)?;
        if len == 0 && offsets.is_empty() {
            return Ok(Buffer::from_slice_ref([0_i32]));
        }
        let needed = (len + 1).saturating_mul(size_of::<i32>());
        if offsets.len() < needed {
            return Err(column.lie(format_args!("its offsets have {} bytes, not {needed}", offsets.len())));
        }
        let offsets = adopt(offsets, needed, size_of::<i32>());
        let values = offsets.typed_data::<i32>();
        if values[0] < 0 {
            return Err(column.lie(format_args!("its offsets begin at {}", values[0])));
        }
        // Not `all`: a loop without a way out is done many values at once.
        if values.iter().zip(&values[1..]).fold(false, |falls, (a, b)| falls | (a > b)) {
            let at = values.windows(2).position(|pair| pair[0] > pair[1]).unwrap_or_default();
            return Err(column.lie(format_args!("its offsets fall from {} to {}", values[at], values[at + 1])));
        }
        Ok(offsets)
    }

    /// Offsets, and bytes as far as they are used, of utf8 or binary.
    fn bytes(&mut self, column: &Column<'_>, len: usize) -> Result<(Buffer, Buffer), String> {
        let offsets = self.offsets(column, len)?;
        let bytes = self.buffer(column)?;
        let last = offsets.typed_data::<i32>().last().map_or(0, |last| *last as usize);
        if last > bytes.len() {
            return Err(column.lie(format_args!("its offsets end at {last}, and it has {} bytes", bytes.len())));
        }
        Ok((offsets, adopt(bytes, last, 1)))
    }

    /// A text column. Arrow's check of its UTF-8 is the only one: everything else was checked before, so that what
    /// Arrow refuses is text to be mended.
    fn text(&mut self, column: &Column<'_>, len: usize, nulls: Option<NullBuffer>) -> Result<ArrayData, String> {
        let (offsets, bytes) = self.bytes(column, len)?;
        // Both panic on what `fixed` and `offsets` have refused: too few, not aligned, negative, falling.
        let offsets = OffsetBuffer::new(ScalarBuffer::<i32>::new(offsets, 0, len + 1));
        if let Ok(text) = StringArray::try_new(offsets.clone(), bytes.clone(), nulls.clone()) {
            return Ok(text.into());
        }
        let mended = text::mend(&offsets, &bytes, nulls.as_ref())
            .ok_or_else(|| column.lie("its text is too long to be mended"))?;
        self.repaired += mended.values_changed;
        let text = StringArray::try_new(mended.offsets, mended.bytes, nulls).map_err(|e| column.lie(e))?;
        Ok(text.into())
    }

    /// Keys and the values that they stand for.
    fn dictionary(
        &mut self,
        column: &Column<'_>,
        value_type: &DataType,
        len: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayData, String> {
        let keys = self.fixed(column, len, size_of::<i32>())?;
        let entries = Column { name: "dictionary", parent: Some(column), nullable: false, hides_nulls: false };
        let values = self.read(&entries, value_type, Length::Any)?;
        let keys = keys_in_range(column, keys, nulls.as_ref(), values.len())?;
        let keys = ArrayData::builder(DataType::Int32).len(len).nulls(nulls).add_buffer(keys);
        let keys = Int32Array::from(keys.build().map_err(|e| column.lie(e))?);
        let dictionary = DictionaryArray::try_new(keys, make_array(values)).map_err(|e| column.lie(e))?;
        Ok(dictionary.into())
    }
}

/// Checks that the keys of values that are there are below `len`, and sets the others to 0 where they are not: some
/// readers look a key up before they look whether it is null.
fn keys_in_range(column: &Column<'_>, keys: Buffer, nulls: Option<&NullBuffer>, len: usize) -> Result<Buffer, String> {
    let values = keys.typed_data::<i32>();
    // As unsigned numbers, negative keys are the largest.
    let largest = values.iter().fold(0, |largest: u32, key| largest.max(key.cast_unsigned()));
    if values.is_empty() || (largest as usize) < len {
        return Ok(keys);
    }
    let out = |key: &i32| key.cast_unsigned() as usize >= len;
    let mut mended = values.to_vec();
    for (at, key) in mended.iter_mut().enumerate().filter(|(_, key)| out(key)) {
        if nulls.is_none_or(|nulls| nulls.is_valid(at)) {
            return Err(column.lie(format_args!("key {key} at {at}, and its dictionary has {len} values")));
        }
        *key = 0;
    }
    Ok(Buffer::from_vec(mended))
}

/// The first `needed` bytes as an aligned buffer. The vector is the one copy that was made of the guest's memory;
/// allocators align it by 8 or 16, which is enough for every type here, and it is kept, unless it is much too large.
fn adopt(bytes: Vec<u8>, needed: usize, alignment: usize) -> Buffer {
    /// What may be carried along unused.
    const SPARE_BYTES: usize = 4 << 10;
    if needed == 0 {
        return MutableBuffer::new(0).into();
    }
    if bytes.as_ptr().addr().is_multiple_of(alignment) && bytes.capacity() <= needed.saturating_mul(2) + SPARE_BYTES {
        Buffer::from_vec(bytes).slice_with_length(0, needed)
    } else {
        Buffer::from_slice_ref(&bytes[..needed])
    }
}

#[cfg(test)]
pub(crate) mod tests;
