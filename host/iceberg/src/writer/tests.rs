use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, FieldRef};
use iceberg::spec::{
    DataFile, FormatVersion, NullOrder, SortDirection, SortField, SortOrder, TableMetadataBuilder, Transform,
    UnboundPartitionSpec,
};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use tempfile::TempDir;
use weir_pipeline::error::Kind;
use weir_pipeline::sink::{Epoch, Files};
use weir_pipeline::transform::TableSchema;

use super::*;
use crate::schema::{Former, create_schema, reconcile};
use crate::store::{S3Options, Store};

mod bounds;
mod epochs;
mod files;
mod own;
mod properties;
mod remote;
mod values;

/// A table in a folder, and its writer.
struct Lake {
    folder: TempDir,
    target: WriteTarget,
    writer: Arc<Writer>,
}

/// What a test's table is like beyond its columns.
#[derive(Default)]
struct Wanted<'a> {
    partition: Vec<(&'a str, Transform)>,
    sort: Vec<&'a str>,
    properties: Vec<(&'a str, String)>,
    bytes_max: Option<usize>,
}

impl Lake {
    fn new(columns: &RecordBatch, wanted: &Wanted<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().join("table");
        Self::at(folder, location.to_str().unwrap(), S3Options::default(), columns, wanted)
    }

    fn at(folder: TempDir, location: &str, s3: S3Options, columns: &RecordBatch, wanted: &Wanted<'_>) -> Self {
        let target = target(location, columns, wanted);
        let store = Store::open(location, s3).unwrap();
        let bytes_max = wanted.bytes_max.unwrap_or(64 << 20);
        let limits = BufferLimits { bytes_max, spill_dir: folder.path().join("spill") };
        let writer = Arc::new(Writer::with_encoders(store, target.clone(), limits, 2));
        Self { folder, target, writer }
    }

    async fn write(&self, batches: &[RecordBatch]) -> Vec<DataFile> {
        for batch in batches {
            self.writer.write(Epoch(1), batch.clone()).await.unwrap();
        }
        let written = self.writer.close(Epoch(1)).await.unwrap().unwrap();
        assert_eq!(written.rows(), batches.iter().map(|b| b.num_rows() as u64).sum::<u64>());
        assert_eq!(self.writer.buffered_bytes(), 0);
        written.files.to_vec()
    }

    /// Everything below the table's folder that is a file.
    fn on_disk(&self) -> HashSet<String> {
        let mut found = HashSet::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path => drop(found.insert(path.to_str().unwrap().to_string())),
                }
            }
        }
        found
    }
}

fn target(location: &str, columns: &RecordBatch, wanted: &Wanted<'_>) -> WriteTarget {
    let plugin = TableSchema { name: "t".into(), doc: String::new(), schema: columns.schema() };
    let schema = create_schema(&plugin).unwrap();
    let id = |name: &str| schema.field_id_by_name(name).unwrap();
    let mut spec = UnboundPartitionSpec::builder();
    for (index, (name, transform)) in wanted.partition.iter().enumerate() {
        spec = spec.add_partition_field(id(name), format!("p{index}_{name}"), *transform).unwrap();
    }
    let sort = wanted.sort.iter().map(|name| SortField {
        source_id: id(name),
        transform: Transform::Identity,
        direction: SortDirection::Ascending,
        null_order: NullOrder::First,
    });
    let order = SortOrder::builder().with_fields(sort.collect::<Vec<_>>()).build(&schema).unwrap();
    let properties: HashMap<_, _> = wanted.properties.iter().map(|(k, v)| ((*k).to_string(), v.clone())).collect();
    let location = location.to_string();
    let metadata = TableMetadataBuilder::new(schema, spec.build(), order, location, FormatVersion::V2, properties)
        .unwrap()
        .build()
        .unwrap()
        .metadata;
    let mapping = reconcile(metadata.current_schema(), &Former::default(), &plugin).unwrap().mapping;
    WriteTarget { metadata: Arc::new(metadata), mapping }
}

/// Spans, as few columns as tell: a time, a service, an id. Times rise slowly and out of order.
fn spans(first: i64, rows: i64, service: impl Fn(i64) -> String) -> RecordBatch {
    let services: Vec<String> = (first..first + rows).map(service).collect();
    let coded: DictionaryArray<Int32Type> = services.iter().map(|s| Some(s.as_str())).collect();
    let times = (first..first + rows).map(|i| 1_760_000_000_000_000 + (i * 7919) % 1_000_003);
    RecordBatch::try_from_iter_with_nullable([
        (
            "time",
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("+00:00")) as ArrayRef,
            true,
        ),
        ("service", Arc::new(coded), true),
        ("id", Arc::new(StringArray::from_iter_values((first..first + rows).map(|i| format!("{i:032x}")))), true),
        ("number", Arc::new(Int64Array::from_iter_values(first..first + rows)), true),
    ])
    .unwrap()
}

fn read(file: &DataFile) -> RecordBatch {
    let opened = std::fs::File::open(file.file_path()).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap();
    let schema = Arc::clone(builder.schema());
    let batches = builder.build().unwrap().map(Result::unwrap).collect::<Vec<_>>();
    printable(&arrow::compute::concat_batches(&schema, &batches).unwrap())
}

/// The same rows, UTC by its offset: names of zones cannot be printed here.
fn printable(rows: &RecordBatch) -> RecordBatch {
    fn by_offset(data_type: &DataType) -> DataType {
        let inside = |f: &FieldRef| Arc::new(Field::clone(f).with_data_type(by_offset(f.data_type())));
        match data_type {
            DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
            DataType::List(f) => DataType::List(inside(f)),
            DataType::Map(f, sorted) => DataType::Map(inside(f), *sorted),
            DataType::Struct(fields) => DataType::Struct(fields.iter().map(inside).collect()),
            other => other.clone(),
        }
    }
    let column = |(f, c): (&FieldRef, &ArrayRef)| {
        let column = arrow::compute::cast(c, &by_offset(c.data_type())).unwrap();
        (f.name().clone(), column, true)
    };
    let columns = rows.schema().fields().iter().zip(rows.columns()).map(column).collect::<Vec<_>>();
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn footer(file: &DataFile) -> ParquetMetaData {
    let opened = std::fs::File::open(file.file_path()).unwrap();
    ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional).parse_and_finish(&opened).unwrap()
}

/// Every value of every row, as it is printed, sorted.
fn rows_of<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Vec<String> {
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|c| arrow::util::display::ArrayFormatter::try_new(c, &options).unwrap())
            .collect();
        let row = |i: usize| columns.iter().map(|c| c.value(i).to_string()).collect::<Vec<_>>().join(" | ");
        rows.extend((0..batch.num_rows()).map(row));
    }
    rows.sort();
    rows
}
