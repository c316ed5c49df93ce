//! Dead letters as they are read again, and the marks of those that were replayed.
//!
//! A letter is never changed. That it was replayed is a row of its own: the same record without its key, value and
//! headers, with the time of the replay.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType};
use bytes::Bytes;

use super::{Columns, Row};
use crate::batch::Record;
use crate::checkpoint::EntryKey;
use crate::replay::Origin;
use crate::source::topic_id;

#[cfg(test)]
mod tests;

/// A letter, or a mark, as the table holds it. What was not asked for is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where the record comes from.
    pub origin: Origin,
    /// The record.
    pub record: Record,
    /// Why it was refused.
    pub error: String,
    /// The digests of the plugins that refused it.
    pub plugin_digest: Option<String>,
    /// When, in microseconds since 1970.
    pub rejected_at: i64,
    /// In a mark: when the letter was replayed, in microseconds since 1970.
    pub replayed_at: Option<i64>,
}

/// Reads letters and marks from rows of the table, or from some of its columns.
///
/// # Errors
/// Columns that are missing, or have other types.
pub fn read(batch: &RecordBatch) -> Result<Vec<Stored>, ArrowError> {
    let (clusters, topics, errors) = (text(batch, "cluster_id")?, text(batch, "topic")?, text(batch, "error")?);
    let (topic_ids, digests) = (text(batch, "topic_id")?, text(batch, "plugin_digest")?);
    let partitions = cast(batch, "partition", &DataType::Int32)?;
    let offsets = cast(batch, "offset", &DataType::Int64)?;
    let (partitions, offsets) = (partitions.as_primitive::<Int32Type>(), offsets.as_primitive::<Int64Type>());
    let [timestamps, rejected, replayed] =
        [times(batch, "timestamp")?, times(batch, "rejected_at")?, times(batch, "replayed_at")?];
    let (keys, values) = (bytes(batch, "key")?, bytes(batch, "value")?);
    let headers = batch.column_by_name("headers").and_then(|c| c.as_map_opt());
    let mut letters = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let text_at = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_string());
        let bytes_at = |column: &Option<BinaryArray>| {
            column.as_ref().filter(|c| c.is_valid(row)).map(|c| Bytes::copy_from_slice(c.value(row)))
        };
        let time_at = |column: &Option<ArrayRef>| {
            let column = column.as_ref()?.as_primitive::<TimestampMicrosecondType>();
            column.is_valid(row).then(|| column.value(row))
        };
        let key = EntryKey {
            cluster_id: clusters.value(row).into(),
            topic: topics.value(row).into(),
            partition: partitions.value(row),
        };
        let of_row = headers.filter(|h| h.is_valid(row)).map(|h| h.value(row));
        letters.push(Stored {
            origin: Origin { key, topic_id: text_at(&topic_ids).as_deref().map(topic_id) },
            record: Record {
                offset: offsets.value(row),
                timestamp_ms: time_at(&timestamps).map(|us| us.div_euclid(1000)),
                key: bytes_at(&keys),
                value: bytes_at(&values),
                headers: of_row.map(|of_row| header_list(&of_row)).transpose()?.unwrap_or_default(),
            },
            error: text_at(&errors).unwrap_or_default(),
            plugin_digest: text_at(&digests),
            rejected_at: time_at(&rejected).unwrap_or_default(),
            replayed_at: time_at(&replayed),
        });
    }
    Ok(letters)
}

/// The rows that mark letters as replayed.
///
/// # Errors
/// As for [`super::rows`].
pub fn marks(pipeline: &str, letters: &[&Stored], replayed_at_ms: i64) -> Result<RecordBatch, ArrowError> {
    let mut columns = Columns::default();
    for letter in letters {
        let (key, record) = (&letter.origin.key, &letter.record);
        let bare = Record { key: None, value: None, headers: Vec::new(), ..record.clone() };
        columns.push(&Row {
            pipeline,
            cluster_id: &key.cluster_id,
            topic_id: letter.origin.topic_id.as_deref(),
            topic: &key.topic,
            partition: key.partition,
            record: &bare,
            error: &letter.error,
            plugin_digest: letter.plugin_digest.as_deref(),
            rejected_at: letter.rejected_at,
            replayed_at: Some(replayed_at_ms.saturating_mul(1000)),
        })?;
    }
    columns.finish()
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("there is no column {name}")))
}

fn cast(batch: &RecordBatch, name: &str, to: &DataType) -> Result<ArrayRef, ArrowError> {
    arrow_cast::cast(column(batch, name)?, to)
}

fn text(batch: &RecordBatch, name: &str) -> Result<StringArray, ArrowError> {
    Ok(cast(batch, name, &DataType::Utf8)?.as_string::<i32>().clone())
}

fn bytes(batch: &RecordBatch, name: &str) -> Result<Option<BinaryArray>, ArrowError> {
    match batch.column_by_name(name) {
        None => Ok(None),
        Some(_) => Ok(Some(cast(batch, name, &DataType::Binary)?.as_binary::<i32>().clone())),
    }
}

fn times(batch: &RecordBatch, name: &str) -> Result<Option<ArrayRef>, ArrowError> {
    let utc = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into()));
    match batch.column_by_name(name) {
        None => Ok(None),
        Some(_) => cast(batch, name, &utc).map(Some),
    }
}

fn header_list(entries: &arrow_array::StructArray) -> Result<Vec<(String, Option<Bytes>)>, ArrowError> {
    let names = arrow_cast::cast(entries.column(0), &DataType::Utf8)?;
    let values = arrow_cast::cast(entries.column(1), &DataType::Binary)?;
    let (names, values) = (names.as_string::<i32>(), values.as_binary::<i32>());
    let value = |at: usize| values.is_valid(at).then(|| Bytes::copy_from_slice(values.value(at)));
    Ok((0..entries.len()).map(|at| (names.value(at).to_string(), value(at))).collect())
}
