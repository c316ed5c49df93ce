use std::sync::Arc;

use iceberg::spec::{NestedField, PrimitiveType, Schema, TableMetadata, Type};

use super::*;
use crate::fixture;

fn with_schema(base: &TableMetadata, change: impl FnOnce(&mut Vec<NestedField>)) -> TableMetadata {
    let mut fields: Vec<NestedField> =
        base.current_schema().as_struct().fields().iter().map(|f| NestedField::clone(f)).collect();
    change(&mut fields);
    let schema = Schema::builder().with_fields(fields.into_iter().map(Arc::new)).build().unwrap();
    base.clone().into_builder(None).add_current_schema(schema).unwrap().build().unwrap().metadata
}

#[test]
fn files_are_fresh_as_long_as_every_id_means_the_same() {
    let then = fixture::metadata(&["service".to_string()], &[]);
    assert_eq!(check_fresh(&then, &then), Ok(()));
    let added = with_schema(&then, |fields| {
        fields.push(NestedField::optional(5, "host", Type::Primitive(PrimitiveType::String)));
    });
    assert_eq!(check_fresh(&added, &then), Ok(()), "a new column of others is NULL in our files");
    let gone = with_schema(&then, |fields| fields.retain(|f| f.name != "duration"));
    assert!(check_fresh(&gone, &then).unwrap_err().contains("duration"));
    let other = |name: &str| {
        with_schema(&then, |fields| fields.push(NestedField::optional(5, name, Type::Primitive(PrimitiveType::Int))))
    };
    // Two processes added a column at once, and both gave it id 5.
    assert!(check_fresh(&other("host"), &other("zone")).unwrap_err().contains("is now host"));
    let required = with_schema(&then, |fields| fields[1].required = true);
    assert!(check_fresh(&required, &then).unwrap_err().contains("required"));
    let widened = with_schema(&then, |fields| *fields[2].field_type = Type::Primitive(PrimitiveType::Binary));
    assert!(check_fresh(&widened, &then).unwrap_err().contains("trace_id"));
}

#[test]
fn files_of_a_spec_that_is_no_longer_the_default_are_fresh_and_of_one_that_is_gone_are_not() {
    let then = fixture::metadata(&["service".to_string()], &[]);
    let spec = fixture::metadata(&["trace_id".to_string()], &[]).default_partition_spec().as_ref().clone();
    let moved = then.clone().into_builder(None).add_default_partition_spec(spec.into_unbound()).unwrap();
    let moved = moved.build().unwrap().metadata;
    assert_ne!(moved.default_partition_spec_id(), then.default_partition_spec_id());
    assert_eq!(check_fresh(&moved, &then), Ok(()));
    assert!(check_fresh(&then, &moved).unwrap_err().contains("is gone"));
}

#[tokio::test]
async fn files_of_a_failed_attempt_go_only_when_the_head_has_moved_past_it() {
    let lake = fixture::hadoop().await;
    lake.create(&[]).await;
    let base = lake.append(1).await;
    let head = base.metadata.current_snapshot_id();
    let attempts = Attempts::default();
    attempts.failed(head, 5, vec!["lost".to_string()]);
    assert!(attempts.settle(&base.metadata).is_empty(), "the request may still be under way");
    let next = lake.append(1).await;
    attempts.failed(head, next.metadata.current_snapshot_id().unwrap(), vec!["won after all".to_string()]);
    assert_eq!(attempts.settle(&next.metadata), ["lost"]);
    assert!(attempts.settle(&next.metadata).is_empty(), "each once");
}

#[tokio::test]
async fn files_of_an_attempt_that_was_applied_stay_although_its_snapshot_has_expired() {
    let lake = fixture::hadoop().await;
    lake.create(&[]).await;
    let base = lake.append(1).await.metadata.current_snapshot_id();
    // Applied, its answer lost; somebody else commits on top, and all but the last snapshot expires.
    let ours = lake.append(1).await.metadata.current_snapshot_id().unwrap();
    let next = lake.append(1).await;
    let alone = TableMetadata::clone(&next.metadata).into_builder(None).remove_snapshots(&[base.unwrap(), ours]);
    let alone = alone.build().unwrap().metadata;
    // And in a catalog that shows the last one alone, and not whose child it is.
    let mut orphaned = serde_json::to_value(&alone).unwrap();
    orphaned["snapshots"][0].as_object_mut().unwrap().remove("parent-snapshot-id");
    let orphaned: TableMetadata = serde_json::from_value(orphaned).unwrap();
    for head in [alone, orphaned] {
        for base in [base, None] {
            let attempts = Attempts::default();
            attempts.failed(base, ours, vec!["a manifest that the head names".to_string()]);
            assert!(attempts.settle(&head).is_empty());
        }
    }
}
