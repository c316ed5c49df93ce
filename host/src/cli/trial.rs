//! A plugin tried on samples: the chain that it needs around it, calls of it, and its rows as JSON.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_pipeline::transform::{Effort, Message, Output, Stage};
use weir_wasm::{Limits, Link, Setting, WasmStage, World};

use super::{Failure, engine, plugin_path, show_report};
use crate::chain;
use crate::compare::plain;
use crate::config::{self, Pipeline, PluginRef, Report};
use crate::plugins;
use crate::progress::Format;

/// What samples hold.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum SignalArgument {
    Traces,
    Metrics,
    Logs,
}

impl SignalArgument {
    pub(super) fn signal(self) -> config::Signal {
        match self {
            Self::Traces => config::Signal::Traces,
            Self::Metrics => config::Signal::Metrics,
            Self::Logs => config::Signal::Logs,
        }
    }
}

/// One plugin; where that alone is no chain, with the shipped plugin that makes rows of the signal.
pub(super) fn chain_of(plugin: &str, settings: Vec<Setting>, signal: config::Signal) -> Result<WasmStage, Failure> {
    let (engine, path) = (engine()?, plugin_path());
    let link = |reference: &PluginRef, settings| {
        let plugin = plugins::load(&engine, reference, &path).map_err(Failure::wrong)?;
        Ok::<_, Failure>(Link { plugin, settings, limits: Limits::default() })
    };
    let own = link(&reference(plugin), settings)?;
    let maker = || link(&PluginRef::Named(flatten(signal).to_owned()), Vec::new());
    let links = match own.plugin.world() {
        World::OtlpToOtlp => vec![own, maker()?],
        World::OtlpToArrow => vec![own],
        World::ArrowToArrow => vec![maker()?, own],
    };
    WasmStage::chain(chain::signal(signal), links).map_err(|broken| {
        let given = broken.given.as_ref().map(|given| format!("; {given}")).unwrap_or_default();
        Failure::wrong(format!("{broken}{given}"))
    })
}

/// A pipeline's whole chain, with its settings and limits; a flaw of it is shown.
pub(super) fn chain_of_pipeline(pipeline: &Pipeline, output: Format) -> Result<WasmStage, Failure> {
    chain::stage(&engine()?, pipeline, &plugin_path()).map_err(|flaw| {
        let mut report = Report::default();
        report.push(*flaw);
        show_report(&report, output)
    })
}

/// The shipped plugin that makes rows of a signal.
pub(super) fn flatten(signal: config::Signal) -> &'static str {
    match signal {
        config::Signal::Traces => "flatten-spans",
        config::Signal::Metrics => "flatten-metrics",
        config::Signal::Logs => "flatten-logs",
    }
}

/// What looks like a path is one.
pub(super) fn reference(plugin: &str) -> PluginRef {
    if plugin.contains('/') || Path::new(plugin).extension().is_some_and(|e| e == "wasm") {
        PluginRef::File(PathBuf::from(plugin))
    } else {
        PluginRef::Named(plugin.to_string())
    }
}

/// Settings as `KEY=VALUE`.
pub(super) fn settings(given: &[String]) -> Result<Vec<Setting>, Failure> {
    let mut settings: Vec<Setting> = Vec::new();
    for text in given {
        let (key, value) =
            text.split_once('=').ok_or_else(|| Failure::wrong(format!("--set {text}: write it as KEY=VALUE")))?;
        match settings.iter_mut().find(|s| s.key == key) {
            Some(setting) => setting.values.push(value.to_string()),
            None => settings.push(Setting { key: key.to_string(), values: vec![value.to_string()] }),
        }
    }
    Ok(settings)
}

/// One call with all of the values, and how long it took.
pub(super) fn call(stage: &mut WasmStage, messages: &[Message<'_>]) -> Result<(Output, Duration), Failure> {
    let began = Instant::now();
    let output = stage.call("sample", 0, messages, Effort::Normal).map_err(Failure::failed)?;
    Ok((output, began.elapsed()))
}

/// The rows of a call as JSON objects, their table in `_table`.
pub(super) fn json_rows(stage: &WasmStage, given: &Output) -> Result<Vec<Value>, Failure> {
    let mut rows = Vec::new();
    for (schema, table) in stage.tables().iter().zip(&given.tables) {
        let lines = weir_query::json_lines(&plain(&table.rows).map_err(Failure::failed)?).map_err(Failure::failed)?;
        for line in lines.lines() {
            let mut row: Value = serde_json::from_str(line).map_err(Failure::failed)?;
            row["_table"] = json!(schema.name);
            rows.push(row);
        }
    }
    Ok(rows)
}
