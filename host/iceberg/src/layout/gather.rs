//! Rows of many batches, moved into order.
//!
//! Rows are named by runs: consecutive rows of one batch. What is inside lists and maps is copied run by run, so that
//! the ten attributes of a span are one copy and not ten. Dictionaries of different batches are joined once, and keys
//! renumbered as they are copied; no value of a dictionary is ever copied for a row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Int32Array, ListArray, MapArray, StructArray,
    make_array,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, FieldRef};

use super::dictionary;
use super::order::place;

/// Consecutive rows of one batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) batch: u32,
    pub(crate) start: u32,
    pub(crate) length: u32,
}

impl Run {
    fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}

/// Joins sorted rows to runs.
pub(crate) fn runs(rows: &[u128]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::with_capacity(rows.len());
    for row in rows {
        let (batch, row) = place(*row);
        match runs.last_mut() {
            Some(last) if last.batch == batch && last.start + last.length == row => last.length += 1,
            _ => runs.push(Run { batch, start: row, length: 1 }),
        }
    }
    runs
}

/// Why rows were not gathered.
#[derive(Debug)]
pub(crate) enum TooLarge {
    /// More bytes than 32-bit offsets reach: gather fewer rows at once.
    Offsets,
    /// Arrow refused what was made.
    Arrow(ArrowError),
}

impl From<ArrowError> for TooLarge {
    fn from(e: ArrowError) -> Self {
        Self::Arrow(e)
    }
}

/// One column of some batches.
#[derive(Debug)]
pub(crate) struct Column {
    data_type: DataType,
    nulls: Vec<Option<NullBuffer>>,
    has_nulls: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Values of 4, 8 or 16 bytes.
    Four(Vec<ScalarBuffer<u32>>),
    Eight(Vec<ScalarBuffer<u64>>),
    Sixteen(Vec<ScalarBuffer<u128>>),
    /// Values of any one width.
    Fixed(usize, Vec<Buffer>),
    Boolean(Vec<BooleanArray>),
    Binary(Vec<(OffsetBuffer<i32>, Buffer)>),
    Dictionary {
        keys: Vec<ScalarBuffer<i32>>,
        renumber: Vec<Arc<Vec<i32>>>,
        values: ArrayRef,
    },
    List(FieldRef, Vec<OffsetBuffer<i32>>, Box<Column>),
    Map(FieldRef, Vec<OffsetBuffer<i32>>, Box<Column>),
    Struct(Vec<Column>),
}

impl Column {
    /// A column of batches that all have it in this type.
    pub(crate) fn new(arrays: &[ArrayRef], data_type: &DataType) -> Result<Self, ArrowError> {
        if let Some(other) = arrays.iter().find(|a| a.data_type() != data_type) {
            let message = format!("a column of {data_type} and {} at once", other.data_type());
            return Err(ArrowError::SchemaError(message));
        }
        let kind = match data_type {
            DataType::Boolean => Kind::Boolean(arrays.iter().map(|a| a.as_boolean().clone()).collect()),
            DataType::Binary => {
                let parts = |a: &BinaryArray| (a.offsets().clone(), a.values().clone());
                Kind::Binary(arrays.iter().map(|a| parts(a.as_binary())).collect())
            }
            DataType::Dictionary(_, _) => {
                let joined = dictionary::join(arrays)?;
                Kind::Dictionary { keys: joined.keys, renumber: joined.renumber, values: joined.values }
            }
            DataType::List(field) => {
                let offsets = arrays.iter().map(|a| a.as_list::<i32>().offsets().clone()).collect();
                let values: Vec<_> = arrays.iter().map(|a| Arc::clone(a.as_list::<i32>().values())).collect();
                Kind::List(Arc::clone(field), offsets, Box::new(Self::new(&values, field.data_type())?))
            }
            DataType::Map(field, _) => {
                let offsets = arrays.iter().map(|a| a.as_map().offsets().clone()).collect();
                let entries: Vec<_> =
                    arrays.iter().map(|a| Arc::new(a.as_map().entries().clone()) as ArrayRef).collect();
                Kind::Map(Arc::clone(field), offsets, Box::new(Self::new(&entries, field.data_type())?))
            }
            DataType::Struct(fields) => {
                let column = |(index, field): (usize, &FieldRef)| {
                    let of_all: Vec<_> = arrays.iter().map(|a| Arc::clone(a.as_struct().column(index))).collect();
                    Self::new(&of_all, field.data_type())
                };
                Kind::Struct(fields.iter().enumerate().map(column).collect::<Result<_, _>>()?)
            }
            other => fixed(arrays, other)?,
        };
        let nulls: Vec<_> = arrays.iter().map(|a| a.nulls().cloned().filter(|n| n.null_count() > 0)).collect();
        let has_nulls = nulls.iter().any(Option::is_some);
        Ok(Self { data_type: data_type.clone(), nulls, has_nulls, kind })
    }

    /// The rows of these runs, `length` together.
    pub(crate) fn gather(&self, runs: &[Run], length: usize) -> Result<ArrayRef, TooLarge> {
        let nulls = self.gather_nulls(runs, length);
        Ok(match &self.kind {
            Kind::Four(values) => self.numbers(copy(values, runs, length).into(), nulls, length)?,
            Kind::Eight(values) => self.numbers(copy(values, runs, length).into(), nulls, length)?,
            Kind::Sixteen(values) => self.numbers(copy(values, runs, length).into(), nulls, length)?,
            Kind::Fixed(width, values) => {
                let mut bytes = Vec::with_capacity(width * length);
                for run in runs {
                    let range = run.range();
                    bytes.extend_from_slice(&values[run.batch as usize][range.start * width..range.end * width]);
                }
                self.numbers(Buffer::from_vec(bytes), nulls, length)?
            }
            Kind::Boolean(arrays) => {
                let mut values = BooleanBufferBuilder::new(length);
                for run in runs {
                    for row in run.range() {
                        values.append(arrays[run.batch as usize].value(row));
                    }
                }
                Arc::new(BooleanArray::new(values.finish(), nulls))
            }
            Kind::Binary(arrays) => Arc::new(binary(arrays, runs, length, nulls)?),
            Kind::Dictionary { keys, renumber, values } => {
                let mut gathered = Vec::with_capacity(length);
                for run in runs {
                    let renumber = &renumber[run.batch as usize];
                    let keys = &keys[run.batch as usize][run.range()];
                    gathered.extend(keys.iter().map(|k| renumber.get(*k as usize).copied().unwrap_or(0)));
                }
                let keys = Int32Array::new(gathered.into(), nulls);
                Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(values))?)
            }
            Kind::List(field, offsets, below) => {
                let (offsets, below_runs, below_length) = descend(offsets, runs, length)?;
                let values = below.gather(&below_runs, below_length)?;
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, nulls)?)
            }
            Kind::Map(field, offsets, below) => {
                let (offsets, below_runs, below_length) = descend(offsets, runs, length)?;
                let entries = below.gather(&below_runs, below_length)?.as_struct().clone();
                Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, nulls, false)?)
            }
            Kind::Struct(columns) => {
                let columns = columns.iter().map(|c| c.gather(runs, length)).collect::<Result<Vec<_>, _>>()?;
                let DataType::Struct(fields) = &self.data_type else {
                    return Err(TooLarge::Arrow(ArrowError::SchemaError("a struct without fields".to_string())));
                };
                Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, length)?)
            }
        })
    }

    fn numbers(&self, values: Buffer, nulls: Option<NullBuffer>, length: usize) -> Result<ArrayRef, TooLarge> {
        let data = ArrayData::builder(self.data_type.clone()).len(length).add_buffer(values).nulls(nulls);
        Ok(make_array(data.build()?))
    }

    fn gather_nulls(&self, runs: &[Run], length: usize) -> Option<NullBuffer> {
        if !self.has_nulls {
            return None;
        }
        let mut valid = BooleanBufferBuilder::new(length);
        for run in runs {
            match &self.nulls[run.batch as usize] {
                None => valid.append_n(run.length as usize, true),
                Some(nulls) if run.length == 1 => valid.append(nulls.is_valid(run.start as usize)),
                Some(nulls) => valid.append_buffer(&nulls.inner().slice(run.start as usize, run.length as usize)),
            }
        }
        Some(NullBuffer::new(valid.finish())).filter(|n| n.null_count() > 0)
    }
}

fn copy<T: Copy + arrow_buffer::ArrowNativeType>(
    values: &[ScalarBuffer<T>],
    runs: &[Run],
    length: usize,
) -> ScalarBuffer<T> {
    let mut gathered = Vec::with_capacity(length);
    for run in runs {
        let values = &values[run.batch as usize];
        match run.length {
            1 => gathered.push(values[run.start as usize]),
            _ => gathered.extend_from_slice(&values[run.range()]),
        }
    }
    gathered.into()
}

/// Offsets of the gathered lists, and the runs of what is in them.
fn descend(
    offsets: &[OffsetBuffer<i32>],
    runs: &[Run],
    length: usize,
) -> Result<(OffsetBuffer<i32>, Vec<Run>, usize), TooLarge> {
    let mut gathered = Vec::with_capacity(length + 1);
    gathered.push(0);
    let mut below: Vec<Run> = Vec::with_capacity(runs.len());
    let mut end = 0i32;
    for run in runs {
        let offsets = &offsets[run.batch as usize][run.start as usize..=run.range().end];
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        let shift = end.wrapping_sub(first);
        end = end.checked_add(last - first).ok_or(TooLarge::Offsets)?;
        gathered.extend(offsets[1..].iter().map(|o| o.wrapping_add(shift)));
        if last > first {
            below.push(Run { batch: run.batch, start: first.cast_unsigned(), length: (last - first).cast_unsigned() });
        }
    }
    Ok((OffsetBuffer::new(gathered.into()), below, end as usize))
}

fn binary(
    arrays: &[(OffsetBuffer<i32>, Buffer)],
    runs: &[Run],
    length: usize,
    nulls: Option<NullBuffer>,
) -> Result<BinaryArray, TooLarge> {
    let bytes_of = |run: &Run| {
        let offsets = &arrays[run.batch as usize].0;
        offsets[run.start as usize] as usize..offsets[run.range().end] as usize
    };
    let total: usize = runs.iter().map(|run| bytes_of(run).len()).sum();
    i32::try_from(total).map_err(|_| TooLarge::Offsets)?;
    let mut values = Vec::with_capacity(total);
    let mut gathered = Vec::with_capacity(length + 1);
    gathered.push(0);
    for run in runs {
        let (offsets, bytes) = &arrays[run.batch as usize];
        let range = bytes_of(run);
        let shift = (values.len() as i32).wrapping_sub(range.start as i32);
        values.extend_from_slice(&bytes[range]);
        match run.length {
            1 => gathered.push(values.len() as i32),
            _ => {
                gathered.extend(offsets[run.start as usize + 1..=run.range().end].iter().map(|o| o.wrapping_add(shift)))
            }
        }
    }
    Ok(BinaryArray::try_new(OffsetBuffer::new(gathered.into()), values.into(), nulls)?)
}

fn fixed(arrays: &[ArrayRef], data_type: &DataType) -> Result<Kind, ArrowError> {
    let width = match data_type {
        DataType::FixedSizeBinary(width) => usize::try_from(*width).ok(),
        other => other.primitive_width(),
    };
    let width = width.ok_or_else(|| ArrowError::NotYetImplemented(format!("rows of {data_type}")))?;
    let data: Vec<ArrayData> = arrays.iter().map(|a| a.to_data()).collect();
    // Fixed-size binary of 16 bytes need not be aligned for a number of 16.
    Ok(match (width, data_type) {
        (4, d) if d.is_primitive() => Kind::Four(scalars(&data)),
        (8, d) if d.is_primitive() => Kind::Eight(scalars(&data)),
        (16, d) if d.is_primitive() => Kind::Sixteen(scalars(&data)),
        _ => {
            let bytes = |d: &ArrayData| d.buffers()[0].slice_with_length(d.offset() * width, d.len() * width);
            Kind::Fixed(width, data.iter().map(bytes).collect())
        }
    })
}

fn scalars<T: arrow_buffer::ArrowNativeType>(data: &[ArrayData]) -> Vec<ScalarBuffer<T>> {
    data.iter().map(|d| ScalarBuffer::new(d.buffers()[0].clone(), d.offset(), d.len())).collect()
}
