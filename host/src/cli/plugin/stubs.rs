//! What is answered inside a component in WASI's place. Whoever links stubs into one notes which: a custom section
//! of the component names them, a line each.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wasmparser::{Parser, Payload};

use super::super::Failure;

/// The custom section's name.
const SECTION: &str = "weir:stubs";

/// Whether a component may hold stubs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stubs {
    /// Those that it needs are linked in.
    Linked,
    /// None: what it wants of WASI is refused by name.
    Refused,
}

/// Notes in a component which functions its stubs answer.
pub(super) fn note(component: &mut Vec<u8>, functions: &[String]) {
    if functions.is_empty() {
        return;
    }
    let text = functions.join("\n");
    let mut section = Vec::new();
    push_length(&mut section, SECTION.len());
    section.extend_from_slice(SECTION.as_bytes());
    section.extend_from_slice(text.as_bytes());
    // 0 is a custom section (component model, Binary.md).
    component.push(0);
    push_length(component, section.len());
    component.extend_from_slice(&section);
}

/// Takes over the component that a scripting language's tool made: notes in it which interfaces of WASI the tool has put
/// stubs in the place of, and writes it to `to`, which is given back.
///
/// # Errors
/// A file cannot be read or written, or the component wants WASI itself, for no stubs were to be in it: each is named.
pub(super) fn take_over(from: &Path, to: &Path) -> Result<PathBuf, Failure> {
    let trouble = |path: &Path, e| Failure::failed(format!("{}: {e}", path.display()));
    let mut component = std::fs::read(from).map_err(|e| trouble(from, e))?;
    let Wasi { inside, wanted } = wasi(&component);
    if !wanted.is_empty() {
        let names = Vec::from_iter(wanted).join(", ");
        return Err(Failure::failed(format!("the plugin imports what no plugin gets without stubs: {names}")));
    }
    note(&mut component, &Vec::from_iter(inside));
    std::fs::write(to, component).map_err(|e| trouble(to, e))?;
    Ok(to.to_owned())
}

/// The interfaces of WASI that a component has to do with.
#[derive(Default)]
struct Wasi {
    /// What the modules within it import.
    inside: BTreeSet<String>,
    /// What it imports itself.
    wanted: BTreeSet<String>,
}

fn wasi(component: &[u8]) -> Wasi {
    let (mut found, mut depth) = (Wasi::default(), 0u32);
    let is_wasi = |name: &String| name.starts_with("wasi:");
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentImportSection(section)) if depth == 0 => {
                let names = section.into_iter().flatten().map(|import| import.name.0.to_owned());
                found.wanted.extend(names.filter(is_wasi));
            }
            Ok(Payload::ImportSection(section)) => {
                let names = section.into_imports().flatten().map(|import| import.module.to_owned());
                found.inside.extend(names.filter(is_wasi));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found
}

/// The functions that a component's stubs answer, as it was noted; none where nothing is noted, or this is no component.
pub(super) fn listed(component: &[u8]) -> Vec<String> {
    // Those of the modules within a component are not its own.
    let (mut listed, mut depth) = (Vec::new(), 0u32);
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::CustomSection(section)) if depth == 0 && section.name() == SECTION => {
                let text: Cow<'_, str> = String::from_utf8_lossy(section.data());
                listed.extend(text.lines().map(str::to_owned));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    listed
}

/// An unsigned LEB128 number.
fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[cfg(test)]
mod tests;
