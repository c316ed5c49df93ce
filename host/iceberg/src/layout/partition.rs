//! The partition of each row: few distinct values, found column by column.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, RecordBatch};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use iceberg::spec::{Literal, PrimitiveLiteral, PrimitiveType, Struct};

use super::{Key, LayoutError};

/// The partitions of one batch.
#[derive(Clone, Debug)]
pub struct Partitioned {
    /// Their values, in the order of the spec's fields.
    pub values: Vec<Struct>,
    /// How many rows each has. None is 0.
    pub counts: Vec<u32>,
    /// The index of each row's partition; `None` where all are in the first.
    pub rows: Option<Vec<u32>>,
}

/// Distinct values, and which of them each row has.
struct Coded {
    values: Vec<Option<Literal>>,
    rows: Vec<u32>,
}

pub(super) fn partitions(keys: &[Key], rows: &RecordBatch) -> Result<Partitioned, LayoutError> {
    let count = u32::try_from(rows.num_rows()).unwrap_or(u32::MAX);
    let mut values: Vec<Vec<Option<Literal>>> = vec![Vec::new()];
    let mut of_rows = vec![0; rows.num_rows()];
    for key in keys {
        let coded = code(&key.of(rows)?, &key.result)?;
        values = combine(&values, &mut of_rows, &coded);
    }
    let values: Vec<Struct> = values.into_iter().map(Struct::from_iter).collect();
    if values.len() <= 1 {
        return Ok(Partitioned { values, counts: vec![count], rows: None });
    }
    let mut counts = vec![0; values.len()];
    for row in &of_rows {
        counts[*row as usize] += 1;
    }
    Ok(Partitioned { values, counts, rows: Some(of_rows) })
}

/// Numbers the pairs that occur, in the order in which they do.
fn combine(values: &[Vec<Option<Literal>>], rows: &mut [u32], coded: &Coded) -> Vec<Vec<Option<Literal>>> {
    // A table of all pairs is quickest where it is small.
    const DENSE_MAX: usize = 1 << 16;
    let width = coded.values.len().max(1);
    let mut combined = Vec::new();
    let mut number = |pair: usize| {
        let mut both = values[pair / width].clone();
        both.push(coded.values[pair % width].clone());
        combined.push(both);
        combined.len() as u32 - 1
    };
    if values.len() * width <= DENSE_MAX {
        let mut numbers = vec![u32::MAX; values.len() * width];
        for (row, code) in rows.iter_mut().zip(&coded.rows) {
            let pair = *row as usize * width + *code as usize;
            if numbers[pair] == u32::MAX {
                numbers[pair] = number(pair);
            }
            *row = numbers[pair];
        }
    } else {
        let mut numbers = HashMap::new();
        for (row, code) in rows.iter_mut().zip(&coded.rows) {
            let pair = *row as usize * width + *code as usize;
            *row = *numbers.entry(pair).or_insert_with(|| number(pair));
        }
    }
    combined
}

fn code(column: &ArrayRef, result: &PrimitiveType) -> Result<Coded, LayoutError> {
    if let Some(dictionary) = column.as_dictionary_opt::<Int32Type>() {
        let mut coded = code(dictionary.values(), result)?;
        let null = coded.values.iter().position(Option::is_none).unwrap_or(coded.values.len());
        if null == coded.values.len() {
            coded.values.push(None);
        }
        let of_key = |key: Option<i32>| match key {
            Some(key) => coded.rows[key as usize],
            None => null as u32,
        };
        let rows = dictionary.keys().iter().map(of_key).collect();
        return Ok(Coded { values: coded.values, rows });
    }
    let same = |n: u64| n;
    Ok(match column.data_type() {
        DataType::Boolean => {
            let column = column.as_boolean();
            numbers(column.len(), |i| column.is_valid(i).then(|| u64::from(column.value(i))), result)
        }
        DataType::Int32 => primitive(column.as_primitive::<Int32Type>(), |v| same(v as u64), result),
        DataType::Date32 => primitive(column.as_primitive::<Date32Type>(), |v| same(v as u64), result),
        DataType::Int64 => primitive(column.as_primitive::<Int64Type>(), |v| v as u64, result),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive(column.as_primitive::<TimestampMicrosecondType>(), |v| v as u64, result)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive(column.as_primitive::<TimestampNanosecondType>(), |v| v as u64, result)
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            primitive(column.as_primitive::<Time64MicrosecondType>(), |v| v as u64, result)
        }
        // One NaN is as good as another.
        DataType::Float32 => primitive(
            column.as_primitive::<Float32Type>(),
            |v| if v.is_nan() { f32::NAN.to_bits().into() } else { v.to_bits().into() },
            result,
        ),
        DataType::Float64 => primitive(
            column.as_primitive::<Float64Type>(),
            |v| if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() },
            result,
        ),
        DataType::Decimal128(..) => {
            let column = column.as_primitive::<Decimal128Type>();
            let decimals: Vec<[u8; 16]> = column.values().iter().map(|v| v.to_be_bytes()).collect();
            bytes(column.len(), |i| column.is_valid(i).then(|| &decimals[i][..]), result)
        }
        DataType::Binary => {
            let column = column.as_binary::<i32>();
            bytes(column.len(), |i| column.is_valid(i).then(|| column.value(i)), result)
        }
        DataType::FixedSizeBinary(_) => {
            let column = column.as_fixed_size_binary();
            bytes(column.len(), |i| column.is_valid(i).then(|| column.value(i)), result)
        }
        other => return Err(ArrowError::NotYetImplemented(format!("partitioning by {other}")).into()),
    })
}

fn primitive<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    number: impl Fn(T::Native) -> u64,
    result: &PrimitiveType,
) -> Coded {
    let values = column.values();
    match column.nulls().filter(|n| n.null_count() > 0) {
        None => numbers(values.len(), |i| Some(number(values[i])), result),
        Some(nulls) => numbers(values.len(), |i| nulls.is_valid(i).then(|| number(values[i])), result),
    }
}

fn numbers(length: usize, value: impl Fn(usize) -> Option<u64>, result: &PrimitiveType) -> Coded {
    let mut known: HashMap<Option<u64>, u32> = HashMap::new();
    let mut values = Vec::new();
    let mut rows = Vec::with_capacity(length);
    let mut last = (None, u32::MAX);
    for i in 0..length {
        let value = value(i);
        if last.1 == u32::MAX || value != last.0 {
            let code = *known.entry(value).or_insert_with(|| {
                values.push(value.map(|v| number_literal(v, result)));
                values.len() as u32 - 1
            });
            last = (value, code);
        }
        rows.push(last.1);
    }
    Coded { values, rows }
}

fn bytes<'a>(length: usize, value: impl Fn(usize) -> Option<&'a [u8]>, result: &PrimitiveType) -> Coded {
    let mut known: HashMap<Option<&[u8]>, u32> = HashMap::new();
    let mut values = Vec::new();
    let mut rows = Vec::with_capacity(length);
    let mut last = (None, u32::MAX);
    for i in 0..length {
        let value = value(i);
        if last.1 == u32::MAX || value != last.0 {
            let code = *known.entry(value).or_insert_with(|| {
                values.push(value.map(|v| bytes_literal(v, result)));
                values.len() as u32 - 1
            });
            last = (value, code);
        }
        rows.push(last.1);
    }
    Coded { values, rows }
}

fn number_literal(value: u64, result: &PrimitiveType) -> Literal {
    match result {
        PrimitiveType::Boolean => Literal::bool(value != 0),
        PrimitiveType::Int => Literal::int(value as i32),
        PrimitiveType::Date => Literal::date(value as i32),
        PrimitiveType::Float => Literal::float(f32::from_bits(value as u32)),
        PrimitiveType::Double => Literal::double(f64::from_bits(value)),
        _ => Literal::long(value.cast_signed()),
    }
}

fn bytes_literal(value: &[u8], result: &PrimitiveType) -> Literal {
    let sixteen = || <[u8; 16]>::try_from(value).unwrap_or_default();
    match result {
        PrimitiveType::String => Literal::string(String::from_utf8_lossy(value)),
        PrimitiveType::Decimal { .. } => Literal::decimal(i128::from_be_bytes(sixteen())),
        PrimitiveType::Uuid => Literal::Primitive(PrimitiveLiteral::UInt128(u128::from_be_bytes(sixteen()))),
        _ => Literal::binary(value.to_vec()),
    }
}
