//! A table's `write.*` properties, read once and checked: what a writer of its files has to obey.
//!
//! Names and meanings are Iceberg's (its documentation, "Table properties"). Where a table says nothing, the defaults
//! are Iceberg's too, but for the codec's level, which is quicker, for row groups, which are smaller so that readers can
//! leave some out, and for columns that a plugin gives without a dictionary, which get none.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};

#[cfg(test)]
mod tests;

const FORMAT: &str = "write.format.default";
const CODEC: &str = "write.parquet.compression-codec";
const LEVEL: &str = "write.parquet.compression-level";
const ROW_GROUP_BYTES: &str = "write.parquet.row-group-size-bytes";
const PAGE_BYTES: &str = "write.parquet.page-size-bytes";
const PAGE_ROWS: &str = "write.parquet.page-row-limit";
const DICTIONARY_BYTES: &str = "write.parquet.dict-size-bytes";
const BLOOM_BYTES: &str = "write.parquet.bloom-filter-max-bytes";
const BLOOM_COLUMN: &str = "write.parquet.bloom-filter-enabled.column.";
const BLOOM_FPP: &str = "write.parquet.bloom-filter-fpp.column.";
const TARGET_BYTES: &str = "write.target-file-size-bytes";
const DATA_PATH: &str = "write.data.path";
const FOLDER_PATH: &str = "write.folder-storage.path";
const METRICS_DEFAULT: &str = "write.metadata.metrics.default";
const METRICS_COLUMN: &str = "write.metadata.metrics.column.";
const METRICS_COLUMNS_MAX: &str = "write.metadata.metrics.max-inferred-column-defaults";

/// What a reader can leave out is a row group. Iceberg's 128 MiB are a whole partition's hour, so that neither bounds nor
/// bloom filters leave out anything of it.
const ROW_GROUP_BYTES_DEFAULT: usize = 8 << 20;
/// Rows are small: 8 MiB of them would be more than a hundred thousand.
const ROW_GROUP_ROWS_DEFAULT: usize = 32 << 10;

/// A property that cannot be obeyed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("table property {key} is {value:?}: {reason}")]
pub struct PropertyError {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What it should be.
    pub reason: String,
}

/// How much of a column's metrics goes into the manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricsMode {
    /// Nothing.
    None,
    /// Counts of values, NULLs and NaNs.
    Counts,
    /// Counts, and bounds of so many characters or bytes.
    Truncate(usize),
    /// Counts, and bounds as they are.
    Full,
}

/// A column's bloom filters.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bloom {
    /// The share of absent values that a filter lets through.
    pub false_positives: f64,
}

/// The properties that a writer obeys.
#[derive(Clone, PartialEq, Debug)]
pub struct WriteProperties {
    /// Codec and level of every column.
    pub compression: Compression,
    /// A row group ends at about so many encoded bytes.
    pub row_group_bytes: usize,
    /// A row group ends at so many rows; only where the table says nothing of its bytes.
    pub row_group_rows: Option<usize>,
    /// A page ends at about so many encoded bytes.
    pub page_bytes: usize,
    /// A page ends at so many rows.
    pub page_rows: usize,
    /// A column chunk gives up its dictionary beyond so many bytes.
    pub dictionary_bytes: usize,
    /// A bloom filter is never larger.
    pub bloom_bytes_max: usize,
    /// Columns with bloom filters, by full name.
    pub bloom: HashMap<String, Bloom>,
    /// A file ends at about so many bytes.
    pub target_file_bytes: u64,
    /// Where data files go, if not under the table's own location.
    pub data_path: Option<String>,
    metrics_default: Option<MetricsMode>,
    metrics_columns: HashMap<String, MetricsMode>,
    metrics_columns_max: usize,
}

impl WriteProperties {
    /// Reads a table's properties. Those that concern no writer are not looked at.
    ///
    /// # Errors
    /// A value that means nothing, or a file format other than Parquet.
    pub fn read(properties: &HashMap<String, String>) -> Result<Self, PropertyError> {
        let get = |key: &str| properties.get(key).map(|v| v.trim());
        if let Some(format) = get(FORMAT).filter(|f| !f.eq_ignore_ascii_case("parquet")) {
            return Err(wrong(FORMAT, format, "only parquet is written"));
        }
        let mut bloom = HashMap::new();
        let mut metrics_columns = HashMap::new();
        for (key, value) in properties {
            if let Some(column) = key.strip_prefix(BLOOM_COLUMN) {
                if boolean(key, value)? {
                    let fpp = number(properties, &format!("{BLOOM_FPP}{column}"), 0.01)?;
                    let fpp_is_share = fpp > 0.0 && fpp < 1.0;
                    if !fpp_is_share {
                        return Err(wrong(&format!("{BLOOM_FPP}{column}"), &fpp.to_string(), "not between 0 and 1"));
                    }
                    bloom.insert(column.to_string(), Bloom { false_positives: fpp });
                }
            } else if let Some(column) = key.strip_prefix(METRICS_COLUMN) {
                metrics_columns.insert(column.to_string(), metrics_mode(key, value)?);
            }
        }
        let data_path = get(DATA_PATH).or_else(|| get(FOLDER_PATH)).filter(|p| !p.is_empty());
        Ok(Self {
            compression: compression(get(CODEC).unwrap_or("zstd"), get(LEVEL))?,
            row_group_bytes: positive(properties, ROW_GROUP_BYTES, ROW_GROUP_BYTES_DEFAULT)?,
            row_group_rows: get(ROW_GROUP_BYTES).is_none().then_some(ROW_GROUP_ROWS_DEFAULT),
            page_bytes: positive(properties, PAGE_BYTES, 1 << 20)?,
            page_rows: positive(properties, PAGE_ROWS, 20_000)?,
            dictionary_bytes: positive(properties, DICTIONARY_BYTES, 2 << 20)?,
            bloom_bytes_max: positive(properties, BLOOM_BYTES, 1 << 20)?,
            bloom,
            target_file_bytes: positive(properties, TARGET_BYTES, 512 << 20)? as u64,
            data_path: data_path.map(|p| p.trim_end_matches('/').to_string()),
            metrics_default: get(METRICS_DEFAULT).map(|v| metrics_mode(METRICS_DEFAULT, v)).transpose()?,
            metrics_columns,
            metrics_columns_max: number(properties, METRICS_COLUMNS_MAX, 100)?,
        })
    }

    /// The metrics that a column gets. `position` counts columns depth first from 0: those beyond the limit get none,
    /// unless a property names the column or a default for all.
    pub fn metrics(&self, column: &str, position: usize) -> MetricsMode {
        let inferred = if position < self.metrics_columns_max { MetricsMode::Truncate(16) } else { MetricsMode::None };
        self.metrics_columns.get(column).copied().or(self.metrics_default).unwrap_or(inferred)
    }
}

fn wrong(key: &str, value: &str, reason: impl fmt::Display) -> PropertyError {
    PropertyError { key: key.to_string(), value: value.to_string(), reason: reason.to_string() }
}

fn number<T: FromStr>(properties: &HashMap<String, String>, key: &str, default: T) -> Result<T, PropertyError> {
    match properties.get(key) {
        None => Ok(default),
        Some(value) => value.trim().parse().map_err(|_| wrong(key, value, "not a number that fits")),
    }
}

fn positive(properties: &HashMap<String, String>, key: &str, default: usize) -> Result<usize, PropertyError> {
    match number(properties, key, default)? {
        0 => Err(wrong(key, "0", "at least 1")),
        n => Ok(n),
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, PropertyError> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(key, value, "true or false")),
    }
}

fn metrics_mode(key: &str, value: &str) -> Result<MetricsMode, PropertyError> {
    let mode = value.trim().to_ascii_lowercase();
    let truncated = mode.strip_prefix("truncate(").and_then(|m| m.strip_suffix(')'));
    match (mode.as_str(), truncated.map(|n| n.trim().parse::<usize>())) {
        ("none", _) => Ok(MetricsMode::None),
        ("counts", _) => Ok(MetricsMode::Counts),
        ("full", _) => Ok(MetricsMode::Full),
        (_, Some(Ok(n))) if n > 0 => Ok(MetricsMode::Truncate(n)),
        _ => Err(wrong(key, value, "none, counts, truncate(length) or full")),
    }
}

fn compression(codec: &str, level: Option<&str>) -> Result<Compression, PropertyError> {
    let level_number = |default: i32| match level.filter(|l| !l.eq_ignore_ascii_case("null") && !l.is_empty()) {
        None => Ok(default),
        Some(text) => text.parse::<i32>().map_err(|_| wrong(LEVEL, text, "not a whole number")),
    };
    let refused = |e: parquet::errors::ParquetError| wrong(LEVEL, level.unwrap_or_default(), e);
    let unsigned = |n: i32| u32::try_from(n).map_err(|_| wrong(LEVEL, &n.to_string(), "not below 0"));
    match codec.to_ascii_lowercase().as_str() {
        // Level 1: a third quicker than Iceberg's 3, for files a few hundredths larger.
        "zstd" => Ok(Compression::ZSTD(ZstdLevel::try_new(level_number(1)?).map_err(refused)?)),
        "gzip" => Ok(Compression::GZIP(GzipLevel::try_new(unsigned(level_number(6)?)?).map_err(refused)?)),
        "brotli" => Ok(Compression::BROTLI(BrotliLevel::try_new(unsigned(level_number(1)?)?).map_err(refused)?)),
        "snappy" => Ok(Compression::SNAPPY),
        // What writers of today mean by it: the other frame is deprecated, and readers guess.
        "lz4" | "lz4_raw" | "lz4-raw" => Ok(Compression::LZ4_RAW),
        "uncompressed" | "none" => Ok(Compression::UNCOMPRESSED),
        _ => Err(wrong(CODEC, codec, "zstd, snappy, gzip, lz4, brotli or uncompressed")),
    }
}
