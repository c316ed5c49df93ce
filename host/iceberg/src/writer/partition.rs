//! The files of one partition in one epoch: one that grows, and those that are full.

use arrow_array::ArrayRef;
use iceberg::spec::Struct;

use super::WriteError;
use super::file::{ClosedFile, CopiedChunk, CopiedGroup, GrowingFile, Place};
use super::plan::Plan;
use crate::layout::{Column, LayoutError, TooLarge, runs};

/// Rows are gathered and encoded so many at once: few enough for the processor's caches, enough for its loops.
const CHUNK_ROWS: usize = 4096;

/// The files of one partition.
pub(super) struct PartitionFiles {
    values: Struct,
    growing: Option<GrowingFile>,
    /// Whether all of the growing file was written at once, so that it is in order throughout.
    is_ordered: bool,
    closed: Vec<ClosedFile>,
    /// Everything made, for the day it has to go.
    pub(super) made: Vec<Place>,
}

impl PartitionFiles {
    pub(super) fn new(values: Struct) -> Self {
        Self { values, growing: None, is_ordered: true, closed: Vec::new(), made: Vec::new() }
    }

    /// Writes sorted rows as row groups, and ends the last.
    pub(super) fn write(&mut self, plan: &Plan, columns: &[Column], rows: &[u128]) -> Result<(), WriteError> {
        self.is_ordered = self.growing.is_none();
        let mut rest = rows;
        let mut at_once = CHUNK_ROWS;
        while !rest.is_empty() {
            let count = rest.len().min(at_once);
            let chunk = match gather(columns, &rest[..count]) {
                Ok(chunk) => chunk,
                Err(TooLarge::Offsets) if count > 1 => {
                    at_once = count / 2;
                    continue;
                }
                Err(TooLarge::Offsets) => return Err(arrow_error(arrow_schema::ArrowError::OffsetOverflowError(0))),
                Err(TooLarge::Arrow(e)) => return Err(arrow_error(e)),
            };
            rest = &rest[count..];
            self.file(plan)?.write(&chunk, count)?;
            self.end_what_is_full(plan, rest.len())?;
        }
        if let Some(growing) = &mut self.growing {
            growing.end_group()?;
        }
        self.end_what_is_full(plan, usize::MAX)
    }

    /// Adds rows in the order they have, `left` more of which belong into the same file.
    pub(super) fn append(
        &mut self,
        plan: &Plan,
        columns: &[ArrayRef],
        rows: usize,
        left: usize,
    ) -> Result<(), WriteError> {
        self.file(plan)?.write(columns, rows)?;
        self.end_what_is_full(plan, left)
    }

    fn file(&mut self, plan: &Plan) -> Result<&mut GrowingFile, WriteError> {
        let file = match self.growing.take() {
            Some(file) => file,
            None => {
                self.is_ordered = true;
                let place = plan.place(&self.values)?;
                self.made.push(place.clone());
                GrowingFile::create(place, &plan.encoding)?
            }
        };
        Ok(self.growing.insert(file))
    }

    fn end_what_is_full(&mut self, plan: &Plan, rows_left: usize) -> Result<(), WriteError> {
        let Some(file) = &mut self.growing else { return Ok(()) };
        // What little is left joins what is there: no row group, and no file, of a few rows.
        if rows_left <= file.group_rows() / 8 {
            return Ok(());
        }
        if file.bytes_expected() >= plan.encoding.file_bytes {
            // What was expected may not be what it is once it is compressed.
            file.end_group()?;
            if file.bytes() >= plan.encoding.file_bytes / 4 * 3 {
                return self.close_file(plan, self.is_ordered);
            }
        } else if file.group_bytes() >= plan.encoding.row_group_bytes
            || file.group_rows() >= even_share(plan.encoding.row_group_rows, file.group_rows(), rows_left)
        {
            file.end_group()?;
        }
        Ok(())
    }

    /// Copies a row group from elsewhere into the growing file.
    pub(super) fn copy<E: From<WriteError>>(
        &mut self,
        plan: &Plan,
        group: &CopiedGroup,
        chunk: impl FnMut(usize) -> Result<CopiedChunk, E>,
    ) -> Result<(), E> {
        self.file(plan)?.copy(group, chunk)
    }

    /// Closes the growing file, if there is one.
    pub(super) fn close_file(&mut self, plan: &Plan, is_ordered: bool) -> Result<(), WriteError> {
        if let Some(file) = self.growing.take() {
            let sort_order_id = plan.layout.sort_order_id().filter(|_| is_ordered);
            self.closed.push(file.close(&self.values, plan.spec.spec_id(), sort_order_id)?);
        }
        Ok(())
    }

    /// Closes the growing file, and gives all.
    pub(super) fn close(&mut self, plan: &Plan) -> Result<Vec<ClosedFile>, WriteError> {
        self.close_file(plan, self.is_ordered)?;
        Ok(std::mem::take(&mut self.closed))
    }
}

/// Where a row group of `rows` rows, with `left` more to come, ends: no group of what little is left over.
fn even_share(rows_max: Option<usize>, rows: usize, left: usize) -> usize {
    let Some(rows_max) = rows_max else { return usize::MAX };
    let all = rows.saturating_add(left).max(1);
    all.div_ceil(all.div_ceil(rows_max.max(1)))
}

pub(super) fn gather(columns: &[Column], rows: &[u128]) -> Result<Vec<ArrayRef>, TooLarge> {
    let runs = runs(rows);
    columns.iter().map(|c| c.gather(&runs, rows.len())).collect()
}

pub(super) fn arrow_error(e: arrow_schema::ArrowError) -> WriteError {
    WriteError::Layout(LayoutError::Arrow(e))
}
