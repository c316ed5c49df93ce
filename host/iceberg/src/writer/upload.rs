//! Files to the warehouse's object store.

use std::collections::HashSet;
use std::path::PathBuf;

use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, PutPayload};

use super::WriteError;
use super::file::ClosedFile;
use super::flush;
use crate::store::{Store, local};

/// Files at once. More would share the same line.
const FILES_AT_ONCE: usize = 4;
/// Bytes of a part: a part is held in memory, and a file may have ten thousand.
const PART_BYTES: u64 = 32 << 20;
/// Parts of one file at once.
const PARTS_AT_ONCE: usize = 2;

/// Makes closed files outlive a power cut, wherever they belong.
pub(super) async fn make_durable(store: &Store, files: &[ClosedFile]) -> Result<(), WriteError> {
    upload(store, files).await?;
    let local = files.iter().filter(|f| !f.place.is_remote);
    let folders: HashSet<PathBuf> = local.filter_map(|f| f.place.path.parent().map(PathBuf::from)).collect();
    flush::blocking(move || {
        for path in folders {
            local::sync_folder(&path).map_err(|source| WriteError::Io { doing: "sync", path, source })?;
        }
        Ok(())
    })
    .await
}

/// Uploads the files that are to be, and deletes them here.
pub(super) async fn upload(store: &Store, files: &[ClosedFile]) -> Result<(), WriteError> {
    let remote = files.iter().filter(|f| f.place.is_remote).map(|f| one(store, f));
    futures::stream::iter(remote.collect::<Vec<_>>()).buffer_unordered(FILES_AT_ONCE).try_collect().await
}

async fn one(store: &Store, file: &ClosedFile) -> Result<(), WriteError> {
    let place = &file.place;
    let (objects, key) = store.object(&place.location)?;
    let error = |source| WriteError::Upload { location: place.location.clone(), source };
    let size = file.data_file.file_size_in_bytes();
    if size <= PART_BYTES {
        objects.put(&key, part(file, 0..size).await?).await.map_err(error)?;
    } else {
        let mut upload = objects.put_multipart(&key).await.map_err(error)?;
        let sent = send_parts(file, size, &mut *upload).await;
        if sent.is_err() {
            let _ = upload.abort().await;
        }
        sent?;
        upload.complete().await.map_err(error)?;
    }
    let path = place.path.clone();
    if let Err(e) = local::blocking(move || std::fs::remove_file(path)).await {
        tracing::warn!(file = %place.path.display(), error = %e, "cannot delete an uploaded file");
    }
    Ok(())
}

async fn send_parts(
    file: &ClosedFile,
    size: u64,
    upload: &mut dyn object_store::MultipartUpload,
) -> Result<(), WriteError> {
    let error = |source| WriteError::Upload { location: file.place.location.clone(), source };
    // Parts but the last are of one size; their number is bounded.
    let part_bytes = PART_BYTES.max(size.div_ceil(10_000));
    let mut sending = futures::stream::FuturesUnordered::new();
    let mut start = 0;
    while start < size {
        if sending.len() >= PARTS_AT_ONCE {
            sending.try_next().await.map_err(error)?;
        }
        let end = size.min(start + part_bytes);
        let payload = part(file, start..end).await?;
        sending.push(upload.put_part(payload));
        start = end;
    }
    while sending.try_next().await.map_err(error)?.is_some() {}
    Ok(())
}

async fn part(file: &ClosedFile, range: std::ops::Range<u64>) -> Result<PutPayload, WriteError> {
    let path = file.place.path.clone();
    let read = local::blocking(move || local::read_range(&path, range)).await;
    read.map(PutPayload::from).map_err(|source| WriteError::Io { doing: "read", path: file.place.path.clone(), source })
}
