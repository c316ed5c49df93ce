//! What can go wrong while files are written, and what the loop does about it.

use std::io;
use std::path::PathBuf;

use weir_pipeline::error::Error;

use crate::layout::LayoutError;
use crate::properties::PropertyError;
use crate::schema::SchemaError;
use crate::store::StoreError;

/// Why rows are not in files.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Rows that do not fit the table.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A partition spec or sort order that cannot be obeyed.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A table property that cannot be obeyed.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// A disk said no: full, read-only, gone.
    #[error("cannot {doing} data file {}: {source}", path.display())]
    Io {
        /// What was under way.
        doing: &'static str,
        /// The file or folder on this machine.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Parquet's writer said no.
    #[error("cannot encode data file {location}: {source}")]
    Parquet {
        /// Which file.
        location: String,
        /// Its words.
        source: parquet::errors::ParquetError,
    },
    /// A file's entry for the manifest cannot be made.
    #[error("cannot describe data file {location}: {reason}")]
    Describe {
        /// Which file.
        location: String,
        /// Why.
        reason: String,
    },
    /// The warehouse's store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An upload failed.
    #[error("cannot upload data file {location}: {source}")]
    Upload {
        /// Where to.
        location: String,
        /// The store's words.
        source: object_store::Error,
    },
    /// A thread died.
    #[error("a writer's thread ended by itself: {0}")]
    Thread(String),
}

impl From<WriteError> for Error {
    fn from(e: WriteError) -> Self {
        match &e {
            WriteError::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::fatal(e),
                _ => Self::retry(e),
            },
            WriteError::Parquet { source: parquet::errors::ParquetError::External(_), .. }
            | WriteError::Upload { .. } => Self::retry(e),
            WriteError::Store(store) if store.is_passing() => Self::retry(e),
            _ => Self::fatal(e),
        }
    }
}
