//! What rows say, whatever their order and however they are encoded: two numbers that tell whether a rewrite kept all.
//!
//! A row's hash is made of its columns' hashes, those of all rows are added up. Nothing here is secret and nobody
//! attacks it: it finds mistakes.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType};

/// Rows, counted and hashed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Content {
    /// How many.
    pub(super) rows: u64,
    /// The sum of their hashes.
    pub(super) hash: u64,
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const NULL: u64 = 0x2545_f491_4f6c_dd1d;

impl Content {
    /// Adds rows. Of two contents that are compared, all must have had the same columns.
    ///
    /// # Errors
    /// A type that no table has.
    pub(super) fn add(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        let mut hashes = vec![SEED; rows.num_rows()];
        for column in rows.columns() {
            let of_column = hash(column)?;
            hashes.iter_mut().zip(of_column).for_each(|(row, value)| *row = mix(*row ^ value, SEED));
        }
        self.rows += rows.num_rows() as u64;
        self.hash = hashes.into_iter().fold(self.hash, u64::wrapping_add);
        Ok(())
    }
}

impl std::iter::Sum for Content {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self { rows: a.rows + b.rows, hash: a.hash.wrapping_add(b.hash) })
    }
}

/// Multiplies to twice the width and folds: each bit of both reaches each of the result.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x8bb8_4b93_962e_acc9) * u128::from(b | 1);
    (product as u64) ^ (product >> 64) as u64
}

/// The hash of bytes.
pub(super) fn bytes(value: &[u8]) -> u64 {
    let mut hash = SEED ^ value.len() as u64;
    let mut chunks = value.chunks_exact(8);
    for chunk in &mut chunks {
        let number = chunk.try_into().map_or(0, u64::from_le_bytes);
        hash = mix(hash ^ number, SEED);
    }
    let rest = chunks.remainder().iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    mix(hash ^ rest, SEED)
}

fn hash(column: &ArrayRef) -> Result<Vec<u64>, ArrowError> {
    let length = column.len();
    let mut hashes: Vec<u64> = match column.data_type() {
        DataType::Boolean => column.as_boolean().values().iter().map(u64::from).collect(),
        DataType::Binary => {
            let binary = column.as_binary::<i32>();
            (0..length).map(|row| bytes(binary.value(row))).collect()
        }
        DataType::FixedSizeBinary(_) => {
            let fixed = column.as_fixed_size_binary();
            (0..length).map(|row| bytes(fixed.value(row))).collect()
        }
        DataType::Dictionary(..) => {
            let dictionary = column.as_dictionary::<Int32Type>();
            let values = hash(dictionary.values())?;
            let of_key = |key: &i32| values.get(*key as usize).copied().unwrap_or(NULL);
            dictionary.keys().values().iter().map(of_key).collect()
        }
        DataType::Struct(_) => {
            let mut hashes = vec![SEED; length];
            for inside in column.as_struct().columns() {
                hashes.iter_mut().zip(hash(inside)?).for_each(|(whole, value)| *whole = mix(*whole ^ value, SEED));
            }
            hashes
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            each_list(list.value_offsets(), &hash(list.values())?)
        }
        DataType::Map(..) => {
            let map = column.as_map();
            let (keys, values) = (hash(map.keys())?, hash(map.values())?);
            let entries: Vec<u64> = keys.into_iter().zip(values).map(|(key, value)| mix(key, value)).collect();
            each_list(map.value_offsets(), &entries)
        }
        other => numbers(column, other)?,
    };
    if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
        hashes.iter_mut().zip(nulls).filter(|(_, valid)| !valid).for_each(|(hash, _)| *hash = NULL);
    }
    Ok(hashes)
}

fn each_list(offsets: &[i32], inside: &[u64]) -> Vec<u64> {
    let of_list = |ends: &[i32]| {
        let (start, end) = (ends[0] as usize, ends[1] as usize);
        inside[start..end].iter().fold(SEED ^ (end - start) as u64, |list, value| mix(list ^ value, SEED))
    };
    offsets.windows(2).map(of_list).collect()
}

fn numbers(column: &ArrayRef, data_type: &DataType) -> Result<Vec<u64>, ArrowError> {
    let width = data_type
        .primitive_width()
        .ok_or_else(|| ArrowError::NotYetImplemented(format!("the content of {data_type}")))?;
    let data = column.to_data();
    let values = &data.buffers()[0].as_slice()[data.offset() * width..(data.offset() + data.len()) * width];
    let number = |bytes: &[u8]| match bytes.len() {
        8 => bytes.try_into().map_or(0, u64::from_le_bytes),
        4 => bytes.try_into().map_or(0, |four| u64::from(u32::from_le_bytes(four))),
        _ => self::bytes(bytes),
    };
    Ok(values.chunks_exact(width).map(|bytes| mix(number(bytes), SEED)).collect())
}
