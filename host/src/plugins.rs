//! Where plugins are found: a file, a folder of the plugin path, or inside the binary.

use std::path::{Path, PathBuf};

use weir_wasm::{Engine, Plugin, PluginError};

use crate::config::PluginRef;

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
}

fn shipped_names() -> String {
    SHIPPED.map(|(name, _)| name).join(", ")
}

/// Loads a plugin. Folders of `path` come before what is shipped, so that a plugin can be replaced by its name.
///
/// # Errors
/// Where there is none, or it is no plugin of this contract.
pub fn load(engine: &Engine, plugin: &PluginRef, path: &[PathBuf]) -> Result<Plugin, FindError> {
    if let Some(file) = file_of(plugin, path) {
        return Ok(Plugin::from_file(engine, &plugin.name(), &file)?);
    }
    let name = &plugin.name();
    if let PluginRef::Given(_, component) = plugin {
        return Ok(Plugin::from_bytes(engine, name, &component.0)?);
    }
    if let Some((_, bytes)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name.as_str()) {
        return Ok(Plugin::from_bytes(engine, name, bytes)?);
    }
    let searched: Vec<_> = path.iter().map(|p| p.display().to_string()).collect();
    let searched =
        if searched.is_empty() { "no folder (WEIR_PLUGIN_PATH is not set)".into() } else { searched.join(", ") };
    Err(FindError::Missing { name: name.clone(), searched })
}

/// A plugin's component as it is now.
///
/// # Errors
/// Where there is none, or its file cannot be read.
pub fn bytes(plugin: &PluginRef, path: &[PathBuf]) -> std::io::Result<bytes::Bytes> {
    if let Some(file) = file_of(plugin, path) {
        return std::fs::read(file).map(Into::into);
    }
    match plugin {
        PluginRef::Given(_, component) => Ok(component.0.clone()),
        _ => {
            let name = plugin.name();
            let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == name);
            shipped
                .map(|(_, bytes)| bytes::Bytes::from_static(bytes))
                .ok_or_else(|| std::io::ErrorKind::NotFound.into())
        }
    }
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
