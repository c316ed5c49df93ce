//! `weir plugin inspect`.

use serde_json::json;
use weir_wasm::{Plugin, World, tables_text};

use super::super::trial::{self, SignalArgument};
use super::super::{Failure, engine, plugin_path, say};
use super::stubs;
use crate::plugins;
use crate::progress::{Format, line_out};

/// Shows what a plugin is: its world, imports, stubs, tables, size, and the line that pins it.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A plugin's name, or a .wasm file.
    plugin: String,
    /// Whose tables an arrow-to-arrow plugin is given: those of the shipped flatten plugin of this signal.
    #[arg(long, value_enum, default_value = "traces")]
    signal: SignalArgument,
    /// A setting, as KEY=VALUE; given again, the key has several values.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let reference = trial::reference(&arguments.plugin);
    let plugin = plugins::load(&engine()?, &reference, &plugin_path()).map_err(Failure::wrong)?;
    let tables = match plugin.world() {
        World::OtlpToOtlp => None,
        World::OtlpToArrow | World::ArrowToArrow => Some(tables(arguments)?),
    };
    let bytes = plugins::bytes(&reference, &plugin_path()).map_err(Failure::failed)?;
    show(&plugin, &stubs::listed(&bytes), tables.as_ref(), output);
    Ok(())
}

/// The tables that it gives with these settings, or why it gives none.
fn tables(arguments: &Arguments) -> Result<Result<String, String>, Failure> {
    let settings = trial::settings(&arguments.settings)?;
    match trial::chain_of(&arguments.plugin, settings, arguments.signal.signal()) {
        Ok(stage) => Ok(Ok(tables_text(stage.tables()))),
        Err(Failure::Wrong(why)) => Ok(Err(why)),
        Err(failure) => Err(failure),
    }
}

/// Shows a plugin that was loaded, and what its stubs answer.
pub(super) fn show(plugin: &Plugin, stubs: &[String], tables: Option<&Result<String, String>>, output: Format) {
    if output == Format::Json {
        return line_out(&json!({
            "plugin": plugin.name(), "world": plugin.world().name(), "digest": plugin.digest(),
            "size_bytes": plugin.size_bytes(), "imports": plugin.imports(), "stubs": stubs,
            "tables": tables.and_then(|t| t.as_ref().ok()), "refused": tables.and_then(|t| t.as_ref().err()),
        }));
    }
    say(format_args!("plugin   {}", plugin.name()));
    say(format_args!("world    {}", plugin.world()));
    say(format_args!("imports  {}", plugin.imports().join(", ")));
    if !stubs.is_empty() {
        say(format_args!("stubs    {}", stubs.join(", ")));
    }
    say(format_args!("size     {} bytes", plugin.size_bytes()));
    // As it goes into a pipeline's [[transform]].
    say(format_args!("pin      sha256 = \"{}\"", plugin.digest()));
    match tables {
        Some(Ok(tables)) => say(format_args!("tables   {tables}")),
        Some(Err(why)) => say(format_args!("tables   none with these settings: {why}")),
        None => {}
    }
}
