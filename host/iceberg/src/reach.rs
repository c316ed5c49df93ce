//! What a table's metadata names: for every snapshot in it the manifest list, its manifests, and the files in those.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{
    DataContentType, Manifest, ManifestContentType, ManifestFile, ManifestList, ManifestStatus, TableMetadata,
};

use crate::store::{Store, StoreError};

/// Files read at once.
const READS: usize = 16;

/// A file in a manifest.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it is.
    pub location: String,
    /// Rows, or deletions of rows.
    pub content: DataContentType,
    /// Added or taken over, or deleted.
    pub status: ManifestStatus,
    /// Rows in it, as recorded.
    pub rows: u64,
    /// Its size, as recorded. Several deletion vectors may share one file.
    pub bytes: u64,
    /// The snapshot that added it, or deleted it.
    pub snapshot_id: i64,
}

impl Item {
    /// Whether the snapshots that list this manifest hold the file.
    pub fn is_alive(&self) -> bool {
        self.status != ManifestStatus::Deleted
    }
}

/// A manifest that was read.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its files, in its order.
    pub items: Vec<Item>,
    /// Its size.
    pub bytes: u64,
}

/// A snapshot's manifests.
#[derive(Clone, Debug)]
pub struct List {
    /// Where the list is.
    pub location: String,
    /// What is in it.
    pub manifests: Vec<ManifestFile>,
}

/// What a table's metadata names, by snapshot and manifest.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// The manifest list of each snapshot in the metadata, by the snapshot's id.
    pub lists: BTreeMap<i64, List>,
    /// Each manifest in them, by its location.
    pub manifests: HashMap<String, Content>,
}

/// What is named and cannot be read.
#[derive(Debug)]
pub struct ReachError {
    /// What names it.
    pub named_by: String,
    /// Where it is.
    pub location: String,
    /// What came of reading it.
    pub why: Unread,
}

/// Why something could not be read.
#[derive(Debug)]
pub enum Unread {
    /// It is not there.
    Missing,
    /// It is there, and is not what it should be.
    Broken(String),
    /// The store said no.
    Store(StoreError),
}

impl fmt::Display for ReachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { named_by, location, why } = self;
        match why {
            Unread::Missing => write!(f, "{named_by} names {location}, which is not there"),
            Unread::Broken(why) => write!(f, "{named_by} names {location}, which cannot be read: {why}"),
            Unread::Store(why) => write!(f, "{named_by} names {location}: {why}"),
        }
    }
}

impl std::error::Error for ReachError {}

impl Reach {
    /// Reads what `metadata` names. What `known` has read before is not read again: manifests and lists never change.
    ///
    /// # Errors
    /// Whatever is named and cannot be read: half of what a table names is no basis for anything.
    pub async fn read(store: &Store, metadata: &TableMetadata, known: Self) -> Result<Self, ReachError> {
        let Self { lists: mut known_lists, manifests: mut known_manifests } = known;
        let mut reach = Self::default();
        let mut unread = Vec::new();
        for snapshot in metadata.snapshots() {
            let id = snapshot.snapshot_id();
            match known_lists.remove(&id).filter(|list| list.location == snapshot.manifest_list()) {
                Some(list) => drop(reach.lists.insert(id, list)),
                None => unread.push(read_list(store, metadata, id, snapshot.manifest_list())),
            }
        }
        let read: Vec<(i64, List)> = futures::stream::iter(unread).buffer_unordered(READS).try_collect().await?;
        reach.lists.extend(read);
        let (mut unread, mut asked) = (Vec::new(), HashSet::new());
        for (id, list) in &reach.lists {
            for manifest in &list.manifests {
                let location = manifest.manifest_path.as_str();
                if !asked.insert(location) {
                    continue;
                }
                match known_manifests.remove(location) {
                    Some(content) => drop(reach.manifests.insert(location.to_string(), content)),
                    None => unread.push(read_manifest(store, *id, manifest.clone())),
                }
            }
        }
        let read: Vec<(String, Content)> = futures::stream::iter(unread).buffer_unordered(READS).try_collect().await?;
        reach.manifests.extend(read);
        Ok(reach)
    }

    /// Each manifest of a snapshot with its content; none of a snapshot that the metadata does not hold.
    pub fn of(&self, snapshot: i64) -> impl Iterator<Item = (&ManifestFile, &Content)> {
        let manifests = self.lists.get(&snapshot).map_or(&[][..], |list| &list.manifests[..]);
        manifests.iter().filter_map(|m| self.manifests.get(&m.manifest_path).map(|content| (m, content)))
    }

    /// The file name of everything named: lists, manifests, data and delete files, deleted ones too. Names alone tell
    /// files apart, for each holds a random id, and no spelling of the folders before them matters.
    pub fn names(&self) -> HashSet<&str> {
        let lists = self.lists.values().map(|list| list.location.as_str());
        let manifests = self.manifests.keys().map(String::as_str);
        let files = self.manifests.values().flat_map(|m| m.items.iter().map(|item| item.location.as_str()));
        lists.chain(manifests).chain(files).map(name_of).collect()
    }
}

/// The last part of a location.
pub fn name_of(location: &str) -> &str {
    location.rsplit('/').next().unwrap_or(location)
}

async fn read_list(
    store: &Store,
    metadata: &TableMetadata,
    snapshot: i64,
    location: &str,
) -> Result<(i64, List), ReachError> {
    let error = |why| ReachError { named_by: format!("snapshot {snapshot}"), location: location.to_string(), why };
    let bytes = store.read(location).await.map_err(|e| error(e.into()))?;
    let list = ManifestList::parse_with_version(&bytes, metadata.format_version())
        .map_err(|e| error(Unread::Broken(e.to_string())))?;
    let manifests = list.consume_entries().into_iter().collect();
    Ok((snapshot, List { location: location.to_string(), manifests }))
}

async fn read_manifest(store: &Store, snapshot: i64, manifest: ManifestFile) -> Result<(String, Content), ReachError> {
    let location = manifest.manifest_path;
    let error = |why| ReachError {
        named_by: format!("the manifest list of snapshot {snapshot}"),
        location: location.clone(),
        why,
    };
    if manifest.key_metadata.is_some() {
        return Err(error(Unread::Broken("it is encrypted".to_string())));
    }
    let bytes = store.read(&location).await.map_err(|e| error(e.into()))?;
    let parsed = Manifest::parse_avro(&bytes).map_err(|e| error(Unread::Broken(e.to_string())))?;
    let is_data = manifest.content == ManifestContentType::Data;
    let item = |entry: &iceberg::spec::ManifestEntryRef| Item {
        location: entry.file_path().to_string(),
        content: if is_data { DataContentType::Data } else { entry.content_type() },
        status: entry.status(),
        rows: entry.record_count(),
        bytes: entry.file_size_in_bytes(),
        // A manifest that does not say it means the snapshot that added the manifest.
        snapshot_id: entry.snapshot_id().unwrap_or(manifest.added_snapshot_id),
    };
    let items = parsed.entries().iter().map(item).collect();
    Ok((location, Content { items, bytes: bytes.len() as u64 }))
}

impl From<StoreError> for Unread {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound(_) => Self::Missing,
            other => Self::Store(other),
        }
    }
}
