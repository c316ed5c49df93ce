//! The columns that a plugin reads, row by row.

use super::plan::{Bools, Floats, Ints, Place, Texts};
use crate::output::{DataType, Field, RecordBatch, TableSchema};

/// For each given table and each of its columns that are read: where its node and its buffers begin.
#[derive(Debug)]
pub(super) struct Layout(Vec<Vec<Option<(usize, usize)>>>);

impl Layout {
    pub(super) fn new(given: &[TableSchema], reads: &[Vec<u32>]) -> Self {
        let of_table = |(table, reads): (&TableSchema, &Vec<u32>)| {
            let (mut node, mut buffer) = (0, 0);
            let columns = super::columns_of(table.fields.clone()).into_iter().zip(0u32..);
            let place = |(fields, index): (Vec<Field>, u32)| {
                let place = reads.contains(&index).then_some((node, buffer));
                if place.is_some() {
                    node += fields.len();
                    buffer += fields.iter().map(|field| field.data_type.buffers()).sum::<usize>();
                }
                place
            };
            columns.map(place).collect()
        };
        Layout(given.iter().zip(reads).map(of_table).collect())
    }
}

/// The rows of a batch, as far as they are read.
#[derive(Debug)]
pub struct Rows<'a> {
    given: &'a [TableSchema],
    layout: &'a Layout,
    batches: &'a [RecordBatch],
}

impl<'a> Rows<'a> {
    pub(super) fn new(given: &'a [TableSchema], layout: &'a Layout, batches: &'a [RecordBatch]) -> Self {
        Rows { given, layout, batches }
    }

    /// How many rows a given table has; 0 where there is no such table.
    pub fn len(&self, table: &str) -> usize {
        let mut tables = self.given.iter().zip(self.batches);
        tables.find(|(given, _)| given.name == table).map_or(0, |(_, batch)| batch.rows as usize)
    }

    /// Whether a given table has none.
    pub fn is_empty(&self, table: &str) -> bool {
        self.len(table) == 0
    }

    /// A column of text or bytes.
    pub fn texts(&self, column: Texts) -> TextColumn<'a> {
        let ([validity, second, third], buffers) = self.buffers(column.0);
        let (keys, values) = match column.0.data_type {
            DataType::Dictionary => {
                let value = |at: usize| buffers.get(at).map_or(&[][..], Vec::as_slice);
                (Some(second), Bytes { offsets: value(3), bytes: value(4) })
            }
            _ => (None, Bytes { offsets: second, bytes: third }),
        };
        TextColumn { len: self.rows(column.0), validity, keys, values }
    }

    /// A column of integers, dates or timestamps.
    pub fn ints(&self, column: Ints) -> IntColumn<'a> {
        let ([validity, values, _], _) = self.buffers(column.0);
        let is_narrow = matches!(column.0.data_type, DataType::Int32 | DataType::Date);
        IntColumn { len: self.rows(column.0), validity, values, is_narrow }
    }

    /// A column of floating-point numbers.
    pub fn floats(&self, column: Floats) -> FloatColumn<'a> {
        let ([validity, values, _], _) = self.buffers(column.0);
        FloatColumn { len: self.rows(column.0), validity, values, is_narrow: column.0.data_type == DataType::Float32 }
    }

    /// A column of booleans.
    pub fn bools(&self, column: Bools) -> BoolColumn<'a> {
        let ([validity, values, _], _) = self.buffers(column.0);
        BoolColumn { len: self.rows(column.0), validity, values }
    }

    fn rows(&self, place: Place) -> usize {
        self.batches.get(place.table).map_or(0, |batch| batch.rows as usize)
    }

    /// The column's first three buffers, and all from there on. Empty where the column is not read.
    fn buffers(&self, place: Place) -> ([&'a [u8]; 3], &'a [Vec<u8>]) {
        let layout = self.layout.0.get(place.table).and_then(|columns| columns.get(place.column));
        let batch = self.batches.get(place.table);
        let first = layout.copied().flatten().map_or(usize::MAX, |(_, buffer)| buffer);
        let buffers = batch.and_then(|batch| batch.buffers.get(first..)).unwrap_or_default();
        let at = |index: usize| buffers.get(index).map_or(&[][..], Vec::as_slice);
        ([at(0), at(1), at(2)], buffers)
    }
}

/// Whether a value is there. An empty bitmap says that all are.
fn is_valid(validity: &[u8], row: usize) -> bool {
    validity.is_empty() || bit(validity, row)
}

fn bit(bits: &[u8], at: usize) -> bool {
    bits.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
}

fn fixed<const SIZE: usize>(values: &[u8], row: usize) -> Option<[u8; SIZE]> {
    values.as_chunks::<SIZE>().0.get(row).copied()
}

/// Bytes by offsets.
#[derive(Clone, Copy, Debug)]
struct Bytes<'a> {
    offsets: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Bytes<'a> {
    fn get(self, at: usize) -> Option<&'a [u8]> {
        let offset = |at| fixed(self.offsets, at).and_then(|offset| usize::try_from(i32::from_le_bytes(offset)).ok());
        self.bytes.get(offset(at)?..offset(at + 1)?)
    }
}

macro_rules! column {
    ($(#[$doc:meta])* $name:ident, $value:ty, { $($field:ident: $type:ty),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            len: usize,
            validity: &'a [u8],
            $($field: $type,)*
        }

        impl<'a> $name<'a> {
            /// How many rows there are.
            pub fn len(&self) -> usize {
                self.len
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.len == 0
            }

            /// A row's value; none where it is missing, or there is no such row.
            pub fn get(&self, row: usize) -> Option<$value> {
                if row < self.len && is_valid(self.validity, row) { self.value(row) } else { None }
            }

            /// All values in order.
            pub fn iter(&self) -> impl Iterator<Item = Option<$value>> + use<'a> {
                let column = *self;
                (0..self.len).map(move |row| column.get(row))
            }
        }
    };
}

column!(
    /// Texts or bytes. They are UTF-8 where the column is text.
    TextColumn, &'a [u8], { keys: Option<&'a [u8]>, values: Bytes<'a> }
);
column!(
    /// Integers, dates in days, or timestamps in microseconds.
    IntColumn, i64, { values: &'a [u8], is_narrow: bool }
);
column!(
    /// Floating-point numbers.
    FloatColumn, f64, { values: &'a [u8], is_narrow: bool }
);
column!(
    /// Booleans.
    BoolColumn, bool, { values: &'a [u8] }
);

impl<'a> TextColumn<'a> {
    fn value(&self, row: usize) -> Option<&'a [u8]> {
        match self.keys {
            None => self.values.get(row),
            Some(keys) => self.values.get(usize::try_from(i32::from_le_bytes(fixed(keys, row)?)).ok()?),
        }
    }
}

impl IntColumn<'_> {
    fn value(&self, row: usize) -> Option<i64> {
        match self.is_narrow {
            true => fixed(self.values, row).map(|value| i32::from_le_bytes(value).into()),
            false => fixed(self.values, row).map(i64::from_le_bytes),
        }
    }
}

impl FloatColumn<'_> {
    fn value(&self, row: usize) -> Option<f64> {
        match self.is_narrow {
            true => fixed(self.values, row).map(|value| f32::from_le_bytes(value).into()),
            false => fixed(self.values, row).map(f64::from_le_bytes),
        }
    }
}

impl BoolColumn<'_> {
    fn value(&self, row: usize) -> Option<bool> {
        Some(bit(self.values, row))
    }
}
