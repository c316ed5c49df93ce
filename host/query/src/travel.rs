//! From a version to a table's snapshot.

use chrono::{DateTime, SecondsFormat};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;
use iceberg::spec::TableMetadata;

use crate::error::QueryError;
use crate::version::{AsOf, Version};

/// Works a clause's expression out. It may be anything constant: `current_timestamp - INTERVAL '1' DAY`.
///
/// # Errors
/// [`QueryError::Plan`] where it is not constant, or of a type that names no version.
pub(crate) async fn version(context: &SessionContext, as_of: &AsOf) -> Result<Version, QueryError> {
    match as_of {
        AsOf::Timestamp(expression) => {
            let value = constant(context, &expression.to_string()).await?;
            milliseconds(&value).map(Version::Time).ok_or_else(|| {
                QueryError::Plan(format!("{expression} is not a time: write TIMESTAMP '2026-01-30 00:00:00'"))
            })
        }
        AsOf::Version(expression) => match constant(context, &expression.to_string()).await? {
            ScalarValue::Int64(Some(id)) => Ok(Version::Snapshot(id)),
            ScalarValue::Utf8(Some(name)) | ScalarValue::Utf8View(Some(name)) => Ok(Version::Reference(name)),
            _ => Err(QueryError::Plan(format!(
                "{expression} is not a version: write a snapshot's id, or the name of a branch or tag in quotes"
            ))),
        },
    }
}

async fn constant(context: &SessionContext, expression: &str) -> Result<ScalarValue, QueryError> {
    let frame = context.sql(&format!("SELECT {expression}")).await.map_err(|why| QueryError::planning(&why))?;
    let batches = frame.collect().await.map_err(|why| QueryError::planning(&why))?;
    match batches.first().filter(|batch: &&RecordBatch| batch.num_rows() == 1 && batch.num_columns() == 1) {
        Some(batch) => ScalarValue::try_from_array(batch.column(0), 0).map_err(|why| QueryError::planning(&why)),
        None => Err(QueryError::Plan(format!("{expression} is not one value"))),
    }
}

/// A time without a zone is UTC.
fn milliseconds(value: &ScalarValue) -> Option<i64> {
    match value.data_type() {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Utf8 | DataType::Utf8View => {}
        _ => return None,
    }
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
    let array = cast(&value.to_array().ok()?, &utc).ok()?;
    match ScalarValue::try_from_array(&array, 0).ok()? {
        ScalarValue::TimestampMillisecond(milliseconds, _) => milliseconds,
        _ => None,
    }
}

/// The snapshot that a table had, or has, under that version.
///
/// # Errors
/// [`QueryError::NoSnapshot`], with what there is.
pub(crate) fn snapshot(table: &str, metadata: &TableMetadata, version: &Version) -> Result<i64, QueryError> {
    match version {
        Version::Snapshot(id) => match metadata.snapshot_by_id(*id) {
            Some(_) => Ok(*id),
            None => Err(QueryError::NoSnapshot(format!(
                "table {table} has no snapshot {id}; \"{}$snapshots\" lists them",
                own_name(table)
            ))),
        },
        Version::Reference(name) => metadata.snapshot_for_ref(name).map(|found| found.snapshot_id()).ok_or_else(|| {
            QueryError::NoSnapshot(format!(
                "table {table} has no branch or tag `{name}`; \"{}$refs\" lists them",
                own_name(table)
            ))
        }),
        Version::Time(milliseconds) => at_time(table, metadata, *milliseconds),
    }
}

fn at_time(table: &str, metadata: &TableMetadata, milliseconds: i64) -> Result<i64, QueryError> {
    let history = metadata.history();
    let Some(first) = history.first() else {
        return Err(QueryError::NoSnapshot(format!("table {table} has no snapshot yet")));
    };
    let Some(entry) = history.iter().rev().find(|entry| entry.timestamp_ms <= milliseconds) else {
        return Err(QueryError::NoSnapshot(format!(
            "table {table} has no snapshot as old as {}; its first is of {}",
            show(milliseconds),
            show(first.timestamp_ms)
        )));
    };
    match metadata.snapshot_by_id(entry.snapshot_id) {
        Some(_) => Ok(entry.snapshot_id),
        None => Err(QueryError::NoSnapshot(format!(
            "the snapshot that table {table} had at {} is expired: {}",
            show(milliseconds),
            entry.snapshot_id
        ))),
    }
}

/// RFC 3339 in UTC; the number where it is beyond the calendar.
pub(crate) fn show(milliseconds: i64) -> String {
    DateTime::from_timestamp_millis(milliseconds)
        .map_or_else(|| milliseconds.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn own_name(table: &str) -> &str {
    table.rsplit('.').next().unwrap_or(table)
}
