//! Where plugins are found: a file, a folder of the plugin path, or inside the binary.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use weir_wasm::{Engine, Plugin, PluginError};

use crate::config::{Pin, PluginRef};

#[cfg(test)]
mod tests;

/// The plugins that are part of the binary.
const SHIPPED: [(&str, &[u8]); 7] = [
    ("flatten-spans", include_bytes!(concat!(env!("OUT_DIR"), "/flatten_spans.wasm"))),
    ("flatten-logs", include_bytes!(concat!(env!("OUT_DIR"), "/flatten_logs.wasm"))),
    ("flatten-metrics", include_bytes!(concat!(env!("OUT_DIR"), "/flatten_metrics.wasm"))),
    ("drop-health-checks", include_bytes!(concat!(env!("OUT_DIR"), "/drop_health_checks.wasm"))),
    ("redact-attributes", include_bytes!(concat!(env!("OUT_DIR"), "/redact_attributes.wasm"))),
    ("flag-slow-spans", include_bytes!(concat!(env!("OUT_DIR"), "/flag_slow_spans.wasm"))),
    ("keep-columns", include_bytes!(concat!(env!("OUT_DIR"), "/keep_columns.wasm"))),
];

/// Why there is no plugin.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No file and no shipped plugin has the name.
    #[error(
        "there is no plugin {name}: looked for {name}.wasm in {searched}, and among the shipped ones ({shipped})",
        shipped = shipped_names()
    )]
    Missing {
        /// What was asked for.
        name: String,
        /// The folders of the plugin path.
        searched: String,
    },
    /// It is there and cannot be used.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// It is another one than the file says.
    #[error("plugin {name} is pinned to sha256 {pinned}, and what {place} holds has {found}")]
    Another {
        /// What messages call it.
        name: String,
        /// Where it was found.
        place: Place,
        /// The content that the pipeline's file names.
        pinned: String,
        /// The content that was found.
        found: String,
    },
    /// The file says nothing of its content, and must.
    #[error("plugin {name} is not pinned, and the pipeline requires it; what {place} holds has sha256 {found}")]
    Unpinned {
        /// What messages call it.
        name: String,
        /// Where it was found.
        place: Place,
        /// The content that was found.
        found: String,
    },
}

impl FindError {
    /// What to write into the pipeline's file, where that decides.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Another { found, .. } | Self::Unpinned { found, .. } => {
                Some(format!("if that content is what is wanted, pin it: \"{found}\""))
            }
            Self::Missing { .. } | Self::Plugin(_) => None,
        }
    }
}

/// Where a component was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a file.
    File(PathBuf),
    /// In the hands of who swaps plugins, or on the shelf.
    Given,
    /// Inside the binary.
    Shipped,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Given => f.write_str("the component that was sent"),
            Self::Shipped => f.write_str("this binary"),
        }
    }
}

fn shipped_names() -> String {
    SHIPPED.map(|(name, _)| name).join(", ")
}

/// Loads a plugin. Folders of `path` come before what is shipped, so that a plugin can be replaced by its name.
///
/// # Errors
/// Where there is none, or it is no plugin of this contract.
pub fn load(engine: &Engine, plugin: &PluginRef, path: &[PathBuf]) -> Result<Plugin, FindError> {
    let (bytes, _) = find(plugin, path)?;
    Ok(Plugin::from_bytes(engine, &plugin.name(), &bytes)?)
}

/// Loads a plugin that a pipeline names. What its file does not allow is not even compiled.
///
/// # Errors
/// As [`load`] and [`check_pin`].
pub fn load_pinned(
    engine: &Engine,
    plugin: &PluginRef,
    pin: &Pin,
    is_required: bool,
    path: &[PathBuf],
) -> Result<Plugin, FindError> {
    let (bytes, place) = find(plugin, path)?;
    hold(&plugin.name(), &bytes, place, pin, is_required)?;
    Ok(Plugin::from_bytes(engine, &plugin.name(), &bytes)?)
}

/// Whether a plugin has the content that a pipeline's file wants. What is inside the binary needs no pin, whoever
/// brings it: it was chosen with the binary.
///
/// # Errors
/// [`FindError::Another`] and [`FindError::Unpinned`]; the others where there is no plugin to look at.
pub fn check_pin(plugin: &PluginRef, pin: &Pin, is_required: bool, path: &[PathBuf]) -> Result<(), FindError> {
    let (bytes, place) = find(plugin, path)?;
    hold(&plugin.name(), &bytes, place, pin, is_required)
}

fn hold(name: &str, bytes: &[u8], place: Place, pin: &Pin, is_required: bool) -> Result<(), FindError> {
    if pin.sha256().is_none() && !is_required {
        return Ok(());
    }
    let (name, found) = (name.to_owned(), sha256(bytes));
    match pin.sha256() {
        Some(pinned) if pinned == found => Ok(()),
        Some(pinned) => Err(FindError::Another { name, place, pinned: pinned.to_owned(), found }),
        None if place == Place::Shipped || SHIPPED.iter().any(|(_, shipped)| *shipped == bytes) => Ok(()),
        None => Err(FindError::Unpinned { name, place, found }),
    }
}

/// The sha256 of a component, as pins and digests have it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A plugin's component as it is now.
///
/// # Errors
/// Where there is none, or its file cannot be read.
pub fn bytes(plugin: &PluginRef, path: &[PathBuf]) -> Result<Bytes, FindError> {
    find(plugin, path).map(|(bytes, _)| bytes)
}

fn find(plugin: &PluginRef, path: &[PathBuf]) -> Result<(Bytes, Place), FindError> {
    let name = plugin.name();
    if let Some(file) = file_of(plugin, path) {
        return Ok((Plugin::read(&name, &file)?.into(), Place::File(file)));
    }
    if let PluginRef::Given(_, component) = plugin {
        return Ok((component.0.clone(), Place::Given));
    }
    if let Some((_, bytes)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok((Bytes::from_static(bytes), Place::Shipped));
    }
    let searched: Vec<_> = path.iter().map(|p| p.display().to_string()).collect();
    let searched =
        if searched.is_empty() { "no folder (WEIR_PLUGIN_PATH is not set)".into() } else { searched.join(", ") };
    Err(FindError::Missing { name, searched })
}

/// The file that a plugin is read from; none for one that is shipped, or given.
pub fn file_of(plugin: &PluginRef, path: &[PathBuf]) -> Option<PathBuf> {
    match plugin {
        PluginRef::File(file) => Some(file.clone()),
        PluginRef::Named(name) => {
            path.iter().map(|folder| folder.join(format!("{name}.wasm"))).find(|file| file.is_file())
        }
        PluginRef::Given(..) => None,
    }
}

/// The folders of a plugin path, as `WEIR_PLUGIN_PATH` holds them.
pub fn search_path(variable: Option<&std::ffi::OsStr>) -> Vec<PathBuf> {
    variable.map(|v| std::env::split_paths(v).filter(|p| *p != Path::new("")).collect()).unwrap_or_default()
}
