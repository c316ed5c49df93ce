//! A pipeline's `[[transform]]`s as a chain of plugins that fits together.

use std::path::PathBuf;

use weir_pipeline::transform::TableSchema;
use weir_wasm::{ChainError, Engine, Limits, Link, Plugin, PluginError, Setting, Signal, WasmStage};

use crate::assemble::{Refusal, Wishes, worker_count};
use crate::config::{self, Diagnostic, Origin, Pin, Pipeline, Transform};
use crate::plugins::{self, FindError};

/// What a chain of plugins may look like, for whoever wrote another one.
const ORDER: &str = "the order is: any number of otlp-to-otlp plugins, one otlp-to-arrow (flatten-spans, flatten-logs, \
                     flatten-metrics), any number of arrow-to-arrow";

/// The stages of a chain, one for each worker, and what they fill.
#[derive(Debug)]
pub struct Chain<S> {
    /// One for each worker.
    pub stages: Vec<S>,
    /// The tables, the primary one first.
    pub tables: Vec<TableSchema>,
    /// Digests of the plugins, comma-separated.
    pub digests: String,
    /// The plugins, for their figures.
    pub plugins: Vec<Plugin>,
}

/// Loads and configures a pipeline's plugins.
///
/// # Errors
/// A plugin that is not there, is none, does not fit the one before, or refuses its settings.
pub fn load_chain(engine: &Engine, pipeline: &Pipeline, wishes: &Wishes) -> Result<Chain<WasmStage>, Refusal> {
    let stage = stage(engine, pipeline, &wishes.plugin_path).map_err(|flaw| {
        let text = flaw.to_string();
        Refusal::Wrong(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned())
    })?;
    let plugins: Vec<Plugin> = stage.plugins().into_iter().cloned().collect();
    let (tables, digests) = (stage.tables().to_vec(), stage.digests());
    let stages = (0..worker_count(wishes)).map(|_| stage.clone()).collect();
    Ok(Chain { stages, tables, digests, plugins })
}

/// A pipeline's plugins, loaded and configured as a chain.
///
/// # Errors
/// The `[[transform]]` at which it breaks, and why.
pub fn stage(engine: &Engine, pipeline: &Pipeline, path: &[PathBuf]) -> Result<WasmStage, Box<Diagnostic>> {
    let mut links = Vec::new();
    for transform in &pipeline.transforms {
        let (plugin, pin) = (&transform.plugin, &transform.pin);
        let plugin = plugins::load_pinned(engine, plugin, pin, pipeline.require_pinned, path);
        let plugin = plugin.map_err(|e| Box::new(mistake(&e, &transform.origin, pin)))?;
        links.push(link(plugin, transform));
    }
    WasmStage::chain(signal(pipeline.source.signal), links).map_err(|ChainError { link, error, given }| {
        let help = match &error {
            PluginError::Order { .. } => Some(ORDER.to_owned()),
            _ => given,
        };
        let origin = pipeline.transforms.get(link).map_or(&pipeline.origin, |transform| &transform.origin);
        Box::new(origin.diagnostic(error.to_string(), help))
    })
}

/// Every plugin of a pipeline, live or shadow, that has not the content which its file asks for.
pub fn pin_mistakes(pipeline: &Pipeline, path: &[PathBuf]) -> Vec<Diagnostic> {
    let named = |transform: &Transform| {
        let shadow = transform.shadow.clone().map(|shadow| (shadow, transform.shadow_pin.clone()));
        [Some((transform.plugin.clone(), transform.pin.clone())), shadow]
    };
    let named = pipeline.transforms.iter().flat_map(named).flatten();
    let mistakes =
        named.filter_map(|(plugin, pin)| match plugins::check_pin(&plugin, &pin, pipeline.require_pinned, path) {
            Err(e @ (FindError::Another { .. } | FindError::Unpinned { .. })) => Some(mistake(&e, pin.origin(), &pin)),
            _ => None,
        });
    mistakes.collect()
}

/// What is wrong with a plugin's content is said where the file speaks of that.
fn mistake(error: &FindError, transform: &Origin, pin: &Pin) -> Diagnostic {
    let help = error.help();
    let origin = if help.is_some() { pin.origin() } else { transform };
    origin.diagnostic(error.to_string(), help)
}

fn link(plugin: Plugin, transform: &Transform) -> Link {
    let settings = transform.settings.iter().map(|s| Setting { key: s.key.clone(), values: s.values.clone() });
    let limits = Limits {
        memory_bytes: usize::try_from(transform.limits.memory_bytes).unwrap_or(usize::MAX),
        deadline: transform.limits.deadline,
        output_bytes: usize::try_from(transform.limits.output_bytes).unwrap_or(usize::MAX),
    };
    Link { plugin, settings: settings.collect(), limits }
}

pub(crate) fn signal(signal: config::Signal) -> Signal {
    match signal {
        config::Signal::Traces => Signal::Traces,
        config::Signal::Metrics => Signal::Metrics,
        config::Signal::Logs => Signal::Logs,
    }
}

/// Holds the TOML's tables to those that a chain fills.
///
/// # Errors
/// A table that the chain fills and the TOML does not name, or the other way round.
pub fn check_tables(pipeline: &Pipeline, schemas: &[TableSchema]) -> Result<(), Refusal> {
    let file = pipeline.origin.file().display();
    let named = &pipeline.sink.tables;
    if let Some(stray) = named.keys().find(|name| schemas.iter().all(|s| s.name != **name)) {
        let fills: Vec<_> = schemas.iter().map(|s| s.name.as_str()).collect();
        return Err(Refusal::Wrong(format!(
            "{file}: [sink.iceberg.tables.{stray}] names a table that the plugin does not fill; it fills {}",
            fills.join(", ")
        )));
    }
    match schemas.iter().find(|schema| !named.contains_key(&schema.name)) {
        None => Ok(()),
        Some(schema) => Err(Refusal::Wrong(format!(
            "{file}: the plugin fills the table {0}, which has no section [sink.iceberg.tables.{0}]",
            schema.name
        ))),
    }
}
