//! Row groups that are copied: what the new files say of them, and what is found wrong with them.

use std::os::unix::fs::FileExt;

use iceberg::spec::{DataFile, Struct};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::*;
use crate::compact::copy::{Division, Part, copy};
use crate::compact::input::{Input, Rows};
use crate::writer::{Rewriting, WriteTarget};

/// Row groups end at 20 kB: those of 2.5 kB and more are copied.
const SMALL_GROUPS: (&str, &str) = ("write.parquet.row-group-size-bytes", "20000");
const FILTER: (&str, &str) = ("write.parquet.bloom-filter-enabled.column.trace_id", "true");

fn input(lake: &Lake, file: &DataFile) -> Input {
    let path = lake.store.local_path(file.file_path()).unwrap();
    Input::open(&path, file.file_path()).unwrap().with_pages().unwrap()
}

fn column(footer: &ParquetMetaData, name: &str) -> usize {
    let schema = footer.file_metadata().schema_descr();
    (0..schema.num_columns()).find(|index| schema.column(*index).path().string() == name).unwrap()
}

/// Rows of which some shares are no numbers.
fn rows_with_nans(numbers: std::ops::Range<i64>) -> RecordBatch {
    let plain = rows(numbers.clone());
    let share = |n: i64| if n % 10 == 0 { f32::NAN } else { n as f32 };
    let mut columns = plain.columns().to_vec();
    columns[4] = Arc::new(Float32Array::from_iter_values(numbers.map(share)));
    RecordBatch::try_new(plain.schema(), columns).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_row_groups_are_described_as_if_they_had_been_encoded() {
    let lake = hadoop().await;
    let table = open(&lake, &[], &["timestamp", "service"], &[SMALL_GROUPS, FILTER]).await;
    for n in 0..6 {
        append(&table, n, &[rows_with_nans(n as i64 * 1500..(n as i64 + 1) * 1500)]).await;
    }
    let before = content(&lake).await;
    let inputs: Vec<Input> = live(&lake).await.iter().map(|live| input(&lake, &live.file)).collect();
    let groups: usize = inputs.iter().map(Input::groups).sum();
    let done = run(&lake, &options(&lake)).await;
    assert_eq!((done.files_before, done.files_copied, done.files_after), (6, 6, 1), "{done:?}");
    assert!(done.bytes_copied > done.bytes_before / 2 && done.failed.is_empty(), "{done:?}");
    assert_eq!(content(&lake).await, before);
    let copied = live(&lake).await.remove(0).file;
    let whole = input(&lake, &copied);
    let footer = whole.footer();
    assert_eq!((footer.num_row_groups(), copied.sort_order_id()), (groups, None));
    let starts: Vec<i64> = footer.row_groups().iter().map(|g| g.column(0).byte_range().0 as i64).collect();
    assert_eq!(copied.split_offsets(), Some(&starts[..]));
    assert_filters(&lake, &copied, footer);
    // Of the times, in whose order the table is, each page has bounds.
    let times = column(footer, "timestamp");
    let index = footer.column_index().unwrap();
    assert!((0..groups).all(|group| index[group][times] != ColumnIndexMetaData::NONE));
    // The same rows, encoded again.
    let sort = Options { strategy: Strategy::Sort, rewrite_all: true, ..options(&lake) };
    let done = run(&lake, &sort).await;
    assert_eq!((done.files_before, done.files_copied, done.bytes_copied), (1, 0, 0));
    let encoded = live(&lake).await.remove(0).file;
    assert_eq!(copied.record_count(), encoded.record_count());
    assert_eq!(copied.value_counts(), encoded.value_counts());
    assert_eq!(copied.null_value_counts(), encoded.null_value_counts());
    assert_eq!(copied.nan_value_counts(), encoded.nan_value_counts());
    assert_eq!(copied.nan_value_counts().values().sum::<u64>(), 900);
    assert_eq!(copied.lower_bounds(), encoded.lower_bounds());
    assert_eq!(copied.upper_bounds(), encoded.upper_bounds());
    assert_eq!(content(&lake).await, before);
    assert_no_orphans(&lake).await;
}

/// Each trace is in its row group's filter, and in few others'.
fn assert_filters(lake: &Lake, file: &DataFile, footer: &ParquetMetaData) {
    let path = lake.store.local_path(file.file_path()).unwrap();
    let (file, traces) = (std::fs::File::open(&path).unwrap(), column(footer, "trace_id"));
    let filters: Vec<Sbbf> = (footer.row_groups().iter())
        .map(|group| Sbbf::read_from_column_chunk(group.column(traces), &file).unwrap().expect("a filter"))
        .collect();
    let mut hits = 0;
    for group in 0..footer.num_row_groups() {
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file.try_clone().unwrap());
        for batch in reader.unwrap().with_row_groups(vec![group]).build().unwrap() {
            let batch = batch.unwrap();
            for trace in batch.column_by_name("trace_id").unwrap().as_string::<i32>().iter().flatten() {
                assert!(filters[group].check(trace), "{trace} is not in the filter of row group {group}");
                hits += filters.iter().filter(|filter| filter.check(trace)).count();
            }
        }
    }
    let rows = footer.file_metadata().num_rows() as usize;
    assert!(hits < rows * 12 / 10, "{rows} traces are in {hits} filters");
}

#[tokio::test(flavor = "multi_thread")]
async fn small_row_groups_are_put_together_beside_copies_and_one_alone_is_copied() {
    let lake = hadoop().await;
    let table = open(&lake, &[], &["timestamp"], &[SMALL_GROUPS]).await;
    append(&table, 1, &[rows(0..3000)]).await;
    for n in 0..5i64 {
        append(&table, 2 + n as u64, &[rows(3000 + n * 20..3020 + n * 20)]).await;
    }
    let before = content(&lake).await;
    let large = live(&lake).await.iter().map(|live| input(&lake, &live.file).groups()).max().unwrap();
    let done = run(&lake, &options(&lake)).await;
    assert_eq!((done.files_before, done.files_copied, done.files_after), (6, 1, 1), "{done:?}");
    assert_eq!(content(&lake).await, before);
    let groups = input(&lake, &live(&lake).await[0].file).groups();
    assert_eq!(groups, large + 1, "five small ones are one");
    // The one that came of them has nothing to be put together with.
    append(&table, 9, &[rows(3100..6000)]).await;
    let before = content(&lake).await;
    let done = run(&lake, &options(&lake)).await;
    assert_eq!((done.files_before, done.files_copied, done.files_after), (2, 2, 1), "{done:?}");
    assert_eq!(content(&lake).await, before);
    assert_no_orphans(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_the_table_wants_it_is_encoded_again() {
    let widened = |builder: iceberg::spec::TableMetadataBuilder| {
        let mut fields = load_schema().as_struct().fields().to_vec();
        let at = fields.iter().position(|f| f.name == "code").unwrap();
        fields[at] = Arc::new(NestedField::optional(fields[at].id, "code", Type::Primitive(PrimitiveType::Long)));
        builder.add_current_schema(Schema::builder().with_fields(fields).build().unwrap()).unwrap()
    };
    type Change = Box<dyn FnOnce(iceberg::spec::TableMetadataBuilder) -> iceberg::spec::TableMetadataBuilder>;
    let set = |key: &'static str, value: &'static str| -> Change {
        Box::new(move |builder| builder.set_properties([(key.to_string(), value.to_string())].into()).unwrap())
    };
    let changes: Vec<(&str, Change)> = vec![
        ("a widened column", Box::new(widened)),
        ("another codec", set("write.parquet.compression-codec", "snappy")),
        ("a filter", set("write.parquet.bloom-filter-enabled.column.trace_id", "true")),
        ("whole bounds", set("write.metadata.metrics.column.trace_id", "full")),
        ("larger row groups", set("write.parquet.row-group-size-bytes", "10000000")),
        ("smaller row groups", set("write.parquet.row-group-size-bytes", "1000")),
    ];
    for (what, make) in changes {
        let lake = hadoop().await;
        let no_filter = ("write.parquet.bloom-filter-enabled.column.trace_id", "false");
        let no_bounds = ("write.metadata.metrics.column.trace_id", "none");
        let table = open(&lake, &[], &["timestamp"], &[SMALL_GROUPS, no_filter, no_bounds]).await;
        for n in 0..3 {
            append(&table, n, &[rows(n as i64 * 1500..(n as i64 + 1) * 1500)]).await;
        }
        change(&lake, make).await;
        crate::upkeep::commit(&lake.catalog, &ident(), crate::upkeep::What::Orphans, |_| Some(Vec::new()))
            .await
            .unwrap();
        let before = content(&lake).await;
        let done = run(&lake, &options(&lake)).await;
        assert_eq!((done.files_after, done.files_copied, done.bytes_copied), (1, 0, 0), "{what}: {done:?}");
        assert_eq!(content(&lake).await, before, "{what}");
        assert_eq!(live(&lake).await[0].file.sort_order_id(), Some(1), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_are_cut_between_row_groups() {
    let lake = hadoop().await;
    let table = open(&lake, &[], &[], &[SMALL_GROUPS]).await;
    append(&table, 1, &[rows(0..24_000)]).await;
    let (before, one) = (content(&lake).await, live(&lake).await.remove(0).file);
    let groups = input(&lake, &one).groups();
    let options = Options { target_file_bytes: Some(one.file_size_in_bytes() / 2), ..options(&lake) };
    let done = run(&lake, &options).await;
    assert_eq!((done.files_before, done.files_copied, done.files_after), (1, 1, 2), "{done:?}");
    assert_eq!(content(&lake).await, before);
    let after = live(&lake).await;
    assert_eq!(after.iter().map(|live| input(&lake, &live.file).groups()).sum::<usize>(), groups);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_broken_is_named_and_nothing_of_it_is_committed() {
    for (what, damage) in [("a page's header", 0), ("the middle of a page", 60)] {
        let lake = hadoop().await;
        let table = open(&lake, &[], &[], &[SMALL_GROUPS]).await;
        for n in 0..3 {
            append(&table, n, &[rows(n as i64 * 1500..(n as i64 + 1) * 1500)]).await;
        }
        let files = live(&lake).await;
        let broken = &files[1].file;
        let footer = input(&lake, broken);
        let traces = footer.footer().row_group(0).column(column(footer.footer(), "trace_id")).byte_range();
        let file = std::fs::OpenOptions::new().write(true).open(lake.store.local_path(broken.file_path()).unwrap());
        file.unwrap().write_all_at(&[0xff; 40], traces.0 + damage).unwrap();
        let head = load(&lake).await;
        let done = run(&lake, &options(&lake)).await;
        assert_eq!((done.groups, done.failed.len()), (0, 1), "{what}: {done:?}");
        assert!(
            done.failed[0].contains(&format!("{} cannot be read: column trace_id", broken.file_path())),
            "{done:?}"
        );
        assert_eq!(load(&lake).await.metadata, head.metadata, "{what}");
        assert_no_orphans(&lake).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_differs_is_found() {
    let lake = hadoop().await;
    let table = open(&lake, &[], &["timestamp"], &[SMALL_GROUPS, FILTER]).await;
    append(&table, 1, &[rows(0..1500)]).await;
    let metadata = load(&lake).await.metadata;
    let source = input(&lake, &live(&lake).await[0].file);
    let rows = Rows::like(&metadata, source.footer());
    let target = WriteTarget { metadata: Arc::clone(&metadata), mapping: rows.mapping().unwrap() };
    let scratch = Scratch::new(lake.folder.path().join("scratch"));
    let traces = column(source.footer(), "trace_id");
    // Bytes of a chunk, and of its filter, that change after they were written.
    for wrong in [None, Some("bytes"), Some("filter")] {
        let mut out = Rewriting::new(&lake.store, &target, &scratch, Struct::empty(), true).unwrap();
        let Division { copied, encoded } =
            Division::new(std::slice::from_ref(&source), &out, Strategy::Binpack, u64::MAX);
        assert_eq!((copied.len(), encoded.len()), (1, 0));
        let sources = copy(&copied[0], &rows, &mut out, &Pace::default(), |_| false).unwrap();
        let file = out.close().unwrap().remove(0);
        assert_eq!((copied.iter().map(Part::rows).sum::<u64>(), file.copies().len()), (1500, sources.len()));
        let footer = Input::open(file.path(), "it").unwrap();
        let chunk = footer.footer().row_group(0).column(traces).clone();
        let at = match wrong {
            None => None,
            Some("bytes") => Some(chunk.byte_range().0 + 500),
            _ => Some(chunk.bloom_filter_offset().unwrap() as u64 + 64),
        };
        if let Some(at) = at {
            let file = std::fs::OpenOptions::new().write(true).read(true).open(file.path()).unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        }
        let written = Input::open(file.path(), "it").unwrap().with_pages().unwrap();
        let found: Vec<_> = sources.iter().enumerate().map(|(n, source)| source.compare(&written, n)).collect();
        match wrong {
            None => assert!(found.iter().all(Result::is_ok), "{found:?}"),
            Some(what) => {
                let why = found[0].as_ref().expect_err(what).to_string();
                assert!(why.contains(source.name()) && why.contains("other bytes in column trace_id"), "{why}");
            }
        }
    }
}
