//! Everything below a folder, with size and time: for who looks for files that nobody names.

use std::io;
use std::path::Path as FilePath;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Store, StoreError, io_error, local, object_error};

/// A file below a folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Found {
    /// Its name from that folder on, with slashes.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last written by the store's own clock, milliseconds since 1970.
    pub modified_ms: i64,
}

impl Store {
    /// All files below a folder, in the order of their names; none where it is absent. Links are not followed, for they
    /// may lead out of it.
    pub async fn walk(&self, folder: &str) -> Result<Vec<Found>, StoreError> {
        let mut found = match self.local_path(folder) {
            Some(path) => local::blocking(move || descend(&path)).await.map_err(io_error("list", folder))?,
            None => self.walk_objects(folder).await?,
        };
        found.sort();
        Ok(found)
    }

    async fn walk_objects(&self, folder: &str) -> Result<Vec<Found>, StoreError> {
        let (store, path) = self.object(folder)?;
        let objects: Vec<_> = store.list(Some(&path)).try_collect().await.map_err(object_error("list", folder))?;
        let found = objects.into_iter().filter_map(|object| {
            let name = object.location.as_ref().strip_prefix(path.as_ref())?.trim_start_matches('/');
            let modified_ms = object.last_modified.timestamp_millis();
            (!name.is_empty()).then(|| Found { name: name.to_string(), bytes: object.size, modified_ms })
        });
        Ok(found.collect())
    }

    /// When a file was last written by the store's own clock, milliseconds since 1970.
    pub async fn modified_ms(&self, location: &str) -> Result<i64, StoreError> {
        if let Some(path) = self.local_path(location) {
            let modified = local::blocking(move || std::fs::metadata(path)?.modified()).await;
            return modified.map(milliseconds).map_err(io_error("look at", location));
        }
        let (store, path) = self.object(location)?;
        let head = store.head(&path).await.map_err(object_error("look at", location))?;
        Ok(head.last_modified.timestamp_millis())
    }
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = |d: std::time::Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -since(before.duration()), since)
}

fn descend(root: &FilePath) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut open = vec![(root.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            // Somebody tidies up at the same time.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = match entry.metadata() {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            let name = format!("{prefix}{name}");
            if metadata.is_dir() {
                open.push((entry.path(), format!("{name}/")));
            } else if metadata.is_file() {
                found.push(Found { name, bytes: metadata.len(), modified_ms: milliseconds(metadata.modified()?) });
            }
        }
    }
    Ok(found)
}
