//! The core's port [`Stage`], served by a chain of plugins.
//!
//! A call goes through the whole chain or fails. Rows reach the next plugin only as Arrow that was checked, and a record
//! that one plugin refuses is seen by no later one.

use std::sync::Arc;

use weir_pipeline::transform::{Effort, Failure, Message, Output, Stage, TableSchema};

use crate::bindings::records;
use crate::contract::World;
use crate::describe;
use crate::digest;
use crate::error::PluginError;
use crate::limits::Limits;
use crate::order;
use crate::otlp::{Origin, OtlpToArrow, OtlpToOtlp};
use crate::passage::{Named, Passage};
use crate::plugin::{Plugin, Setting};
use crate::rows::ArrowToArrow;
use crate::step::Step;

/// What a topic carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `TracesData`.
    Traces,
    /// `MetricsData`.
    Metrics,
    /// `LogsData`.
    Logs,
}

/// A plugin of a chain, and how it is run.
#[derive(Clone, Debug)]
pub struct Link {
    /// The plugin.
    pub plugin: Plugin,
    /// Its settings.
    pub settings: Vec<Setting>,
    /// What one instance of it may use.
    pub limits: Limits,
}

/// Why plugins are no chain.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ChainError {
    /// The plugin at which it breaks, counted from 0.
    pub link: usize,
    /// Why.
    pub error: PluginError,
    /// The tables that it was given, and by which plugin, where that matters.
    pub given: Option<String>,
}

/// A chain of configured plugins. Each worker has its own clone; a clone starts its instances at its first call.
///
/// A thread that calls needs a stack of at least a megabyte: the guests' is on it.
#[derive(Clone, Debug)]
pub struct WasmStage {
    signal: Signal,
    before: Vec<Step<OtlpToOtlp>>,
    maker: Step<OtlpToArrow>,
    after: Vec<Step<ArrowToArrow>>,
    names: Arc<[Named]>,
    /// The plugin at which the last call that failed did so.
    failed: Option<Arc<str>>,
}

impl WasmStage {
    /// Configures plugins as a chain: each is given the tables of the one before.
    ///
    /// # Errors
    /// [`PluginError::Order`] where the order is another than `otlp-to-otlp` plugins, one `otlp-to-arrow`,
    /// `arrow-to-arrow` plugins; [`PluginError::Settings`] or [`PluginError::Misfit`] where a plugin refuses its settings or
    /// the tables before it, [`PluginError::Configure`] where it fails, [`PluginError::Schema`] where its tables cannot be.
    pub fn chain(signal: Signal, links: Vec<Link>) -> Result<Self, ChainError> {
        let worlds: Vec<(&str, World)> = links.iter().map(|l| (l.plugin.name(), l.plugin.world())).collect();
        order::check(&worlds).map_err(|(link, reason)| ChainError {
            link,
            error: PluginError::Order { reason },
            given: None,
        })?;
        let names = links
            .iter()
            .map(|l| Named { name: l.plugin.name().to_owned(), digest: digest::digest(&l.plugin, &l.settings).into() });
        let names = names.collect();
        let (mut before, mut maker, mut after) = (Vec::new(), None, Vec::new());
        // Who gives the tables that the next plugin works on, and these.
        let mut giver: Option<(String, Vec<TableSchema>)> = None;
        for (link, Link { plugin, settings, limits }) in links.into_iter().enumerate() {
            let plain = |error| ChainError { link, error, given: None };
            let name = plugin.name().to_owned();
            match (plugin.world(), giver.take()) {
                (World::OtlpToOtlp, _) => {
                    before.push(Step::new(plugin, settings, limits, ()).map_err(plain)?);
                }
                (World::ArrowToArrow, Some((from, tables))) => {
                    let given = format!("{from} gives {}", describe::text(&tables));
                    let step = Step::<ArrowToArrow>::new(plugin, settings, limits, tables);
                    let step = step.map_err(|error| {
                        let error = match error {
                            PluginError::Settings { plugin, reason } => PluginError::Misfit { plugin, reason },
                            error => error,
                        };
                        ChainError { link, error, given: Some(given) }
                    })?;
                    giver = Some((name, step.description().tables.clone()));
                    after.push(step);
                }
                (World::OtlpToArrow | World::ArrowToArrow, _) => {
                    let step = Step::<OtlpToArrow>::new(plugin, settings, limits, ()).map_err(plain)?;
                    giver = Some((name, step.description().clone()));
                    maker = Some(step);
                }
            }
        }
        let missing = || ChainError {
            link: 0,
            error: PluginError::Order { reason: "the chain has no plugin".to_owned() },
            given: None,
        };
        Ok(Self { signal, before, maker: maker.ok_or_else(missing)?, after, names, failed: None })
    }

    /// The tables that the chain fills, the primary one first.
    pub fn tables(&self) -> &[TableSchema] {
        self.after.last().map_or(self.maker.description(), |step| &step.description().tables)
    }

    /// The plugins, in order.
    pub fn plugins(&self) -> Vec<&Plugin> {
        let before = self.before.iter().map(Step::plugin);
        before.chain([self.maker.plugin()]).chain(self.after.iter().map(Step::plugin)).collect()
    }

    /// The digests of the plugins, in order and comma-separated, each as dead letters name it.
    pub fn digests(&self) -> String {
        let digests: Vec<&str> = self.names.iter().map(|named| named.digest.as_ref()).collect();
        digests.join(",")
    }

    fn run(&mut self, topic: &str, partition: i32, messages: &[Message<'_>], effort: Effort) -> Result<Output, At> {
        let signal = match self.signal {
            Signal::Traces => records::Signal::Traces,
            Signal::Metrics => records::Signal::Metrics,
            Signal::Logs => records::Signal::Logs,
        };
        let origin = Origin { signal, topic, partition };
        let mut passage = Passage::new(&self.names, messages);
        for (at, step) in self.before.iter_mut().enumerate() {
            if !passage.is_over() {
                let outcomes = step.call(origin, &passage.messages(), effort).map_err(|failure| At(at, failure))?;
                passage.rewrite(at, outcomes);
            }
        }
        let maker = self.before.len();
        let mut tables = Vec::new();
        if !passage.is_over() {
            let output = self.maker.call(origin, &passage.messages(), effort).map_err(|failure| At(maker, failure))?;
            tables = passage.make(maker, output);
        }
        for (at, step) in (maker + 1..).zip(&mut self.after) {
            if tables.iter().all(|table| table.rows.num_rows() == 0) {
                tables.clear();
                break;
            }
            let derivation = step.call(&tables, effort).map_err(|failure| At(at, failure))?;
            tables = passage.derive(at, derivation).map_err(|failure| At(at, failure))?;
        }
        let schemas = self.after.last().map_or(self.maker.description(), |step| &step.description().tables);
        Ok(passage.end(tables, schemas))
    }

    fn settle(&mut self) {
        self.before.iter_mut().for_each(Step::settle);
        self.maker.settle();
        self.after.iter_mut().for_each(Step::settle);
    }

    fn forget(&mut self) {
        self.before.iter_mut().for_each(Step::forget);
        self.maker.forget();
        self.after.iter_mut().for_each(Step::forget);
    }
}

/// The records of a call, as logs and dead letters name them.
fn named(topic: &str, partition: i32, messages: &[Message<'_>]) -> String {
    let offset = |message: Option<&Message<'_>>| message.map_or(0, |message| message.offset);
    match messages {
        [only] => format!("{topic}/{partition}@{}", only.offset),
        several => {
            let (first, last) = (offset(several.first()), offset(several.last()));
            format!("{} records from {topic}/{partition}@{first} to @{last}", several.len())
        }
    }
}

/// A failure, and the place in the chain of the plugin that failed.
struct At(usize, Failure);

impl Stage for WasmStage {
    fn call(
        &mut self,
        topic: &str,
        partition: i32,
        messages: &[Message<'_>],
        effort: Effort,
    ) -> Result<Output, Failure> {
        match self.run(topic, partition, messages, effort) {
            Ok(output) => {
                self.settle();
                Ok(output)
            }
            Err(At(at, failure)) => {
                self.forget();
                let Named { name, digest } = &self.names[at];
                self.failed = Some(Arc::clone(digest));
                let step = match self.names.len() {
                    1 => String::new(),
                    several => format!(", step {} of {several}", at + 1),
                };
                Err(failure.within(&format!("plugin {name}{step}, transform of {}", named(topic, partition, messages))))
            }
        }
    }

    fn failed_plugin(&self) -> Option<Arc<str>> {
        self.failed.clone()
    }
}
