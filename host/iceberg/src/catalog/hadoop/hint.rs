//! `version-hint.text`, which only grows.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::local::{self, Lock};
use crate::store::{Store, StoreError, Tag, Written};

/// How long the lock is waited for: a hint that lags costs its readers a look forward, no more.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// Between two attempts at the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// Attempts on S3, each of which others have been quicker than.
const RAISES_MAX: usize = 10;

/// The hint of one table.
#[derive(Clone, Debug)]
pub(crate) struct Hint {
    store: Store,
    folder: String,
    location: String,
}

impl Hint {
    pub(crate) fn new(store: Store, folder: &str) -> Self {
        Self { store, folder: folder.to_string(), location: format!("{folder}/version-hint.text") }
    }

    /// What it says; nothing where there is none, or no number in it.
    pub(crate) async fn read(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.read_tagged().await?.and_then(|(version, _)| version))
    }

    async fn read_tagged(&self) -> Result<Option<(Option<u64>, Tag)>, StoreError> {
        match self.store.read_tagged(&self.location).await {
            Ok((bytes, tag)) => Ok(Some((parse(&bytes), tag))),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Raises it to `version`, if it is below. Where that cannot be done now it stays behind, which every reader bears.
    pub(crate) async fn raise(&self, version: u64) {
        let raised = match self.store.local_path(&self.folder) {
            Some(folder) => raise_local(folder, version).await.map_err(|e| e.to_string()),
            None => self.raise_object(version).await.map_err(|e| e.to_string()),
        };
        match raised {
            Ok(true) => {}
            Ok(false) => tracing::debug!(hint = self.location, version, "the hint stays behind for now"),
            Err(error) => tracing::warn!(hint = self.location, version, error, "the hint stays behind for now"),
        }
    }

    async fn raise_object(&self, version: u64) -> Result<bool, StoreError> {
        for _ in 0..RAISES_MAX {
            let read = self.read_tagged().await?;
            if read.as_ref().and_then(|(hinted, _)| *hinted).is_some_and(|hinted| hinted >= version) {
                return Ok(true);
            }
            let tag = read.map(|(_, tag)| tag);
            if self.store.replace(&self.location, version.to_string().into(), tag).await? == Written::Done {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

async fn raise_local(folder: PathBuf, version: u64) -> io::Result<bool> {
    let waited_until = tokio::time::Instant::now() + LOCK_WAIT;
    loop {
        let folder = folder.clone();
        if local::blocking(move || try_raise_local(&folder, version)).await? {
            return Ok(true);
        }
        if tokio::time::Instant::now() >= waited_until {
            return Ok(false);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

/// Raises the hint under the lock; `false` if somebody else has it.
fn try_raise_local(folder: &Path, version: u64) -> io::Result<bool> {
    let Some(_lock) = Lock::try_take(folder)? else { return Ok(false) };
    let path = folder.join("version-hint.text");
    let hinted = match std::fs::read(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        read => parse(&read?),
    };
    if hinted.is_some_and(|hinted| hinted >= version) {
        return Ok(true);
    }
    // Hadoop's file system writes a checksum beside each file and refuses one that does not match: first it, then the
    // hint, so that no reader sees a new hint beside an old checksum.
    match std::fs::remove_file(folder.join(".version-hint.text.crc")) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    local::replace(&path, version.to_string().as_bytes())?;
    Ok(true)
}

/// Whether two holders of the lock on a file's folder exclude each other.
pub(super) async fn locks_exclude(file: PathBuf) -> Result<bool, StoreError> {
    let location = file.to_string_lossy().into_owned();
    let tried = local::blocking(move || {
        let folder = file.parent().unwrap_or(&file);
        let first = Lock::try_take(folder)?;
        let second = Lock::try_take(folder)?;
        let excluded = first.is_some() && second.is_none();
        drop(first);
        Ok(excluded && Lock::try_take(folder)?.is_some())
    });
    tried.await.map_err(|source| StoreError::Io { doing: "lock", location, source })
}

fn parse(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}
