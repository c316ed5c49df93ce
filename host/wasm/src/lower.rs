//! Arrow columns as the contract lays them out: what a guest is given. The inverse of `columns`, and borrowed: the one
//! copy is into the guest's memory.

use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_schema::DataType;

use crate::bindings::columns::{Node, RecordBatchParam};

/// Columns of one table.
#[derive(Default)]
pub(crate) struct Lowered {
    rows: u32,
    nodes: Vec<Node>,
    buffers: Vec<Buffer>,
}

impl Lowered {
    /// Lays out columns of so many rows.
    pub(crate) fn new<'a>(rows: usize, columns: impl Iterator<Item = &'a ArrayRef>) -> Self {
        let mut lowered = Self { rows: count(rows), ..Self::default() };
        columns.for_each(|column| lowered.push(&column.to_data()));
        lowered
    }

    /// What crosses, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.buffers.iter().map(|buffer| buffer.len() as u64).sum()
    }

    /// The buffers, for [`Lowered::batch`].
    pub(crate) fn slices(&self) -> Vec<&[u8]> {
        self.buffers.iter().map(Buffer::as_slice).collect()
    }

    /// The columns in the contract's form; `slices` are this one's.
    pub(crate) fn batch<'a>(&'a self, slices: &'a [&'a [u8]]) -> RecordBatchParam<'a> {
        RecordBatchParam { rows: self.rows, nodes: &self.nodes, buffers: slices }
    }

    fn push(&mut self, data: &ArrayData) {
        if data.offset() > 0 {
            return self.push(&moved_to_zero(data));
        }
        let len = data.len();
        self.nodes.push(Node { length: count(len), null_count: count(data.null_count()) });
        self.buffers.push(data.nulls().map(|nulls| nulls.inner().sliced()).unwrap_or_default());
        match data.data_type() {
            DataType::Utf8 | DataType::Binary => {
                let last = self.offsets(data);
                self.buffers.push(data.buffers()[1].slice_with_length(0, last));
            }
            DataType::List(_) | DataType::Map(_, _) => {
                let last = self.offsets(data);
                self.push(&data.child_data()[0].slice(0, last));
            }
            DataType::Struct(_) => data.child_data().iter().for_each(|child| self.push(&child.slice(0, len))),
            DataType::Boolean => self.buffers.push(data.buffers()[0].slice_with_length(0, len.div_ceil(8))),
            DataType::Dictionary(key, _) => {
                self.fixed(data, key);
                self.push(&data.child_data()[0]);
            }
            fixed => self.fixed(data, fixed),
        }
    }

    fn fixed(&mut self, data: &ArrayData, data_type: &DataType) {
        let width = data_type.primitive_width().unwrap_or_default();
        self.buffers.push(data.buffers()[0].slice_with_length(0, data.len() * width));
    }

    /// Pushes the offsets and gives the last one.
    fn offsets(&mut self, data: &ArrayData) -> usize {
        let offsets = &data.buffers()[0];
        if data.is_empty() {
            self.buffers.push(Buffer::default());
            return 0;
        }
        let offsets = offsets.slice_with_length(0, (data.len() + 1) * size_of::<i32>());
        let last = offsets.typed_data::<i32>().last().map_or(0, |last| *last as usize);
        self.buffers.push(offsets);
        last
    }
}

/// The same values in arrays of their own.
fn moved_to_zero(data: &ArrayData) -> ArrayData {
    let mut moved = MutableArrayData::new(vec![data], false, data.len());
    moved.extend(0, 0, data.len());
    moved.freeze()
}

/// A length as the contract has it. All lengths come from guests and their 32 bits.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
