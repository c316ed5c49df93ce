//! What the files of one epoch are written for, worked out once.

use std::path::PathBuf;
use std::sync::Arc;

use iceberg::spec::{PartitionSpecRef, Struct};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::encoding::Encoding;
use super::file::Place;
use super::paths::{Names, data_folder, partition_folder};
use super::{WriteError, WriteTarget};
use crate::layout::Layout;
use crate::properties::WriteProperties;
use crate::schema::Mapping;
use crate::store::{Store, local};

/// A target, bound.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) mapping: Mapping,
    pub(super) layout: Layout,
    pub(super) encoding: Arc<Encoding>,
    pub(super) schema_id: i32,
    pub(super) spec: PartitionSpecRef,
    data_folder: String,
    store: Store,
    names: Arc<Names>,
    spill: Arc<Spill>,
}

impl Plan {
    pub(super) fn new(
        store: &Store,
        target: &WriteTarget,
        names: &Arc<Names>,
        spill: &Arc<Spill>,
    ) -> Result<Self, WriteError> {
        let metadata = &target.metadata;
        let properties = WriteProperties::read(metadata.properties())?;
        Ok(Self {
            mapping: target.mapping.clone(),
            layout: Layout::new(metadata, target.mapping.schema())?,
            encoding: Arc::new(Encoding::new(metadata, &target.mapping, &properties)?),
            schema_id: metadata.current_schema_id(),
            spec: Arc::clone(metadata.default_partition_spec()),
            data_folder: data_folder(metadata, &properties),
            store: store.clone(),
            names: Arc::clone(names),
            spill: Arc::clone(spill),
        })
    }

    /// A place for a new file of a partition; its folder is there.
    pub(super) fn place(&self, partition: &Struct) -> Result<Place, WriteError> {
        let name = self.names.next();
        let folder = match partition_folder(&self.spec, partition) {
            folder if folder.is_empty() => self.data_folder.clone(),
            folder => format!("{}/{folder}", self.data_folder),
        };
        let location = format!("{folder}/{name}");
        match self.store.local_path(&location) {
            Some(path) => {
                let folder = path.parent().map(PathBuf::from).unwrap_or_default();
                local::make_folder(&folder).map_err(|source| WriteError::Io { doing: "make", path: folder, source })?;
                Ok(Place { location, path, is_remote: false })
            }
            None => Ok(Place { location, path: self.spill.folder()?.join(name), is_remote: true }),
        }
    }
}

/// A folder of this process for files that wait for their upload. Gone when the process is: what a killed one left is
/// swept by the next.
#[derive(Debug)]
pub(super) struct Spill {
    above: PathBuf,
    folder: OnceCell<(PathBuf, local::Lock)>,
}

impl Spill {
    const PREFIX: &'static str = "weir-upload-";

    pub(super) fn new(above: PathBuf) -> Self {
        Self { above, folder: OnceCell::new() }
    }

    /// The folder, made where it is not there.
    pub(super) fn folder(&self) -> Result<PathBuf, WriteError> {
        if let Some((folder, _)) = self.folder.get() {
            return Ok(folder.clone());
        }
        let folder = self.above.join(format!("{}{}", Self::PREFIX, Uuid::now_v7()));
        let error = |source| WriteError::Io { doing: "make", path: folder.clone(), source };
        std::fs::create_dir_all(&self.above).map_err(error)?;
        // Held while a folder is there and not yet locked: a sweep, of another thread or process, would take it for one
        // that a killed process left.
        let _making = local::Lock::take(&self.above).map_err(error)?;
        if let Some((folder, _)) = self.folder.get() {
            return Ok(folder.clone());
        }
        std::fs::create_dir(&folder).map_err(error)?;
        let lock = local::Lock::try_take(&folder).map_err(error)?;
        let Some(lock) = lock else {
            return Err(error(std::io::Error::other("somebody else has a new folder locked")));
        };
        self.sweep();
        let _ = self.folder.set((folder.clone(), lock));
        Ok(folder)
    }

    /// Removes folders that no living process has locked.
    fn sweep(&self) {
        let entries = std::fs::read_dir(&self.above).into_iter().flatten().flatten();
        for entry in entries.filter(|e| e.file_name().to_string_lossy().starts_with(Self::PREFIX)) {
            if let Ok(Some(_lock)) = local::Lock::try_take(&entry.path())
                && let Err(e) = std::fs::remove_dir_all(entry.path())
            {
                tracing::warn!(folder = %entry.path().display(), error = %e, "cannot remove what a killed process left");
            }
        }
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if let Some((folder, _)) = self.folder.get() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
