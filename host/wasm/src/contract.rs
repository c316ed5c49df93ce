//! What a component must be to be a plugin: which of the contract's interfaces it exports, and what it imports.

use std::fmt;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use crate::bindings::{AnyPlugin, arrow_to_arrow, otlp_to_arrow, otlp_to_otlp};
use crate::engine::Engine;
use crate::error::PluginError;
use crate::instance::State;

/// The package that the contract is.
const PACKAGE: &str = "weir:plugin/";

/// The interfaces with functions that a plugin may import.
const FUNCTIONS: [&str; 2] = ["weir:plugin/log", "weir:plugin/counters"];

/// Those that hold types only.
const TYPES: [&str; 3] = ["weir:plugin/settings", "weir:plugin/records", "weir:plugin/columns"];

/// The contract's version. A plugin of the same minor version fits.
const VERSION: &str = "0.1.0";

/// Which step of a chain a plugin is, by the interface that it exports. In the order of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum World {
    /// OTLP in, OTLP out.
    OtlpToOtlp,
    /// OTLP in, rows out.
    OtlpToArrow,
    /// Rows in, rows out.
    ArrowToArrow,
}

impl World {
    const ALL: [Self; 3] = [Self::OtlpToOtlp, Self::OtlpToArrow, Self::ArrowToArrow];

    /// The interface's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OtlpToOtlp => "otlp-to-otlp",
            Self::OtlpToArrow => "otlp-to-arrow",
            Self::ArrowToArrow => "arrow-to-arrow",
        }
    }

    fn of(export: &str) -> Option<Self> {
        let name = split_version(export).0.strip_prefix(PACKAGE)?;
        Self::ALL.into_iter().find(|world| world.name() == name)
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The functions of the interface that a component exports.
pub(crate) enum Exported {
    OtlpToOtlp(otlp_to_otlp::GuestIndices),
    OtlpToArrow(otlp_to_arrow::GuestIndices),
    ArrowToArrow(arrow_to_arrow::GuestIndices),
}

/// A component that keeps to the contract, ready to be started.
pub(crate) struct Checked {
    pub(crate) world: World,
    pub(crate) component: InstancePre<State>,
    pub(crate) exported: Exported,
    /// What it imports, types left out.
    pub(crate) imports: Vec<String>,
}

/// Holds a component to the contract.
///
/// # Errors
/// [`PluginError::World`], [`PluginError::Version`], [`PluginError::Import`] or [`PluginError::Contract`].
pub(crate) fn check(plugin: &str, engine: &Engine, component: &Component) -> Result<Checked, PluginError> {
    let world = check_exports(plugin, engine, component)?;
    let imports = check_imports(plugin, engine, component)?;
    link(world, imports, engine, component)
        .map_err(|e| PluginError::Contract { plugin: plugin.to_owned(), reason: format!("{e:#}") })
}

fn check_exports(plugin: &str, engine: &Engine, component: &Component) -> Result<World, PluginError> {
    let ty = component.component_type();
    let exports: Vec<&str> = ty.exports(engine.wasmtime()).map(|(name, _)| name).collect();
    let mut ours = exports.iter().filter_map(|name| Some((*name, World::of(name)?)));
    match (ours.next(), ours.next()) {
        (Some((name, world)), None) => check_version(plugin, name).map(|()| world),
        (Some((one, _)), Some((other, _))) => {
            let (plugin, one, other) = (plugin.to_owned(), one.to_owned(), other.to_owned());
            Err(PluginError::Worlds { plugin, one, other })
        }
        (None, _) => {
            let exports = if exports.is_empty() { "none".to_owned() } else { exports.join(", ") };
            let worlds = World::ALL.map(World::name).join(", ");
            let wanted = format!("{worlds} of weir:plugin@{VERSION}");
            Err(PluginError::World { plugin: plugin.to_owned(), wanted, exports })
        }
    }
}

fn check_imports(plugin: &str, engine: &Engine, component: &Component) -> Result<Vec<String>, PluginError> {
    let ty = component.component_type();
    let (mut imports, mut refused) = (Vec::new(), Vec::new());
    for (name, _) in ty.imports(engine.wasmtime()) {
        let interface = split_version(name).0;
        if FUNCTIONS.contains(&interface) {
            check_version(plugin, name)?;
            imports.push(name.to_owned());
        } else if TYPES.contains(&interface) {
            check_version(plugin, name)?;
        } else {
            refused.push(name);
        }
    }
    if refused.is_empty() {
        return Ok(imports);
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

fn link(world: World, imports: Vec<String>, engine: &Engine, component: &Component) -> wasmtime::Result<Checked> {
    let mut linker: Linker<State> = Linker::new(engine.wasmtime());
    AnyPlugin::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    let component = linker.instantiate_pre(component)?;
    let exported = match world {
        World::OtlpToOtlp => Exported::OtlpToOtlp(otlp_to_otlp::GuestIndices::new(&component)?),
        World::OtlpToArrow => Exported::OtlpToArrow(otlp_to_arrow::GuestIndices::new(&component)?),
        World::ArrowToArrow => Exported::ArrowToArrow(arrow_to_arrow::GuestIndices::new(&component)?),
    };
    Ok(Checked { world, component, exported, imports })
}
