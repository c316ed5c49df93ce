//! A table's metadata: the next one made out of the last, and what the commit protocol sees of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use iceberg::spec::{MAIN_BRANCH, MetadataLog, Snapshot, TableMetadata};
use iceberg::{TableRequirement, TableUpdate};
use weir_pipeline::checkpoint;
use weir_pipeline::replay;
use weir_pipeline::sink::{HeadView, SnapshotView};

#[cfg(test)]
mod tests;

/// Why the next metadata could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The base is not what the change was made for.
    #[error("{0}")]
    Requirement(String),
    /// The change makes no valid metadata.
    #[error("the change makes no valid metadata: {0}")]
    Invalid(String),
}

/// Metadata that no catalog knows yet.
#[derive(Debug)]
pub struct Applied {
    /// It.
    pub metadata: TableMetadata,
    /// Versions that have left its log, oldest first.
    pub expired: Vec<MetadataLog>,
}

/// Makes the next metadata, if `base` is what the requirements say. `base_location` goes into the metadata log.
///
/// Every change of Weir adds a snapshot, and so it is the snapshot's time that becomes the time of the last update:
/// never this machine's clock, which may be a minute behind the table's and would then make metadata nobody reads.
pub fn apply(
    base: &TableMetadata,
    base_location: &str,
    requirements: &[TableRequirement],
    updates: Vec<TableUpdate>,
) -> Result<Applied, ApplyError> {
    for requirement in requirements {
        requirement.check(Some(base)).map_err(|e| ApplyError::Requirement(e.to_string()))?;
    }
    let invalid = |e: iceberg::Error| ApplyError::Invalid(e.to_string());
    let mut builder = base.clone().into_builder(Some(base_location.to_string()));
    for update in updates {
        builder = update.apply(builder).map_err(invalid)?;
    }
    let built = builder.build().map_err(invalid)?;
    Ok(Applied { metadata: built.metadata, expired: built.expired_metadata_logs })
}

/// The bytes of a metadata file.
pub fn encode(metadata: &TableMetadata) -> Result<Bytes, ApplyError> {
    serde_json::to_vec(metadata).map(Bytes::from).map_err(|e| ApplyError::Invalid(e.to_string()))
}

/// The snapshot that a change adds, which is what names the change.
pub fn added_snapshot(updates: &[TableUpdate]) -> Option<i64> {
    updates.iter().find_map(|update| match update {
        TableUpdate::AddSnapshot { snapshot } => Some(snapshot.snapshot_id()),
        _ => None,
    })
}

/// The folder of a table's manifests and metadata files.
pub fn folder(metadata: &TableMetadata) -> String {
    match metadata.properties().get("write.metadata.path") {
        Some(path) => path.trim_end_matches('/').to_string(),
        None => format!("{}/metadata", metadata.location().trim_end_matches('/')),
    }
}

/// Whether versions that leave the metadata log are deleted.
pub fn deletes_old_versions(metadata: &TableMetadata) -> bool {
    metadata.properties().get("write.metadata.delete-after-commit.enabled").is_some_and(|v| v == "true")
}

/// The snapshots of `main`, from its head backwards as far as the metadata holds them.
pub fn ancestry(metadata: &TableMetadata) -> impl Iterator<Item = &Snapshot> {
    let head = metadata.snapshot_for_ref(MAIN_BRANCH).or_else(|| metadata.current_snapshot());
    // A well-formed chain is no longer than there are snapshots; a ring, which only a broken writer makes, ends too.
    std::iter::successors(head.map(AsRef::as_ref), |snapshot: &&Snapshot| {
        metadata.snapshot_by_id(snapshot.parent_snapshot_id()?).map(AsRef::as_ref)
    })
    .take(metadata.snapshots().len())
}

/// Whether the history of `main` begins before what the metadata holds: with a parent that is gone, or, in catalogs that
/// show the last snapshot alone and without its parent (Nessie), with one that cannot be a table's first.
pub fn is_broken_off(metadata: &TableMetadata) -> bool {
    let Some(oldest) = ancestry(metadata).last() else { return false };
    // A table that was replaced begins anew beside its former snapshots.
    let is_all = ancestry(metadata).count() == metadata.snapshots().len();
    oldest.parent_snapshot_id().is_some() || is_all && oldest.sequence_number() > 1
}

/// Whether it is certain that a swap on the head with the snapshot `base` was not applied, nor can be any more: the
/// history goes on from `base` with another snapshot than `added`. That the metadata does not hold `added` says nothing:
/// it may have expired since, and the files that it brought are live all the same.
pub fn was_never_applied(head: &TableMetadata, base: Option<i64>, added: i64) -> bool {
    let is_successor = |snapshot: &&Snapshot| match base {
        Some(base) => snapshot.parent_snapshot_id() == Some(base),
        None => snapshot.parent_snapshot_id().is_none() && !is_broken_off(head),
    };
    let goes_on = ancestry(head).find(is_successor);
    goes_on.is_some_and(|next| next.snapshot_id() != added) && head.snapshot_by_id(added).is_none()
}

/// Whether files may be deleted that nothing in the metadata names: not with `gc.enabled = false` (Iceberg's
/// documentation, "Table behavior properties"), by which tables say that others may need them.
///
/// # Errors
/// Why not.
pub fn may_delete(metadata: &TableMetadata) -> Result<(), String> {
    match metadata.properties().get("gc.enabled") {
        Some(value) if value.eq_ignore_ascii_case("false") => Err("the table has gc.enabled = false: files that its \
            metadata does not name may be needed all the same, by other tables or by a history that the catalog keeps \
            itself, as Nessie does; its own garbage collection knows them"
            .to_string()),
        _ => Ok(()),
    }
}

/// What the commit protocol sees. Of the summaries only what begins with `weir.`: the rest is for other readers.
pub fn view(metadata: &TableMetadata, pipeline: &str) -> HeadView {
    let ancestry: Vec<_> = ancestry(metadata).map(snapshot_view).collect();
    let broken_off = is_broken_off(metadata);
    let is_named = |snapshot: &Snapshot| {
        snapshot.summary().additional_properties.get(checkpoint::PIPELINE).is_some_and(|name| name == pipeline)
    };
    HeadView {
        uuid: metadata.uuid().to_string(),
        offsets: metadata.properties().get(&checkpoint::property(pipeline)).cloned(),
        replayed: metadata.properties().get(&replay::property(pipeline)).cloned(),
        broken_off,
        ancestry,
        others: others(metadata, pipeline),
        named: metadata.snapshots().any(|snapshot| is_named(snapshot)),
    }
}

/// The offsets of other pipelines over this table, by their name.
fn others(metadata: &TableMetadata, pipeline: &str) -> BTreeMap<String, String> {
    let other = |(key, value): (&String, &String)| {
        let name = key.strip_prefix("weir.")?.strip_suffix(".offsets")?;
        (name != pipeline).then(|| (name.to_string(), value.clone()))
    };
    metadata.properties().iter().filter_map(other).collect()
}

fn snapshot_view(snapshot: &Snapshot) -> SnapshotView {
    let ours = snapshot.summary().additional_properties.iter().filter(|(key, _)| key.starts_with("weir."));
    SnapshotView {
        id: snapshot.snapshot_id(),
        sequence: snapshot.sequence_number(),
        parent: snapshot.parent_snapshot_id(),
        summary: ours.map(|(k, v)| (k.clone(), v.clone())).collect::<BTreeMap<_, _>>(),
    }
}
