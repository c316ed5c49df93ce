//! Iceberg's partition transforms over whole columns (the specification, "Partition Transforms").
//!
//! Times before 1970 go downwards, whatever is asked of them, and no value is refused: hours that do not fit 32 bits are
//! the last one that does. The crate `iceberg` has these functions too; it panics or fails on some of these values,
//! knows no dictionaries, and takes several passes for months and years.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, BinaryArray, Int32Array, PrimitiveArray, new_null_array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use iceberg::spec::{PrimitiveType, Transform};

use super::LayoutError;

const MICROS_PER_HOUR: i64 = 3_600_000_000;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// The transformed column; a dictionary stays one, of transformed values.
pub(super) fn apply(transform: Transform, source: &PrimitiveType, column: &ArrayRef) -> Result<ArrayRef, LayoutError> {
    if let Some(dictionary) = column.as_dictionary_opt::<Int32Type>() {
        let values = apply(transform, source, dictionary.values())?;
        return Ok(Arc::new(dictionary.with_values(values)));
    }
    Ok(match transform {
        Transform::Identity => Arc::clone(column),
        Transform::Void => new_null_array(column.data_type(), column.len()),
        Transform::Year => Arc::new(per_day(column, |day| year_and_month(day).0 - 1970)?),
        Transform::Month => Arc::new(per_day(column, |day| {
            let (year, month) = year_and_month(day);
            (year - 1970) * 12 + month - 1
        })?),
        Transform::Day => Arc::new(per_day(column, |day| day)?.reinterpret_cast::<Date32Type>()),
        Transform::Hour => Arc::new(hours(column)?),
        Transform::Bucket(n) => Arc::new(bucket(column, n)?),
        Transform::Truncate(width) => truncate(source, column, width)?,
        Transform::Unknown => return Err(unsupported(column)),
    })
}

fn unsupported(column: &ArrayRef) -> LayoutError {
    ArrowError::NotYetImplemented(format!("a transform of {}", column.data_type())).into()
}

/// A function of the day, over dates and times.
fn per_day(column: &ArrayRef, f: impl Fn(i32) -> i32) -> Result<Int32Array, LayoutError> {
    // Rows close to each other are of one day: its year is not computed again.
    let mut last = (0, f(0));
    let mut of_day = |day: i32| {
        if day != last.0 {
            last = (day, f(day));
        }
        last.1
    };
    let day = |micros: i64| i32::try_from(micros.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX);
    match column.data_type() {
        DataType::Date32 => Ok(unary(column.as_primitive::<Date32Type>(), of_day)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Ok(unary(column.as_primitive::<TimestampMicrosecondType>(), |v| of_day(day(v))))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Ok(unary(column.as_primitive::<TimestampNanosecondType>(), |v| of_day(day(v.div_euclid(1000)))))
        }
        _ => Err(unsupported(column)),
    }
}

fn hours(column: &ArrayRef) -> Result<Int32Array, LayoutError> {
    let hour = |micros: i64| {
        let hours = micros.div_euclid(MICROS_PER_HOUR).clamp(i32::MIN.into(), i32::MAX.into());
        i32::try_from(hours).unwrap_or_default()
    };
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Ok(unary(column.as_primitive::<TimestampMicrosecondType>(), hour))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Ok(unary(column.as_primitive::<TimestampNanosecondType>(), |v| hour(v.div_euclid(1000))))
        }
        _ => Err(unsupported(column)),
    }
}

fn unary<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, mut f: impl FnMut(T::Native) -> i32) -> Int32Array {
    let values = column.values().iter().map(|v| f(*v)).collect::<Vec<_>>();
    Int32Array::new(values.into(), column.nulls().cloned())
}

/// Year and month of a day of the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`).
fn year_and_month(day: i32) -> (i32, i32) {
    let shifted = i64::from(day) + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (i32::try_from(year).unwrap_or_default(), i32::try_from(month).unwrap_or_default())
}

fn hash(mut bytes: &[u8]) -> i32 {
    // Reading from a slice does not fail.
    murmur3::murmur3_32(&mut bytes, 0).unwrap_or_default().cast_signed()
}

fn bucket(column: &ArrayRef, n: u32) -> Result<Int32Array, LayoutError> {
    let of_hash = |hash: i32| (hash & i32::MAX) % n.cast_signed();
    let long = |v: i64| of_hash(hash(&v.to_le_bytes()));
    let bytes = |v: Option<&[u8]>| v.map(|v| of_hash(hash(v)));
    Ok(match column.data_type() {
        DataType::Int32 => unary(column.as_primitive::<Int32Type>(), |v| long(v.into())),
        DataType::Int64 => unary(column.as_primitive::<Int64Type>(), long),
        DataType::Date32 => unary(column.as_primitive::<Date32Type>(), |v| long(v.into())),
        DataType::Time64(TimeUnit::Microsecond) => unary(column.as_primitive::<Time64MicrosecondType>(), long),
        DataType::Timestamp(TimeUnit::Microsecond, _) => unary(column.as_primitive::<TimestampMicrosecondType>(), long),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            unary(column.as_primitive::<TimestampNanosecondType>(), |v| long(v.div_euclid(1000)))
        }
        DataType::Decimal128(..) => {
            unary(column.as_primitive::<Decimal128Type>(), |v| of_hash(hash(shortest(&v.to_be_bytes()))))
        }
        DataType::Binary => column.as_binary::<i32>().iter().map(bytes).collect(),
        DataType::FixedSizeBinary(_) => column.as_fixed_size_binary().iter().map(bytes).collect(),
        _ => return Err(unsupported(column)),
    })
}

/// The fewest bytes that hold a number in two's complement.
fn shortest(bytes: &[u8; 16]) -> &[u8] {
    let fill = if bytes[0] & 0x80 == 0 { 0x00 } else { 0xff };
    let needed = |w: &[u8]| w[0] != fill || (w[1] ^ fill) & 0x80 != 0;
    &bytes[bytes.windows(2).position(needed).unwrap_or(15)..]
}

fn truncate(source: &PrimitiveType, column: &ArrayRef, width: u32) -> Result<ArrayRef, LayoutError> {
    let w = i64::from(width);
    Ok(match column.data_type() {
        DataType::Int32 => {
            let cut = |v: i32| v.wrapping_sub(v.rem_euclid(width.cast_signed()));
            Arc::new(column.as_primitive::<Int32Type>().unary::<_, Int32Type>(cut))
        }
        DataType::Int64 => {
            let cut = |v: i64| v.wrapping_sub(v.rem_euclid(w));
            Arc::new(column.as_primitive::<Int64Type>().unary::<_, Int64Type>(cut))
        }
        DataType::Decimal128(precision, scale) => {
            let cut = |v: i128| v.wrapping_sub(v.rem_euclid(w.into()));
            let cut = column.as_primitive::<Decimal128Type>().unary::<_, Decimal128Type>(cut);
            Arc::new(cut.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Binary => {
            let is_text = matches!(source, PrimitiveType::String);
            let values = column.as_binary::<i32>();
            let cut = |v: &[u8]| if is_text { text_prefix(v, width as usize) } else { v.len().min(width as usize) };
            let mut bytes = Vec::with_capacity(values.value_data().len().min(values.len() * width as usize));
            let mut lengths = Vec::with_capacity(values.len());
            for i in 0..values.len() {
                let value = values.value(i);
                let length = if values.is_null(i) { 0 } else { cut(value) };
                bytes.extend_from_slice(&value[..length]);
                lengths.push(length);
            }
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(BinaryArray::try_new(offsets, bytes.into(), values.nulls().cloned())?)
        }
        _ => return Err(unsupported(column)),
    })
}

/// The bytes of the first `width` characters.
pub(crate) fn text_prefix(text: &[u8], width: usize) -> usize {
    let is_start = |b: &u8| b & 0xc0 != 0x80;
    if text.len() <= width {
        return text.len();
    }
    text.iter().enumerate().filter(|(_, b)| is_start(b)).nth(width).map_or(text.len(), |(i, _)| i)
}
