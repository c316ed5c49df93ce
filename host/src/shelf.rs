//! Components that were live, kept by their digest.
//!
//! A process may end between the commits of two tables. What the first table has and the second has not must then come
//! from the very plugins that made the one's rows, although the files that the pipeline names may hold others by now.
//! Settings are not kept, for there may be secrets in them: where these have changed too, the flag decides.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_iceberg::table::IcebergTable;
use weir_pipeline::chain::is_named;
use weir_pipeline::clock::SystemClock;
use weir_pipeline::holdings::Holdings;
use weir_pipeline::sink::Table;

use crate::config::{Component, Pin, PluginRef, Transform};
use crate::plugins;

#[cfg(test)]
mod tests;

/// Components that are kept: of the last few of a handful of pipelines.
const KEPT_MAX: usize = 32;
/// The end of a kept component's name.
const SUFFIX: &str = ".wasm";

/// The folder.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// A folder that is made when something is kept.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps the components of transforms that have these digests. What cannot be kept is logged: it is wanted only
    /// after a crash.
    pub fn keep(&self, transforms: &[Transform], plugin_path: &[PathBuf], digests: &[String]) {
        for (transform, digest) in transforms.iter().zip(digests) {
            let bytes = plugins::bytes(&transform.plugin, plugin_path).map_err(io::Error::other);
            let kept = bytes.and_then(|bytes| self.put(digest, &bytes));
            if let Err(e) = kept {
                tracing::warn!(plugin = transform.plugin.name(), error = %e, "the component is not kept for a second pass");
            }
        }
    }

    /// The transforms with the components that a table names, in their order; none where one is not here.
    pub fn find(&self, transforms: &[Transform], named: &str) -> Option<Vec<Transform>> {
        let names: Vec<&str> = named.split(',').collect();
        if names.len() != transforms.len() {
            return None;
        }
        let of = |(transform, name): (&Transform, &&str)| {
            let digest = name.split_once('+').map_or(*name, |(component, _)| component);
            let component = Component(self.get(digest)?.into());
            let plugin = PluginRef::Given(transform.plugin.name(), component);
            // What was live then is what is wanted, whatever the file says now.
            let pin = Pin::to(digest, &transform.origin);
            Some(Transform { plugin, pin, ..transform.clone() })
        };
        transforms.iter().zip(&names).map(of).collect()
    }

    fn put(&self, digest: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(digest).ok_or_else(|| io::Error::other("it has no digest"))?;
        if path.exists() {
            return Ok(());
        }
        if plugins::sha256(bytes) != digest {
            return Err(io::Error::other("its file has changed since it was read"));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // Under another name first: who finds it finds all of it.
        let draft = self.folder.join(format!(".{digest}-{}", std::process::id()));
        let written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
        written?.write_all(bytes)?;
        fs::rename(&draft, &path)?;
        self.forget_oldest()
    }

    fn get(&self, digest: &str) -> Option<Vec<u8>> {
        fs::read(self.path(digest)?).ok().filter(|bytes| plugins::sha256(bytes) == digest)
    }

    /// A digest comes from a table: it must not lead out of the folder.
    fn path(&self, digest: &str) -> Option<PathBuf> {
        let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        is_digest.then(|| self.folder.join(format!("{digest}{SUFFIX}")))
    }

    fn forget_oldest(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if Path::new(&entry.file_name()).extension().is_some_and(|e| e == "wasm") {
                kept.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        kept.sort();
        let surplus = kept.len().saturating_sub(KEPT_MAX);
        kept.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// The chains, other than the live one, that further data tables name for records that the primary has not. What cannot
/// be read now is read, and told of, when partitions are taken.
pub async fn owed(holdings: &Arc<Holdings<IcebergTable, SystemClock>>, live: &str) -> BTreeSet<String> {
    let mut owed = BTreeSet::new();
    let mut primary = None;
    for (at, table) in holdings.tables.iter().take(holdings.data_tables()).enumerate() {
        let committer = &holdings.committer;
        let Ok(head) = committer.load(table).await else { break };
        let Ok(committed) = committer.offsets_at(table.name(), &head.view) else { break };
        if at == 0 {
            primary = Some(committed.offsets);
            continue;
        }
        let stands = |key| primary.iter().find_map(|primary| primary.get(key)).map_or(0, |entry| entry.next);
        let ahead = committed.offsets.iter().filter(|(key, entry)| entry.next > stands(*key));
        owed.extend(ahead.filter_map(|(_, entry)| entry.chain.clone()).filter(|chain| !is_named(chain, live)));
    }
    owed
}
