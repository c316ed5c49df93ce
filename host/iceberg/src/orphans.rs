//! Files in a table's folders that nothing names: what epochs and commits leave behind that were given up.
//!
//! A file that no snapshot names may still be one that a commit is about to name. What keeps such a file:
//!
//! - Only files that have not been touched for long go, by the store's own clock. An epoch of Weir is given up after a
//!   day.
//! - Before anything is deleted the head is moved by an empty commit: a commit under way on an older head must stage
//!   again, and is seen by the second look. Where a first look finds nothing, nothing is committed.
//! - The folders are listed first and the head is read after that, once before and once right before the deletion. What
//!   either head names stays.

use std::collections::HashSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use iceberg::TableIdent;
use iceberg::spec::{FormatVersion, TableMetadata};
use uuid::Uuid;

use crate::catalog::hadoop::version_of;
use crate::catalog::{Catalog, CatalogError, Loaded};
use crate::metadata;
use crate::reach::{Reach, ReachError, name_of};
use crate::store::{Store, StoreError};
use crate::upkeep::{self, UpkeepError, What};

#[cfg(test)]
mod tests;

/// Below this age a file may belong to an epoch that is still to be committed: one is given up after a day, and the
/// hour is for clocks.
pub const AGE_MIN: Duration = Duration::from_secs(25 * 3600);

/// Files deleted at once.
const DELETES: usize = 16;

/// A file that nothing names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Orphan {
    /// Where it is.
    pub location: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last written by the store's clock, milliseconds since 1970.
    pub modified_ms: i64,
}

/// What was found in a table's folders.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Survey {
    /// Files that nothing names and that are old enough, in the order of their locations.
    pub orphans: Vec<Orphan>,
    /// Files that nothing names and that are too young to tell.
    pub young: usize,
    /// Files that the head names.
    pub named: usize,
    /// Folders of the table that were not looked into, since they are elsewhere.
    pub elsewhere: Vec<String>,
}

/// Why orphans were not looked for, or not deleted.
#[derive(Debug, thiserror::Error)]
pub enum OrphanError {
    /// The catalog said no.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the table names is not wholly known.
    #[error("{0}: as long as that is so, nobody knows what the table names, and nothing is deleted")]
    Reach(#[from] ReachError),
    /// It is nothing in which orphans can be told.
    #[error("{0}")]
    Refused(String),
    /// The empty commit did not come about.
    #[error("the empty commit before the deletion did not succeed: {0}")]
    Commit(String),
}

impl From<UpkeepError> for OrphanError {
    fn from(e: UpkeepError) -> Self {
        match e {
            UpkeepError::Catalog(e) => Self::Catalog(e),
            UpkeepError::Refused(why) => Self::Refused(why),
            UpkeepError::Commit(why) => Self::Commit(why),
        }
    }
}

/// Looks for files that nothing names and that nobody has touched for `age`. Changes nothing, but for a small file that
/// tells the store's time and goes again.
///
/// # Errors
/// What cannot be reached or read.
pub async fn find(catalog: &Catalog, ident: &TableIdent, age: Duration) -> Result<Survey, OrphanError> {
    let loaded = catalog.load(ident).await?;
    look(catalog, ident, &loaded, age).await.map(|(survey, ..)| survey)
}

/// Looks as [`find`] does; where there is something, moves the table's head, looks again, twice, and deletes.
///
/// # Errors
/// What cannot be reached or read; a table that changes in a way that commits do not.
pub async fn remove(catalog: &Catalog, ident: &TableIdent, age: Duration) -> Result<Survey, OrphanError> {
    let before = catalog.load(ident).await?;
    metadata::may_delete(&before.metadata).map_err(OrphanError::Refused)?;
    let (idle, ..) = look(catalog, ident, &before, age).await?;
    if idle.orphans.is_empty() {
        return Ok(idle);
    }
    let moved = match upkeep::commit(catalog, ident, What::Orphans, |_| Some(Vec::new())).await? {
        (_, Some(moved)) | (moved, None) => moved,
    };
    let (mut survey, head, reach) = look(catalog, ident, &moved, age).await?;
    let now = again(catalog, ident, &head).await?;
    let reach = Reach::read(catalog.store(), &now.metadata, reach).await?;
    let named = named(&now, &reach);
    let (taken, orphans) =
        survey.orphans.into_iter().partition::<Vec<_>, _>(|o| is_named(&named, name_of(&o.location)));
    survey.named += taken.len();
    survey.orphans = orphans;
    let delete = |orphan: &Orphan| {
        let (store, location) = (catalog.store().clone(), orphan.location.clone());
        async move { store.delete(&location).await }
    };
    let deletions: Vec<_> = survey.orphans.iter().map(delete).collect();
    futures::stream::iter(deletions).buffer_unordered(DELETES).try_collect::<()>().await?;
    Ok(survey)
}

/// The head now, which must have come from `before` by commits alone.
async fn again(catalog: &Catalog, ident: &TableIdent, before: &Loaded) -> Result<Loaded, OrphanError> {
    let now = catalog.load(ident).await?;
    let is_after = before
        .metadata
        .current_snapshot_id()
        .is_none_or(|id| metadata::ancestry(&now.metadata).any(|snapshot| snapshot.snapshot_id() == id));
    if now.metadata.uuid() == before.metadata.uuid() && is_after {
        return Ok(now);
    }
    let why = "the table was rolled back, expired or made again while it was looked into: nothing is deleted";
    Err(OrphanError::Refused(why.to_string()))
}

/// Lists first, reads the head after that: what was committed before the listing ended is named.
async fn look(
    catalog: &Catalog,
    ident: &TableIdent,
    known: &Loaded,
    age: Duration,
) -> Result<(Survey, Loaded, Reach), OrphanError> {
    let store = catalog.store();
    if known.metadata.format_version() == FormatVersion::V1 {
        let why = "the table has format version 1, whose snapshots name files in other ways";
        return Err(OrphanError::Refused(why.to_string()));
    }
    let location = known.metadata.location().trim_end_matches('/').to_string();
    let now_ms = time_of(store, &location).await?;
    let mut found = Vec::new();
    for folder in ["data", "metadata"] {
        let folder = format!("{location}/{folder}");
        for file in store.walk(&folder).await? {
            let location = format!("{folder}/{}", file.name);
            found.push(Orphan { location, bytes: file.bytes, modified_ms: file.modified_ms });
        }
    }
    let inner =
        |o: &&Orphan| o.location.ends_with(".metadata.json") && name_above(&location, &o.location) != "metadata";
    if let Some(inner) = found.iter().find(inner) {
        return Err(OrphanError::Refused(format!(
            "{} lies in a folder of the table: another table is inside this one, and their files cannot be told apart",
            inner.location
        )));
    }
    let head = again(catalog, ident, known).await?;
    let reach = Reach::read(store, &head.metadata, Reach::default()).await?;
    let mut survey = Survey { elsewhere: elsewhere(&head.metadata), ..Survey::default() };
    let named = named(&head, &reach);
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    for file in found {
        if is_named(&named, name_of(&file.location)) || is_newer_version(&head, &file.location) {
            survey.named += 1;
        } else if file.modified_ms.saturating_add(age_ms) > now_ms {
            survey.young += 1;
        } else {
            survey.orphans.push(file);
        }
    }
    drop(named);
    Ok((survey, head, reach))
}

/// The names of everything that a head names.
fn named<'a>(head: &'a Loaded, reach: &'a Reach) -> HashSet<&'a str> {
    let metadata = &head.metadata;
    let mut names = reach.names();
    names.insert(name_of(&head.location));
    names.insert("version-hint.text");
    names.extend(metadata.metadata_log().iter().map(|log| name_of(&log.metadata_file)));
    names.extend(metadata.statistics_iter().map(|s| name_of(&s.statistics_path)));
    names.extend(metadata.partition_statistics_iter().map(|s| name_of(&s.statistics_path)));
    names
}

/// Whether a file, or what a checksum of Hadoop's (`.NAME.crc`) is of, is named.
fn is_named(names: &HashSet<&str>, name: &str) -> bool {
    let checked = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".crc"));
    names.contains(name) || checked.is_some_and(|of| names.contains(of))
}

/// A version of a `hadoop` table that the head does not know yet.
fn is_newer_version(head: &Loaded, location: &str) -> bool {
    match (version_of(name_of(&head.location)), version_of(name_of(location))) {
        (Some(head), Some(other)) => other > head,
        _ => false,
    }
}

/// The first folder of a location below the table's.
fn name_above<'a>(table: &str, location: &'a str) -> &'a str {
    let inside = location.strip_prefix(table).unwrap_or_default().trim_start_matches('/');
    let (folder, rest) = inside.split_once('/').unwrap_or(("", inside));
    // Directly inside: no further folder.
    if rest.contains('/') { "" } else { folder }
}

/// Folders that the table's properties put outside of its location.
fn elsewhere(metadata: &TableMetadata) -> Vec<String> {
    let location = metadata.location().trim_end_matches('/');
    let set = |(key, folder)| {
        let path = metadata.properties().get(key)?.trim_end_matches('/').to_string();
        (path != format!("{location}/{folder}")).then_some(path)
    };
    let keys =
        [("write.data.path", "data"), ("write.metadata.path", "metadata"), ("write.object-storage.path", "data")];
    keys.into_iter().filter_map(set).collect()
}

/// What time it is by the store's clock: that of a file written now.
async fn time_of(store: &Store, location: &str) -> Result<i64, StoreError> {
    let probe = format!("{location}/metadata/.weir-clock-{}", Uuid::new_v4().simple());
    store.write(&probe, "what time is it?".into()).await?;
    let now = store.modified_ms(&probe).await;
    store.delete(&probe).await?;
    now
}
