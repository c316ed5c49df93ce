//! Taking files out of a head's manifests.
//!
//! A manifest that holds one is written anew: its other files stay in it as they were, those that go are listed as
//! deleted by this snapshot. Manifests that hold none are not read.

use std::collections::HashSet;

use iceberg::spec::{ManifestContentType, ManifestFile};

use super::{Replaced, Stage, StageError};

/// Gives the manifests that stay as they are, and those that take the places of the others.
pub(super) async fn take_out(
    stage: &mut Stage<'_>,
    manifests: Vec<ManifestFile>,
    replaced: Replaced<'_>,
) -> Result<(Vec<ManifestFile>, Vec<ManifestFile>), StageError> {
    let (holding, untouched): (Vec<_>, Vec<_>) = manifests
        .into_iter()
        .partition(|m| m.content == ManifestContentType::Data && replaced.manifests.contains(m.manifest_path.as_str()));
    let mut left: HashSet<&str> = replaced.files.iter().map(|file| file.file_path()).collect();
    let mut rewritten = Vec::with_capacity(holding.len());
    for manifest in &holding {
        rewritten.push(write(stage, manifest, &mut left).await?);
    }
    match left.into_iter().next() {
        Some(file) => Err(StageError::Impossible(format!("{file} is not live in the head"))),
        None => Ok((untouched, rewritten)),
    }
}

async fn write(
    stage: &mut Stage<'_>,
    manifest: &ManifestFile,
    left: &mut HashSet<&str>,
) -> Result<ManifestFile, StageError> {
    let loaded = manifest.load_manifest(stage.file_io).await?;
    let mut writer = stage.manifest_writer(manifest.partition_spec_id)?;
    for entry in loaded.entries().iter().filter(|entry| entry.is_alive()) {
        let (Some(snapshot_id), Some(sequence)) = (entry.snapshot_id(), entry.sequence_number()) else {
            return Err(StageError::Impossible(format!("{} lacks ids of its entries", manifest.manifest_path)));
        };
        let file = entry.data_file().clone();
        if left.remove(entry.file_path()) {
            writer.add_delete_file(file, sequence, entry.file_sequence_number)?;
        } else {
            writer.add_existing_file(file, snapshot_id, sequence, entry.file_sequence_number)?;
        }
    }
    Ok(writer.write_manifest_file().await?)
}
