//! The store as the crate `iceberg` wants it.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig, StorageFactory};
use iceberg::{Error, ErrorKind, Result};
use object_store::buffered::BufWriter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::io::AsyncWriteExt;

use super::{Store, StoreError};

/// Both the storage and its factory: the store is open already.
#[derive(Clone, Debug)]
pub(super) struct Files(pub(super) Store);

// The traits want serde, to send storages between processes. A store holds keys and is not sent anywhere.
impl Serialize for Files {
    fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("a store is not sent to another process"))
    }
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        Err(serde::de::Error::custom("a store is not taken from another process"))
    }
}

#[typetag::serde(name = "weir")]
impl StorageFactory for Files {
    fn build(&self, _: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
#[typetag::serde(name = "weir")]
impl Storage for Files {
    async fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.0.exists(path).await?)
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        let size = self.0.size(path).await?.ok_or_else(|| StoreError::NotFound(path.to_string()))?;
        Ok(FileMetadata { size })
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        Ok(self.0.read(path).await?)
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        Ok(Box::new(Reader { store: self.0.clone(), location: path.to_string() }))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        Ok(self.0.write(path, bytes).await?)
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        if self.0.local_path(path).is_some() {
            return Ok(Box::new(LocalWriter { store: self.0.clone(), location: path.to_string(), bytes: Vec::new() }));
        }
        let (store, key) = self.0.object(path)?;
        Ok(Box::new(ObjectWriter(BufWriter::new(store, key))))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        Ok(self.0.delete(path).await?)
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        // Nothing in Weir deletes by prefix: a file is deleted by its name, when it is known that nobody needs it.
        Err(Error::new(ErrorKind::FeatureUnsupported, format!("will not delete everything under {path}")))
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> Result<()> {
        while let Some(path) = paths.next().await {
            self.0.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_string()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_string()))
    }
}

#[derive(Debug)]
struct Reader {
    store: Store,
    location: String,
}

#[async_trait]
impl FileRead for Reader {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        Ok(self.store.read_range(&self.location, range).await?)
    }
}

/// Gathers a manifest or a list of them, which the crate hands over in one piece, and writes it durably.
struct LocalWriter {
    store: Store,
    location: String,
    bytes: Vec<u8>,
}

#[async_trait]
impl FileWrite for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        Ok(self.store.write(&self.location, std::mem::take(&mut self.bytes).into()).await?)
    }
}

struct ObjectWriter(BufWriter);

#[async_trait]
impl FileWrite for ObjectWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.0.put(bytes).await.map_err(|e| Error::new(ErrorKind::Unexpected, e.to_string()))
    }

    async fn close(&mut self) -> Result<()> {
        self.0.shutdown().await.map_err(|e| Error::new(ErrorKind::Unexpected, e.to_string()))
    }
}

impl From<StoreError> for Error {
    fn from(e: StoreError) -> Self {
        let kind = if e.is_passing() { ErrorKind::Unexpected } else { ErrorKind::DataInvalid };
        Error::new(kind, e.to_string()).with_source(e)
    }
}
