//! Expiry: old snapshots leave a table's metadata, and files that no other snapshot reaches are deleted.
//!
//! What stays is decided as Iceberg's own procedure does it (its specification, "Snapshot Retention Policy"): of each
//! branch its newest snapshots by count and by age, each tag's snapshot, and what no branch or tag leads to until it is
//! old. Branches and tags themselves always stay.
//!
//! First the snapshots leave, in one commit; then the files go. Whatever is killed in between leaves files that nothing
//! names, for orphan removal. The offsets of pipelines stay: the table property holds them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use futures::StreamExt;
use iceberg::spec::{SnapshotReference, SnapshotRetention, TableMetadata};
use iceberg::{TableIdent, TableUpdate};

use crate::catalog::{Catalog, CatalogError};
use crate::metadata;
use crate::reach::{Reach, ReachError, name_of};
use crate::store::Store;
use crate::upkeep::{self, UpkeepError, What};

#[cfg(test)]
mod tests;

/// Where neither the table nor the operator says how old a snapshot may grow: Iceberg's own five days.
const AGE_DEFAULT_MS: i64 = 5 * 24 * 60 * 60 * 1000;
/// Files deleted at once.
const DELETES: usize = 16;

/// Which snapshots may stay. Absent: as the table's properties `history.expire.*` say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those younger than this.
    pub age: Option<Duration>,
    /// So many of each branch, however old.
    pub keep: Option<usize>,
}

/// What an expiry did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// The snapshots that left: id and time, milliseconds since 1970; the oldest first.
    pub snapshots: Vec<(i64, i64)>,
    /// How many stayed.
    pub kept: usize,
    /// Data and delete files that nothing reaches any more, and their bytes.
    pub data_files: usize,
    /// Bytes in them.
    pub data_bytes: u64,
    /// Manifests, and lists of them, that nothing reaches any more.
    pub manifests: usize,
    /// Files that could not be deleted, and why: orphan removal finds them.
    pub left: Vec<String>,
}

/// Why snapshots were not expired.
#[derive(Debug, thiserror::Error)]
pub enum ExpireError {
    /// The catalog said no.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// What the table names is not wholly known.
    #[error("{0}: as long as that is so, nobody knows which files are needed, and nothing expires")]
    Reach(#[from] ReachError),
    /// The metadata, or a property, is not what it should be.
    #[error("{0}")]
    Refused(String),
    /// The commit did not come about.
    #[error("the commit that removes snapshots did not succeed: {0}")]
    Commit(String),
}

impl From<UpkeepError> for ExpireError {
    fn from(e: UpkeepError) -> Self {
        match e {
            UpkeepError::Catalog(e) => Self::Catalog(e),
            UpkeepError::Refused(why) => Self::Refused(why),
            UpkeepError::Commit(why) => Self::Commit(why),
        }
    }
}

/// Says what [`expire`] would do now.
///
/// # Errors
/// What cannot be read.
pub async fn plan(
    catalog: &Catalog,
    ident: &TableIdent,
    retention: Retention,
    now_ms: i64,
) -> Result<Expiry, ExpireError> {
    let loaded = catalog.load(ident).await?;
    metadata::may_delete(&loaded.metadata).map_err(ExpireError::Refused)?;
    let doomed = doomed(&loaded.metadata, retention, now_ms)?;
    let reach = Reach::read(catalog.store(), &loaded.metadata, Reach::default()).await?;
    let (gone, kept) = split(reach, &doomed);
    Ok(expiry(&loaded.metadata, &doomed, &Unreached::between(&gone, &kept)))
}

/// Removes snapshots, then the files that only they reached.
///
/// # Errors
/// What cannot be read, or committed. Files that cannot be deleted are no error.
pub async fn expire(
    catalog: &Catalog,
    ident: &TableIdent,
    retention: Retention,
    now_ms: i64,
) -> Result<Expiry, ExpireError> {
    let loaded = catalog.load(ident).await?;
    metadata::may_delete(&loaded.metadata).map_err(ExpireError::Refused)?;
    doomed(&loaded.metadata, retention, now_ms)?;
    // Before anything is changed: what cannot be read now could not be read for the deletion either.
    let reach = Reach::read(catalog.store(), &loaded.metadata, Reach::default()).await?;
    let changes = |head: &TableMetadata| {
        let doomed = doomed(head, retention, now_ms).unwrap_or_default();
        (!doomed.is_empty()).then(|| removals(head, &doomed))
    };
    let (before, after) = upkeep::commit(catalog, ident, What::Expire, changes).await?;
    let Some(after) = after else {
        return Ok(Expiry { kept: before.metadata.snapshots().len(), ..Expiry::default() });
    };
    let left = |id: &i64| after.metadata.snapshot_by_id(*id).is_none();
    let gone: BTreeSet<i64> = before.metadata.snapshots().map(|s| s.snapshot_id()).filter(left).collect();
    let reach = Reach::read(catalog.store(), &before.metadata, reach).await?;
    let (gone_reach, kept_reach) = split(reach, &gone);
    // What commits after the expiry reach is reached.
    let now = catalog.load(ident).await?;
    let kept_reach = Reach::read(catalog.store(), &now.metadata, kept_reach).await?;
    let unreached = Unreached::between(&gone_reach, &kept_reach);
    let mut expiry = expiry(&before.metadata, &gone, &unreached);
    expiry.kept = after.metadata.snapshots().len();
    // Data first: what names a file outlives it, so that what is left tells what it was.
    for locations in [unreached.data.into_keys().collect::<Vec<_>>(), unreached.manifests, unreached.lists] {
        let deletions = locations.into_iter().map(|location| delete(catalog.store(), location));
        let failed = futures::stream::iter(deletions).buffer_unordered(DELETES).filter_map(|r| async { r.err() });
        expiry.left.extend(failed.collect::<Vec<_>>().await);
    }
    Ok(expiry)
}

/// Deletes a file, and the checksum that Hadoop's local file system has written beside its own.
async fn delete(store: &Store, location: String) -> Result<(), String> {
    let failed = |e| format!("{location}: {e}");
    store.delete(&location).await.map_err(failed)?;
    match location.rsplit_once('/') {
        Some((folder, name)) if store.local_path(&location).is_some() => {
            store.delete(&format!("{folder}/.{name}.crc")).await.map_err(failed)
        }
        _ => Ok(()),
    }
}

/// The snapshots that may go.
fn doomed(metadata: &TableMetadata, retention: Retention, now_ms: i64) -> Result<BTreeSet<i64>, ExpireError> {
    let age_of_table = number(metadata, "history.expire.max-snapshot-age-ms")?.unwrap_or(AGE_DEFAULT_MS);
    let keep_of_table = number(metadata, "history.expire.min-snapshots-to-keep")?.unwrap_or(1);
    let asked_age = retention.age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let asked_keep = retention.keep.map(|keep| i64::try_from(keep).unwrap_or(i64::MAX));
    let mut stay: HashSet<i64> = HashSet::new();
    let mut led_to: HashSet<i64> = HashSet::new();
    for reference in references(metadata)?.into_values() {
        let SnapshotRetention::Branch { min_snapshots_to_keep, max_snapshot_age_ms, .. } = reference.retention else {
            // A tag holds its snapshot, and leads to no other.
            stay.insert(reference.snapshot_id);
            continue;
        };
        let age = asked_age.or(max_snapshot_age_ms).unwrap_or(age_of_table);
        let keep = asked_keep.or(min_snapshots_to_keep.map(i64::from)).unwrap_or(keep_of_table);
        let mut next = Some(reference.snapshot_id);
        let mut count = 0;
        while let Some(snapshot) = next.and_then(|id| metadata.snapshot_by_id(id)) {
            let id = snapshot.snapshot_id();
            count += 1;
            if count <= keep.max(1) || snapshot.timestamp_ms() > now_ms.saturating_sub(age) {
                stay.insert(id);
            }
            led_to.insert(id);
            // A ring, which only a broken writer makes, ends too.
            next = snapshot.parent_snapshot_id().filter(|_| count <= metadata.snapshots().len() as i64);
        }
    }
    let limit = now_ms.saturating_sub(asked_age.unwrap_or(age_of_table));
    let may_go = metadata.snapshots().filter(|s| {
        let is_old = led_to.contains(&s.snapshot_id()) || s.timestamp_ms() <= limit;
        is_old && !stay.contains(&s.snapshot_id())
    });
    Ok(may_go.map(|s| s.snapshot_id()).collect())
}

fn number(metadata: &TableMetadata, name: &str) -> Result<Option<i64>, ExpireError> {
    let parse = |text: &String| {
        text.trim().parse::<i64>().map_err(|_| {
            ExpireError::Refused(format!("the table property {name} is no number: {text:?}; nothing expires"))
        })
    };
    metadata.properties().get(name).map(parse).transpose()
}

/// The table's branches and tags.
fn references(metadata: &TableMetadata) -> Result<HashMap<String, SnapshotReference>, ExpireError> {
    let unreadable = |e: serde_json::Error| ExpireError::Refused(format!("the table's branches cannot be read: {e}"));
    let mut json = serde_json::to_value(metadata).map_err(unreadable)?;
    serde_json::from_value(json["refs"].take()).or_else(|e| {
        // A table without snapshots may have none.
        if metadata.snapshots().len() == 0 { Ok(HashMap::new()) } else { Err(unreadable(e)) }
    })
}

fn removals(metadata: &TableMetadata, doomed: &BTreeSet<i64>) -> Vec<TableUpdate> {
    let of_statistics = metadata.statistics_iter().map(|s| s.snapshot_id).filter(|id| doomed.contains(id));
    let of_partitions = metadata.partition_statistics_iter().map(|s| s.snapshot_id).filter(|id| doomed.contains(id));
    let mut updates = vec![TableUpdate::RemoveSnapshots { snapshot_ids: doomed.iter().copied().collect() }];
    updates.extend(of_statistics.map(|snapshot_id| TableUpdate::RemoveStatistics { snapshot_id }));
    updates.extend(of_partitions.map(|snapshot_id| TableUpdate::RemovePartitionStatistics { snapshot_id }));
    updates
}

/// What some snapshots reach, and what the others do.
fn split(reach: Reach, gone: &BTreeSet<i64>) -> (Reach, Reach) {
    let (gone_lists, kept_lists): (_, Vec<_>) = reach.lists.into_iter().partition(|(id, _)| gone.contains(id));
    let of = |lists: Vec<(i64, crate::reach::List)>| {
        let manifests = lists.iter().flat_map(|(_, list)| &list.manifests);
        let named: HashSet<&str> = manifests.map(|m| m.manifest_path.as_str()).collect();
        let manifests = reach.manifests.iter().filter(|(location, _)| named.contains(location.as_str()));
        let manifests = manifests.map(|(location, content)| (location.clone(), content.clone())).collect();
        Reach { lists: lists.into_iter().collect(), manifests }
    };
    (of(gone_lists), of(kept_lists))
}

/// Files that snapshots which are gone reached, and no other does.
struct Unreached {
    /// Data and delete files, and their bytes.
    data: HashMap<String, u64>,
    manifests: Vec<String>,
    lists: Vec<String>,
}

impl Unreached {
    fn between(gone: &Reach, kept: &Reach) -> Self {
        // A file's name tells it apart: it holds a random id, and folders are spelled in many ways.
        let alive = |reach: &Reach| -> HashMap<String, u64> {
            let items = reach.manifests.values().flat_map(|content| content.items.iter());
            items.filter(|item| item.is_alive()).map(|item| (item.location.clone(), item.bytes)).collect()
        };
        let live = alive(kept);
        let needed: HashSet<&str> = live.keys().map(|location| name_of(location)).collect();
        let needed_manifests: HashSet<&str> = kept.manifests.keys().map(|location| name_of(location)).collect();
        let needed_lists: HashSet<&str> = kept.lists.values().map(|list| name_of(&list.location)).collect();
        let unneeded = |needed: &HashSet<&str>, location: &String| !needed.contains(name_of(location));
        Self {
            data: alive(gone).into_iter().filter(|(location, _)| unneeded(&needed, location)).collect(),
            manifests: gone.manifests.keys().filter(|l| unneeded(&needed_manifests, l)).cloned().collect(),
            lists: gone.lists.values().map(|l| l.location.clone()).filter(|l| unneeded(&needed_lists, l)).collect(),
        }
    }
}

fn expiry(metadata: &TableMetadata, gone: &BTreeSet<i64>, unreached: &Unreached) -> Expiry {
    let mut snapshots: Vec<_> = metadata.snapshots().filter(|s| gone.contains(&s.snapshot_id())).collect();
    snapshots.sort_by_key(|s| s.sequence_number());
    Expiry {
        kept: metadata.snapshots().len() - snapshots.len(),
        snapshots: snapshots.into_iter().map(|s| (s.snapshot_id(), s.timestamp_ms())).collect(),
        data_files: unreached.data.len(),
        data_bytes: unreached.data.values().sum(),
        manifests: unreached.manifests.len() + unreached.lists.len(),
        left: Vec::new(),
    }
}
