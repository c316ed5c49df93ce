use super::*;
use crate::fixture::{hadoop, ident};
use iceberg::spec::TableMetadata;

#[tokio::test]
async fn an_ancestry_that_expiry_cut_off_is_seen_as_broken_off() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    let first = lake.append(1).await.metadata.current_snapshot_id().unwrap();
    let head = lake.append(1).await;
    assert!(!view(&head.metadata, "p").broken_off);
    let expired = TableMetadata::clone(&head.metadata).into_builder(None).remove_snapshots(&[first]).build().unwrap();
    let view = view(&expired.metadata, "p");
    assert!(view.broken_off);
    assert_eq!((view.ancestry.len(), view.ancestry[0].parent), (1, Some(first)));
    // Nessie shows the last snapshot alone, and no parent. A table that was replaced begins anew beside what it was.
    let begun = |json: &serde_json::Value| {
        let mut json = json.clone();
        for snapshot in json["snapshots"].as_array_mut().unwrap() {
            snapshot.as_object_mut().unwrap().remove("parent-snapshot-id");
        }
        is_broken_off(&serde_json::from_value(json).unwrap())
    };
    assert!(begun(&serde_json::to_value(&expired.metadata).unwrap()));
    assert!(!begun(&serde_json::to_value(&*head.metadata).unwrap()));
}

#[tokio::test]
async fn a_requirement_that_does_not_hold_changes_nothing() {
    let lake = hadoop().await;
    let base = lake.create(&[]).await;
    for requirement in [
        TableRequirement::RefSnapshotIdMatch { r#ref: MAIN_BRANCH.to_string(), snapshot_id: Some(1) },
        TableRequirement::CurrentSchemaIdMatch { current_schema_id: 5 },
        TableRequirement::DefaultSpecIdMatch { default_spec_id: 5 },
        TableRequirement::UuidMatch { uuid: uuid::Uuid::new_v4() },
    ] {
        let staged = lake.stage(&base, 1).await;
        let tried = lake.catalog.replace(&ident(), &base, vec![requirement], staged.updates).await;
        assert!(matches!(tried, Err(weir_pipeline::sink::SwapError::Conflict(_))), "{tried:?}");
    }
    assert_eq!(lake.catalog.load(&ident()).await.unwrap().metadata, base.metadata);
}

#[test]
fn other_pipelines_over_the_same_table_are_seen_by_name() {
    let table = crate::fixture::metadata(&[], &[]);
    let properties = [("weir.a.offsets", "A"), ("weir.b.offsets", "B"), ("weir.c", "C"), ("x", "y")];
    let properties = properties.map(|(k, v)| (k.to_string(), v.to_string())).into();
    let table = table.into_builder(None).set_properties(properties).unwrap().build().unwrap().metadata;
    let view = view(&table, "a");
    assert_eq!(view.offsets.as_deref(), Some("A"));
    assert_eq!(view.others, BTreeMap::from([("b".to_string(), "B".to_string())]));
}
