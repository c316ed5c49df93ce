//! What is refused before anything is written, and files that are not what they should be.

use std::collections::HashMap;

use iceberg::TableUpdate;
use iceberg::spec::{
    DataContentType, DataFileBuilder, DataFileFormat, FormatVersion, ManifestList, ManifestListWriter,
    ManifestWriterBuilder, Snapshot, SnapshotReference, SnapshotRetention, Struct, Summary,
};

use super::*;

/// Adds a snapshot with one more manifest, as another engine would, whatever is in it.
async fn add(lake: &Lake, content: DataContentType, format: DataFileFormat, key: Option<Vec<u8>>) {
    let base = load(lake).await;
    let metadata = &base.metadata;
    let folder = crate::metadata::folder(metadata);
    let output = lake.store.file_io().new_output(format!("{folder}/{}.avro", uuid::Uuid::new_v4())).unwrap();
    let (schema, spec) = (metadata.current_schema().clone(), metadata.default_partition_spec().as_ref().clone());
    let builder = ManifestWriterBuilder::new(output, Some(77), schema, spec);
    let is_data = content == DataContentType::Data;
    let mut writer = if is_data { builder.build_v2_data() } else { builder.build_v2_deletes() };
    let file = DataFileBuilder::default()
        .content(content)
        .file_path(format!("{}/data/theirs.{format}", metadata.location()))
        .file_format(format)
        .partition(Struct::empty())
        .record_count(1)
        .file_size_in_bytes(100)
        .key_metadata(key)
        .build()
        .unwrap();
    writer.add_file(file, -1).unwrap();
    let manifest = writer.write_manifest_file().await.unwrap();
    let head = metadata.current_snapshot().unwrap();
    let bytes = lake.store.read(head.manifest_list()).await.unwrap();
    let before = ManifestList::parse_with_version(&bytes, FormatVersion::V2).unwrap();
    let list = format!("{folder}/snap-77.avro");
    let output = lake.store.file_io().new_output(&list).unwrap().writer().await.unwrap();
    let mut writer = ManifestListWriter::v2(output, 77, Some(head.snapshot_id()), metadata.next_sequence_number());
    writer.add_manifests(before.consume_entries().into_iter().chain([manifest])).unwrap();
    writer.close().await.unwrap();
    let snapshot = Snapshot::builder()
        .with_snapshot_id(77)
        .with_parent_snapshot_id(Some(head.snapshot_id()))
        .with_sequence_number(metadata.next_sequence_number())
        .with_timestamp_ms(metadata.last_updated_ms() + 1)
        .with_manifest_list(list)
        .with_summary(Summary { operation: Kind::Overwrite, additional_properties: HashMap::default() })
        .with_schema_id(metadata.current_schema_id())
        .build();
    change(lake, |builder| builder.set_branch_snapshot(snapshot, "main").unwrap()).await;
}

pub(super) async fn add_delete_file(lake: &Lake) {
    add(lake, DataContentType::PositionDeletes, DataFileFormat::Parquet, None).await;
}

/// Makes the snapshot of `head` the current one again.
pub(super) async fn back_to(lake: &Lake, head: &Loaded) {
    let retention =
        SnapshotRetention::Branch { min_snapshots_to_keep: None, max_snapshot_age_ms: None, max_ref_age_ms: None };
    let snapshot_id = head.metadata.current_snapshot_id().unwrap();
    let reference = SnapshotReference { snapshot_id, retention };
    let update = TableUpdate::SetSnapshotRef { ref_name: "main".to_string(), reference };
    let base = load(lake).await;
    lake.catalog.replace(&ident(), &base, Vec::new(), vec![update]).await.unwrap();
}

async fn refusal(lake: &Lake, options: &Options) -> String {
    let before = load(lake).await;
    let said = compact(&lake.catalog, &ident(), options, Pace::default()).await.unwrap_err().to_string();
    assert_eq!(plan(&lake.catalog, &ident(), options).await.unwrap_err().to_string(), said);
    assert_eq!(load(lake).await.metadata, before.metadata);
    assert!(!options.scratch.exists(), "nothing is written");
    said.replace(before.metadata.location(), "TABLE")
}

async fn filled(properties: &[(&str, &str)]) -> Lake {
    let lake = hadoop().await;
    let table = open(&lake, &[], &[], properties).await;
    for n in 0..3 {
        append(&table, n, &[rows(n as i64 * 100..n as i64 * 100 + 100)]).await;
    }
    lake
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rewrite_could_change_is_refused_before_anything_is_written() {
    let lake = filled(&[]).await;
    let sort = Options { strategy: Strategy::Sort, ..options(&lake) };
    assert_eq!(refusal(&lake, &sort).await, "it has no sort order: the strategy `sort` needs one, `binpack` does not");
    let lake = filled(&[("format-version", "3")]).await;
    assert_eq!(
        refusal(&lake, &options(&lake)).await,
        "it has format version 3, in which rows have ids that a rewrite must keep: that is not done here yet"
    );
    let lake = filled(&[]).await;
    add(&lake, DataContentType::Data, DataFileFormat::Avro, None).await;
    assert_eq!(
        refusal(&lake, &options(&lake)).await,
        "its data file TABLE/data/theirs.avro is of format avro, and only parquet is read here"
    );
    let lake = filled(&[]).await;
    add(&lake, DataContentType::Data, DataFileFormat::Parquet, Some(b"a key's name".to_vec())).await;
    assert_eq!(refusal(&lake, &options(&lake)).await, "its data file TABLE/data/theirs.parquet is encrypted");
    let lake = filled(&[]).await;
    add_delete_file(&lake).await;
    let said = refusal(&lake, &options(&lake)).await;
    assert!(said.starts_with("it has delete files (TABLE/metadata/"), "{said}");
    assert!(said.ends_with("an engine that applies them has to rewrite the files first"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_or_missing_file_is_named_and_the_other_partitions_are_compacted() {
    let lake = hadoop().await;
    let table = open(&lake, &["service"], &["timestamp"], &[]).await;
    for n in 0..3 {
        append(&table, n, &[rows(n as i64 * 100..n as i64 * 100 + 100)]).await;
    }
    let files = live(&lake).await;
    let of = |partition: &str| files.iter().find(|f| f.file.file_path().contains(partition)).unwrap();
    let (broken, gone) = (of("=a/").file.file_path().to_string(), of("=b/").file.file_path().to_string());
    std::fs::write(lake.store.local_path(&broken).unwrap(), b"PAR1 is how it begins, and no more").unwrap();
    lake.store.delete(&gone).await.unwrap();
    let done = run(&lake, &options(&lake)).await;
    assert_eq!((done.groups, done.files_before, done.files_after, done.failed.len()), (2, 6, 2, 2), "{done:?}");
    for file in [&broken, &gone] {
        assert!(done.failed.iter().any(|why| why.contains(file)), "{:?}", done.failed);
    }
    let named: BTreeSet<String> = live(&lake).await.into_iter().map(|f| f.file.file_path().to_string()).collect();
    assert!(named.contains(&broken) && named.contains(&gone), "they are left alone");
}
