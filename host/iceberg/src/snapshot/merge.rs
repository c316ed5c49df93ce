//! Merging manifests: every commit adds one, and a scan reads them all.
//!
//! As Java's MergeAppend does it: manifests are packed, oldest data first, into bins of the target size. A bin that is
//! full stays as it is; the newest is written anew once it has gathered `commit.manifest.min-count-to-merge`.

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{
    DataFile, DataFileBuilder, FormatVersion, Manifest, ManifestContentType, ManifestFile, TableMetadata,
};

use super::{Stage, StageError};

/// Manifests read at once.
const READS: usize = 16;

/// Merges what is worth it; `all` that can be, where somebody asked for it.
pub(super) async fn merge(
    stage: &mut Stage<'_>,
    manifests: Vec<ManifestFile>,
    all: bool,
) -> Result<Vec<ManifestFile>, StageError> {
    let mut settings = Settings::of(stage.base);
    if all {
        (settings.enabled, settings.count_min) = (true, 2);
    }
    if !settings.enabled {
        return Ok(manifests);
    }
    let spec_id = stage.base.default_partition_spec_id();
    let (bins, mut kept) = bins(stage.base, manifests, settings.target_bytes);
    let newest = bins.len().saturating_sub(1);
    for (i, bin) in bins.into_iter().enumerate() {
        // One more than there are: the manifest of the snapshot being staged belongs to the newest bin.
        if bin.len() < 2 || (i == newest && bin.len() + 1 < settings.count_min) {
            kept.extend(bin);
        } else {
            kept.push(write_merged(stage, spec_id, &bin).await?);
        }
    }
    Ok(kept)
}

/// How many manifests there are when all that can be are merged.
pub(super) fn merged_count(base: &TableMetadata, manifests: Vec<ManifestFile>) -> usize {
    let (bins, kept) = bins(base, manifests, Settings::of(base).target_bytes);
    bins.len() + kept.len()
}

/// Those that may be merged, by what goes together, and those that may not.
fn bins(
    base: &TableMetadata,
    manifests: Vec<ManifestFile>,
    target_bytes: i64,
) -> (Vec<Vec<ManifestFile>>, Vec<ManifestFile>) {
    let spec_id = base.default_partition_spec_id();
    // Those of older specs become no more, and some may need columns that the schema no longer has.
    let (mut candidates, kept): (Vec<_>, Vec<_>) = manifests.into_iter().partition(|m| {
        m.content == ManifestContentType::Data && m.partition_spec_id == spec_id && m.key_metadata.is_none()
    });
    candidates.sort_by_key(|m| (m.min_sequence_number, m.sequence_number));
    (pack(candidates, target_bytes), kept)
}

struct Settings {
    enabled: bool,
    count_min: usize,
    target_bytes: i64,
}

impl Settings {
    fn of(base: &TableMetadata) -> Self {
        let get = |key: &str| base.properties().get(&format!("commit.{key}"));
        Self {
            enabled: get("manifest-merge.enabled").is_none_or(|v| v != "false"),
            count_min: get("manifest.min-count-to-merge").and_then(|v| v.parse().ok()).unwrap_or(100),
            target_bytes: get("manifest.target-size-bytes").and_then(|v| v.parse().ok()).unwrap_or(8 << 20),
        }
    }
}

fn pack(manifests: Vec<ManifestFile>, target_bytes: i64) -> Vec<Vec<ManifestFile>> {
    let mut bins: Vec<Vec<ManifestFile>> = Vec::new();
    let mut room = 0;
    for manifest in manifests {
        match bins.last_mut() {
            Some(bin) if manifest.manifest_length <= room => {
                room -= manifest.manifest_length;
                bin.push(manifest);
            }
            _ => {
                room = target_bytes - manifest.manifest_length;
                bins.push(vec![manifest]);
            }
        }
    }
    bins
}

async fn write_merged(stage: &mut Stage<'_>, spec_id: i32, bin: &[ManifestFile]) -> Result<ManifestFile, StageError> {
    let file_io = stage.file_io;
    // Gathered first: a lazy map's futures are not Send for every lifetime, as the compiler wants it.
    let loads: Vec<_> = bin.iter().map(|manifest| manifest.load_manifest(file_io)).collect();
    let loaded: Vec<Manifest> = futures::stream::iter(loads).buffered(READS).try_collect().await?;
    let mut writer = stage.manifest_writer(spec_id)?;
    for (manifest, loaded) in bin.iter().zip(loaded) {
        let mut row_id = manifest.first_row_id.filter(|_| stage.base.format_version() == FormatVersion::V3);
        for entry in loaded.entries().iter().filter(|entry| entry.is_alive()) {
            let (Some(snapshot_id), Some(sequence_number)) = (entry.snapshot_id(), entry.sequence_number()) else {
                return Err(StageError::Impossible(format!("{} lacks ids of its entries", manifest.manifest_path)));
            };
            let mut file = entry.data_file().clone();
            // What it inherited from its place in its manifest, it now has to say itself (specification, Row Lineage).
            if let (Some(next), None) = (row_id, file.first_row_id()) {
                file = with_first_row_id(&file, spec_id, next)?;
                row_id = Some(next + file.record_count());
            }
            writer.add_existing_file(file, snapshot_id, sequence_number, entry.file_sequence_number)?;
        }
    }
    Ok(writer.write_manifest_file().await?)
}

fn with_first_row_id(file: &DataFile, spec_id: i32, id: u64) -> Result<DataFile, StageError> {
    let mut builder = DataFileBuilder::default();
    builder
        .content(file.content_type())
        .file_path(file.file_path().to_string())
        .file_format(file.file_format())
        .partition(file.partition().clone())
        .partition_spec_id(spec_id)
        .record_count(file.record_count())
        .file_size_in_bytes(file.file_size_in_bytes())
        .column_sizes(file.column_sizes().clone())
        .value_counts(file.value_counts().clone())
        .null_value_counts(file.null_value_counts().clone())
        .nan_value_counts(file.nan_value_counts().clone())
        .lower_bounds(file.lower_bounds().clone())
        .upper_bounds(file.upper_bounds().clone())
        .key_metadata(file.key_metadata().map(<[u8]>::to_vec))
        .split_offsets(file.split_offsets().map(<[i64]>::to_vec))
        .equality_ids(file.equality_ids())
        .first_row_id(i64::try_from(id).ok())
        .referenced_data_file(file.referenced_data_file())
        .content_offset(file.content_offset())
        .content_size_in_bytes(file.content_size_in_bytes());
    if let Some(order) = file.sort_order_id() {
        builder.sort_order_id(order);
    }
    builder.build().map_err(|e| StageError::Impossible(e.to_string()))
}
