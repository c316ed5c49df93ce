//! Rows in a table's sort order: numbers that sort like the values, compared as numbers.
//!
//! A row is one 128-bit number: whether the first sort column is NULL, its value (or what can be told from eight bytes
//! of it), and the row's place. Only rows that are equal in that look at anything else.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, PrimitiveArray, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, TimeUnit};

use super::{LayoutError, SortKey};

const PLACE_BITS: u32 = 63;
const ROW_BITS: u32 = 32;
const SIGN: u64 = 1 << 63;

/// The sort columns of some batches.
#[derive(Debug)]
pub(crate) struct Sorted {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    batches: Vec<Values>,
    is_descending: bool,
    nulls_first: bool,
}

#[derive(Debug)]
struct Values {
    /// Sorts like the values, as far as eight bytes tell.
    numbers: Vec<u64>,
    nulls: Option<NullBuffer>,
    /// The values themselves, where eight bytes do not tell all.
    whole: Option<ArrayRef>,
}

/// Batch and row of a sorted number.
pub(crate) fn place(number: u128) -> (u32, u32) {
    (((number >> ROW_BITS) & u128::from(u32::MAX >> 1)) as u32, (number & u128::from(u32::MAX)) as u32)
}

impl Sorted {
    pub(super) fn new(keys: &[SortKey], batches: &[&RecordBatch]) -> Result<Self, LayoutError> {
        let column = |sort: &SortKey| {
            let arrays: Vec<ArrayRef> = batches.iter().map(|b| sort.key.of(b)).collect::<Result<_, _>>()?;
            let ranks = rank(&arrays);
            let batches = arrays.iter().map(|a| values(a, &ranks)).collect::<Result<_, _>>()?;
            Ok(Column { batches, is_descending: sort.is_descending, nulls_first: sort.nulls_first })
        };
        Ok(Self { columns: keys.iter().map(column).collect::<Result<_, LayoutError>>()? })
    }

    /// No order: rows stay as they came.
    pub(crate) fn none() -> Self {
        Self { columns: Vec::new() }
    }

    /// The number of one row. Without a sort order, rows stay as they came.
    pub(crate) fn number(&self, batch: u32, row: u32) -> u128 {
        let place = u128::from(batch) << ROW_BITS | u128::from(row);
        let Some(column) = self.columns.first() else { return place };
        let (is_behind, number) = column.number(batch as usize, row as usize);
        u128::from(is_behind) << 127 | u128::from(number) << PLACE_BITS | place
    }

    /// Puts rows into order.
    pub(crate) fn sort(&self, rows: &mut [u128]) {
        // Each batch's rows are in order already: what is sorted is mostly merged, which the stable sort knows how to.
        rows.sort();
        let Some(first) = self.columns.first() else { return };
        let first_is_whole = first.batches.iter().all(|b| b.whole.is_none());
        if first_is_whole && self.columns.len() == 1 {
            return;
        }
        let columns = if first_is_whole { &self.columns[1..] } else { &self.columns[..] };
        let compare = |a: &u128, b: &u128| {
            let (place_a, place_b) = (place(*a), place(*b));
            let differ = columns.iter().map(|c| c.compare(place_a, place_b));
            differ.fold(Ordering::Equal, Ordering::then).then(a.cmp(b))
        };
        for ties in rows.chunk_by_mut(|a, b| a >> PLACE_BITS == b >> PLACE_BITS) {
            if ties.len() > 1 {
                ties.sort_by(compare);
            }
        }
    }
}

impl Column {
    /// Whether the row goes to the end or the beginning for being NULL, and its number.
    fn number(&self, batch: usize, row: usize) -> (bool, u64) {
        let values = &self.batches[batch];
        if values.nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return (!self.nulls_first, 0);
        }
        let number = values.numbers[row];
        (self.nulls_first, if self.is_descending { !number } else { number })
    }

    fn compare(&self, a: (u32, u32), b: (u32, u32)) -> Ordering {
        let (batch_a, row_a, batch_b, row_b) = (a.0 as usize, a.1 as usize, b.0 as usize, b.1 as usize);
        let by_number = self.number(batch_a, row_a).cmp(&self.number(batch_b, row_b));
        if by_number != Ordering::Equal {
            return by_number;
        }
        let whole = |batch: usize, row| self.batches[batch].whole.as_ref().and_then(|w| whole_value(w, row));
        let by_whole = whole(batch_a, row_a).cmp(&whole(batch_b, row_b));
        if self.is_descending { by_whole.reverse() } else { by_whole }
    }
}

fn whole_value(values: &ArrayRef, row: usize) -> Option<&[u8]> {
    if values.is_null(row) {
        return None;
    }
    match values.as_binary_opt::<i32>() {
        Some(binary) => Some(binary.value(row)),
        None => values.as_fixed_size_binary_opt().map(|fixed| fixed.value(row)),
    }
}

/// The rank of each value that any of the dictionaries holds.
fn rank(arrays: &[ArrayRef]) -> HashMap<Vec<u8>, u64> {
    let mut values: Vec<&[u8]> = Vec::new();
    for array in arrays {
        if let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() {
            values.extend((0..dictionary.values().len()).filter_map(|i| whole_value(dictionary.values(), i)));
        }
    }
    values.sort_unstable();
    values.dedup();
    values.into_iter().zip(0..).map(|(value, rank)| (value.to_vec(), rank)).collect()
}

fn values(array: &ArrayRef, ranks: &HashMap<Vec<u8>, u64>) -> Result<Values, LayoutError> {
    if let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() {
        let rank = |i| whole_value(dictionary.values(), i).and_then(|v| ranks.get(v)).copied().unwrap_or(0);
        let ranks: Vec<u64> = (0..dictionary.values().len()).map(rank).collect();
        let nulls = dictionary.logical_nulls();
        let of_key = |key: &i32| ranks.get(*key as usize).copied().unwrap_or(0);
        let numbers = dictionary.keys().values().iter().map(of_key).collect();
        return Ok(Values { numbers, nulls, whole: None });
    }
    let signed = |v: i64| v.cast_unsigned() ^ SIGN;
    let numbers = match array.data_type() {
        DataType::Boolean => array.as_boolean().values().iter().map(u64::from).collect(),
        DataType::Int32 => primitive(array.as_primitive::<Int32Type>(), |v| signed(v.into())),
        DataType::Date32 => primitive(array.as_primitive::<Date32Type>(), |v| signed(v.into())),
        DataType::Int64 => primitive(array.as_primitive::<Int64Type>(), signed),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive(array.as_primitive::<TimestampMicrosecondType>(), signed)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive(array.as_primitive::<TimestampNanosecondType>(), signed)
        }
        DataType::Time64(TimeUnit::Microsecond) => primitive(array.as_primitive::<Time64MicrosecondType>(), signed),
        DataType::Float32 => primitive(array.as_primitive::<Float32Type>(), |v| float(f64::from(v))),
        DataType::Float64 => primitive(array.as_primitive::<Float64Type>(), float),
        DataType::Decimal128(..) => {
            let column = array.as_primitive::<Decimal128Type>();
            let ordered = column.values().iter().map(|v| (v.cast_unsigned() ^ 1 << 127).to_be_bytes());
            let bytes: Vec<u8> = ordered.flatten().collect();
            let whole = FixedSizeBinaryArray::try_new(16, bytes.into(), column.nulls().cloned())?;
            return Ok(whole_values(std::sync::Arc::new(whole)));
        }
        DataType::Binary | DataType::FixedSizeBinary(_) => return Ok(whole_values(std::sync::Arc::clone(array))),
        other => return Err(ArrowError::NotYetImplemented(format!("sorting by {other}")).into()),
    };
    Ok(Values { numbers, nulls: array.nulls().cloned(), whole: None })
}

fn primitive<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, number: impl Fn(T::Native) -> u64) -> Vec<u64> {
    column.values().iter().map(|v| number(*v)).collect()
}

/// -NaN < -Infinity < ... < -0 < +0 < ... < Infinity < NaN, as Iceberg sorts.
fn float(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits & SIGN == 0 { bits ^ SIGN } else { !bits }
}

fn whole_values(array: ArrayRef) -> Values {
    let first_eight = |row| {
        let mut eight = [0; 8];
        let value = whole_value(&array, row).unwrap_or_default();
        let length = value.len().min(8);
        eight[..length].copy_from_slice(&value[..length]);
        u64::from_be_bytes(eight)
    };
    let numbers = (0..array.len()).map(first_eight).collect();
    Values { numbers, nulls: array.nulls().cloned(), whole: Some(array) }
}
