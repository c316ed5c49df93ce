//! The compressors of a table's files.
//!
//! One keeps about a megabyte of tables, which it would rather not make anew for each column of each row group.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result};

/// Compresses one page after the other.
pub(super) struct Codec {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    room: Vec<u8>,
}

impl Codec {
    /// Whether pages can be compressed so here.
    pub(super) fn knows(compression: Compression) -> bool {
        matches!(compression, Compression::UNCOMPRESSED | Compression::ZSTD(_))
    }

    /// One for this compression; what is not known here is not compressed.
    fn new(compression: Compression) -> Result<Self> {
        let compressor = match compression {
            Compression::ZSTD(level) => Some(zstd::bulk::Compressor::new(level.compression_level()).map_err(external)?),
            _ => None,
        };
        Ok(Self { compressor, room: Vec::new() })
    }

    /// The page, compressed.
    pub(super) fn compress(&mut self, page: &[u8]) -> Result<Bytes> {
        let Some(compressor) = &mut self.compressor else { return Ok(Bytes::copy_from_slice(page)) };
        let most = zstd::zstd_safe::compress_bound(page.len());
        if self.room.len() < most {
            self.room.resize(most, 0);
        }
        let size = compressor.compress_to_buffer(page, &mut self.room[..]).map_err(external)?;
        Ok(Bytes::copy_from_slice(&self.room[..size]))
    }
}

fn external(e: std::io::Error) -> ParquetError {
    ParquetError::External(e.into())
}

/// Those that are not in use.
pub(super) struct Codecs {
    compression: Compression,
    idle: Mutex<Vec<Codec>>,
}

impl Codecs {
    pub(super) fn new(compression: Compression) -> Self {
        Self { compression, idle: Mutex::new(Vec::new()) }
    }

    /// One to be used alone, until it is given back.
    pub(super) fn take(&self) -> Result<Codec> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| Codec::new(self.compression), Ok)
    }

    /// Gives one back. There are never more than were in use at once.
    pub(super) fn give_back(&self, codec: Codec) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(codec);
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codecs").field("compression", &self.compression).finish_non_exhaustive()
    }
}
