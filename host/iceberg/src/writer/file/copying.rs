//! A row group of another file, taken over as it is: pages, statistics, page indexes and bloom filters.

use std::io::Cursor;

use bytes::Bytes;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::{GrowingFile, parquet_error};
use crate::writer::WriteError;

/// A row group that is copied.
#[derive(Clone, Debug)]
pub(crate) struct CopiedGroup {
    /// Its rows.
    pub(crate) rows: u64,
    /// NaNs of the columns that may hold any, in order.
    pub(crate) nans: Vec<u64>,
}

/// A column chunk, and what its file's footer says of it.
#[derive(Clone, Debug)]
pub(crate) struct CopiedChunk {
    /// Its bytes.
    pub(crate) bytes: ChunkBytes,
    /// What is said of it, places as its own file has them.
    pub(crate) close: ColumnCloseResult,
}

/// Bytes of a file, at their place in it.
#[derive(Clone, Debug)]
pub(crate) struct ChunkBytes {
    start: u64,
    bytes: Bytes,
}

impl GrowingFile {
    /// Adds a row group of a file of the same schema, chunk by chunk as `chunk` gives them.
    pub(in crate::writer) fn copy<E: From<WriteError>>(
        &mut self,
        group: &CopiedGroup,
        mut chunk: impl FnMut(usize) -> Result<CopiedChunk, E>,
    ) -> Result<(), E> {
        self.end_group()?;
        self.copies.push(self.groups.count());
        let (place, columns) = (self.place.clone(), self.encoding.leaves.len());
        let error = |e| E::from(parquet_error(&place, e));
        self.add_group(
            |group| {
                for column in 0..columns {
                    let CopiedChunk { bytes, close } = chunk(column)?;
                    group.append_column(&bytes, close).map_err(error)?;
                }
                Ok(())
            },
            error,
        )?;
        self.let_go()?;
        self.rows += group.rows;
        self.nans.iter_mut().zip(&group.nans).for_each(|(all, nans)| *all += nans);
        Ok(())
    }
}

impl ChunkBytes {
    /// Bytes that begin at `start` in their file.
    pub(crate) fn new(start: u64, bytes: Bytes) -> Self {
        Self { start, bytes }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    fn from(&self, start: u64) -> ParquetResult<Bytes> {
        let at = start.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        match at.filter(|at| *at <= self.bytes.len()) {
            Some(at) => Ok(self.bytes.slice(at..)),
            None => Err(ParquetError::EOF(format!("byte {start} is outside of its column chunk"))),
        }
    }
}

impl Length for ChunkBytes {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for ChunkBytes {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(Cursor::new(self.from(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let bytes = self.from(start)?;
        if length > bytes.len() {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} end outside of their column chunk")));
        }
        Ok(bytes.slice(..length))
    }
}
