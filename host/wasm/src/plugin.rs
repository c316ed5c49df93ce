//! A plugin: a component that was checked and compiled, ready to be run many times.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::{OtlpToArrowPlugin, OtlpToArrowPluginPre};
use crate::engine::Engine;
use crate::error::PluginError;
use crate::instance::State;
use crate::limits::Limits;
use crate::stage::{Signal, WasmStage};
use crate::usage::{Meter, Usage};

/// The largest component that is read. The default plugin has 0.1 MB, one in Python 20 MB.
const COMPONENT_BYTES_MAX: u64 = 256 << 20;

/// The package that the contract is.
const PACKAGE: &str = "weir:plugin/";

/// The interface that a plugin exports, without its version.
const EXPORT: &str = "weir:plugin/otlp-to-arrow";

/// The interfaces that a plugin may import: two with functions, three with types.
const IMPORTS: [&str; 5] =
    ["weir:plugin/log", "weir:plugin/counters", "weir:plugin/settings", "weir:plugin/records", "weir:plugin/columns"];

/// The contract's version. A plugin of the same minor version fits.
const VERSION: &str = "0.1.0";

/// One key of a plugin's configuration, as the contract's `setting`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key, its tables joined by dots.
    pub key: String,
    /// Its values: one for a scalar, one an element for an array.
    pub values: Vec<String>,
}

/// A component that exports the contract's interface and imports no more than it may. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    digest: String,
    engine: Engine,
    component: OtlpToArrowPluginPre<State>,
    meter: Meter,
}

impl Plugin {
    /// Reads, checks and compiles a plugin. `name` is what messages call it.
    ///
    /// # Errors
    /// Every kind but the last three, which [`Plugin::configure`] gives.
    pub fn from_file(engine: &Engine, name: &str, path: &Path) -> Result<Self, PluginError> {
        let unreadable = |source| PluginError::Read { plugin: name.to_owned(), path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let size_bytes = file.metadata().map_err(unreadable)?.len();
        check_size(name, size_bytes)?;
        let mut bytes = Vec::new();
        file.by_ref().take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::from_bytes(engine, name, &bytes)
    }

    /// Checks and compiles a plugin that is in memory.
    ///
    /// # Errors
    /// As [`Plugin::from_file`].
    pub fn from_bytes(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Self, PluginError> {
        check_size(name, bytes.len() as u64)?;
        check_header(name, bytes)?;
        let digest = hex::encode(Sha256::digest(bytes));
        let component = engine
            .compile(&digest, bytes)
            .map_err(|e| PluginError::Compile { plugin: name.to_owned(), reason: format!("{e:#}") })?;
        check_exports(name, engine, &component)?;
        check_imports(name, engine, &component)?;
        let component = link(engine, &component)
            .map_err(|e| PluginError::Contract { plugin: name.to_owned(), reason: format!("{e:#}") })?;
        let inner = Inner { name: name.to_owned(), digest, engine: engine.clone(), component, meter: Meter::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs the plugin's `configure` and gives the stage that works with these settings.
    ///
    /// # Errors
    /// [`PluginError::Settings`] where the plugin refuses them, [`PluginError::Configure`] where it fails,
    /// [`PluginError::Schema`] where its tables cannot be.
    pub fn configure(&self, signal: Signal, settings: Vec<Setting>, limits: Limits) -> Result<WasmStage, PluginError> {
        WasmStage::new(self.clone(), signal, settings, limits)
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The sha256 of the component, in hex: which code this is.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// What it has used since it was loaded, in all its stages.
    pub fn usage(&self) -> Usage {
        self.inner.meter.read()
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.inner.meter
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn component(&self) -> &OtlpToArrowPluginPre<State> {
        &self.inner.component
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name()).field("digest", &self.digest()).finish_non_exhaustive()
    }
}

fn check_size(plugin: &str, size_bytes: u64) -> Result<(), PluginError> {
    if size_bytes > COMPONENT_BYTES_MAX {
        let plugin = plugin.to_owned();
        return Err(PluginError::TooLarge { plugin, size_bytes, limit_bytes: COMPONENT_BYTES_MAX });
    }
    Ok(())
}

/// The first eight bytes say which kind of WebAssembly this is: version 1 of layer 0 is a core module.
fn check_header(plugin: &str, bytes: &[u8]) -> Result<(), PluginError> {
    let plugin = plugin.to_owned();
    match bytes {
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(PluginError::CoreModule { plugin }),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        _ => {
            let begins =
                if bytes.is_empty() { "nothing".to_owned() } else { hex::encode(&bytes[..bytes.len().min(8)]) };
            Err(PluginError::NotWasm { plugin, begins })
        }
    }
}

fn check_exports(plugin: &str, engine: &Engine, component: &Component) -> Result<(), PluginError> {
    let ty = component.component_type();
    let exports: Vec<&str> = ty.exports(engine.wasmtime()).map(|(name, _)| name).collect();
    let ours = exports.iter().find(|name| split_version(name).0 == EXPORT);
    match ours {
        Some(name) => check_version(plugin, name),
        None => {
            let exports = if exports.is_empty() { "none".to_owned() } else { exports.join(", ") };
            Err(PluginError::World { plugin: plugin.to_owned(), missing: format!("{EXPORT}@{VERSION}"), exports })
        }
    }
}

fn check_imports(plugin: &str, engine: &Engine, component: &Component) -> Result<(), PluginError> {
    let ty = component.component_type();
    let mut refused = Vec::new();
    for (name, _) in ty.imports(engine.wasmtime()) {
        if IMPORTS.contains(&split_version(name).0) {
            check_version(plugin, name)?;
        } else {
            refused.push(name);
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(PluginError::Import { plugin: plugin.to_owned(), imports: refused.join(", ") })
}

/// Refuses an interface of ours whose version is not compatible: another minor version while the major is 0.
fn check_version(plugin: &str, name: &str) -> Result<(), PluginError> {
    let (interface, version) = split_version(name);
    let line = |v: &str| v.rsplit_once('.').map(|(line, _)| line.to_owned());
    if interface.starts_with(PACKAGE) && line(version) != line(VERSION) {
        let (plugin, found) = (plugin.to_owned(), name.to_owned());
        return Err(PluginError::Version { plugin, found, offered: format!("{interface}@{VERSION}") });
    }
    Ok(())
}

fn split_version(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, ""))
}

fn link(engine: &Engine, component: &Component) -> wasmtime::Result<OtlpToArrowPluginPre<State>> {
    let mut linker: Linker<State> = Linker::new(engine.wasmtime());
    OtlpToArrowPlugin::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    OtlpToArrowPluginPre::new(linker.instantiate_pre(component)?)
}
