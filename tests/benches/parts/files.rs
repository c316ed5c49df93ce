//! Rows to Parquet: the dictionaries that the plugin gives, and the same rows as plain text.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogConfig};
use weir_iceberg::store::{S3Options, Store};
use weir_iceberg::table::{IcebergTable, TableOptions};
use weir_iceberg::writer::BufferLimits;
use weir_pipeline::sink::{Epoch, Files as _, Table as _};
use weir_pipeline::transform::TableSchema;
use weir_wasm::Engine;

use crate::Part;
use crate::rows;
use crate::traces::Traces;

/// What a pipeline has by default.
const BUFFER_BYTES: usize = 96 << 20;

pub(crate) fn parts(traces: &Traces) -> Vec<Part> {
    let (mut stage, _) = rows::sandboxed(&Engine::new(None).unwrap());
    let given = stage.tables()[0].clone();
    let numbered: Vec<RecordBatch> = traces.protobuf.iter().map(|call| rows::rows(&mut stage, call)).collect();
    let plain_schema = without_dictionaries(&given.schema);
    let spelled_out: Vec<RecordBatch> = numbered.iter().map(|batch| cast_all(batch, &plain_schema)).collect();
    let lake = Lake::new();
    let plain = TableSchema { schema: plain_schema, ..given.clone() };
    vec![written(&lake, "dictionaries", &given, numbered).first(), written(&lake, "plain text", &plain, spelled_out)]
}

/// A catalog in a temporary folder, and the threads that write into it.
struct Lake {
    runtime: Runtime,
    catalog: Catalog,
    _folder: TempDir,
}

impl Lake {
    fn new() -> Rc<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("file://{}", folder.path().display()), S3Options::default()).unwrap();
        let catalog = runtime.block_on(Catalog::open(CatalogConfig::Hadoop, store)).unwrap();
        Rc::new(Self { runtime, catalog, _folder: folder })
    }
}

/// Writes the rows into files of one epoch a run, in the default pipeline's order and compression.
fn written(lake: &Rc<Lake>, of: &str, plugin: &TableSchema, batches: Vec<RecordBatch>) -> Part {
    let text = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<String>>();
    let properties = [("write.parquet.compression-codec", "zstd"), ("write.parquet.compression-level", "1")];
    let options = TableOptions {
        ident: TableIdent::from_strs(["parts".to_owned(), of.replace(' ', "_")]).unwrap(),
        pipeline: "parts".into(),
        partition_by: text(&["day(timestamp)", "service_name"]),
        sort_by: text(&["timestamp", "service_name"]),
        properties: properties
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        location: None,
        limits: BufferLimits { bytes_max: BUFFER_BYTES, spill_dir: std::env::temp_dir() },
    };
    let lake = Rc::clone(lake);
    let table = lake.runtime.block_on(IcebergTable::open(lake.catalog.clone(), options, plugin)).unwrap();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut epoch = 0;
    let mut write = move || {
        epoch += 1;
        let files = lake.runtime.block_on(async {
            for batch in &batches {
                table.write(Epoch(epoch), batch.clone()).await.unwrap();
            }
            table.close(Epoch(epoch)).await.unwrap().unwrap()
        });
        assert_eq!(files.rows(), rows as u64);
        files.bytes()
    };
    let name = format!("Parquet of {of}: {} B a row", write() / rows as u64);
    Part::new(name, None, move || assert!(write() > 0)).with_threads()
}

/// A type with the values themselves where it has dictionaries.
pub(crate) fn plain(of: &DataType) -> DataType {
    let field = |field: &FieldRef| Arc::new(field.as_ref().clone().with_data_type(plain(field.data_type())));
    match of {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::List(element) => DataType::List(field(element)),
        DataType::Map(entries, is_sorted) => DataType::Map(field(entries), *is_sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        other => other.clone(),
    }
}

fn without_dictionaries(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    Arc::new(Schema::new(fields.map(|f| f.as_ref().clone().with_data_type(plain(f.data_type()))).collect::<Vec<_>>()))
}

fn cast_all(batch: &RecordBatch, schema: &SchemaRef) -> RecordBatch {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()).unwrap()).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}
