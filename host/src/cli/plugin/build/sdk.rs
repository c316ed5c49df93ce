//! The SDKs of other languages than Rust. They are part of this program, which puts them into a plugin's folder when it
//! is made or built: nothing has to be fetched or found, and they are of the version that builds.

use std::path::{Path, PathBuf};

use super::super::super::Failure;

/// A file of an SDK: its path, and what is in it.
pub(super) type File = (&'static str, &'static str);

/// The folder, in the plugin's, that holds the SDK and what is built on the way. Nothing in it is to be kept.
pub(super) const FOLDER: &str = ".weir";

/// Writes an SDK's files below `FOLDER`, which is given back. A file that is there as it should be is left alone, so
/// that tools which look at times do not build anew.
pub(super) fn put(plugin: &Path, files: &[File]) -> Result<PathBuf, Failure> {
    let folder = plugin.join(FOLDER);
    for (name, text) in files {
        let path = folder.join(name);
        if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            continue;
        }
        let parent = path.parent().unwrap_or(&folder);
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text));
        written.map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    }
    Ok(folder)
}
