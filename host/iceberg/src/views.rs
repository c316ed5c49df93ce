//! What a table's metadata and manifests say, put so that it can be shown.

use std::collections::BTreeMap;

use iceberg::TableIdent;
use iceberg::spec::{ManifestStatus, Operation, TableMetadata};
use serde_json::{Value, json};
use weir_pipeline::checkpoint;

use crate::catalog::{Catalog, CatalogError};
use crate::evolve::show_type;
use crate::metadata;
use crate::reach::ReachError;
use crate::table::arrangement::{partition_terms, sort_terms};
use crate::verify::time;

#[cfg(test)]
mod tests;

/// Why nothing is shown.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The catalog said no.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// What the table names cannot be read.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// A manifest cannot be read.
    #[error("{0}")]
    Manifest(String),
}

/// A table as it is now: where, which columns, how laid out, how large, whose offsets.
///
/// # Errors
/// See [`ViewError`].
pub async fn show(catalog: &Catalog, ident: &TableIdent) -> Result<Value, ViewError> {
    let loaded = catalog.load(ident).await?;
    let metadata = &loaded.metadata;
    let pipelines = metadata.properties().keys();
    let pipelines = pipelines.filter_map(|key| key.strip_prefix("weir.")?.strip_suffix(".offsets"));
    let properties: BTreeMap<_, _> =
        metadata.properties().iter().filter(|(key, _)| !key.starts_with("weir.")).collect();
    let total = |key: &str| metadata.current_snapshot().and_then(|head| number(head, key));
    let mut shown = shape(metadata);
    let more = json!({
        "table": ident.to_string(), "location": metadata.location(), "uuid": metadata.uuid(),
        "metadata": loaded.location, "format_version": metadata.format_version() as u8,
        "updated": time(metadata.last_updated_ms()),
        "snapshot": metadata.current_snapshot_id(), "snapshots": metadata.snapshots().len(),
        "rows": total("total-records"), "data_files": total("total-data-files"), "bytes": total("total-files-size"),
        "delete_files": total("total-delete-files"), "pipelines": pipelines.collect::<Vec<_>>(),
        "properties": properties,
    });
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    Ok(shown)
}

/// A table's columns, partitioning and order.
pub fn shape(metadata: &TableMetadata) -> Value {
    let column = |field: &iceberg::spec::NestedFieldRef| {
        json!({
            "id": field.id, "name": field.name, "type": show_type(&field.field_type), "required": field.required,
            "doc": field.doc,
        })
    };
    json!({
        "columns": metadata.current_schema().as_struct().fields().iter().map(column).collect::<Vec<_>>(),
        "partition_by": partition_terms(metadata), "sort_by": sort_terms(metadata),
    })
}

fn number(snapshot: &iceberg::spec::Snapshot, key: &str) -> Option<u64> {
    snapshot.summary().additional_properties.get(key)?.parse().ok()
}

/// The snapshots in the metadata, the oldest first: who made each, what it did, what the table held then.
///
/// # Errors
/// See [`ViewError`].
pub async fn snapshots(catalog: &Catalog, ident: &TableIdent) -> Result<Vec<Value>, ViewError> {
    let metadata = catalog.load(ident).await?.metadata;
    let mut snapshots: Vec<_> = metadata.snapshots().collect();
    snapshots.sort_by_key(|snapshot| snapshot.sequence_number());
    let view = |snapshot: &iceberg::spec::SnapshotRef| {
        let summary = &snapshot.summary().additional_properties;
        let said = |key: &str| summary.get(key);
        let operation = match snapshot.summary().operation {
            Operation::Append => "append",
            Operation::Replace => "replace",
            Operation::Overwrite => "overwrite",
            Operation::Delete => "delete",
        };
        json!({
            "snapshot": snapshot.snapshot_id(), "parent": snapshot.parent_snapshot_id(),
            "sequence": snapshot.sequence_number(), "time": time(snapshot.timestamp_ms()), "operation": operation,
            "pipeline": said(checkpoint::PIPELINE), "maintenance": said(crate::upkeep::MAINTENANCE),
            "engine": said("engine-name"), "rows_added": number(snapshot, "added-records"),
            "rows_removed": number(snapshot, "deleted-records"), "files_added": number(snapshot, "added-data-files"),
            "files_removed": number(snapshot, "deleted-data-files"), "rows": number(snapshot, "total-records"),
            "files": number(snapshot, "total-data-files"), "bytes": number(snapshot, "total-files-size"),
        })
    };
    Ok(snapshots.into_iter().map(view).collect())
}

/// What was the current snapshot when, the oldest first, and whether it led to the one that is so now: one that did not
/// was rolled back.
///
/// # Errors
/// See [`ViewError`].
pub async fn history(catalog: &Catalog, ident: &TableIdent) -> Result<Vec<Value>, ViewError> {
    let metadata = catalog.load(ident).await?.metadata;
    let ancestors: Vec<i64> = metadata::ancestry(&metadata).map(|snapshot| snapshot.snapshot_id()).collect();
    let view = |log: &iceberg::spec::SnapshotLog| {
        let parent = metadata.snapshot_by_id(log.snapshot_id).and_then(|s| s.parent_snapshot_id());
        json!({
            "time": time(log.timestamp_ms), "snapshot": log.snapshot_id, "parent": parent,
            "is_ancestor": ancestors.contains(&log.snapshot_id),
        })
    };
    Ok(metadata.history().iter().map(view).collect())
}

/// The live data and delete files of the current snapshot, in the order of their manifests.
///
/// # Errors
/// See [`ViewError`].
pub async fn files(catalog: &Catalog, ident: &TableIdent) -> Result<Vec<Value>, ViewError> {
    let metadata = catalog.load(ident).await?.metadata;
    let Some(head) = metadata.current_snapshot() else { return Ok(Vec::new()) };
    let file_io = catalog.store().file_io();
    let unread = |e: iceberg::Error| ViewError::Manifest(format!("{}: {e}", head.manifest_list()));
    let list = catalog.store().read(head.manifest_list()).await.map_err(CatalogError::from)?;
    let list = iceberg::spec::ManifestList::parse_with_version(&list, metadata.format_version()).map_err(unread)?;
    let mut files = Vec::new();
    for manifest in list.entries() {
        let loaded = manifest.load_manifest(&file_io).await;
        let loaded = loaded.map_err(|e| ViewError::Manifest(format!("{}: {e}", manifest.manifest_path)))?;
        for entry in loaded.entries().iter().filter(|entry| entry.status() != ManifestStatus::Deleted) {
            let file = entry.data_file();
            files.push(json!({
                "file": file.file_path(), "content": content(file.content_type()),
                "format": file.file_format().to_string(),
                "partition": partition(&metadata, manifest.partition_spec_id, file.partition()),
                "rows": file.record_count(), "bytes": file.file_size_in_bytes(), "sequence": entry.sequence_number(),
                "snapshot": entry.snapshot_id(), "spec_id": manifest.partition_spec_id,
                "sort_order_id": file.sort_order_id(),
            }));
        }
    }
    Ok(files)
}

fn content(of: iceberg::spec::DataContentType) -> &'static str {
    match of {
        iceberg::spec::DataContentType::Data => "data",
        iceberg::spec::DataContentType::PositionDeletes => "position deletes",
        iceberg::spec::DataContentType::EqualityDeletes => "equality deletes",
    }
}

/// A partition as its folder is called; empty where the table has none.
fn partition(metadata: &TableMetadata, spec_id: i32, values: &iceberg::spec::Struct) -> String {
    let spec = metadata.partition_spec_by_id(spec_id);
    spec.map_or_else(String::new, |spec| crate::writer::partition_name(spec, values))
}
