//! What a manifest says of a data file: sizes, counts and bounds, from the file's own footer.
//!
//! A footer's bounds may be cut: then they are not values of the file, but still bounds. Merging them over row groups
//! keeps that, and so does cutting them again.

use std::collections::HashMap;

use iceberg::spec::{Datum, PrimitiveType};
use parquet::basic::Type as Physical;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;

use super::encoding::{Encoding, Leaf};
use crate::layout::text_prefix;
use crate::properties::MetricsMode;

/// A file's metrics by column id.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) column_sizes: HashMap<i32, u64>,
    pub(super) value_counts: HashMap<i32, u64>,
    pub(super) null_counts: HashMap<i32, u64>,
    pub(super) lower_bounds: HashMap<i32, Datum>,
    pub(super) upper_bounds: HashMap<i32, Datum>,
    pub(super) split_offsets: Vec<i64>,
}

impl Metrics {
    pub(super) fn of(file: &ParquetMetaData, encoding: &Encoding) -> Self {
        let mut metrics = Self::default();
        for group in file.row_groups() {
            let first = group.columns().first();
            metrics.split_offsets.extend(first.map(|c| c.byte_range().0.cast_signed()));
        }
        for (index, leaf) in encoding.leaves.iter().enumerate() {
            let chunks: Vec<&ColumnChunkMetaData> = file.row_groups().iter().map(|g| g.column(index)).collect();
            metrics.add(leaf, &chunks);
        }
        metrics
    }

    fn add(&mut self, leaf: &Leaf, chunks: &[&ColumnChunkMetaData]) {
        let count = |n: i64| u64::try_from(n).unwrap_or_default();
        self.column_sizes.insert(leaf.id, chunks.iter().map(|c| count(c.compressed_size())).sum());
        if leaf.metrics == MetricsMode::None {
            return;
        }
        self.value_counts.insert(leaf.id, chunks.iter().map(|c| count(c.num_values())).sum());
        let nulls = |c: &&ColumnChunkMetaData| c.statistics().and_then(Statistics::null_count_opt);
        if let Some(nulls) = chunks.iter().map(nulls).sum::<Option<u64>>() {
            self.null_counts.insert(leaf.id, nulls);
        }
        let length = match leaf.metrics {
            _ if leaf.is_repeated => return,
            MetricsMode::None | MetricsMode::Counts => return,
            MetricsMode::Truncate(length) => length,
            MetricsMode::Full => usize::MAX,
        };
        if let Some((lower, upper)) = bounds(&leaf.kind, chunks) {
            let lower = cut_lower(&leaf.kind, &lower, length);
            self.lower_bounds.extend(datum(&leaf.kind, lower).map(|d| (leaf.id, d)));
            if let Some(upper) = cut_upper(&leaf.kind, upper, length) {
                self.upper_bounds.extend(datum(&leaf.kind, &upper).map(|d| (leaf.id, d)));
            }
        }
    }
}

/// The bounds of all chunks, as Iceberg serialises single values (decimals big-endian, other numbers little-endian).
/// `None` if a chunk with values has none, or none has values.
fn bounds(kind: &PrimitiveType, chunks: &[&ColumnChunkMetaData]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut merged: Option<(Vec<u8>, Vec<u8>)> = None;
    for chunk in chunks {
        let statistics = chunk.statistics()?;
        let (Some(lower), Some(upper)) = (statistics.min_bytes_opt(), statistics.max_bytes_opt()) else {
            let has_values = statistics.null_count_opt() != u64::try_from(chunk.num_values()).ok();
            // NaNs are no part of the bounds: a chunk may have nothing else.
            if has_values && !matches!(kind, PrimitiveType::Float | PrimitiveType::Double) {
                return None;
            }
            continue;
        };
        let (lower, upper) = (single_value(kind, statistics, lower), single_value(kind, statistics, upper));
        merged = Some(match merged {
            None => (lower, upper),
            Some((low, high)) => (
                if is_less(kind, &lower, &low) { lower } else { low },
                if is_less(kind, &high, &upper) { upper } else { high },
            ),
        });
    }
    merged
}

fn single_value(kind: &PrimitiveType, statistics: &Statistics, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let is_number = matches!(statistics.physical_type(), Physical::INT32 | Physical::INT64);
    if is_number && matches!(kind, PrimitiveType::Decimal { .. }) {
        bytes.reverse();
    }
    bytes
}

pub(super) fn is_less(kind: &PrimitiveType, a: &[u8], b: &[u8]) -> bool {
    use PrimitiveType as P;
    let int = |v: &[u8]| v.try_into().map(i32::from_le_bytes).unwrap_or_default();
    let long = |v: &[u8]| v.try_into().map(i64::from_le_bytes).unwrap_or_default();
    let float = |v: &[u8]| v.try_into().map(f32::from_le_bytes).unwrap_or_default();
    let double = |v: &[u8]| v.try_into().map(f64::from_le_bytes).unwrap_or_default();
    match kind {
        P::Int | P::Date => int(a) < int(b),
        P::Long | P::Time | P::Timestamp | P::Timestamptz | P::TimestampNs | P::TimestamptzNs => long(a) < long(b),
        P::Float => float(a).total_cmp(&float(b)).is_lt(),
        P::Double => double(a).total_cmp(&double(b)).is_lt(),
        P::Decimal { .. } => decimal(a) < decimal(b),
        P::Boolean | P::String | P::Uuid | P::Fixed(_) | P::Binary => a < b,
    }
}

fn decimal(big_endian: &[u8]) -> i128 {
    let negative = big_endian.first().is_some_and(|b| b & 0x80 != 0);
    big_endian.iter().fold(if negative { -1 } else { 0 }, |n, b| n << 8 | i128::from(*b))
}

fn datum(kind: &PrimitiveType, bytes: impl AsRef<[u8]>) -> Option<Datum> {
    Datum::try_from_bytes(bytes.as_ref(), kind.clone()).ok()
}

pub(super) fn cut_lower<'a>(kind: &PrimitiveType, bound: &'a [u8], length: usize) -> &'a [u8] {
    match kind {
        PrimitiveType::String => &bound[..text_prefix(bound, length)],
        PrimitiveType::Binary => &bound[..bound.len().min(length)],
        _ => bound,
    }
}

/// The bound, or something above it: cut, and its last character or byte raised. `None` where there is none above.
pub(super) fn cut_upper(kind: &PrimitiveType, bound: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    match kind {
        PrimitiveType::String if text_prefix(&bound, length) < bound.len() => {
            let mut kept: Vec<char> =
                std::str::from_utf8(&bound[..text_prefix(&bound, length)]).ok()?.chars().collect();
            while let Some(last) = kept.pop() {
                if let Some(next) = next_char(last) {
                    kept.push(next);
                    return Some(kept.into_iter().collect::<String>().into_bytes());
                }
            }
            None
        }
        PrimitiveType::Binary if length < bound.len() => {
            let mut kept = bound[..length].to_vec();
            while let Some(last) = kept.pop() {
                if let Some(next) = last.checked_add(1) {
                    kept.push(next);
                    return Some(kept);
                }
            }
            None
        }
        _ => Some(bound),
    }
}

fn next_char(c: char) -> Option<char> {
    match c {
        '\u{d7ff}' => Some('\u{e000}'),
        _ => char::from_u32(c as u32 + 1),
    }
}
