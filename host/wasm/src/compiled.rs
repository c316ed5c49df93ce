//! Compiled components, kept in a private folder.
//!
//! # Why the one `unsafe` here is sound
//!
//! `Component::deserialize` believes what it is given: machine code. What is given to it here was written by this
//! module, from the output of the compiler in this process or in one of this very program, and nobody else had the
//! chance to change it:
//!
//! - the folder belongs to this process's user and nobody else can look into it (mode 0700), checked before each read;
//!   whoever can write there can already run code as this user;
//! - the file begins with the sha256 of the rest, and it is those very bytes, in memory, that are checked and then
//!   given: a torn write, a bad disk or an exchange between check and use cannot pass;
//! - the file's name holds the sha256 of the component and the hash of compiler and settings, which wasmtime checks
//!   once more itself.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The length of a sha256.
const CHECKSUM_BYTES: usize = 32;

/// How many compiled components are kept. The default plugin takes 0.2 MB, a Python plugin 60 MB.
const ENTRIES_MAX: usize = 32;

/// The end of an entry's name.
const SUFFIX: &str = ".cwasm";

/// A folder of compiled components.
pub(crate) struct CompiledCache {
    folder: PathBuf,
}

impl CompiledCache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The component, compiled now or before. What is wrong with the folder costs a compilation and is logged, no more.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        digest: &str,
        compile: impl FnOnce() -> wasmtime::Result<Vec<u8>>,
    ) -> wasmtime::Result<Component> {
        if let Err(error) = self.make_private() {
            tracing::warn!(folder = %self.folder.display(), %error, "compiled plugins are not kept");
            return deserialize(engine, &compile()?);
        }
        let path = self.folder.join(format!("{digest}-{:016x}{SUFFIX}", compatibility(engine)));
        if let Some(component) = load(engine, &path) {
            return Ok(component);
        }
        let code = compile()?;
        if let Err(error) = self.keep(&path, &code) {
            tracing::warn!(path = %path.display(), %error, "a compiled plugin is not kept");
        }
        deserialize(engine, &code)
    }

    /// Makes the folder where it is missing, and refuses it where others could write or read.
    fn make_private(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let folder = fs::symlink_metadata(&self.folder)?;
        let user = fs::metadata("/proc/self")?.uid();
        if !folder.is_dir() || folder.uid() != user || folder.mode() & 0o077 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("it must be a folder of user {user} with mode 0700, and has {:o}", folder.mode() & 0o7777),
            ));
        }
        Ok(())
    }

    /// Writes an entry under another name and renames it: a reader sees all of it or nothing.
    fn keep(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = format!(".{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let draft = self.folder.join(unique);
        let written =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
                file.write_all(&Sha256::digest(code))?;
                file.write_all(code)?;
                fs::rename(&draft, path)
            });
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written?;
        self.forget_oldest()
    }

    /// Removes the entries that were written longest ago, beyond the number that is kept.
    fn forget_oldest(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(SUFFIX) {
                entries.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        entries.sort();
        let surplus = entries.len().saturating_sub(ENTRIES_MAX);
        entries.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// A number that differs between compilers, settings and machines whose code does not fit each other.
fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// The entry, where it is there and whole.
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let entry = fs::read(path).ok()?;
    let (checksum, code) = entry.split_at_checked(CHECKSUM_BYTES)?;
    if checksum != Sha256::digest(code).as_slice() {
        tracing::warn!(path = %path.display(), "a compiled plugin is damaged and is made anew");
        return None;
    }
    deserialize(engine, code)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "a compiled plugin is made anew"))
        .ok()
}

#[allow(unsafe_code, reason = "the module's documentation has the argument")]
pub(crate) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` comes from this program's compiler, either directly or through a file that only this user could
    // have written and whose checksum fits.
    unsafe { Component::deserialize(engine, code) }
}
