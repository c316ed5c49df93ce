//! What a head holds: its live data files, and whether any are deleted from.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{DataFile, Manifest, ManifestContentType, ManifestFile, ManifestList, TableMetadata};

use super::CompactError;
use crate::store::Store;

/// Manifests read at once.
const READS: usize = 16;

/// A live data file.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) file: DataFile,
    /// Its data sequence number.
    pub(crate) sequence: i64,
    pub(crate) spec_id: i32,
    /// The manifest that lists it.
    pub(crate) manifest: String,
}

/// What a head holds.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) files: HashMap<String, Live>,
    /// A manifest of delete files, where there is one that is not empty.
    pub(crate) deletes: Option<String>,
}

impl Held {
    /// Reads the manifests of a head. Those that hold nothing as old as `newest`, a data sequence number, are left out.
    pub(crate) async fn read(store: &Store, head: &TableMetadata, newest: i64) -> Result<Self, CompactError> {
        let Some(snapshot) = head.current_snapshot() else { return Ok(Self::default()) };
        let broken = |e: iceberg::Error| {
            let location = snapshot.manifest_list().to_string();
            CompactError::File { location, why: e.to_string() }
        };
        let bytes = store.read(snapshot.manifest_list()).await?;
        let list = ManifestList::parse_with_version(&bytes, head.format_version()).map_err(broken)?;
        let says_something = |m: &ManifestFile| m.has_added_files() || m.has_existing_files();
        let (data, deletes): (Vec<_>, Vec<_>) = list
            .consume_entries()
            .into_iter()
            .filter(says_something)
            .partition(|m| m.content == ManifestContentType::Data);
        let file_io = store.file_io();
        let data: Vec<_> = data.into_iter().filter(|m| m.min_sequence_number <= newest).collect();
        let loads: Vec<_> = data.iter().map(|manifest| manifest.load_manifest(&file_io)).collect();
        let loaded: Vec<Manifest> = futures::stream::iter(loads).buffered(READS).try_collect().await.map_err(broken)?;
        let mut held = Self { files: HashMap::new(), deletes: deletes.into_iter().next().map(|m| m.manifest_path) };
        for (manifest, content) in data.into_iter().zip(loaded) {
            for entry in content.entries().iter().filter(|entry| entry.is_alive()) {
                let live = Live {
                    file: entry.data_file().clone(),
                    sequence: entry.sequence_number().unwrap_or(manifest.sequence_number),
                    spec_id: manifest.partition_spec_id,
                    manifest: manifest.manifest_path.clone(),
                };
                if held.files.insert(entry.file_path().to_string(), live).is_some() {
                    return Err(CompactError::Refused(format!(
                        "the data file {} is listed twice: `weir verify` says more",
                        entry.file_path()
                    )));
                }
            }
        }
        Ok(held)
    }
}
