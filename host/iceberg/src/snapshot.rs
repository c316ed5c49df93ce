//! Staging: what a table would be with one more snapshot, written down as requirements and updates.
//!
//! The manifests and their list are written and durable when a stage is done; no catalog knows them until a swap takes
//! the updates. A stage is for one head: after a lost swap the same data files are staged again on the new one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use iceberg::io::FileIO;
use iceberg::spec::{
    DataFile, FormatVersion, MAIN_BRANCH, ManifestFile, ManifestList, ManifestListWriter, ManifestWriter,
    ManifestWriterBuilder, Operation as Kind, Snapshot, TableMetadata,
};
use iceberg::{TableRequirement, TableUpdate};
use uuid::Uuid;

use crate::metadata;
use crate::store::StoreError;

mod merge;
mod replace;
mod shape;
mod summary;
#[cfg(test)]
mod tests;

pub use shape::Shape;

/// What a snapshot does to a table. An append, of no files where there are none, or a replace.
#[derive(Clone, Debug, Default)]
pub struct Operation<'a> {
    /// Data files to add.
    pub added: &'a [DataFile],
    /// What the added files replace: the same rows in other files.
    pub replaced: Option<Replaced<'a>>,
    /// Whether all small manifests are merged, and not only when they have grown many. A replace, of no files.
    pub merges_manifests: bool,
    /// The partition spec they were written for.
    pub spec_id: i32,
    /// What becomes of schema, partitioning and order.
    pub shape: Shape,
    /// Keys of the summary beside the standard ones.
    pub summary: BTreeMap<String, String>,
    /// Table properties to set in the same swap.
    pub properties: Properties<'a>,
    /// The wall clock, milliseconds since 1970. The snapshot's time is never before the last update plus one.
    pub now_ms: i64,
}

/// Files that go because others hold their rows.
#[derive(Clone, Copy, Debug)]
pub struct Replaced<'a> {
    /// The files. All must be live in the head.
    pub files: &'a [DataFile],
    /// The manifests of the head that hold them, by location.
    pub manifests: &'a BTreeSet<String>,
    /// The data sequence number of each added file.
    pub sequences: &'a [i64],
}

/// Makes table properties of the new snapshot's id and sequence number.
#[derive(Clone, Default)]
pub struct Properties<'a>(Option<&'a (dyn Fn(i64, i64) -> HashMap<String, String> + Sync)>);

impl<'a> Properties<'a> {
    /// Properties that `make` makes of snapshot id and sequence number.
    pub fn new(make: &'a (dyn Fn(i64, i64) -> HashMap<String, String> + Sync)) -> Self {
        Self(Some(make))
    }
}

impl std::fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "some" } else { "none" })
    }
}

/// A staged snapshot.
#[derive(Debug)]
pub struct Staged {
    /// What must hold of the table.
    pub requirements: Vec<TableRequirement>,
    /// What then becomes of it.
    pub updates: Vec<TableUpdate>,
    /// The new snapshot's id.
    pub snapshot_id: i64,
    /// Manifests and list, written for this stage alone.
    pub written: Vec<String>,
}

/// Why nothing was staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// It may work later.
    #[error("cannot stage a snapshot: {0}")]
    Passing(String),
    /// It cannot work.
    #[error("cannot stage a snapshot: {0}")]
    Impossible(String),
}

impl From<iceberg::Error> for StageError {
    fn from(e: iceberg::Error) -> Self {
        match std::error::Error::source(&e).and_then(|source| source.downcast_ref::<StoreError>()) {
            Some(source) if source.is_passing() => Self::Passing(source.to_string()),
            Some(source) => Self::Impossible(source.to_string()),
            // What has no source of ours is a request to an object store that failed.
            None if e.kind() == iceberg::ErrorKind::Unexpected => Self::Passing(e.to_string()),
            None => Self::Impossible(e.to_string()),
        }
    }
}

impl From<StageError> for weir_pipeline::sink::SwapError {
    fn from(e: StageError) -> Self {
        match e {
            // Nothing was sent, but the loop does the same as if: it loads the head and looks.
            StageError::Passing(_) => Self::Unknown(e.to_string()),
            StageError::Impossible(_) => Self::Fatal(e.to_string()),
        }
    }
}

/// Stages a snapshot on `base`.
pub async fn stage(file_io: &FileIO, base: &TableMetadata, operation: Operation<'_>) -> Result<Staged, StageError> {
    if base.format_version() == FormatVersion::V1 {
        return Err(StageError::Impossible("the table has format version 1".to_string()));
    }
    check_partitions(base, &operation)?;
    let mut stage = Stage {
        file_io,
        base,
        folder: metadata::folder(base),
        id: snapshot_id(base),
        uuid: Uuid::new_v4(),
        written: Vec::new(),
    };
    let (untouched, rewritten) = match operation.replaced {
        Some(replaced) => replace::take_out(&mut stage, existing(file_io, base).await?, replaced).await?,
        None => (existing(file_io, base).await?, Vec::new()),
    };
    let mut manifests = merge::merge(&mut stage, untouched, operation.merges_manifests).await?;
    manifests.extend(rewritten);
    if !operation.added.is_empty() {
        manifests.push(stage.added_manifest(&operation).await?);
    }
    let (list, row_range) = stage.list(manifests).await?;

    let builder = operation.shape.clone().apply(base)?;
    let with_schema = builder.clone().build().map(|built| built.metadata.current_schema_id());
    // Building alone asks the clock, which may be behind the table's; only an added schema makes the question needed.
    let schema_id = if operation.shape.schema.is_some() { with_schema? } else { base.current_schema_id() };
    let kind = if operation.replaced.is_some() || operation.merges_manifests { Kind::Replace } else { Kind::Append };
    let snapshot = Snapshot::builder()
        .with_snapshot_id(stage.id)
        .with_parent_snapshot_id(base.current_snapshot_id())
        .with_sequence_number(base.next_sequence_number())
        .with_timestamp_ms(operation.now_ms.max(base.last_updated_ms() + 1))
        .with_manifest_list(list)
        .with_summary(summary::summary(base, kind, &operation))
        .with_schema_id(schema_id);
    let snapshot = match row_range {
        Some((first, added)) => snapshot.with_row_range(first, added).build(),
        None => snapshot.build(),
    };
    // The builder keeps what `main` says of its own retention, and checks the whole.
    let mut updates = builder.set_branch_snapshot(snapshot, MAIN_BRANCH)?.build()?.changes;
    if let Some(make) = operation.properties.0 {
        updates.push(TableUpdate::SetProperties { updates: make(stage.id, base.next_sequence_number()) });
    }
    let requirements = requirements(base, !operation.shape.is_none());
    Ok(Staged { requirements, updates, snapshot_id: stage.id, written: stage.written })
}

/// How many manifests a head has, and how many it would have if the small ones were merged.
pub async fn manifests(file_io: &FileIO, base: &TableMetadata) -> Result<(usize, usize), StageError> {
    let existing = existing(file_io, base).await?;
    Ok((existing.len(), merge::merged_count(base, existing)))
}

fn check_partitions(base: &TableMetadata, operation: &Operation<'_>) -> Result<(), StageError> {
    let spec = base
        .partition_spec_by_id(operation.spec_id)
        .ok_or_else(|| StageError::Impossible(format!("the table has no partition spec {}", operation.spec_id)))?;
    match operation.added.iter().find(|file| file.partition().fields().len() != spec.fields().len()) {
        Some(file) => Err(StageError::Impossible(format!("{} has not the values of its spec", file.file_path()))),
        None => Ok(()),
    }
}

/// What must still hold of the table: all that the staged files and ids rest on.
fn requirements(base: &TableMetadata, is_change: bool) -> Vec<TableRequirement> {
    let mut requirements = vec![
        TableRequirement::UuidMatch { uuid: base.uuid() },
        TableRequirement::RefSnapshotIdMatch {
            r#ref: MAIN_BRANCH.to_string(),
            snapshot_id: base.current_snapshot_id(),
        },
        TableRequirement::CurrentSchemaIdMatch { current_schema_id: base.current_schema_id() },
        TableRequirement::DefaultSpecIdMatch { default_spec_id: base.default_partition_spec_id() },
    ];
    if is_change {
        requirements.extend([
            TableRequirement::LastAssignedFieldIdMatch { last_assigned_field_id: base.last_column_id() },
            TableRequirement::LastAssignedPartitionIdMatch { last_assigned_partition_id: base.last_partition_id() },
            TableRequirement::DefaultSortOrderIdMatch { default_sort_order_id: base.default_sort_order_id() },
        ]);
    }
    requirements
}

/// The manifests of the head that still say something: one that lists only deletions of an earlier snapshot does not.
async fn existing(file_io: &FileIO, base: &TableMetadata) -> Result<Vec<ManifestFile>, StageError> {
    let Some(head) = base.current_snapshot() else { return Ok(Vec::new()) };
    let bytes = file_io.new_input(head.manifest_list())?.read().await?;
    let list = ManifestList::parse_with_version(&bytes, base.format_version())?;
    Ok(list.consume_entries().into_iter().filter(|m| m.has_added_files() || m.has_existing_files()).collect())
}

fn snapshot_id(base: &TableMetadata) -> i64 {
    loop {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        // Positive: readers of other languages take -1 for none.
        let id = ((high ^ low) >> 1) as i64;
        if id > 0 && base.snapshot_by_id(id).is_none() {
            return id;
        }
    }
}

/// The files of one stage.
struct Stage<'a> {
    file_io: &'a FileIO,
    base: &'a TableMetadata,
    folder: String,
    id: i64,
    uuid: Uuid,
    written: Vec<String>,
}

impl Stage<'_> {
    fn manifest_writer(&mut self, spec_id: i32) -> Result<ManifestWriter, StageError> {
        let location = format!("{}/{}-m{}.avro", self.folder, self.uuid, self.written.len());
        let spec = self
            .base
            .partition_spec_by_id(spec_id)
            .ok_or_else(|| StageError::Impossible(format!("the table has no partition spec {spec_id}")))?;
        let output = self.file_io.new_output(&location)?;
        self.written.push(location);
        let schema = self.base.current_schema().clone();
        let builder = ManifestWriterBuilder::new(output, Some(self.id), schema, spec.as_ref().clone());
        Ok(match self.base.format_version() {
            FormatVersion::V1 | FormatVersion::V2 => builder.build_v2_data(),
            FormatVersion::V3 => builder.build_v3_data(),
        })
    }

    async fn added_manifest(&mut self, operation: &Operation<'_>) -> Result<ManifestFile, StageError> {
        let mut writer = self.manifest_writer(operation.spec_id)?;
        let sequences = operation.replaced.map_or(&[][..], |replaced| replaced.sequences);
        for (index, file) in operation.added.iter().enumerate() {
            // Its sequence number is the snapshot's, which it inherits, unless its rows are older.
            writer.add_file(file.clone(), sequences.get(index).copied().unwrap_or(-1))?;
        }
        Ok(writer.write_manifest_file().await?)
    }

    /// Writes the list; also gives the first row id and how many it assigned, where the format has such.
    async fn list(&mut self, manifests: Vec<ManifestFile>) -> Result<(String, Option<(u64, u64)>), StageError> {
        let location = format!("{}/snap-{}-0-{}.avro", self.folder, self.id, self.uuid);
        let output = self.file_io.new_output(&location)?.writer().await?;
        let (parent, sequence) = (self.base.current_snapshot_id(), self.base.next_sequence_number());
        let first = self.base.next_row_id();
        let mut writer = match self.base.format_version() {
            FormatVersion::V1 | FormatVersion::V2 => ManifestListWriter::v2(output, self.id, parent, sequence),
            FormatVersion::V3 => ManifestListWriter::v3(output, self.id, parent, sequence, Some(first)),
        };
        writer.add_manifests(manifests.into_iter())?;
        let row_range = writer.next_row_id().map(|next| (first, next - first));
        self.written.push(location.clone());
        writer.close().await?;
        Ok((location, row_range))
    }
}
