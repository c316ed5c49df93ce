//! Numbers of 64 bits: integers and times by their differences, floating-point numbers as they are.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};

use super::delta;

/// The integers or times of a growing page.
#[derive(Default)]
pub(super) struct Longs {
    values: Vec<i64>,
}

impl Longs {
    /// Whether a column of this type is written here.
    pub(super) fn take(data_type: &DataType) -> bool {
        use TimeUnit::{Microsecond, Nanosecond};
        matches!(
            data_type,
            DataType::Int64 | DataType::Time64(Microsecond) | DataType::Timestamp(Microsecond | Nanosecond, _)
        )
    }

    /// Bytes of the page that grows.
    pub(super) fn page_bytes(&self) -> usize {
        self.values.len() * size_of::<i64>()
    }

    /// Adds the values of these ranges, which are all there.
    pub(super) fn write(&mut self, array: &ArrayRef, there: &[Range<usize>]) -> Result<()> {
        let values = match array.data_type() {
            DataType::Int64 => array.as_primitive::<Int64Type>().values(),
            DataType::Time64(_) => array.as_primitive::<Time64MicrosecondType>().values(),
            DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().values(),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => array.as_primitive::<TimestampNanosecondType>().values(),
            other => return Err(ParquetError::General(format!("{other} is no 64-bit integer"))),
        };
        there.iter().for_each(|range| self.values.extend_from_slice(&values[range.clone()]));
        Ok(())
    }

    /// Appends the page's values and forgets them; gives the least and the greatest.
    pub(super) fn end_page(&mut self, out: &mut Vec<u8>) -> (Encoding, Option<(i64, i64)>) {
        delta::encode(&self.values, out);
        let low = self.values.iter().copied().min();
        let both = low.zip(self.values.iter().copied().max());
        self.values.clear();
        (Encoding::DELTA_BINARY_PACKED, both)
    }
}

/// The floating-point numbers of a growing page.
#[derive(Default)]
pub(super) struct Doubles {
    values: Vec<f64>,
}

impl Doubles {
    /// Bytes of the page that grows.
    pub(super) fn page_bytes(&self) -> usize {
        self.values.len() * size_of::<f64>()
    }

    /// Adds the values of these ranges, which are all there.
    pub(super) fn write(&mut self, array: &ArrayRef, there: &[Range<usize>]) {
        let values = array.as_primitive::<Float64Type>().values();
        there.iter().for_each(|range| self.values.extend_from_slice(&values[range.clone()]));
    }

    /// Appends the page's values and forgets them; gives the least and the greatest that is a number. Zeros have the
    /// sign that bounds want (Parquet's documentation of `ColumnOrder`): readers may not tell them apart.
    pub(super) fn end_page(&mut self, out: &mut Vec<u8>) -> (Encoding, Option<(f64, f64)>) {
        out.reserve(self.page_bytes());
        let mut both = None;
        for value in &self.values {
            out.extend_from_slice(&value.to_le_bytes());
            if !value.is_nan() {
                let (low, high) = both.unwrap_or((*value, *value));
                both = Some((value.min(low), value.max(high)));
            }
        }
        self.values.clear();
        let signed =
            |(low, high): (f64, f64)| (if low == 0.0 { -0.0 } else { low }, if high == 0.0 { 0.0 } else { high });
        (Encoding::PLAIN, both.map(signed))
    }
}
