//! Answers for people and for programs.

mod human;

pub use human::table;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::WriterBuilder;
use datafusion::arrow::json::writer::LineDelimited;

use crate::error::QueryError;

/// One JSON object a row and line. Nulls are there, times are RFC 3339, maps are objects, bytes are hexadecimal.
///
/// # Errors
/// [`QueryError::Failed`] where a column has a type that JSON has no form for.
pub fn json_lines(batch: &RecordBatch) -> Result<String, QueryError> {
    let failed = |why: ArrowError| QueryError::Failed(why.to_string());
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut bytes);
    writer.write(batch).map_err(failed)?;
    writer.finish().map_err(failed)?;
    drop(writer);
    String::from_utf8(bytes).map_err(|why| QueryError::Failed(why.to_string()))
}

#[cfg(test)]
mod tests;
