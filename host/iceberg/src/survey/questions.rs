//! What the questions of a telemetry lake would read: for one trace, one service, one hour.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use futures::{StreamExt, TryStreamExt};
use iceberg::TableIdent;
use iceberg::arrow::ArrowFileReader;
use iceberg::expr::{Predicate, Reference};
use iceberg::io::FileMetadata;
use iceberg::spec::{Datum, PrimitiveType, TableMetadata, Type};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use serde::Serialize;

use super::SurveyError;
use crate::catalog::Catalog;
use crate::compact::Live;

/// Values that are asked for, of as many files: what one would read may be chance.
const SAMPLES: usize = 5;
/// Files asked at once.
const READS: usize = 16;
const HOUR_US: i64 = 3_600_000_000;

/// What one kind of question reads, on average over some values that the table holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Question {
    /// `trace`, `service` or `hour`.
    pub of: &'static str,
    /// The column that is asked.
    pub column: String,
    /// How many values were asked for.
    pub asked: usize,
    /// Files that partitions and bounds leave.
    pub planned: f64,
    /// Bytes of these.
    pub planned_bytes: f64,
    /// Files of which anything is left once footers and bloom filters have been asked.
    pub files: f64,
    /// Bytes of the row groups that are left.
    pub bytes: f64,
}

/// The kinds of questions, each with the column it needs.
const KINDS: [(&str, &str); 3] = [("trace", "trace_id"), ("service", "service_name"), ("hour", "timestamp")];

/// A value to be found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Wanted {
    Text(String),
    /// From this time on, an hour; whether the column has a zone.
    Hour(i64, bool),
}

impl Wanted {
    fn predicate(&self, column: &str) -> Predicate {
        let column = || Reference::new(column);
        match self {
            Self::Text(text) => column().equal_to(Datum::string(text)),
            Self::Hour(from, has_zone) => {
                let at = |us| if *has_zone { Datum::timestamptz_micros(us) } else { Datum::timestamp_micros(us) };
                column().greater_than_or_equal_to(at(*from)).and(column().less_than(at(from + HOUR_US)))
            }
        }
    }

    /// Whether a column chunk may hold it, by its statistics.
    fn may_be_in(&self, chunk: &ColumnChunkMetaData) -> bool {
        let Some(statistics) = chunk.statistics() else { return true };
        match (self, statistics) {
            (Self::Hour(from, _), Statistics::Int64(s)) => {
                s.min_opt().is_none_or(|min| *min < from + HOUR_US) && s.max_opt().is_none_or(|max| max >= from)
            }
            (Self::Text(text), Statistics::ByteArray(_)) => {
                let text = text.as_bytes();
                statistics.min_bytes_opt().is_none_or(|min| min <= text)
                    && statistics.max_bytes_opt().is_none_or(|max| text <= max)
            }
            _ => true,
        }
    }
}

/// Asks.
pub(super) async fn ask(
    catalog: &Catalog,
    ident: &TableIdent,
    metadata: &TableMetadata,
    live: &[&Live],
) -> Result<Vec<Question>, SurveyError> {
    let mut questions = Vec::new();
    let read = |e: iceberg::Error| SurveyError::Read(e.to_string());
    let Some(table) = catalog.table(ident).await? else { return Ok(questions) };
    for (of, column) in KINDS {
        let Some(field) = metadata.current_schema().field_by_name(column) else { continue };
        let has_zone = match &*field.field_type {
            Type::Primitive(PrimitiveType::String) if of != "hour" => false,
            Type::Primitive(PrimitiveType::Timestamptz) if of == "hour" => true,
            Type::Primitive(PrimitiveType::Timestamp) if of == "hour" => false,
            _ => continue,
        };
        let step = live.len().div_ceil(SAMPLES).max(1);
        let mut values: HashSet<Wanted> = HashSet::new();
        for file in live.iter().step_by(step) {
            values.extend(Footer::open(catalog, file).await?.first(field.id, has_zone).await?);
        }
        let mut question = Question {
            of,
            column: column.to_string(),
            asked: values.len(),
            planned: 0.0,
            planned_bytes: 0.0,
            files: 0.0,
            bytes: 0.0,
        };
        let by_path: HashMap<&str, &Live> = live.iter().map(|live| (live.file.file_path(), *live)).collect();
        for value in &values {
            let scan = table.scan().with_filter(value.predicate(column)).build().map_err(read)?;
            let tasks: Vec<_> = scan.plan_files().await.map_err(read)?.try_collect().await.map_err(read)?;
            // A head that has moved meanwhile may have others.
            let tasks: Vec<&Live> =
                tasks.iter().filter_map(|t| by_path.get(t.data_file_path.as_str()).copied()).collect();
            question.planned += tasks.len() as f64;
            question.planned_bytes += tasks.iter().map(|file| file.file.file_size_in_bytes() as f64).sum::<f64>();
            let looks: Vec<_> = tasks.into_iter().map(|file| left(catalog, file, field.id, value)).collect();
            let mut looks = futures::stream::iter(looks).buffer_unordered(READS);
            while let Some(bytes) = looks.try_next().await? {
                question.files += f64::from(u8::from(bytes > 0));
                question.bytes += bytes as f64;
            }
        }
        let count = values.len().max(1) as f64;
        let sums = [&mut question.planned, &mut question.planned_bytes, &mut question.files, &mut question.bytes];
        for sum in sums {
            *sum /= count;
        }
        if question.asked > 0 {
            questions.push(question);
        }
    }
    Ok(questions)
}

/// Bytes of a file's row groups that may hold a value.
async fn left(catalog: &Catalog, file: &Live, id: i32, value: &Wanted) -> Result<u64, SurveyError> {
    let mut footer = Footer::open(catalog, file).await?;
    let metadata = Arc::clone(footer.builder.metadata());
    let Some(column) = column_of(&metadata, id) else { return Ok(0) };
    let mut bytes = 0;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        if !value.may_be_in(group.column(column)) {
            continue;
        }
        if let Wanted::Text(text) = value {
            let filter = footer.builder.get_row_group_column_bloom_filter(index, column).await;
            let filter = filter.map_err(|e| footer.error(&e))?;
            if filter.is_some_and(|filter| !filter.check(text.as_str())) {
                continue;
            }
        }
        bytes += u64::try_from(group.compressed_size()).unwrap_or(0);
    }
    Ok(bytes)
}

fn column_of(metadata: &ParquetMetaData, id: i32) -> Option<usize> {
    let columns = metadata.file_metadata().schema_descr().columns().iter();
    columns.map(|c| c.self_type().get_basic_info().clone()).position(|info| info.has_id() && info.id() == id)
}

/// A data file whose footer has been read.
struct Footer {
    name: String,
    builder: ParquetRecordBatchStreamBuilder<ArrowFileReader>,
}

impl Footer {
    async fn open(catalog: &Catalog, file: &Live) -> Result<Self, SurveyError> {
        let name = file.file.file_path().to_string();
        let error = |why: String| SurveyError::Read(format!("{name} cannot be read: {why}"));
        let input = catalog.store().file_io().new_input(&name).map_err(|e| error(e.to_string()))?;
        let reader = input.reader().await.map_err(|e| error(e.to_string()))?;
        let reader = ArrowFileReader::new(FileMetadata { size: file.file.file_size_in_bytes() }, reader);
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(|e| error(e.to_string()))?;
        Ok(Self { name, builder })
    }

    fn error(&self, e: &parquet::errors::ParquetError) -> SurveyError {
        SurveyError::Read(format!("{} cannot be read: {e}", self.name))
    }

    /// A value that the file holds in a column, its first.
    async fn first(self, id: i32, has_zone: bool) -> Result<Option<Wanted>, SurveyError> {
        let error = |e: parquet::errors::ParquetError| SurveyError::Read(format!("{}: {e}", self.name));
        let Some(column) = column_of(self.builder.metadata(), id) else { return Ok(None) };
        let mask = ProjectionMask::leaves(self.builder.parquet_schema(), [column]);
        let mut rows = self.builder.with_projection(mask).with_limit(1).build().map_err(error)?;
        let Some(batch) = rows.try_next().await.map_err(error)? else { return Ok(None) };
        Ok(batch.columns().first().and_then(|column| wanted(column, has_zone)))
    }
}

fn wanted(column: &ArrayRef, has_zone: bool) -> Option<Wanted> {
    if column.is_empty() || column.is_null(0) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8 => Some(Wanted::Text(column.as_string::<i32>().value(0).to_string())),
        DataType::Dictionary(keys, values) if **keys == DataType::Int32 && **values == DataType::Utf8 => {
            let typed = column.as_dictionary::<Int32Type>().downcast_dict::<arrow_array::StringArray>()?;
            Some(Wanted::Text(arrow_array::ArrayAccessor::value(&typed, 0).to_string()))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let us = column.as_primitive::<TimestampMicrosecondType>().value(0);
            Some(Wanted::Hour(us.div_euclid(HOUR_US) * HOUR_US, has_zone))
        }
        _ => None,
    }
}
