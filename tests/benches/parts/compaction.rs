//! Files of many commits into few: rows read, merged, written, read again and compared. Megabytes are those of the files
//! that go in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use arrow::array::RecordBatch;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogConfig};
use weir_iceberg::compact::{Options, Pace, Strategy, compact, plan};
use weir_iceberg::store::{S3Options, Store};
use weir_iceberg::table::{IcebergTable, TableOptions};
use weir_iceberg::writer::BufferLimits;
use weir_pipeline::sink::{Change, Epoch, Table as _};
use weir_pipeline::transform::TableSchema;
use weir_wasm::Engine;

use crate::Part;
use crate::rows;
use crate::traces::Traces;

/// Commits whose files are compacted.
const COMMITS: usize = 12;

pub(crate) fn parts(traces: &Traces) -> Vec<Part> {
    let (mut stage, _) = rows::sandboxed(&Engine::new(None).unwrap());
    let schema = stage.tables()[0].clone();
    let batches: Rc<Vec<RecordBatch>> =
        Rc::new(traces.protobuf.iter().map(|call| rows::rows(&mut stage, call)).collect());
    vec![
        compacted("binpack", Strategy::Binpack, &schema, &batches).first(),
        compacted("sort", Strategy::Sort, &schema, &batches),
    ]
}

fn compacted(name: &str, strategy: Strategy, schema: &TableSchema, batches: &Rc<Vec<RecordBatch>>) -> Part {
    let runtime = Rc::new(tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());
    let lake = Lake::new(&runtime, schema, batches);
    let options = Options { strategy, input_files_min: 2, ..Options::default() };
    let planned = runtime.block_on(plan(&lake.catalog, &lake.ident, &options)).unwrap();
    let bytes = usize::try_from(planned.bytes_before).unwrap();
    let name = format!("{name} of {} files, {} B a row", planned.files_before, planned.bytes_before / planned.rows);
    let filled = Rc::new(RefCell::new(Some(lake)));
    let (schema, batches) = (schema.clone(), Rc::clone(batches));
    let (refill, runtime_of) = (Rc::clone(&filled), Rc::clone(&runtime));
    let fill = move || {
        let fresh = Lake::new(&runtime_of, &schema, &batches);
        refill.replace(Some(fresh));
    };
    let run = move || {
        let Some(lake) = filled.take() else { return };
        let done = runtime.block_on(compact(&lake.catalog, &lake.ident, &options, Pace::default())).unwrap();
        assert_eq!((done.rows, done.files_before), (planned.rows, planned.files_before));
    };
    Part::new(name, Some(bytes), run).with_threads().after(fill)
}

/// A table with the files of some commits.
struct Lake {
    catalog: Catalog,
    ident: TableIdent,
    _folder: TempDir,
}

impl Lake {
    fn new(runtime: &Runtime, schema: &TableSchema, batches: &[RecordBatch]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("file://{}", folder.path().display()), S3Options::default()).unwrap();
        let ident = TableIdent::from_strs(["parts", "compacted"]).unwrap();
        let text = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<String>>();
        let options = TableOptions {
            ident: ident.clone(),
            pipeline: "parts".into(),
            partition_by: text(&["day(timestamp)"]),
            sort_by: text(&["timestamp", "service_name"]),
            properties: BTreeMap::new(),
            location: None,
            limits: BufferLimits { bytes_max: 256 << 20, spill_dir: std::env::temp_dir() },
        };
        let catalog = runtime.block_on(async {
            let catalog = Catalog::open(CatalogConfig::Hadoop, store).await.unwrap();
            let table = IcebergTable::open(catalog.clone(), options, schema).await.unwrap();
            for (number, some) in (0..).zip(batches.chunks(batches.len().div_ceil(COMMITS))) {
                for batch in some {
                    table.write(Epoch(number), batch.clone()).await.unwrap();
                }
                let files = table.close(Epoch(number)).await.unwrap();
                let (summary, offsets) = (BTreeMap::new(), "{}".to_owned());
                let change = Change { files, summary, offsets, replayed: None, now_ms: 1_769_731_200_000 };
                table.swap(&table.load().await.unwrap(), &change).await.unwrap();
            }
            catalog
        });
        Self { catalog, ident, _folder: folder }
    }
}
