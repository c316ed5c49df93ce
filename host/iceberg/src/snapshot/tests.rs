use super::*;
use crate::fixture::{self, Lake, data_file, data_file_in, hadoop, ident, partition, total_records};
use iceberg::spec::ManifestStatus;

async fn manifests(lake: &Lake) -> Vec<ManifestFile> {
    let head = lake.catalog.load(&ident()).await.unwrap();
    existing(&lake.store.file_io(), &head.metadata).await.unwrap()
}

/// Live files of the head, with data sequence number, snapshot and first row id.
async fn live(lake: &Lake) -> Vec<(String, i64, i64, Option<u64>)> {
    let mut files = Vec::new();
    for manifest in manifests(lake).await {
        let loaded = manifest.load_manifest(&lake.store.file_io()).await.unwrap();
        let mut next = manifest.first_row_id;
        for entry in loaded.entries().iter().filter(|e| e.is_alive()) {
            let first = entry.data_file().first_row_id().map(|id| id as u64).or(next);
            if entry.data_file().first_row_id().is_none() {
                next = next.map(|next| next + entry.record_count());
            }
            let (sequence, snapshot) = (entry.sequence_number().unwrap(), entry.snapshot_id().unwrap());
            files.push((entry.file_path().to_string(), sequence, snapshot, first));
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn an_empty_append_moves_the_head_and_keeps_the_totals() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    let first = lake.append(0).await;
    assert_eq!(total_records(&first.metadata), 0);
    let second = lake.append(7).await;
    let third = lake.append(0).await;
    let ids: Vec<i64> = metadata::ancestry(&third.metadata).map(Snapshot::snapshot_id).collect();
    let heads = [&third, &second, &first].map(|l| l.metadata.current_snapshot_id().unwrap());
    assert_eq!(ids, heads);
    let summary = &third.metadata.current_snapshot().unwrap().summary().additional_properties;
    let get = |key: &str| summary.get(key).map(String::as_str);
    assert_eq!(
        (get("total-records"), get("total-data-files"), get("total-files-size")),
        (Some("7"), Some("1"), Some("70"))
    );
    assert_eq!(get("added-records"), None);
}

#[tokio::test]
async fn the_property_carries_the_ids_of_its_own_snapshot() {
    let lake = hadoop().await;
    let base = lake.create(&[]).await;
    let make = |id: i64, sequence: i64| HashMap::from([("weir.p.offsets".to_string(), format!("{id}/{sequence}"))]);
    let operation = Operation {
        properties: Properties::new(&make),
        summary: BTreeMap::from([("weir.pipeline".to_string(), "p".to_string())]),
        ..Operation::default()
    };
    let staged = stage(&lake.store.file_io(), &base.metadata, operation).await.unwrap();
    let done = lake.catalog.replace(&ident(), &base, staged.requirements, staged.updates).await.unwrap();
    let view = metadata::view(&done.metadata, "p");
    assert_eq!(view.offsets.unwrap(), format!("{}/1", staged.snapshot_id));
    assert_eq!((view.ancestry[0].id, view.ancestry[0].sequence), (staged.snapshot_id, 1));
    assert!(view.named && !view.broken_off);
    assert!(!metadata::view(&done.metadata, "q").named);
}

#[tokio::test]
async fn manifests_are_merged_when_they_have_grown_many_and_files_stay_what_they_were() {
    for version in ["2", "3"] {
        let lake = hadoop().await;
        let mut creation = fixture::creation(&[], &[], &[("commit.manifest.min-count-to-merge", "5")]);
        if version == "3" {
            creation.format_version = FormatVersion::V3;
        }
        lake.catalog.create(&ident(), creation).await.unwrap();
        for _ in 0..4 {
            lake.append(3).await;
        }
        assert_eq!(manifests(&lake).await.len(), 4);
        let before = live(&lake).await;
        assert_eq!(before.iter().all(|f| f.3.is_some()), version == "3");
        lake.append(3).await;
        let merged = manifests(&lake).await;
        assert_eq!(merged.len(), 2, "four merged, and the new one");
        let after = live(&lake).await;
        assert!(before.iter().all(|file| after.contains(file)), "version {version}: {before:?} {after:?}");
        assert_eq!(after.len(), 5);
        assert_eq!(merged.iter().map(|m| m.existing_files_count.unwrap()).sum::<u32>(), 4);
        let head = lake.catalog.load(&ident()).await.unwrap();
        assert_eq!(total_records(&head.metadata), 15);
        let ids: std::collections::BTreeSet<_> = after.iter().filter_map(|f| f.3).collect();
        assert!(version == "2" || ids.len() == 5, "no two files share row ids: {after:?}");
    }
}

#[tokio::test]
async fn merging_can_be_switched_off() {
    let lake = hadoop().await;
    lake.create(&[("commit.manifest.min-count-to-merge", "2"), ("commit.manifest-merge.enabled", "false")]).await;
    for _ in 0..4 {
        lake.append(1).await;
    }
    assert_eq!(manifests(&lake).await.len(), 4);
}

#[tokio::test]
async fn a_manifest_of_deletions_alone_is_dropped() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    let base = lake.append(4).await;
    // A snapshot of somebody who deleted the only file.
    let io = lake.store.file_io();
    let mut other = Stage {
        file_io: &io,
        base: &base.metadata,
        folder: metadata::folder(&base.metadata),
        id: 77,
        uuid: Uuid::new_v4(),
        written: Vec::new(),
    };
    let mut writer = other.manifest_writer(0).unwrap();
    let old = manifests(&lake).await[0].load_manifest(&io).await.unwrap();
    let entry = &old.entries()[0];
    writer.add_delete_file(entry.data_file().clone(), 1, Some(1)).unwrap();
    let deleted = writer.write_manifest_file().await.unwrap();
    let (list, _) = other.list(vec![deleted]).await.unwrap();
    let summary = iceberg::spec::Summary { operation: Kind::Delete, additional_properties: HashMap::new() };
    let snapshot = Snapshot::builder()
        .with_snapshot_id(77)
        .with_parent_snapshot_id(base.metadata.current_snapshot_id())
        .with_sequence_number(2)
        .with_timestamp_ms(base.metadata.last_updated_ms() + 1)
        .with_manifest_list(list)
        .with_summary(summary)
        .with_schema_id(0)
        .build();
    let updates = TableMetadata::clone(&base.metadata)
        .into_builder(None)
        .set_branch_snapshot(snapshot, MAIN_BRANCH)
        .unwrap()
        .build()
        .unwrap()
        .changes;
    lake.catalog.replace(&ident(), &base, Vec::new(), updates).await.unwrap();
    let head = lake.append(1).await;
    let now = manifests(&lake).await;
    assert_eq!(now.len(), 1);
    let entries = now[0].load_manifest(&io).await.unwrap();
    assert!(entries.entries().iter().all(|e| e.status() == ManifestStatus::Added));
    let summary = &head.metadata.current_snapshot().unwrap().summary().additional_properties;
    assert!(!summary.contains_key("total-records"), "a predecessor without totals leaves them unknown");
}

#[tokio::test]
async fn what_main_says_of_its_own_retention_stays() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    lake.append(1).await;
    let path = lake.folder.path().join("telemetry/spans/metadata/v2.metadata.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    json["refs"]["main"]["min-snapshots-to-keep"] = 42.into();
    std::fs::write(&path, json.to_string()).unwrap();
    lake.append(1).await;
    let path = lake.folder.path().join("telemetry/spans/metadata/v3.metadata.json");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(json["refs"]["main"]["min-snapshots-to-keep"], 42);
}

#[tokio::test]
async fn a_file_without_the_values_of_its_spec_is_refused() {
    let lake = hadoop().await;
    let creation = fixture::creation(&["service".to_string()], &[], &[]);
    let base = lake.catalog.create(&ident(), creation).await.unwrap();
    let files = [data_file(1)];
    let operation = Operation { added: &files, ..Operation::default() };
    let refused = stage(&lake.store.file_io(), &base.metadata, operation).await;
    assert!(matches!(refused, Err(StageError::Impossible(_))));
    let files = [data_file_in(1, partition(&["cart"]))];
    let operation = Operation { added: &files, ..Operation::default() };
    stage(&lake.store.file_io(), &base.metadata, operation).await.unwrap();
}

#[tokio::test]
async fn a_manifest_list_that_is_gone_is_said_by_name() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    let base = lake.append(1).await;
    let list = base.metadata.current_snapshot().unwrap().manifest_list();
    lake.store.delete(list).await.unwrap();
    let e = stage(&lake.store.file_io(), &base.metadata, Operation::default()).await.unwrap_err();
    assert!(matches!(e, StageError::Impossible(_)) && e.to_string().contains(list), "{e}");
}
