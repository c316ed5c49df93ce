use std::sync::Arc;

use arrow_array::{Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema as ArrowSchema, TimeUnit};
use futures::TryStreamExt;
use iceberg::spec::{FormatVersion, NestedField, PrimitiveType, Schema, Type};
use weir_pipeline::error::Kind;
use weir_pipeline::sink::Files;

use super::*;
use crate::fixture::{self, Lake, hadoop, ident, sqlite};

const DAY_US: i64 = 24 * 3600 * 1_000_000;

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn columns(fields: Vec<Field>) -> TableSchema {
    TableSchema { name: "spans".into(), doc: "a row a span".into(), schema: Arc::new(ArrowSchema::new(fields)) }
}

fn plugin() -> TableSchema {
    columns(vec![
        Field::new("timestamp", utc(), true),
        Field::new("service", DataType::Utf8, true),
        Field::new("trace_id", DataType::Utf8, true),
        Field::new("duration", DataType::Float64, true),
    ])
}

fn rows(plugin: &TableSchema, n: usize) -> RecordBatch {
    let column = |field: &Arc<Field>| -> arrow_array::ArrayRef {
        match field.data_type() {
            DataType::Timestamp(..) => {
                let times = (0..n).map(|i| 1_700_000_000_000_000 + (i as i64 % 2) * DAY_US);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            DataType::Utf8 => {
                Arc::new(StringArray::from_iter_values((0..n).map(|i| format!("{}-{}", field.name(), i % 3))))
            }
            DataType::Float64 => Arc::new(Float64Array::from_iter_values((0..n).map(|i| i as f64))),
            DataType::Int32 => Arc::new(Int32Array::from_iter_values(0..n as i32)),
            DataType::Int64 => Arc::new(Int64Array::from_iter_values(0..n as i64)),
            other => panic!("no values of {other}"),
        }
    };
    let arrays = plugin.schema.fields().iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(&plugin.schema), arrays).unwrap()
}

fn options(lake: &Lake) -> TableOptions {
    TableOptions {
        ident: ident(),
        pipeline: "p".to_string(),
        partition_by: vec!["day(timestamp)".to_string(), "service".to_string()],
        sort_by: vec!["timestamp".to_string()],
        properties: BTreeMap::new(),
        location: None,
        limits: BufferLimits { bytes_max: 1 << 24, spill_dir: lake.folder.path().join("spill") },
    }
}

async fn open(lake: &Lake, plugin: &TableSchema) -> Result<IcebergTable, OpenError> {
    IcebergTable::open(lake.catalog.clone(), options(lake), plugin).await
}

fn change(files: Option<Written>) -> Change<Written> {
    Change {
        files,
        summary: BTreeMap::from([("weir.pipeline".to_string(), "p".to_string())]),
        offsets: format!("{{\"snapshot\":{SNAPSHOT_ID},\"sequence\":{SEQUENCE_NUMBER}}}"),
        replayed: None,
        now_ms: 1_700_000_000_000,
    }
}

async fn epoch(table: &IcebergTable, n: u64, rows: RecordBatch) -> Written {
    table.write(Epoch(n), rows).await.unwrap();
    table.close(Epoch(n)).await.unwrap().unwrap()
}

async fn commit(table: &IcebergTable, files: Option<Written>) -> Result<(), SwapError> {
    let head = table.load().await.unwrap();
    table.swap(&head, &change(files)).await?;
    table.committed(&table.load().await.unwrap());
    Ok(())
}

/// Rows as the crate reads them.
async fn read(lake: &Lake, columns: &[&str]) -> Vec<RecordBatch> {
    let loaded = lake.catalog.load(&ident()).await.unwrap();
    let table = iceberg::table::Table::builder()
        .file_io(lake.store.file_io())
        .metadata(loaded.metadata)
        .identifier(ident())
        .runtime(iceberg::Runtime::current())
        .build()
        .unwrap();
    let scan = table.scan().select(columns).build().unwrap();
    scan.to_arrow().await.unwrap().try_collect().await.unwrap()
}

fn count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_made_written_and_read_on_both_catalogs() {
    for lake in [hadoop().await, sqlite().await] {
        let table = open(&lake, &plugin()).await.unwrap();
        let metadata = table.target();
        assert_eq!(metadata.format_version(), FormatVersion::V2);
        assert_eq!(arrangement::partition_terms(&metadata), ["day(timestamp)", "service"]);
        let property = |key: &str| metadata.properties().get(key).map(String::as_str);
        assert_eq!(property("comment"), Some("a row a span"));
        assert_eq!(property("write.metadata.delete-after-commit.enabled"), Some("true"));
        assert_eq!(property("write.parquet.bloom-filter-enabled.column.trace_id"), Some("true"));
        let files = epoch(&table, 1, rows(&plugin(), 60)).await;
        assert_eq!((files.rows(), files.count()), (60, 6));
        let head = table.load().await.unwrap();
        assert!(head.view.ancestry.is_empty() && head.view.offsets.is_none() && !head.view.named);
        table.swap(&head, &change(Some(files))).await.unwrap();
        assert_eq!(count(&read(&lake, &["timestamp", "service", "trace_id", "duration"]).await), 60);
        let head = table.load().await.unwrap();
        let snapshot = &head.view.ancestry[0];
        let offsets = format!("{{\"snapshot\":{},\"sequence\":1}}", snapshot.id);
        assert_eq!(head.view.offsets.as_deref(), Some(offsets.as_str()));
        assert!(head.view.named);
        // Opened again it is the same table.
        let again = open(&lake, &plugin()).await.unwrap();
        assert_eq!(again.target().uuid(), metadata.uuid());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_on_an_old_head_is_a_conflict_and_its_metadata_is_tidied_up() {
    let lake = hadoop().await;
    let table = open(&lake, &plugin()).await.unwrap();
    let old = table.load().await.unwrap();
    let files = epoch(&table, 1, rows(&plugin(), 6)).await;
    commit(&table, None).await.unwrap();
    let late = table.swap(&old, &change(Some(files.clone()))).await;
    assert!(matches!(late, Err(SwapError::Conflict(_))), "{late:?}");
    // The same files on the new head.
    commit(&table, Some(files)).await.unwrap();
    assert_eq!(count(&read(&lake, &["service"]).await), 6);
    let avro = || {
        let names = std::fs::read_dir(lake.folder.path().join("telemetry/spans/metadata")).unwrap();
        names.filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "avro")).count()
    };
    // Two lists and one manifest are in use; what the lost attempt wrote goes in the background.
    while avro() != 3 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_optional_column_is_added_in_a_commit_of_its_own() {
    let lake = hadoop().await;
    let table = open(&lake, &plugin()).await.unwrap();
    let files = epoch(&table, 1, rows(&plugin(), 6)).await;
    commit(&table, Some(files)).await.unwrap();
    let mut fields: Vec<Field> = plugin().schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.insert(1, Field::new("status", DataType::Int32, true));
    let wider = columns(fields.clone());
    let before = table.load().await.unwrap();
    let table = open(&lake, &wider).await.unwrap();
    let after = table.load().await.unwrap();
    assert_eq!(after.view.ancestry[0].parent, Some(before.view.ancestry[0].id), "the head moved");
    assert_eq!(after.view.offsets, before.view.offsets, "V is untouched");
    let schema = after.metadata.metadata.current_schema();
    assert_eq!(schema.field_by_name("status").map(|f| (f.id, f.required)), Some((5, false)));
    assert_eq!(after.metadata.metadata.current_snapshot().unwrap().schema_id(), Some(schema.schema_id()));
    let files = epoch(&table, 1, rows(&wider, 6)).await;
    commit(&table, Some(files)).await.unwrap();
    let read = read(&lake, &["status"]).await;
    let nulls: usize = read.iter().map(|b| b.column(0).null_count()).sum();
    assert_eq!((count(&read), nulls), (12, 6));
    // A required one cannot be.
    fields.push(Field::new("must", DataType::Int32, false));
    let e = open(&lake, &columns(fields)).await.unwrap_err();
    assert!(e.to_string().contains("must") && !e.is_passing(), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_add_different_columns_at_once_each_gets_its_own_id() {
    let lake = Arc::new(hadoop().await);
    open(&lake, &plugin()).await.unwrap();
    let adding = (0..6).map(|i| {
        let lake = Arc::clone(&lake);
        tokio::spawn(async move {
            let mut fields: Vec<Field> = plugin().schema.fields().iter().map(|f| f.as_ref().clone()).collect();
            fields.push(Field::new(format!("extra_{i}"), DataType::Int64, true));
            open(&lake, &columns(fields)).await.unwrap();
        })
    });
    for added in adding.collect::<Vec<_>>() {
        added.await.unwrap();
    }
    let loaded = lake.catalog.load(&ident()).await.unwrap();
    let fields = loaded.metadata.current_schema().as_struct().fields();
    let ids: std::collections::BTreeSet<i32> = fields.iter().map(|f| f.id).collect();
    assert_eq!((fields.len(), ids.len()), (10, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_others_add_rename_widen_or_drop_are_taken_up_and_the_plugin_s_rows_follow() {
    let lake = hadoop().await;
    let table = open(&lake, &plugin()).await.unwrap();
    let files = epoch(&table, 1, rows(&plugin(), 6)).await;
    // Somebody adds a column; the files under way know nothing of it and fit all the same.
    evolve_by_hand(&lake, |fields| {
        fields.push(NestedField::optional(99, "host", Type::Primitive(PrimitiveType::String)));
    })
    .await;
    commit(&table, Some(files)).await.unwrap();
    assert!(table.target().current_schema().field_by_name("host").is_some(), "taken up");
    let files = epoch(&table, 2, rows(&plugin(), 6)).await;
    // Somebody renames one of ours: the files are stale, and the next ones fill it under its new name.
    evolve_by_hand(&lake, |fields| fields[2].name = "trace".to_string()).await;
    let stale = commit(&table, Some(files)).await;
    assert!(matches!(&stale, Err(SwapError::Stale(why)) if why.contains("trace_id")), "{stale:?}");
    let files = epoch(&table, 3, rows(&plugin(), 6)).await;
    commit(&table, Some(files)).await.unwrap();
    let traces = read(&lake, &["trace"]).await;
    assert_eq!((count(&traces), traces.iter().map(|b| b.column(0).null_count()).sum::<usize>()), (12, 0));
    // Somebody drops one of ours: it is not written any more, and not added again, by a later process either.
    let files = epoch(&table, 4, rows(&plugin(), 6)).await;
    evolve_by_hand(&lake, |fields| fields.retain(|f| f.name != "duration")).await;
    let stale = commit(&table, Some(files)).await;
    assert!(matches!(&stale, Err(SwapError::Stale(why)) if why.contains("duration")), "{stale:?}");
    for (table, n) in [(table, 5), (open(&lake, &plugin()).await.unwrap(), 6)] {
        let files = epoch(&table, n, rows(&plugin(), 6)).await;
        commit(&table, Some(files)).await.unwrap();
    }
    let metadata = lake.catalog.load(&ident()).await.unwrap().metadata;
    let names: Vec<&str> = metadata.current_schema().as_struct().fields().iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["timestamp", "service", "trace", "host"]);
    assert_eq!(count(&read(&lake, &["trace"]).await), 24);
    // Under its old name another column may be added: then it is that one.
    evolve_by_hand(&lake, |fields| {
        fields.push(NestedField::optional(120, "duration", Type::Primitive(PrimitiveType::Double)));
    })
    .await;
    let table = open(&lake, &plugin()).await.unwrap();
    let files = epoch(&table, 7, rows(&plugin(), 6)).await;
    commit(&table, Some(files)).await.unwrap();
    let durations = read(&lake, &["duration"]).await;
    assert_eq!((count(&durations), durations.iter().map(|b| b.column(0).null_count()).sum::<usize>()), (30, 24));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_plugin_s_column_is_there_before_its_first_file_and_the_open_epoch_goes_on_without_it() {
    let lake = hadoop().await;
    let table = open(&lake, &plugin()).await.unwrap();
    table.write(Epoch(1), rows(&plugin(), 6)).await.unwrap();
    let mut fields: Vec<Field> = plugin().schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.insert(1, Field::new("status", DataType::Int32, true));
    let wider = columns(fields.clone());
    table.check_plugin(&wider).await.unwrap();
    assert!(table.load().await.unwrap().metadata.metadata.current_schema().field_by_name("status").is_none());
    table.accept_plugin(&wider).await.unwrap();
    assert!(table.load().await.unwrap().metadata.metadata.current_schema().field_by_name("status").is_some());
    // Rows of both come at once, each epoch's of one; then the former again, which lacks what the table has.
    table.write(Epoch(2), rows(&wider, 6)).await.unwrap();
    table.write(Epoch(1), rows(&plugin(), 6)).await.unwrap();
    table.write(Epoch(3), rows(&plugin(), 6)).await.unwrap();
    for n in 1..4 {
        let files = table.close(Epoch(n)).await.unwrap();
        commit(&table, files).await.unwrap();
    }
    let found = read(&lake, &["status"]).await;
    assert_eq!((count(&found), found.iter().map(|b| b.column(0).null_count()).sum::<usize>()), (24, 18));
    // Any other change is refused, and nothing has changed.
    for (name, other) in [("trace_id", DataType::Int32), ("must", DataType::Int32)] {
        fields.retain(|f| f.name() != name);
        fields.push(Field::new(name, other, false));
        let refused = columns(fields.clone());
        let e = table.check_plugin(&refused).await.unwrap_err().to_string();
        assert!(e.contains("trace_id") && table.accept_plugin(&refused).await.is_err(), "{e}");
    }
    let files = epoch(&table, 4, rows(&wider, 6)).await;
    commit(&table, Some(files)).await.unwrap();
}

async fn evolve_by_hand(lake: &Lake, change: impl FnOnce(&mut Vec<NestedField>)) {
    let base = lake.catalog.load(&ident()).await.unwrap();
    let fields = base.metadata.current_schema().as_struct().fields();
    let mut fields: Vec<NestedField> = fields.iter().map(|f| NestedField::clone(f)).collect();
    change(&mut fields);
    let schema = Schema::builder().with_fields(fields.into_iter().map(Arc::new)).build().unwrap();
    let updates =
        vec![iceberg::TableUpdate::AddSchema { schema }, iceberg::TableUpdate::SetCurrentSchema { schema_id: -1 }];
    lake.catalog.replace(&ident(), &base, Vec::new(), updates).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_spark_s_ddl_opens_as_it_is() {
    let lake = hadoop().await;
    let folder = lake.folder.path().join("telemetry/spans/metadata");
    std::fs::create_dir_all(&folder).unwrap();
    let location = format!("file:{}/telemetry/spans", lake.folder.path().display());
    let metadata = include_str!("spark-v1.metadata.json").replace("LOCATION", &location);
    std::fs::write(folder.join("v1.metadata.json"), metadata).unwrap();
    std::fs::write(folder.join("version-hint.text"), "1").unwrap();
    std::fs::write(folder.join(".version-hint.text.crc"), "crc").unwrap();
    let text = DataType::Utf8;
    let plugin = columns(vec![
        Field::new("timestamp", utc(), true),
        Field::new("trace_id", text.clone(), true),
        Field::new("span_id", text.clone(), true),
        Field::new("parent_span_id", text.clone(), true),
        Field::new("service_name", text.clone(), true),
        Field::new("operation_name", text.clone(), true),
        Field::new("span_kind", text.clone(), true),
        Field::new("duration_ms", DataType::Float64, true),
        Field::new("status_code", DataType::Int32, true),
        Field::new("status_message", text, true),
    ]);
    let mut options = options(&lake);
    options.partition_by = vec!["day(timestamp)".to_string(), "service_name".to_string()];
    let table = IcebergTable::open(lake.catalog.clone(), options, &plugin).await.unwrap();
    assert_eq!(arrangement::partition_terms(&table.target()), ["day(timestamp)", "service_name"]);
    let files = epoch(&table, 1, rows(&plugin, 30)).await;
    assert!(files.files.iter().all(|f| f.file_path().starts_with(&location)), "in the table's own spelling");
    commit(&table, Some(files)).await.unwrap();
    assert_eq!(count(&read(&lake, &["trace_id", "duration_ms"]).await), 30);
    assert!(!folder.join(".version-hint.text.crc").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_by_name_with_both_types() {
    let lake = hadoop().await;
    open(&lake, &plugin()).await.unwrap();
    let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
    let e = open(&lake, &columns(vec![Field::new("timestamp", naive, true)])).await.unwrap_err().to_string();
    assert!(e.contains("timestamp") && e.contains("timestamptz"), "{e}");
    let e = open(&lake, &columns(vec![Field::new("service", DataType::Int32, true)])).await.unwrap_err().to_string();
    assert!(e.contains("service") && e.contains("is string") && e.contains("int in the plugin"), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn formats_that_are_not_written_here_are_refused_with_the_command() {
    let lake = hadoop().await;
    let mut creation = fixture::creation(&[], &[], &[]);
    creation.format_version = FormatVersion::V1;
    lake.catalog.create(&ident(), creation).await.unwrap();
    let e = open(&lake, &plugin()).await.unwrap_err().to_string();
    assert!(e.contains("'format-version' = '2'"), "{e}");
    let lake = hadoop().await;
    lake.create(&[("write.format.default", "orc")]).await;
    let e = open(&lake, &plugin()).await.unwrap_err().to_string();
    assert!(e.contains("orc"), "{e}");
    let lake = hadoop().await;
    let mut options = options(&lake);
    options.properties.insert("format-version".to_string(), "4".to_string());
    let e = IcebergTable::open(lake.catalog.clone(), options, &plugin()).await.unwrap_err();
    assert!(e.to_string().contains("format-version 4"), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_format_three_is_made_written_and_read() {
    let lake = hadoop().await;
    let mut options = options(&lake);
    options.properties.insert("format-version".to_string(), "3".to_string());
    let table = IcebergTable::open(lake.catalog.clone(), options, &plugin()).await.unwrap();
    for n in 1..3 {
        let files = epoch(&table, n, rows(&plugin(), 12)).await;
        commit(&table, Some(files)).await.unwrap();
        commit(&table, None).await.unwrap();
    }
    let metadata = table.load().await.unwrap().metadata.metadata;
    assert_eq!((metadata.format_version(), metadata.next_row_id()), (FormatVersion::V3, 24));
    assert_eq!(count(&read(&lake, &["service"]).await), 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_gone_or_made_again_is_fatal() {
    let lake = hadoop().await;
    let table = open(&lake, &plugin()).await.unwrap();
    std::fs::remove_dir_all(lake.folder.path().join("telemetry/spans")).unwrap();
    let e = table.load().await.unwrap_err();
    assert_eq!(e.kind, Kind::Fatal);
    assert!(e.message.contains("gone"), "{e}");
    open(&lake, &plugin()).await.unwrap();
    let e = table.load().await.unwrap_err();
    assert_eq!(e.kind, Kind::Fatal);
    assert!(e.message.contains("made again"), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arrangement_that_cannot_be_is_refused_before_anything_is_made() {
    let lake = hadoop().await;
    let mut options = options(&lake);
    options.partition_by = vec!["day(when)".to_string()];
    let e = IcebergTable::open(lake.catalog.clone(), options, &plugin()).await.unwrap_err();
    assert!(e.to_string().contains("when"), "{e}");
    assert!(lake.catalog.list(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_the_table_has_otherwise_is_said_with_the_command_that_changes_it() {
    let lake = hadoop().await;
    let metadata = fixture::metadata(&["day(timestamp)".to_string(), "trace_id".to_string()], &[]);
    let mut options = options(&lake);
    options.properties.insert("write.target-file-size-bytes".to_string(), "1048576".to_string());
    let found = open::differences(&options, &metadata).unwrap();
    let commands: Vec<String> = found.iter().map(|difference| format!("{difference:?}")).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    for (said, command) in commands.iter().zip([
        r#"weir table evolve FILE telemetry.spans --partition-by \"day(timestamp), service\""#,
        r#"weir table evolve FILE telemetry.spans --sort-by \"timestamp asc nulls first\""#,
        "ALTER TABLE telemetry.spans SET TBLPROPERTIES ('write.target-file-size-bytes' = '1048576')",
    ]) {
        assert!(said.contains(command), "{said}");
    }
    // As it is, and as it might be spelt; what is not said is no difference.
    options.partition_by = vec!["days( timestamp )".to_string(), "identity(trace_id)".to_string()];
    options.sort_by.clear();
    options.properties.clear();
    assert_eq!(open::differences(&options, &metadata).unwrap(), []);
}
