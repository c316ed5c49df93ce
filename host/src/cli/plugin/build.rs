//! `weir plugin build`: one file for each language, and what their components have in common.

mod c;
mod component;
mod go;
mod javascript;
mod python;
mod rust;
mod sdk;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use weir_wasm::Plugin;

use super::super::{Failure, engine};
use super::inspect;
use super::language::Language;
use super::stubs::{self, Stubs};
use crate::progress::Format;

/// Builds the plugin of a folder with its language's own tools, and checks the component.
///
/// No plugin gets WASI. What a language's runtime insists on is answered inside the component by inert stubs: no file,
/// no network, no environment, a fixed clock and seed. `weir plugin inspect` lists them.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The plugin's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Put no stubs into the component: what it wants of WASI is refused by name.
    #[arg(long)]
    no_stubs: bool,
}

pub(super) fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let stubs = if arguments.no_stubs { Stubs::Refused } else { Stubs::Linked };
    let component = build(&arguments.folder, stubs)?;
    let plugin = Plugin::from_file(&engine()?, &name_of(&component), &component).map_err(Failure::failed)?;
    if output == Format::Human {
        super::super::say(format_args!("built    {}", component.display()));
    }
    let bytes = std::fs::read(&component).map_err(|e| Failure::failed(format!("{}: {e}", component.display())))?;
    inspect::show(&plugin, &stubs::listed(&bytes), None, output);
    Ok(())
}

/// Builds a folder's plugin: the component, named after the plugin, lies in the folder then.
pub(super) fn build(folder: &Path, stubs: Stubs) -> Result<PathBuf, Failure> {
    match Language::of(folder)? {
        Language::Rust => rust::build(folder),
        Language::C => c::build(folder, stubs),
        Language::Go => go::build(folder, stubs),
        Language::Javascript => javascript::build(folder, stubs),
        Language::Python => python::build(folder, stubs),
    }
}

/// Puts the SDK of a language into a plugin's folder, where it is not fetched from elsewhere.
pub(super) fn put_sdk(language: Language, folder: &Path) -> Result<(), Failure> {
    match language {
        Language::Rust => Ok(()),
        Language::C => sdk::put(folder, &c::SDK).map(drop),
        Language::Go => sdk::put(folder, &go::SDK).map(drop),
        Language::Javascript => sdk::put(folder, &javascript::SDK).map(drop),
        Language::Python => sdk::put(folder, &python::SDK).map(drop),
    }
}

/// Runs a compiler that says itself what is wrong.
fn run_tool(mut tool: Command, name: &str) -> Result<(), Failure> {
    let done = tool.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let done = done.map_err(|e| Failure::failed(format!("{name} cannot be started: {e}")))?;
    if done.success() {
        return Ok(());
    }
    Err(Failure::failed(format!("the plugin does not build: {name} says why above")))
}

pub(super) fn name_of(component: &Path) -> String {
    component.file_stem().map_or_else(|| "plugin".into(), |name| name.to_string_lossy().into_owned())
}
