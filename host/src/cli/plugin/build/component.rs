//! Makes a component of the core module that a compiler made: what `wit-component` does, with Weir's own contract, and
//! with inert stubs where the module imports WASI.

use std::path::{Path, PathBuf};

use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::super::super::Failure;
use super::super::stubs::{self, Stubs};

const CONTRACT: &str = include_str!("../../../../../wit/weir.wit");
/// What the stubs call.
const STUBS_WORLD: &str = "world stubs { import log; }";
const STUBS: &str = include_str!("inert.wat");
/// The module that libraries of C and Go import WASI from.
const WASI: &str = "wasi_snapshot_preview1";
/// What the stubs offer to Weir's own SDKs, and WASI has not.
const OWN: &str = "lend_line";

/// Makes the component of a plugin's folder, named after it, of the core module that a compiler wrote.
pub(super) fn of_file(core: &Path, plugin: &Path, stubs: Stubs) -> Result<PathBuf, Failure> {
    let trouble = |path: &Path, e: std::io::Error| Failure::failed(format!("{}: {e}", path.display()));
    let bytes = std::fs::read(core).map_err(|e| trouble(core, e))?;
    let folder = plugin.canonicalize().map_err(|e| trouble(plugin, e))?;
    let name = folder.file_name().unwrap_or("plugin".as_ref()).to_string_lossy().into_owned();
    let component = plugin.join(format!("{name}.wasm"));
    std::fs::write(&component, of_core(bytes, stubs)?).map_err(|e| trouble(&component, e))?;
    Ok(component)
}

/// A core module's imports, as module and name, and its exports.
#[derive(Default)]
struct Shape {
    imports: Vec<(String, String)>,
    exports: Vec<String>,
}

/// The component that a core module is the inside of.
///
/// # Errors
/// The module exports no plugin, or imports what no plugin gets: each is named.
fn of_core(core: Vec<u8>, stubs: Stubs) -> Result<Vec<u8>, Failure> {
    let damaged = |e| Failure::failed(format!("what the compiler made is damaged: {e}"));
    let shape = shape(&core).map_err(damaged)?;
    let mut core = without_debug_information(&core).map_err(damaged)?;
    let world = world(&shape.exports)?;
    refuse_strangers(&shape.imports)?;
    let mut wanted: Vec<String> =
        shape.imports.into_iter().filter(|(module, _)| module == WASI).map(|(_, name)| name).collect();
    wanted.sort();
    // Go imports some functions several times.
    wanted.dedup();
    let inert = if wanted.is_empty() { None } else { Some(inert(&wanted, stubs)?) };
    let broken = |e| Failure::failed(format!("no component can be made of what the compiler made: {e}"));
    embed(&mut core, &format!("{world}-plugin")).map_err(broken)?;
    let mut component = encode(&core, inert.as_deref()).map_err(broken)?;
    let functions: Vec<String> = wanted.into_iter().filter(|name| name != OWN).collect();
    stubs::note(&mut component, &functions);
    Ok(component)
}

/// The module without what debuggers read, which is much larger than the code; the names of functions stay, for traps are
/// told with them. Linkers have a switch for that, and zig's takes the names too.
fn without_debug_information(module: &[u8]) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    const HEADER_BYTES: usize = 8;
    let mut kept = module[..HEADER_BYTES.min(module.len())].to_vec();
    let mut from = kept.len();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let Some((_, content)) = payload.as_section() else { continue };
        // A section begins where the one before ends, with its kind and length.
        let section = &module[from..content.end];
        from = content.end;
        if !matches!(&payload, Payload::CustomSection(custom) if custom.name().starts_with(".debug")) {
            kept.extend_from_slice(section);
        }
    }
    Ok(kept)
}

fn shape(module: &[u8]) -> Result<Shape, wasmparser::BinaryReaderError> {
    let mut shape = Shape::default();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    shape.imports.push((import.module.to_owned(), import.name.to_owned()));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    shape.exports.push(export?.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(shape)
}

/// The interface whose functions a module exports, as in `weir:plugin/otlp-to-otlp@0.1.0#transform`.
fn world(exports: &[String]) -> Result<String, Failure> {
    let interface = |export: &String| {
        let (interface, _) = export.strip_suffix("#transform")?.strip_prefix("weir:plugin/")?.split_once('@')?;
        Some(interface.to_owned())
    };
    exports.iter().find_map(interface).ok_or_else(|| {
        Failure::failed("it exports no plugin: WEIR_OTLP_TO_OTLP(...) in C, or Export(...) in Go, does that")
    })
}

/// Refuses imports of modules that are neither WASI nor the contract.
fn refuse_strangers(imports: &[(String, String)]) -> Result<(), Failure> {
    let is_known = |module: &str| module == WASI || module.starts_with("weir:plugin/");
    let strangers: Vec<String> =
        imports.iter().filter(|(module, _)| !is_known(module)).map(|(m, name)| format!("{m} {name}")).collect();
    match strangers.is_empty() {
        true => Ok(()),
        false => Err(Failure::failed(format!("the plugin imports what no plugin gets: {}", strangers.join(", ")))),
    }
}

/// The stubs, if they may be there and have all that is wanted.
fn inert(wanted: &[String], stubs: Stubs) -> Result<Vec<u8>, Failure> {
    let more = |names: Vec<&str>, how: &str| {
        let names = names.join(", ");
        Failure::failed(format!("the plugin imports what no plugin gets{how}, of {WASI}: {names}"))
    };
    if stubs == Stubs::Refused {
        let names = wanted.iter().map(String::as_str).filter(|name| *name != OWN).collect();
        return Err(more(names, " without stubs"));
    }
    let broken = |e: &dyn std::fmt::Display| Failure::failed(format!("the stubs are broken: {e}"));
    let mut inert = wat::parse_str(STUBS).map_err(|e| broken(&e))?;
    let offered = shape(&inert).map_err(|e| broken(&e))?.exports;
    let missing: Vec<&str> = wanted.iter().filter(|name| !offered.contains(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(more(missing, ""));
    }
    embed(&mut inert, "stubs").map_err(|e| broken(&e))?;
    Ok(inert)
}

/// Writes into a module which world it is of.
fn embed(module: &mut Vec<u8>, world: &str) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let contract = format!("{CONTRACT}\n{STUBS_WORLD}\n");
    let package = resolve.push_str("weir.wit", &contract).map_err(|e| format!("{e:#}"))?;
    let world = resolve.select_world(&[package], Some(world)).map_err(|e| format!("{e:#}"))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).map_err(|e| format!("{e:#}"))
}

fn encode(core: &[u8], inert: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let mut encoder = ComponentEncoder::default().validate(true).module(core).map_err(|e| format!("{e:#}"))?;
    if let Some(inert) = inert {
        encoder = encoder.adapter(WASI, inert).map_err(|e| format!("{e:#}"))?;
    }
    encoder.encode().map_err(|e| format!("{e:#}"))
}

#[cfg(test)]
mod tests;
