//! Tables for the tests, made with the crate's own catalog and writers.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, MapArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::memory::{MEMORY_CATALOG_WAREHOUSE, MemoryCatalogBuilder};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Literal, ManifestListWriter, ManifestWriterBuilder,
    MapType, NestedField, Operation, PartitionKey, PrimitiveType, Schema, Snapshot, Struct, Summary, TableMetadata,
    Transform, Type, UnboundPartitionSpec,
};
use iceberg::table::Table;
use iceberg::transaction::{AddColumn, ApplyTransactionAction, Transaction};
use iceberg::writer::base_writer::data_file_writer::DataFileWriterBuilder;
use iceberg::writer::file_writer::ParquetWriterBuilder;
use iceberg::writer::file_writer::location_generator::{DefaultFileNameGenerator, DefaultLocationGenerator};
use iceberg::writer::file_writer::rolling_writer::RollingFileWriterBuilder;
use iceberg::writer::{IcebergWriter, IcebergWriterBuilder};
use iceberg::{Catalog, CatalogBuilder, MemoryCatalog, NamespaceIdent, TableCreation, TableIdent};
use parquet::file::properties::WriterProperties;

use crate::engine::{Engine, Limits};
use crate::source::{SourceError, TableId, TableSource};

pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

/// A row of the test table.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) at_micros: i64,
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) duration_ms: f64,
    pub(crate) status: Option<i32>,
}

pub(crate) fn span(at_micros: i64, service: &'static str, operation: &'static str, duration_ms: f64) -> Span {
    Span { at_micros, service, operation, duration_ms, status: None }
}

/// A catalog whose tables can be shown otherwise than they are.
#[derive(Debug)]
pub(crate) struct Lake {
    catalog: MemoryCatalog,
    shown: Mutex<BTreeMap<TableId, Table>>,
}

#[async_trait]
impl TableSource for Lake {
    async fn load(&self, namespace: &[String], table: &str) -> Result<Option<Table>, SourceError> {
        let id = TableId { namespace: namespace.to_vec(), table: table.to_owned() };
        Ok(self.shown.lock().unwrap().get(&id).cloned())
    }

    async fn list(&self) -> Result<Vec<TableId>, SourceError> {
        Ok(self.shown.lock().unwrap().keys().cloned().collect())
    }
}

impl Lake {
    pub(crate) async fn new() -> Arc<Self> {
        let warehouse = HashMap::from([(MEMORY_CATALOG_WAREHOUSE.to_owned(), "memory://lake".to_owned())]);
        let catalog = MemoryCatalogBuilder::default().load("lake", warehouse).await.unwrap();
        Arc::new(Self { catalog, shown: Mutex::default() })
    }

    pub(crate) fn engine(self: &Arc<Self>) -> Engine {
        let limits = Limits { partitions: 3.try_into().unwrap(), ..Limits::default() };
        Engine::new(Arc::<Lake>::clone(self), limits).unwrap()
    }

    /// A table of spans, partitioned by day and service, with one snapshot for each slice.
    pub(crate) async fn spans(&self, name: &str, appends: &[&[Span]]) {
        let (namespace, table) = name.rsplit_once('.').unwrap();
        let namespace = NamespaceIdent::from_strs(namespace.split('.')).unwrap();
        for length in 1..=namespace.len() {
            let outer = NamespaceIdent::from_strs(&namespace.as_ref()[..length]).unwrap();
            if !self.catalog.namespace_exists(&outer).await.unwrap() {
                self.catalog.create_namespace(&outer, HashMap::new()).await.unwrap();
            }
        }
        let spec = UnboundPartitionSpec::builder()
            .add_partition_field(1, "timestamp_day", Transform::Day)
            .unwrap()
            .add_partition_field(2, "service_name", Transform::Identity)
            .unwrap()
            .build();
        let creation = TableCreation::builder().name(table.to_owned()).schema(schema()).partition_spec(spec).build();
        let table = self.catalog.create_table(&namespace, creation).await.unwrap();
        self.show(table);
        for rows in appends {
            self.append(name, rows).await;
        }
    }

    pub(crate) async fn append(&self, name: &str, rows: &[Span]) {
        let table = self.current(name).await;
        let mut files = Vec::new();
        let mut groups: BTreeMap<(i64, &str), Vec<Span>> = BTreeMap::new();
        for row in rows {
            groups.entry((row.at_micros.div_euclid(DAY_MICROS), row.service)).or_default().push(row.clone());
        }
        for ((day, service), rows) in groups {
            files.extend(write(&table, day, service, &rows).await);
        }
        let transaction = Transaction::new(&table);
        let transaction = transaction.fast_append().add_data_files(files).apply(transaction).unwrap();
        self.show(transaction.commit(&self.catalog).await.unwrap());
    }

    pub(crate) async fn add_column(&self, name: &str, column: &str, kind: Type) {
        let transaction = Transaction::new(&self.current(name).await);
        let action = transaction.update_schema().add_column(AddColumn::optional(column, kind));
        self.show(action.apply(transaction).unwrap().commit(&self.catalog).await.unwrap());
    }

    pub(crate) async fn delete_column(&self, name: &str, column: &str) {
        let transaction = Transaction::new(&self.current(name).await);
        let action = transaction.update_schema().delete_column(column);
        self.show(action.apply(transaction).unwrap().commit(&self.catalog).await.unwrap());
    }

    pub(crate) async fn delete_first_row(&self, name: &str) {
        self.show(with_first_row_deleted(&self.current(name).await).await);
    }

    async fn current(&self, name: &str) -> Table {
        self.catalog.load_table(&TableIdent::from_strs(name.split('.')).unwrap()).await.unwrap()
    }

    fn show(&self, table: Table) {
        let id = TableId {
            namespace: table.identifier().namespace().as_ref().clone(),
            table: table.identifier().name().to_owned(),
        };
        self.shown.lock().unwrap().insert(id, table);
    }

    /// Shows a table with its snapshots made at these times, milliseconds since 1970.
    pub(crate) async fn retime(&self, name: &str, times_ms: &[i64]) -> Vec<i64> {
        let table = self.current(name).await;
        let mut json = serde_json::to_value(table.metadata()).unwrap();
        let ids: Vec<i64> = table.metadata().history().iter().map(|entry| entry.snapshot_id).collect();
        assert_eq!(ids.len(), times_ms.len());
        for snapshot in json["snapshots"].as_array_mut().unwrap() {
            let index = ids.iter().position(|id| snapshot["snapshot-id"] == *id).unwrap();
            snapshot["timestamp-ms"] = times_ms[index].into();
        }
        for (entry, time) in json["snapshot-log"].as_array_mut().unwrap().iter_mut().zip(times_ms) {
            entry["timestamp-ms"] = (*time).into();
        }
        json["metadata-log"] = serde_json::json!([]);
        json["last-updated-ms"] = (*times_ms.last().unwrap()).into();
        let metadata: TableMetadata = serde_json::from_value(json).unwrap();
        self.show(rebuilt(&table, metadata));
        ids
    }

    pub(crate) fn snapshots(&self, name: &str) -> Vec<i64> {
        let (namespace, table) = name.rsplit_once('.').unwrap();
        let id = TableId { namespace: vec![namespace.to_owned()], table: table.to_owned() };
        let shown = self.shown.lock().unwrap();
        shown[&id].metadata().history().iter().map(|entry| entry.snapshot_id).collect()
    }
}

/// The table with one more snapshot, in which the first row of its first data file is deleted by its position.
async fn with_first_row_deleted(table: &Table) -> Table {
    let metadata = table.metadata();
    let parent = metadata.current_snapshot().unwrap();
    let list = table.manifest_list_reader(parent).load().await.unwrap();
    let manifest = list.entries()[0].load_manifest(table.file_io()).await.unwrap();
    let data = manifest.entries()[0].data_file();
    let path = format!("{}/data/deletes-{}.parquet", metadata.location(), next());
    let bytes = position_delete(data.file_path());
    let deletes = DataFileBuilder::default()
        .content(DataContentType::PositionDeletes)
        .file_path(path.clone())
        .file_format(DataFileFormat::Parquet)
        .partition(data.partition().clone())
        .partition_spec_id(metadata.default_partition_spec_id())
        .record_count(1)
        .file_size_in_bytes(bytes.len().try_into().unwrap())
        .build()
        .unwrap();
    table.file_io().new_output(&path).unwrap().write(bytes.into()).await.unwrap();
    let (id, sequence) = (77, metadata.next_sequence_number());
    let output = |name: &str| table.file_io().new_output(format!("{}/metadata/{name}", metadata.location())).unwrap();
    let spec = metadata.default_partition_spec().as_ref().clone();
    let schema = Arc::clone(metadata.current_schema());
    let mut writer = ManifestWriterBuilder::new(output("deletes.avro"), Some(id), schema, spec).build_v2_deletes();
    writer.add_file(deletes, sequence).unwrap();
    let manifest = writer.write_manifest_file().await.unwrap();
    let output = output("list.avro");
    let location = output.location().to_owned();
    let mut lists = ManifestListWriter::v2(output.writer().await.unwrap(), id, Some(parent.snapshot_id()), sequence);
    lists.add_manifests(list.entries().iter().cloned().chain([manifest])).unwrap();
    lists.close().await.unwrap();
    let summary = Summary { operation: Operation::Delete, additional_properties: HashMap::new() };
    let snapshot = Snapshot::builder()
        .with_snapshot_id(id)
        .with_parent_snapshot_id(Some(parent.snapshot_id()))
        .with_sequence_number(sequence)
        .with_timestamp_ms(metadata.last_updated_ms() + 1)
        .with_manifest_list(location)
        .with_summary(summary)
        .with_schema_id(metadata.current_schema_id())
        .build();
    let builder = metadata.clone().into_builder(None).set_branch_snapshot(snapshot, "main").unwrap();
    rebuilt(table, builder.build().unwrap().metadata)
}

/// A Parquet file of positional deletes (Iceberg's spec, "Position Delete Files") that names one row.
fn position_delete(path: &str) -> Vec<u8> {
    let field = |name: &str, kind: DataType, id: i32| {
        let metadata = HashMap::from([("PARQUET:field_id".to_owned(), id.to_string())]);
        Field::new(name, kind, false).with_metadata(metadata)
    };
    let schema = Arc::new(ArrowSchema::new(vec![
        field("file_path", DataType::Utf8, 2_147_483_546),
        field("pos", DataType::Int64, 2_147_483_545),
    ]));
    let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec![path])), Arc::new(Int64Array::from(vec![0]))];
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, Arc::clone(&schema), None).unwrap();
    writer.write(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
    writer.close().unwrap();
    bytes
}

fn rebuilt(table: &Table, metadata: TableMetadata) -> Table {
    Table::builder()
        .identifier(table.identifier().clone())
        .metadata(metadata)
        .metadata_location(table.metadata_location().unwrap())
        .file_io(table.file_io().clone())
        .runtime(iceberg::Runtime::current())
        .build()
        .unwrap()
}

fn schema() -> Schema {
    let text = || Type::Primitive(PrimitiveType::String);
    let attributes = MapType {
        key_field: NestedField::map_key_element(11, text()).into(),
        value_field: NestedField::map_value_element(12, text(), false).into(),
    };
    let fields = [
        NestedField::optional(1, "timestamp", Type::Primitive(PrimitiveType::Timestamptz)),
        NestedField::optional(2, "service_name", text()).with_doc("who did it"),
        NestedField::optional(3, "operation_name", text()),
        NestedField::optional(4, "duration_ms", Type::Primitive(PrimitiveType::Double)),
        NestedField::optional(5, "status_code", Type::Primitive(PrimitiveType::Int)),
        NestedField::optional(6, "attributes", Type::Map(attributes)),
    ];
    Schema::builder().with_fields(fields.map(Arc::new)).build().unwrap()
}

async fn write(table: &Table, day: i64, service: &str, rows: &[Span]) -> Vec<DataFile> {
    let metadata = table.metadata();
    let schema = Arc::clone(metadata.current_schema());
    let name = DefaultFileNameGenerator::new(format!("f{}", next()), None, DataFileFormat::Parquet);
    let rolling = RollingFileWriterBuilder::new_with_default_file_size(
        ParquetWriterBuilder::new(WriterProperties::default(), Arc::clone(&schema)),
        table.file_io().clone(),
        DefaultLocationGenerator::new(metadata).unwrap(),
        name,
    );
    let values = [Some(Literal::date(day.try_into().unwrap())), Some(Literal::string(service))];
    let spec = metadata.default_partition_spec().as_ref().clone();
    let key = PartitionKey::new(spec, Arc::clone(&schema), Struct::from_iter(values));
    let mut writer = DataFileWriterBuilder::new(rolling).build(Some(key)).await.unwrap();
    writer.write(batch(&schema, rows)).await.unwrap();
    writer.close().await.unwrap()
}

fn next() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// Rows under a schema that may have lost columns or gained others, which are null.
fn batch(schema: &Schema, rows: &[Span]) -> RecordBatch {
    let arrow = Arc::new(schema_to_arrow_schema(schema).unwrap());
    let columns = arrow.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "timestamp" => {
                let values = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.at_micros));
                Arc::new(values.with_timezone("+00:00"))
            }
            "service_name" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.service))),
            "operation_name" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.operation))),
            "duration_ms" => Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.duration_ms))),
            "status_code" => Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.status))),
            "attributes" => attributes(field.data_type(), rows),
            _ => datafusion::arrow::array::new_null_array(field.data_type(), rows.len()),
        }
    });
    RecordBatch::try_new(Arc::clone(&arrow), columns.collect()).unwrap()
}

/// One entry a row: `http.route` and the operation.
fn attributes(kind: &DataType, rows: &[Span]) -> ArrayRef {
    let DataType::Map(entries, _) = kind else { panic!("not a map") };
    let DataType::Struct(fields) = entries.data_type() else { panic!("not a struct") };
    let keys = StringArray::from_iter_values(rows.iter().map(|_| "http.route"));
    let values = StringArray::from_iter_values(rows.iter().map(|row| row.operation));
    let pairs = StructArray::new(fields.clone(), vec![Arc::new(keys), Arc::new(values)], None);
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|_| 1));
    Arc::new(MapArray::new(Arc::clone(entries), offsets, pairs, None, false))
}
