//! Files for rows that are in files already: those of a compaction, and the sorted runs it merges.
//!
//! Rows come in the order in which they are to stand, of one partition. Nothing is buffered here but the row group that
//! grows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::ArrayRef;
use iceberg::spec::{DataFile, Struct};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;

use super::encoding::Encoding;
use super::file::{ClosedFile, CopiedChunk, CopiedGroup, GrowingFile, Place};
use super::fitness;
use super::partition::PartitionFiles;
use super::paths::Names;
use super::plan::{Plan, Spill};
use super::{WriteError, WriteTarget, upload};
use crate::properties::WriteProperties;
use crate::store::Store;

/// A row group of a run: small, since many are open while they are merged.
const RUN_GROUP_BYTES: usize = 8 << 20;

/// A folder on local disk for what a rewrite needs meanwhile. Gone when this is; what a killed process left is swept by
/// the next.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    spill: Arc<Spill>,
    names: Arc<Names>,
}

impl Scratch {
    /// One below `above`. Touches no disk yet.
    pub(crate) fn new(above: PathBuf) -> Self {
        Self { spill: Arc::new(Spill::new(above)), names: Arc::new(Names::new()) }
    }

    /// A path that no other file has.
    pub(crate) fn path(&self) -> Result<PathBuf, WriteError> {
        Ok(self.spill.folder()?.join(self.names.next()))
    }
}

/// Data files of one partition under way.
pub(crate) struct Rewriting {
    plan: Plan,
    files: PartitionFiles,
    is_sorted: bool,
}

/// A closed data file that no commit has yet.
#[derive(Clone, Debug)]
pub(crate) struct Rewritten(ClosedFile);

impl Rewriting {
    /// Files of the partition `values`. If `is_sorted`, the rows will come in the table's order.
    pub(crate) fn new(
        store: &Store,
        target: &WriteTarget,
        scratch: &Scratch,
        values: Struct,
        is_sorted: bool,
    ) -> Result<Self, WriteError> {
        let mut plan = Plan::new(store, target, &scratch.names, &scratch.spill)?;
        // Whose rows these are decides where a file ends.
        if let Some(encoding) = Arc::get_mut(&mut plan.encoding) {
            encoding.file_bytes = u64::MAX;
        }
        Ok(Self { plan, files: PartitionFiles::new(values), is_sorted })
    }

    /// Adds rows, `left` more of which belong into the same file.
    pub(crate) fn write(&mut self, columns: &[ArrayRef], rows: usize, left: usize) -> Result<(), WriteError> {
        self.files.append(&self.plan, columns, rows, left)
    }

    /// Whether the row groups of a file may be copied, and if not, why.
    pub(crate) fn check_file(&self, file: &ParquetMetaData) -> Result<(), &'static str> {
        fitness::check_file(&self.plan.encoding, file)
    }

    /// Whether a row group of such a file may be copied, and if not, why. Its size is another question.
    pub(crate) fn check_group(&self, file: &ParquetMetaData, group: usize) -> Result<(), &'static str> {
        fitness::check_group(&self.plan.encoding, file, group)
    }

    /// Whether a column, as Parquet counts them, has bloom filters.
    pub(crate) fn has_bloom(&self, column: usize) -> bool {
        self.plan.encoding.bloom.contains(&column)
    }

    /// The ids of the columns that may hold NaNs.
    pub(crate) fn floats(&self) -> Vec<i32> {
        self.plan.encoding.floats.iter().map(|(_, id)| *id).collect()
    }

    /// The size at which a row group ends: bytes, and rows where these count.
    pub(crate) fn group_max(&self) -> (usize, Option<usize>) {
        (self.plan.encoding.row_group_bytes, self.plan.encoding.row_group_rows)
    }

    /// Adds a row group as it is, chunk by chunk as `chunk` gives them.
    pub(crate) fn copy<E: From<WriteError>>(
        &mut self,
        group: &CopiedGroup,
        chunk: impl FnMut(usize) -> Result<CopiedChunk, E>,
    ) -> Result<(), E> {
        self.files.copy(&self.plan, group, chunk)
    }

    /// Ends the file. What comes next begins another.
    pub(crate) fn end_file(&mut self) -> Result<(), WriteError> {
        self.files.close_file(&self.plan, self.is_sorted)
    }

    /// Ends the last file, and gives all.
    pub(crate) fn close(&mut self) -> Result<Vec<Rewritten>, WriteError> {
        self.end_file()?;
        Ok(self.files.close(&self.plan)?.into_iter().map(Rewritten).collect())
    }

    /// The paths of everything made, for the day it has to go.
    pub(crate) fn made(&self) -> Vec<PathBuf> {
        self.files.made.iter().map(|place| place.path.clone()).collect()
    }
}

impl Rewritten {
    /// As a manifest describes it.
    pub(crate) fn data_file(&self) -> &DataFile {
        &self.0.data_file
    }

    /// The row groups that were copied, by number.
    pub(crate) fn copies(&self) -> &[usize] {
        &self.0.copies
    }

    /// Where it is on this machine until it is durable.
    pub(crate) fn path(&self) -> &Path {
        &self.0.place.path
    }
}

/// Makes files outlive a power cut, wherever they belong.
pub(crate) async fn make_durable(store: &Store, files: &[Rewritten]) -> Result<(), WriteError> {
    let files: Vec<ClosedFile> = files.iter().map(|file| file.0.clone()).collect();
    upload::make_durable(store, &files).await
}

/// A sorted run on local disk under way.
pub(crate) struct RunWriter {
    file: GrowingFile,
    group_bytes: usize,
}

/// A closed run. Deleted when this goes.
#[derive(Debug)]
pub(crate) struct Run(PathBuf);

impl RunWriter {
    /// A run of rows as the table's files have them. Quick to write and to read rather than small.
    pub(crate) fn new(target: &WriteTarget, scratch: &Scratch) -> Result<Self, WriteError> {
        let mut properties = WriteProperties::read(target.metadata.properties())?;
        properties.compression = Compression::ZSTD(ZstdLevel::default());
        properties.bloom.clear();
        let encoding = Arc::new(Encoding::new(&target.metadata, &target.mapping, &properties)?);
        let path = scratch.path()?;
        let place = Place { location: path.display().to_string(), path, is_remote: true };
        Ok(Self { file: GrowingFile::create(place, &encoding)?, group_bytes: RUN_GROUP_BYTES })
    }

    /// Adds rows.
    pub(crate) fn write(&mut self, columns: &[ArrayRef], rows: usize) -> Result<(), WriteError> {
        self.file.write(columns, rows)?;
        if self.file.group_bytes() >= self.group_bytes { self.file.end_group() } else { Ok(()) }
    }

    /// Ends it.
    pub(crate) fn close(self) -> Result<Run, WriteError> {
        let closed = self.file.close(&Struct::empty(), 0, None)?;
        Ok(Run(closed.place.path))
    }
}

impl Run {
    /// Takes over a file of this machine that is to go with this.
    pub(crate) fn of(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // What stays goes with its folder.
        let _ = std::fs::remove_file(&self.0);
    }
}
