use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, DictionaryArray, Float32Array, Int32Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema as ArrowSchema, TimeUnit};
use futures::TryStreamExt;
use iceberg::spec::{NestedField, Operation as Kind, PrimitiveType, Schema, Type};
use weir_pipeline::sink::{Change, Epoch, SEQUENCE_NUMBER, SNAPSHOT_ID, Table};
use weir_pipeline::transform::TableSchema;

use super::*;
use crate::catalog::Loaded;
use crate::fixture::{Lake, hadoop, ident, sqlite};
use crate::reach::{Reach, name_of};
use crate::table::{IcebergTable, TableOptions};
use crate::writer::BufferLimits;

mod copying;
mod races;
mod refusals;

/// Spans with all that is awkward: a dictionary, a NULL, attributes, narrow numbers.
fn plugin() -> TableSchema {
    let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let schema = ArrowSchema::new(vec![
        Field::new("timestamp", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("service", coded, true),
        Field::new("trace_id", DataType::Utf8, true),
        Field::new("code", DataType::Int32, true),
        Field::new("share", DataType::Float32, true),
        Field::new("attributes", attributes(&[]).data_type().clone(), true),
    ]);
    TableSchema { name: "spans".into(), doc: String::new(), schema: Arc::new(schema) }
}

fn attributes(rows: &[i64]) -> ArrayRef {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for key in 0..row % 4 {
            map.keys().append_value(format!("key.{key}"));
            map.values().append_option((row % 3 > 0).then(|| format!("value of {row}")));
        }
        map.append(row % 5 > 0).unwrap();
    }
    Arc::new(map.finish())
}

/// Rows of these numbers. Times rise with them but for a little; every seventh service is NULL.
fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    let numbers: Vec<i64> = numbers.collect();
    let times = numbers.iter().map(|n| 1_760_000_000_000_000 + n * 1000 - (n * 7919) % 50_000);
    let services: DictionaryArray<Int32Type> =
        numbers.iter().map(|n| ["a", "b", "c"].get((n % 7) as usize).copied()).collect();
    let traces = numbers.iter().map(|n| format!("{n:032x}"));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(services),
        Arc::new(arrow_array::StringArray::from_iter_values(traces)),
        Arc::new(Int32Array::from_iter(numbers.iter().map(|n| (n % 11 > 0).then_some(*n as i32)))),
        Arc::new(Float32Array::from_iter_values(numbers.iter().map(|n| *n as f32 / 3.0))),
        attributes(&numbers),
    ];
    RecordBatch::try_new(plugin().schema, columns).unwrap()
}

async fn open(lake: &Lake, partition: &[&str], sort: &[&str], properties: &[(&str, &str)]) -> IcebergTable {
    let options = TableOptions {
        ident: ident(),
        pipeline: "p".to_string(),
        partition_by: partition.iter().map(ToString::to_string).collect(),
        sort_by: sort.iter().map(ToString::to_string).collect(),
        properties: properties.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        location: None,
        limits: BufferLimits { bytes_max: 1 << 24, spill_dir: lake.folder.path().join("spill") },
    };
    IcebergTable::open(lake.catalog.clone(), options, &plugin()).await.unwrap()
}

/// Commits an epoch.
async fn append(table: &IcebergTable, number: u64, batches: &[RecordBatch]) {
    for batch in batches {
        table.write(Epoch(number), batch.clone()).await.unwrap();
    }
    let files = table.close(Epoch(number)).await.unwrap();
    loop {
        let head = table.load().await.unwrap();
        let change = Change {
            files: files.clone(),
            summary: BTreeMap::from([("weir.pipeline".to_string(), "p".to_string())]),
            offsets: format!("{{\"snapshot\":{SNAPSHOT_ID},\"sequence\":{SEQUENCE_NUMBER}}}"),
            replayed: None,
            now_ms: 1_760_000_000_000,
        };
        match table.swap(&head, &change).await {
            Ok(()) => return,
            Err(weir_pipeline::sink::SwapError::Conflict(_)) => {}
            Err(e) => panic!("{e}"),
        }
    }
}

fn options(lake: &Lake) -> Options {
    Options { scratch: lake.folder.path().join("scratch"), input_files_min: 2, ..Options::default() }
}

async fn run(lake: &Lake, options: &Options) -> Compaction {
    compact(&lake.catalog, &ident(), options, Pace::default()).await.unwrap()
}

async fn load(lake: &Lake) -> Loaded {
    lake.catalog.load(&ident()).await.unwrap()
}

/// Every row as the crate `iceberg` reads it, printed, in order of the rows' texts.
async fn content(lake: &Lake) -> Vec<String> {
    let table = lake.catalog.table(&ident()).await.unwrap().unwrap();
    let scan = table.scan().select_all().build().unwrap();
    let batches: Vec<RecordBatch> = scan.to_arrow().await.unwrap().try_collect().await.unwrap();
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let column = |c: &ArrayRef| match c.data_type() {
            DataType::Timestamp(unit, Some(_)) => {
                arrow::compute::cast(c, &DataType::Timestamp(*unit, Some("+00:00".into()))).unwrap()
            }
            _ => Arc::clone(c),
        };
        let columns: Vec<ArrayRef> = batch.columns().iter().map(column).collect();
        let printed: Vec<_> =
            columns.iter().map(|c| arrow::util::display::ArrayFormatter::try_new(c, &options).unwrap()).collect();
        rows.extend(
            (0..batch.num_rows())
                .map(|row| printed.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join(" | ")),
        );
    }
    rows.sort();
    rows
}

async fn live(lake: &Lake) -> Vec<held::Live> {
    let held = Held::read(&lake.store, &load(lake).await.metadata, i64::MAX).await.unwrap();
    let mut files: Vec<held::Live> = held.files.into_values().collect();
    files.sort_by_key(|live| live.file.file_path().to_string());
    files
}

/// The times in a file, in its order.
fn times(lake: &Lake, live: &held::Live) -> Vec<i64> {
    let path = lake.store.local_path(live.file.file_path()).unwrap();
    let file = std::fs::File::open(path).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches = reader.map(Result::unwrap);
    batches.flat_map(|b| b.column(0).as_primitive::<TimestampMicrosecondType>().values().to_vec()).collect()
}

/// Every data file below the table is one that its metadata names.
async fn assert_no_orphans(lake: &Lake) {
    let loaded = load(lake).await;
    let reach = Reach::read(&lake.store, &loaded.metadata, Reach::default()).await.unwrap();
    let named = reach.names();
    let folder = format!("{}/data", loaded.metadata.location());
    for file in lake.store.walk(&folder).await.unwrap() {
        assert!(named.contains(name_of(&file.name)), "{} is an orphan", file.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_become_few_each_row_stays_and_nothing_else_changes() {
    for (lake, strategy) in
        [(hadoop().await, Strategy::Binpack), (sqlite().await, Strategy::Binpack), (hadoop().await, Strategy::Sort)]
    {
        let table = open(&lake, &["service"], &["timestamp", "trace_id desc"], &[]).await;
        for n in 0..6 {
            append(&table, n, &[rows(n as i64 * 900..(n as i64 + 1) * 900)]).await;
        }
        let (before, rows_before, files_before) = (load(&lake).await, content(&lake).await, live(&lake).await.len());
        let options = Options { strategy, ..options(&lake) };
        let planned = plan(&lake.catalog, &ident(), &options).await.unwrap();
        assert_eq!(load(&lake).await.metadata, before.metadata, "a plan changes nothing");
        let done = run(&lake, &options).await;
        assert_eq!((done.files_before, done.files_after, done.rows), (files_before, 4, 5400), "{done:?}");
        assert_eq!((planned.groups, planned.files_before, planned.files_after), (done.groups, files_before, 4));
        assert_eq!((done.failed.len(), done.given_up.len(), done.left, done.commits.len()), (0, 0, 0, 1));
        assert_eq!(content(&lake).await, rows_before);
        for file in live(&lake).await {
            let times = times(&lake, &file);
            assert!(times.is_sorted(), "{} is not in order", file.file.file_path());
            assert_eq!((file.file.sort_order_id(), file.sequence), (Some(1), 6));
        }
        let after = load(&lake).await;
        let head = after.metadata.current_snapshot().unwrap();
        let summary = &head.summary().additional_properties;
        assert_eq!(head.summary().operation, Kind::Replace);
        let get = |key: &str| summary.get(key).map(String::as_str);
        assert_eq!(
            (get("total-records"), get("deleted-records"), get("added-records")),
            (Some("5400"), Some("5400"), Some("5400"))
        );
        assert_eq!((get("total-data-files"), get("deleted-data-files")), (Some("4"), Some(&*files_before.to_string())));
        assert_eq!(after.metadata.properties(), before.metadata.properties());
        assert_no_orphans(&lake).await;
        // What came of it is not compacted again; the pipeline goes on.
        assert_eq!(run(&lake, &options).await.groups, 0);
        append(&table, 9, &[rows(5400..5500)]).await;
        assert_eq!(content(&lake).await.len(), 5500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn little_memory_and_rows_in_no_order_give_the_same_rows_in_order() {
    let lake = hadoop().await;
    let table = open(&lake, &[], &["timestamp", "service"], &[("write.parquet.row-group-size-bytes", "20000")]).await;
    // All overlap: a row of each hundred in each file, and not in order.
    for n in 0..12i64 {
        let all: Vec<RecordBatch> = (0..60).rev().map(|h| rows(h * 100 + n * 8..h * 100 + n * 8 + 8)).collect();
        append(&table, n as u64, &all).await;
    }
    let before = content(&lake).await;
    let done = run(&lake, &Options { memory_bytes: 1 << 16, strategy: Strategy::Sort, ..options(&lake) }).await;
    assert_eq!((done.files_before, done.files_after, &done.failed), (12, 1, &Vec::new()));
    assert_eq!(content(&lake).await, before);
    let files = live(&lake).await;
    assert!(times(&lake, &files[0]).is_sorted());
    assert_eq!(std::fs::read_dir(lake.folder.path().join("scratch")).unwrap().count(), 0, "nothing is left on disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_written_in_pieces_and_one_in_no_order_are_put_into_order() {
    let lake = hadoop().await;
    let table = open(&lake, &[], &[], &[]).await;
    let shuffled: Vec<RecordBatch> = (0..40).map(|n| rows((n * 17 % 40) * 50..(n * 17 % 40) * 50 + 50)).collect();
    append(&table, 1, &shuffled).await;
    append(&table, 2, &[rows(2000..2100)]).await;
    // The order comes when the files are there.
    change(&lake, |builder| {
        let order = crate::table::arrangement::sort_order(&load_schema(), &["timestamp".to_string()]).unwrap();
        builder.add_sort_order(order).unwrap().set_default_sort_order(-1).unwrap()
    })
    .await;
    let before = content(&lake).await;
    let done = run(&lake, &options(&lake)).await;
    assert_eq!((done.files_before, done.files_after, done.rows), (2, 1, 2100));
    assert_eq!(content(&lake).await, before);
    assert!(times(&lake, &live(&lake).await[0]).is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_an_order_is_cut_at_the_target_and_rows_keep_theirs() {
    let lake = hadoop().await;
    let table = open(&lake, &[], &[], &[]).await;
    for n in 0..8 {
        append(&table, n, &[rows(n as i64 * 5000..(n as i64 + 1) * 5000)]).await;
    }
    let before = content(&lake).await;
    let one = live(&lake).await[0].file.file_size_in_bytes();
    let options = Options { target_file_bytes: Some(one * 3), ..options(&lake) };
    let done = run(&lake, &options).await;
    assert_eq!((done.files_before, done.files_after), (8, 3), "{done:?}");
    assert_eq!(content(&lake).await, before);
    let large = Options { target_file_bytes: Some(one / 4), ..options };
    let done = run(&lake, &large).await;
    assert!(done.files_after > 8, "what is too large is cut: {done:?}");
    assert_eq!(content(&lake).await, before);
}

/// The schema that `open` makes.
fn load_schema() -> Schema {
    crate::schema::create_schema(&plugin()).unwrap()
}

/// Changes the table's metadata as another engine would.
async fn change(
    lake: &Lake,
    make: impl FnOnce(iceberg::spec::TableMetadataBuilder) -> iceberg::spec::TableMetadataBuilder,
) {
    let base = load(lake).await;
    let updates = make((*base.metadata).clone().into_builder(None)).build().unwrap().changes;
    lake.catalog.replace(&ident(), &base, Vec::new(), updates).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_added_later_is_null_a_dropped_one_is_gone_and_a_widened_one_keeps_its_numbers() {
    let lake = sqlite().await;
    let table = open(&lake, &[], &["timestamp"], &[]).await;
    append(&table, 1, &[rows(0..500)]).await;
    append(&table, 2, &[rows(500..900)]).await;
    let mut fields = load_schema().as_struct().fields().to_vec();
    let last = load(&lake).await.metadata.last_column_id();
    for (name, to) in [("code", PrimitiveType::Long), ("share", PrimitiveType::Double)] {
        let at = fields.iter().position(|f| f.name == name).unwrap();
        fields[at] = Arc::new(NestedField::optional(fields[at].id, name, Type::Primitive(to)));
    }
    // One is renamed, one goes, one comes, and they change places.
    let at = fields.iter().position(|f| f.name == "service").unwrap();
    fields[at] = Arc::new(NestedField::optional(fields[at].id, "service_name", Type::Primitive(PrimitiveType::String)));
    fields.retain(|f| f.name != "trace_id");
    fields.reverse();
    fields.push(Arc::new(NestedField::optional(last + 1, "note", Type::Primitive(PrimitiveType::String))));
    change(&lake, |builder| {
        builder.add_current_schema(Schema::builder().with_fields(fields).build().unwrap()).unwrap()
    })
    .await;
    // A reader takes the schema of the head's snapshot: the next one has it.
    crate::upkeep::commit(&lake.catalog, &ident(), crate::upkeep::What::Orphans, |_| Some(Vec::new())).await.unwrap();
    let before = content(&lake).await;
    assert!(before[0].ends_with("| NULL"), "{}", before[0]);
    let done = run(&lake, &options(&lake)).await;
    assert_eq!((done.files_before, done.files_after, &done.failed), (2, 1, &Vec::new()));
    assert_eq!(content(&lake).await, before);
    let file = &live(&lake).await[0].file;
    let path = lake.store.local_path(file.file_path()).unwrap();
    let input = input::Input::open(&path, "it").unwrap();
    let columns = input.footer().file_metadata().schema_descr().root_schema().get_fields().to_vec();
    let names: Vec<&str> = columns.iter().map(|c| c.name()).collect();
    assert_eq!(names, ["attributes", "share", "code", "service_name", "timestamp", "note"]);
}
