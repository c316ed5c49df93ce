//! The `hadoop` catalog: a table is a folder, version N of its metadata is `metadata/vN.metadata.json`, and
//! `metadata/version-hint.text` says where to begin to look.
//!
//! The swap is the creation of version N + 1 where none is. The hint follows it, may lag and never leads. Its rules keep
//! that safe although old versions are deleted and stopped processes wake up:
//!
//! - A load reads the hint, looks forward, and reads the hint again: above the version found, or below the hint first
//!   read, it starts over. (While it looked, what lay between may have been deleted.)
//! - After N + 1 is made the hint is read again. Above N + 1 the file may be one that was deleted long ago, made again by
//!   a process that slept: the snapshot it adds decides. In the head's ancestry it is done, else the file goes.
//! - A version is deleted only after the hint has been read back above it.

use std::sync::Arc;

use iceberg::spec::{MetadataLog, TableMetadata};
use iceberg::{NamespaceIdent, TableCreation, TableIdent, TableRequirement, TableUpdate};
use uuid::Uuid;
use weir_pipeline::fault::{self, Point};
use weir_pipeline::sink::SwapError;

use super::{CatalogError, Loaded, Token, first_metadata, read_metadata, refused, table_location};
use crate::metadata::{self, ApplyError};
use crate::store::{Place, Store, StoreError, Tag, Written};

mod hint;
#[cfg(test)]
mod tests;

pub(crate) use hint::Hint;

/// How often a load starts over before it gives up for now. Each time others have committed meanwhile.
const LOADS_MAX: usize = 20;

/// A warehouse whose folders are its tables. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Hadoop {
    store: Store,
}

/// One table's folder.
#[derive(Clone, Debug)]
struct Folder {
    store: Store,
    location: String,
    metadata: String,
    hint: Hint,
}

impl Hadoop {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    fn folder(&self, ident: &TableIdent) -> Result<Folder, CatalogError> {
        let location = table_location(self.store.warehouse(), ident)?;
        let metadata = format!("{location}/metadata");
        let hint = Hint::new(self.store.clone(), &metadata);
        Ok(Folder { store: self.store.clone(), location, metadata, hint })
    }

    pub(super) async fn load(&self, ident: &TableIdent) -> Result<Loaded, CatalogError> {
        let folder = self.folder(ident)?;
        for _ in 0..LOADS_MAX {
            let Some((version, location)) = folder.newest(ident).await? else { continue };
            let metadata = match read_metadata(&folder.store, &location).await {
                // Deleted since: there is a newer one.
                Err(CatalogError::Store(StoreError::NotFound(_))) => continue,
                read => read?,
            };
            folder.check_location(ident, &metadata)?;
            // In the table's own spelling, which is what its log will say.
            let name = location.rsplit('/').next().unwrap_or_default();
            let location = format!("{}/metadata/{name}", metadata.location());
            return Ok(Loaded { metadata: Arc::new(metadata), location, token: Token::Version(version) });
        }
        Err(CatalogError::Unavailable(format!("{ident} changes too quickly to be read: {LOADS_MAX} attempts")))
    }

    pub(super) async fn create(&self, ident: &TableIdent, creation: TableCreation) -> Result<Loaded, CatalogError> {
        let folder = self.folder(ident)?;
        if let Some(location) = &creation.location
            && !Place::is_same(location, &folder.location)
        {
            return Err(refused(format!("{ident} is at {}, by its name: it cannot be at {location}", folder.location)));
        }
        let location = folder.location.clone();
        let metadata = first_metadata(TableCreation { location: Some(location), ..creation })?;
        let bytes = metadata::encode(&metadata).map_err(refused)?;
        let location = folder.version_location(&metadata, 1);
        // A folder whose first version was deleted long ago is a table, too.
        match self.load(ident).await {
            Err(CatalogError::NotFound(_)) => {}
            other => return other.and(Err(CatalogError::Exists(ident.clone()))),
        }
        if self.store.create(&location, bytes).await? == Written::Refused {
            return Err(CatalogError::Exists(ident.clone()));
        }
        if folder.hint.read().await?.is_some_and(|hinted| hinted > 1) {
            let head = self.load(ident).await?;
            if head.metadata.uuid() == metadata.uuid() {
                return Ok(head);
            }
            self.store.delete(&location).await?;
            return Err(CatalogError::Exists(ident.clone()));
        }
        folder.hint.raise(1).await;
        Ok(Loaded { metadata: Arc::new(metadata), location, token: Token::Version(1) })
    }

    pub(super) async fn replace(
        &self,
        ident: &TableIdent,
        base: &Loaded,
        requirements: &[TableRequirement],
        updates: Vec<TableUpdate>,
    ) -> Result<Loaded, SwapError> {
        let Token::Version(version) = base.token else {
            return Err(SwapError::Fatal(format!("{ident} was loaded from another catalog")));
        };
        let next = version + 1;
        let folder = self.folder(ident).map_err(|e| SwapError::Fatal(e.to_string()))?;
        let own = metadata::added_snapshot(&updates);
        let applied = metadata::apply(&base.metadata, &base.location, requirements, updates)?;
        let location = folder.version_location(&applied.metadata, next);
        let bytes = metadata::encode(&applied.metadata)?;
        // Whether it is there after an error, nobody knows.
        match self.store.create(&location, bytes).await.map_err(|e| SwapError::Unknown(e.to_string()))? {
            Written::Refused => return Err(SwapError::Conflict(format!("version {next} of {ident} exists"))),
            Written::Done => {}
        }
        fault::pass(Point::VersionMade).map_err(SwapError::Unknown)?;
        let hinted = folder.hint.read().await.map_err(|e| SwapError::Unknown(e.to_string()))?;
        if hinted.is_some_and(|hinted| hinted > next) {
            return self.woken_late(ident, &folder, &location, own).await;
        }
        folder.hint.raise(next).await;
        if metadata::deletes_old_versions(&applied.metadata) {
            folder.delete_below_hint(&applied.expired).await;
        }
        Ok(Loaded { metadata: Arc::new(applied.metadata), location, token: Token::Version(next) })
    }

    /// The file just made lies behind the hint: either others have built on it already, or it had been deleted before
    /// this process made it again.
    async fn woken_late(
        &self,
        ident: &TableIdent,
        folder: &Folder,
        location: &str,
        own: Option<i64>,
    ) -> Result<Loaded, SwapError> {
        let head = self.load(ident).await.map_err(|e| SwapError::Unknown(e.to_string()))?;
        if own.is_some_and(|own| metadata::ancestry(&head.metadata).any(|s| s.snapshot_id() == own)) {
            return Ok(head);
        }
        // No reader takes it: whoever finds it reads a hint above it next.
        folder.store.delete(location).await.map_err(|e| SwapError::Unknown(e.to_string()))?;
        Err(SwapError::Conflict(format!("{ident} is far ahead of the version that was replaced")))
    }

    pub(super) async fn list(&self, namespace: Option<&NamespaceIdent>) -> Result<Vec<TableIdent>, CatalogError> {
        let mut found = Vec::new();
        let mut open: Vec<Vec<String>> = vec![namespace.map(|n| n.to_vec()).unwrap_or_default()];
        while let Some(levels) = open.pop() {
            let folder = std::iter::once(self.store.warehouse()).chain(levels.iter().map(String::as_str));
            let folder = folder.collect::<Vec<_>>().join("/");
            for entry in self.store.list(&folder).await? {
                if !entry.is_folder || entry.name.starts_with('.') {
                    continue;
                }
                let inside = self.store.list(&format!("{folder}/{}/metadata", entry.name)).await?;
                if inside.iter().any(|e| version_of(&e.name).is_some()) {
                    if let Ok(space) = NamespaceIdent::from_vec(levels.clone()) {
                        found.push(TableIdent::new(space, entry.name));
                    }
                } else if namespace.is_none() {
                    open.push(levels.iter().cloned().chain([entry.name]).collect());
                }
            }
        }
        Ok(found)
    }

    pub(super) async fn prove(&self) -> Result<(), CatalogError> {
        let folder = format!("{}/.weir-proof-{}", self.store.warehouse(), Uuid::new_v4().simple());
        let key = format!("{folder}/v1.metadata.json");
        let first = self.store.create(&key, "first".into()).await?;
        let second = self.store.create(&key, "second".into()).await?;
        let kept = self.store.read(&key).await?;
        let changed = self.prove_change(&key).await?;
        self.store.delete(&key).await?;
        if let Some(path) = self.store.local_path(&folder) {
            // Empty now; if not, somebody will wonder about its name, and that is all.
            let _ = std::fs::remove_dir(path);
        }
        let refused_second = first == Written::Done && second == Written::Refused && kept.as_ref() == b"first";
        if !refused_second {
            return Err(refused(format!(
                "{} lets a file be created twice (no hard links, or no If-None-Match): nothing on it can be exactly once",
                self.store.warehouse()
            )));
        }
        if !changed {
            return Err(refused(format!(
                "{} takes a change of a file that has changed since it was read (no locks, or no If-Match): nothing on \
                 it can be exactly once",
                self.store.warehouse()
            )));
        }
        Ok(())
    }

    /// Whether a change of what has changed is refused, and one of what has not is taken.
    async fn prove_change(&self, key: &str) -> Result<bool, CatalogError> {
        if let Some(path) = self.store.local_path(key) {
            return Ok(hint::locks_exclude(path).await?);
        }
        let (_, stale): (_, Tag) = self.store.read_tagged(key).await?;
        let taken = self.store.replace(key, "third".into(), Some(stale.clone())).await?;
        let late = self.store.replace(key, "fourth".into(), Some(stale)).await?;
        Ok(taken == Written::Done && late == Written::Refused && self.store.read(key).await?.as_ref() == b"third")
    }
}

impl Folder {
    /// The newest version and its file, as far as can be said; `None` if the table moved on meanwhile.
    async fn newest(&self, ident: &TableIdent) -> Result<Option<(u64, String)>, CatalogError> {
        let before = self.hint.read().await?;
        let begin = match before {
            Some(hinted) => hinted,
            None => self.highest_listed().await?.ok_or_else(|| CatalogError::NotFound(ident.clone()))?,
        };
        let mut found = self.file_of(begin).await?.map(|file| (begin, file));
        if let Some((version, file)) = &mut found {
            while let Some(next) = self.file_of(*version + 1).await? {
                (*version, *file) = (*version + 1, next);
            }
        }
        let after = self.hint.read().await?;
        let version = found.as_ref().map_or(begin, |(version, _)| *version);
        if after.is_some_and(|after| after > version) || after < before {
            return Ok(None);
        }
        match found {
            Some(found) => Ok(Some(found)),
            None => Err(refused(format!(
                "{ident}: version-hint.text says version {begin}, and there is no such file in {}",
                self.metadata
            ))),
        }
    }

    /// The file of a version: as Weir and Java write it, or compressed as Java may.
    async fn file_of(&self, version: u64) -> Result<Option<String>, StoreError> {
        let location = |suffix| format!("{}/v{version}{suffix}", self.metadata);
        let names = [".metadata.json", ".gz.metadata.json", ".metadata.json.gz"].map(location);
        let [plain, new, old] = &names;
        let (plain, new, old) =
            tokio::try_join!(self.store.exists(plain), self.store.exists(new), self.store.exists(old))?;
        Ok([plain, new, old].into_iter().zip(names).find_map(|(is_there, name)| is_there.then_some(name)))
    }

    async fn highest_listed(&self) -> Result<Option<u64>, StoreError> {
        let entries = self.store.list(&self.metadata).await?;
        Ok(entries.iter().filter_map(|entry| version_of(&entry.name)).max())
    }

    /// Where a version goes: always uncompressed, for one version must have one name. In the table's own spelling.
    fn version_location(&self, metadata: &TableMetadata, version: u64) -> String {
        format!("{}/metadata/v{version}.metadata.json", metadata.location())
    }

    fn check_location(&self, ident: &TableIdent, metadata: &TableMetadata) -> Result<(), CatalogError> {
        let same = Place::is_same(metadata.location(), &self.location)
            || match (self.store.local_path(metadata.location()), self.store.local_path(&self.location)) {
                (Some(a), Some(b)) => a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b)),
                _ => false,
            };
        if same {
            return Ok(());
        }
        Err(refused(format!(
            "{ident} was moved or copied: its folder is {}, and its metadata says {}",
            self.location,
            metadata.location()
        )))
    }

    /// Deletes versions that have left the log, oldest first, as far as the hint is above them. One that stays is
    /// only clutter.
    async fn delete_below_hint(&self, expired: &[MetadataLog]) {
        if expired.is_empty() {
            return;
        }
        let Ok(Some(hinted)) = self.hint.read().await else { return };
        for log in expired {
            let name = log.metadata_file.rsplit('/').next().unwrap_or_default();
            if version_of(name).is_some_and(|version| version < hinted)
                && let Err(e) = self.store.delete(&format!("{}/{name}", self.metadata)).await
            {
                tracing::debug!(file = name, error = %e, "an old version of the metadata stays");
            }
        }
    }
}

/// The version in a metadata file's name.
pub(crate) fn version_of(name: &str) -> Option<u64> {
    let stem =
        [".gz.metadata.json", ".metadata.json.gz", ".metadata.json"].iter().find_map(|s| name.strip_suffix(s))?;
    stem.strip_prefix('v')?.parse().ok()
}

impl From<CatalogError> for SwapError {
    /// For what fails before a swap is under way.
    fn from(e: CatalogError) -> Self {
        if e.is_passing() { Self::Unknown(e.to_string()) } else { Self::Fatal(e.to_string()) }
    }
}

impl From<ApplyError> for CatalogError {
    fn from(e: ApplyError) -> Self {
        Self::Refused(e.to_string())
    }
}
