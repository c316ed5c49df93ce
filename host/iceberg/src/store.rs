//! One object store for data and metadata: a folder, or buckets behind S3's protocol.
//!
//! What it promises beside reading and writing: [`Store::create`] makes a file only where none is, whoever else tries at
//! the same moment; [`Store::replace`] changes one only while it is what was read; and whatever has returned is on the
//! disk, file and folder, before the next step builds on it.
//!
//! Locations stay the strings they are. `file:/x`, `file:///x` and `/x` are one place, as are `s3://`, `s3a://` and
//! `s3n://`; nothing here rewrites the spelling that a table uses.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig, UpdateVersion};

mod io_traits;
pub(crate) mod local;
#[cfg(test)]
mod tests;
mod walk;

pub use walk::Found;

/// How S3 is reached. What is absent comes from the environment's own chain (`AWS_*`, web identity, instance metadata).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// Where the service listens, for anything but AWS: `http://127.0.0.1:9000`.
    pub endpoint: Option<String>,
    /// The region; `us-east-1` where nothing says otherwise.
    pub region: Option<String>,
    /// Bucket in the path instead of the host name. Where absent: yes with an endpoint, no without.
    pub path_style: Option<bool>,
    /// The access key's id.
    pub access_key: Option<String>,
    /// The secret key.
    pub secret_key: Option<String>,
    /// The token that goes with temporary keys.
    pub session_token: Option<String>,
    /// Whether plain HTTP will do. Where absent: yes if the endpoint says `http://`.
    pub allow_http: Option<bool>,
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .field("keys", &self.access_key.as_ref().map(|_| "given"))
            .finish()
    }
}

/// Where a location points.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Place {
    /// An absolute path on this machine.
    Local(PathBuf),
    /// An object.
    S3 {
        /// Its bucket.
        bucket: String,
        /// Its key, without a slash at either end.
        key: String,
    },
}

/// Why the store could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is there.
    #[error("there is no file {0}")]
    NotFound(String),
    /// The location makes no sense here.
    #[error("location {location:?} {reason}")]
    Location {
        /// As it was given.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system said no.
    #[error("cannot {doing} {location}: {source}")]
    Io {
        /// What was under way.
        doing: &'static str,
        /// On what.
        location: String,
        /// Its words.
        source: io::Error,
    },
    /// The object store said no.
    #[error("cannot {doing} {location}: {}", brief(source))]
    Object {
        /// What was under way.
        doing: &'static str,
        /// On what.
        location: String,
        /// Its words.
        source: Box<object_store::Error>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing a setting.
    pub fn is_passing(&self) -> bool {
        use object_store::Error as E;
        match self {
            Self::NotFound(_) | Self::Location { .. } => false,
            Self::Io { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotADirectory
            ),
            Self::Object { source, .. } => !matches!(
                **source,
                E::PermissionDenied { .. }
                    | E::Unauthenticated { .. }
                    | E::NotSupported { .. }
                    | E::NotImplemented { .. }
                    | E::InvalidPath { .. }
                    | E::UnknownConfigurationKey { .. }
            ),
        }
    }
}

/// What a conditional write came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// It is there, and it is ours.
    Done,
    /// Somebody was there before. (On S3, where requests are repeated below, that may have been this very call.)
    Refused,
}

/// The version of a file that was read, for [`Store::replace`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag(Option<String>);

/// A name in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The name alone.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Data and metadata of a warehouse. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    warehouse: String,
    s3: S3Options,
    local: Arc<LocalFileSystem>,
    buckets: Mutex<HashMap<String, Arc<AmazonS3>>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("warehouse", &self.0.warehouse).field("s3", &self.0.s3).finish()
    }
}

impl Store {
    /// Opens the store that `warehouse` (an absolute path, `file:` or `s3:` location) lies in. Touches nothing yet.
    ///
    /// # Errors
    /// A location that is neither, or options that contradict each other.
    pub fn open(warehouse: &str, s3: S3Options) -> Result<Self, StoreError> {
        let store = Self(Arc::new(Inner {
            warehouse: warehouse.trim_end_matches('/').to_string(),
            s3,
            local: Arc::new(LocalFileSystem::new()),
            buckets: Mutex::default(),
        }));
        if let Place::S3 { bucket, .. } = Place::of(warehouse)? {
            store.bucket(&bucket, warehouse)?;
        }
        Ok(store)
    }

    /// The warehouse's location as it was given, without a slash at its end.
    pub fn warehouse(&self) -> &str {
        &self.0.warehouse
    }

    /// The same store for the crate `iceberg`.
    pub fn file_io(&self) -> iceberg::io::FileIO {
        iceberg::io::FileIOBuilder::new(Arc::new(io_traits::Files(self.clone()))).build()
    }

    /// The same store for the crates `parquet` and `datafusion`. Writes through it to a local path are not synced.
    pub fn object(&self, location: &str) -> Result<(Arc<dyn ObjectStore>, Path), StoreError> {
        let invalid = |e: object_store::path::Error| location_error(location, e);
        match Place::of(location)? {
            Place::Local(path) => {
                let path = Path::parse(path.to_string_lossy()).map_err(invalid)?;
                Ok((Arc::clone(&self.0.local) as Arc<dyn ObjectStore>, path))
            }
            Place::S3 { bucket, key } => {
                let store = self.bucket(&bucket, location)?;
                Ok((store as Arc<dyn ObjectStore>, Path::parse(key).map_err(invalid)?))
            }
        }
    }

    /// The path, if the location is on this machine.
    pub fn local_path(&self, location: &str) -> Option<PathBuf> {
        match Place::of(location) {
            Ok(Place::Local(path)) => Some(path),
            _ => None,
        }
    }

    /// Reads a file whole.
    pub async fn read(&self, location: &str) -> Result<Bytes, StoreError> {
        self.read_tagged(location).await.map(|(bytes, _)| bytes)
    }

    /// Reads a file whole, and says which version it was.
    pub async fn read_tagged(&self, location: &str) -> Result<(Bytes, Tag), StoreError> {
        if let Some(path) = self.local_path(location) {
            let bytes = local::blocking(move || std::fs::read(path)).await.map_err(io_error("read", location))?;
            return Ok((Bytes::from(bytes), Tag(None)));
        }
        let (store, path) = self.object(location)?;
        let got = store.get(&path).await.map_err(object_error("read", location))?;
        let tag = Tag(got.meta.e_tag.clone());
        Ok((got.bytes().await.map_err(object_error("read", location))?, tag))
    }

    /// Reads part of a file.
    pub async fn read_range(&self, location: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        if let Some(path) = self.local_path(location) {
            let read = local::blocking(move || local::read_range(&path, range)).await;
            return read.map(Bytes::from).map_err(io_error("read", location));
        }
        let (store, path) = self.object(location)?;
        store.get_range(&path, range).await.map_err(object_error("read", location))
    }

    /// A file's size in bytes, if there is one.
    pub async fn size(&self, location: &str) -> Result<Option<u64>, StoreError> {
        let found = if let Some(path) = self.local_path(location) {
            let found = local::blocking(move || std::fs::metadata(path).map(|m| m.len())).await;
            found.map_err(io_error("look at", location))
        } else {
            let (store, path) = self.object(location)?;
            store.head(&path).await.map(|m| m.size).map_err(object_error("look at", location))
        };
        match found {
            Ok(size) => Ok(Some(size)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether a file is there.
    pub async fn exists(&self, location: &str) -> Result<bool, StoreError> {
        Ok(self.size(location).await?.is_some())
    }

    /// Writes a file, over whatever is there. Durable when it returns.
    pub async fn write(&self, location: &str, bytes: Bytes) -> Result<(), StoreError> {
        if let Some(path) = self.local_path(location) {
            return local::blocking(move || local::write(&path, &bytes)).await.map_err(io_error("write", location));
        }
        let (store, path) = self.object(location)?;
        store.put(&path, bytes.into()).await.map(drop).map_err(object_error("write", location))
    }

    /// Makes a file if none is there: of all who try, one succeeds. Durable when it returns.
    ///
    /// # Errors
    /// After an error nobody knows whether the file is there.
    pub async fn create(&self, location: &str, bytes: Bytes) -> Result<Written, StoreError> {
        if let Some(path) = self.local_path(location) {
            let made = local::blocking(move || local::create(&path, &bytes)).await;
            return made.map_err(io_error("create", location));
        }
        self.put_if(location, bytes, PutMode::Create).await
    }

    /// Changes a file if it is still the version that was read; with no tag, makes it if none is there. For S3; on a
    /// disk this is done under a lock.
    pub async fn replace(&self, location: &str, bytes: Bytes, read: Option<Tag>) -> Result<Written, StoreError> {
        let mode = match read {
            Some(Tag(e_tag)) => PutMode::Update(UpdateVersion { e_tag, version: None }),
            None => PutMode::Create,
        };
        self.put_if(location, bytes, mode).await
    }

    async fn put_if(&self, location: &str, bytes: Bytes, mode: PutMode) -> Result<Written, StoreError> {
        let (store, path) = self.object(location)?;
        let options = PutOptions { mode, ..PutOptions::default() };
        match store.put_opts(&path, PutPayload::from_bytes(bytes), options).await {
            Ok(_) => Ok(Written::Done),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(Written::Refused)
            }
            Err(e) => Err(object_error("write", location)(e)),
        }
    }

    /// Deletes a file, if it is there.
    pub async fn delete(&self, location: &str) -> Result<(), StoreError> {
        let deleted = if let Some(path) = self.local_path(location) {
            local::blocking(move || std::fs::remove_file(path)).await.map_err(io_error("delete", location))
        } else {
            let (store, path) = self.object(location)?;
            store.delete(&path).await.map_err(object_error("delete", location))
        };
        match deleted {
            Err(StoreError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// The names in a folder, in no order; none where the folder is absent.
    pub async fn list(&self, folder: &str) -> Result<Vec<Entry>, StoreError> {
        if let Some(path) = self.local_path(folder) {
            return local::blocking(move || local::list(&path)).await.map_err(io_error("list", folder));
        }
        let (store, path) = self.object(folder)?;
        let listed = store.list_with_delimiter(Some(&path)).await.map_err(object_error("list", folder))?;
        let entry = |path: &Path, is_folder| path.filename().map(|n| Entry { name: n.to_string(), is_folder });
        let folders = listed.common_prefixes.iter().filter_map(|p| entry(p, true));
        Ok(folders.chain(listed.objects.iter().filter_map(|o| entry(&o.location, false))).collect())
    }

    fn bucket(&self, name: &str, location: &str) -> Result<Arc<AmazonS3>, StoreError> {
        let mut buckets = self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(name) {
            return Ok(Arc::clone(bucket));
        }
        let made = Arc::new(bucket(name, &self.0.s3).map_err(object_error("reach", location))?);
        buckets.insert(name.to_string(), Arc::clone(&made));
        Ok(made)
    }
}

fn bucket(name: &str, s3: &S3Options) -> object_store::Result<AmazonS3> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(name).with_retry(RetryConfig {
        // A commit waits for this, and the loop has its own back-off.
        max_retries: 5,
        retry_timeout: Duration::from_secs(60),
        ..RetryConfig::default()
    });
    if let Some(endpoint) = &s3.endpoint {
        let plain = s3.allow_http.unwrap_or_else(|| endpoint.starts_with("http://"));
        builder = builder.with_endpoint(endpoint).with_allow_http(plain);
    }
    if let Some(path_style) = s3.path_style.or(s3.endpoint.as_ref().map(|_| true)) {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    if let Some(region) = &s3.region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &s3.access_key {
        builder = builder.with_access_key_id(key);
    }
    if let Some(key) = &s3.secret_key {
        builder = builder.with_secret_access_key(key);
    }
    if let Some(token) = &s3.session_token {
        builder = builder.with_token(token);
    }
    builder.build()
}

impl Place {
    /// Reads a location.
    pub fn of(location: &str) -> Result<Self, StoreError> {
        for scheme in ["s3://", "s3a://", "s3n://"] {
            if let Some(rest) = location.strip_prefix(scheme) {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(location_error(location, "names no bucket"));
                }
                return Ok(Self::S3 { bucket: bucket.to_string(), key: key.trim_matches('/').to_string() });
            }
        }
        let path = match location.strip_prefix("file:") {
            // `file://x/y` names a host: only the empty one is this machine.
            Some(rest) if rest.starts_with("//") && !rest.starts_with("///") => {
                return Err(location_error(location, "names a host: a local file is file:///path"));
            }
            Some(rest) => format!("/{}", rest.trim_start_matches('/')),
            None => location.to_string(),
        };
        if !path.starts_with('/') {
            return Err(location_error(location, "is neither an absolute path, nor file:///, nor s3://"));
        }
        // `a/b/` and `a//b` are `a/b`; a step upwards is nothing that a table's location has.
        let path: PathBuf = PathBuf::from(path).components().collect();
        if path.components().any(|c| matches!(c, std::path::Component::ParentDir)) || location.contains('\0') {
            return Err(location_error(location, "leaves its folder"));
        }
        Ok(Self::Local(path))
    }

    /// Whether two locations are one place, however they are spelt.
    pub fn is_same(a: &str, b: &str) -> bool {
        matches!((Self::of(a), Self::of(b)), (Ok(a), Ok(b)) if a == b)
    }
}

/// An object store's words, without the document that comes with them: a page that repeats the signed request.
fn brief(e: &object_store::Error) -> String {
    let said = e.to_string();
    let Some((before, document)) = said.split_once("<?xml").or_else(|| said.split_once("<Error>")) else {
        return said;
    };
    let element = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        rest.split_once("</").map(|(text, _)| text.to_string())
    };
    let told: Vec<String> = ["Code", "Message"].into_iter().filter_map(element).collect();
    format!("{} {}", before.trim_end(), told.join(": "))
}

fn location_error(location: &str, reason: impl fmt::Display) -> StoreError {
    StoreError::Location { location: location.to_string(), reason: reason.to_string() }
}

fn io_error(doing: &'static str, location: &str) -> impl FnOnce(io::Error) -> StoreError {
    let location = location.to_string();
    move |source| match source.kind() {
        io::ErrorKind::NotFound => StoreError::NotFound(location),
        _ => StoreError::Io { doing, location, source },
    }
}

fn object_error(doing: &'static str, location: &str) -> impl FnOnce(object_store::Error) -> StoreError {
    let location = location.to_string();
    move |source| match source {
        object_store::Error::NotFound { .. } => StoreError::NotFound(location),
        source => StoreError::Object { doing, location, source: Box::new(source) },
    }
}
