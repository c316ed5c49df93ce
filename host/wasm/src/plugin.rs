//! A plugin: a component that was checked and compiled, ready to be run many times.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::contract::{self, Checked, World};
use crate::engine::Engine;
use crate::error::PluginError;
use crate::limits::Limits;
use crate::stage::{Link, Signal, WasmStage};
use crate::usage::{Meter, Usage};

/// The largest component that is read. The default plugin has 0.1 MB, one in Python 20 MB.
const COMPONENT_BYTES_MAX: u64 = 256 << 20;

/// One key of a plugin's configuration, as the contract's `setting`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key, its tables joined by dots.
    pub key: String,
    /// Its values: one for a scalar, one an element for an array.
    pub values: Vec<String>,
}

/// A component that exports one of the contract's interfaces and imports no more than it may. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    digest: String,
    size_bytes: u64,
    engine: Engine,
    checked: Checked,
    meter: Meter,
}

impl Plugin {
    /// Reads, checks and compiles a plugin. `name` is what messages call it.
    ///
    /// # Errors
    /// Every kind but those that [`WasmStage::chain`] gives.
    pub fn from_file(engine: &Engine, name: &str, path: &Path) -> Result<Self, PluginError> {
        Self::from_bytes(engine, name, &Self::read(name, path)?)
    }

    /// A component's bytes, if they are no more than a plugin may have.
    ///
    /// # Errors
    /// [`PluginError::Read`] and [`PluginError::TooLarge`].
    pub fn read(name: &str, path: &Path) -> Result<Vec<u8>, PluginError> {
        let unreadable = |source| PluginError::Read { plugin: name.to_owned(), path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let size_bytes = file.metadata().map_err(unreadable)?.len();
        check_size(name, size_bytes)?;
        let mut bytes = Vec::new();
        file.by_ref().take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        check_size(name, bytes.len() as u64)?;
        Ok(bytes)
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
        let checked = contract::check(name, engine, &component)?;
        let inner = Inner {
            name: name.to_owned(),
            digest,
            size_bytes: bytes.len() as u64,
            engine: engine.clone(),
            checked,
            meter: Meter::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The chain that is this plugin alone, which must make rows of OTLP.
    ///
    /// # Errors
    /// As [`WasmStage::chain`].
    pub fn configure(&self, signal: Signal, settings: Vec<Setting>, limits: Limits) -> Result<WasmStage, PluginError> {
        WasmStage::chain(signal, vec![Link { plugin: self.clone(), settings, limits }]).map_err(|e| e.error)
    }

    /// Which step of a chain it is.
    pub fn world(&self) -> World {
        self.inner.checked.world
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The sha256 of the component, in hex: which code this is.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// The size of the component.
    pub fn size_bytes(&self) -> u64 {
        self.inner.size_bytes
    }

    /// The interfaces with functions that it imports.
    pub fn imports(&self) -> &[String] {
        &self.inner.checked.imports
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

    pub(crate) fn checked(&self) -> &Checked {
        &self.inner.checked
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
