//! What the bloom filter of `trace_id` costs the writer: CPU time, and bytes of each file.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use cpu_time::ProcessTime;
use weir::config::PluginRef;
use weir_demo::generate::{Generator, Options, encode_proto};
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogConfig};
use weir_iceberg::store::{S3Options, Store};
use weir_iceberg::table::{IcebergTable, TableOptions};
use weir_iceberg::writer::BufferLimits;
use weir_pipeline::sink::{Epoch, Files as _, Table as _};
use weir_pipeline::transform::{Effort, Message, Stage as _, TableSchema};
use weir_wasm::{Engine, Limits, Signal};

use crate::{median, number};

const SPANS_PER_MESSAGE: usize = 200;
const MESSAGES_PER_CALL: usize = 20;

pub(crate) fn measure(rounds: usize) {
    let spans = number("SPANS", 200_000) as usize;
    let (schema, batches) = rows(spans);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        let store = Store::open(&format!("file://{}", folder.path().display()), S3Options::default()).unwrap();
        let catalog = Catalog::open(CatalogConfig::Hadoop, store).await.unwrap();
        let mut all = Vec::new();
        for has_filter in [true, false] {
            all.push((has_filter, open(&catalog, &schema, has_filter).await, Vec::new(), (0, 0)));
        }
        // Once unmeasured: memory grows, code is paged in.
        for round in 0..=rounds {
            for (_, table, took, size) in &mut all {
                let clock = ProcessTime::now();
                let files = write(table, round as u64, &batches).await;
                took.extend((round > 0).then(|| clock.elapsed().as_secs_f64()));
                *size = files;
            }
        }
        println!("### The filter of `trace_id`\n\n{rows} spans; {rounds} rounds, medians\n");
        println!("| filter | CPU ns a span | files | bytes of a file | bytes a span |\n|---|---|---|---|---|");
        for (has_filter, _, took, (files, bytes)) in all {
            println!(
                "| {} | {:.0} | {files} | {} | {:.1} |",
                if has_filter { "yes" } else { "no" },
                median(took) * 1e9 / rows as f64,
                bytes / files as u64,
                bytes as f64 / rows as f64
            );
        }
        println!();
    });
}

/// Made-up spans as the shipped plugin gives them.
fn rows(spans: usize) -> (TableSchema, Vec<RecordBatch>) {
    let engine = Engine::new(None).unwrap();
    let plugin = weir::plugins::load(&engine, &PluginRef::Named("flatten-spans".into()), &[]).unwrap();
    let mut stage = plugin.configure(Signal::Traces, Vec::new(), Limits::default()).unwrap();
    let calls = spans.div_ceil(SPANS_PER_MESSAGE * MESSAGES_PER_CALL).max(1);
    let options = Options { seed: 1, items_per_message: SPANS_PER_MESSAGE, ..Options::default() };
    let mut messages = Generator::new(options).map(|message| encode_proto(&message));
    let mut call = || {
        let values: Vec<Vec<u8>> = messages.by_ref().take(MESSAGES_PER_CALL).collect();
        let message = |(offset, value)| Message { offset, timestamp_ms: None, key: None, headers: &[], value };
        let call: Vec<Message<'_>> = (0..).zip(values.iter().map(Vec::as_slice)).map(message).collect();
        stage.call("topic", 0, &call, Effort::Normal).unwrap().tables.remove(0).rows
    };
    let batches = (0..calls).map(|_| call()).collect();
    (stage.tables()[0].clone(), batches)
}

async fn open(catalog: &Catalog, schema: &TableSchema, has_filter: bool) -> IcebergTable {
    let text = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<String>>();
    let enabled = ("write.parquet.bloom-filter-enabled.column.trace_id".to_string(), has_filter.to_string());
    let options = TableOptions {
        ident: TableIdent::from_strs(["filter", if has_filter { "with" } else { "without" }]).unwrap(),
        pipeline: "filter".into(),
        partition_by: text(&["day(timestamp)", "service_name"]),
        sort_by: text(&["timestamp", "service_name"]),
        properties: BTreeMap::from([enabled]),
        location: None,
        limits: BufferLimits { bytes_max: 96 << 20, spill_dir: std::env::temp_dir() },
    };
    IcebergTable::open(catalog.clone(), options, &TableSchema { schema: Arc::clone(&schema.schema), ..schema.clone() })
        .await
        .unwrap()
}

/// Writes the rows into files of one epoch. Gives how many, and their bytes.
async fn write(table: &IcebergTable, epoch: u64, batches: &[RecordBatch]) -> (usize, u64) {
    for batch in batches {
        table.write(Epoch(epoch), batch.clone()).await.unwrap();
    }
    let files = table.close(Epoch(epoch)).await.unwrap().unwrap();
    (files.count() as usize, files.bytes())
}
