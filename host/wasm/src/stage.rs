//! The core's port [`Stage`], served by instances of one plugin.

use std::sync::Arc;

use cpu_time::ThreadTime;
use weir_pipeline::fault::{self, Point};
use weir_pipeline::transform::{Effort, Failure, Message, Output, Stage, TableSchema};

use crate::answer;
use crate::bindings::weir::plugin::records::{self, Batch, Header};
use crate::error::PluginError;
use crate::failure::bounded;
use crate::instance::Instance;
use crate::limits::Limits;
use crate::plugin::{Plugin, Setting};
use crate::schema;

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

/// A configured plugin. Each worker has its own clone; a clone starts its instance at its first call.
///
/// A thread that calls needs a stack of at least a megabyte: the guest's is on it.
pub struct WasmStage {
    role: Arc<Role>,
    running: Option<Running>,
}

struct Role {
    plugin: Plugin,
    signal: Signal,
    settings: Vec<Setting>,
    limits: Limits,
    tables: Vec<TableSchema>,
}

/// An instance that is kept from call to call.
struct Running {
    instance: Instance,
    /// Above this an instance is dropped, for its memory never shrinks. Set after its first call.
    recycle_above_bytes: Option<usize>,
}

impl WasmStage {
    pub(crate) fn new(
        plugin: Plugin,
        signal: Signal,
        settings: Vec<Setting>,
        limits: Limits,
    ) -> Result<Self, PluginError> {
        let name = plugin.name().to_owned();
        let failed = |failure| PluginError::Configure { plugin: name.clone(), failure };
        let mut instance = Instance::start(&plugin, limits).map_err(failed)?;
        let tables = instance
            .configure(&settings)
            .map_err(failed)?
            .map_err(|reason| PluginError::Settings { plugin: name.clone(), reason: bounded(reason) })?;
        let tables = schema::tables(&tables)
            .map_err(|reason| PluginError::Schema { plugin: name.clone(), reason: bounded(reason) })?;
        let role = Role { plugin, signal, settings, limits, tables };
        Ok(Self { role: Arc::new(role), running: Some(Running { instance, recycle_above_bytes: None }) })
    }

    /// The tables that it fills, the primary one first.
    pub fn tables(&self) -> &[TableSchema] {
        &self.role.tables
    }

    /// The plugin behind it.
    pub fn plugin(&self) -> &Plugin {
        &self.role.plugin
    }
}

impl Clone for WasmStage {
    fn clone(&self) -> Self {
        Self { role: Arc::clone(&self.role), running: None }
    }
}

impl std::fmt::Debug for WasmStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmStage")
            .field("plugin", &self.role.plugin)
            .field("limits", &self.role.limits)
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}

impl Stage for WasmStage {
    fn call(
        &mut self,
        topic: &str,
        partition: i32,
        messages: &[Message<'_>],
        effort: Effort,
    ) -> Result<Output, Failure> {
        let clock = ThreadTime::now();
        let result = match effort {
            Effort::Normal => self.call_running(topic, partition, messages),
            Effort::Fresh => self
                .role
                .start(self.role.limits.tenfold())
                .and_then(|mut instance| self.role.call(&mut instance, topic, partition, messages)),
        };
        let meter = self.role.plugin.meter();
        meter.call(clock.elapsed(), messages.iter().map(|message| message.value.len() as u64).sum());
        if let Err(failure) = &result {
            meter.failure(failure);
        }
        result
    }
}

impl WasmStage {
    /// Calls the instance at hand, or a new one. It is kept only if the call succeeds.
    fn call_running(&mut self, topic: &str, partition: i32, messages: &[Message<'_>]) -> Result<Output, Failure> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => Running { instance: self.role.start(self.role.limits)?, recycle_above_bytes: None },
        };
        let output = self.role.call(&mut running.instance, topic, partition, messages)?;
        let memory_bytes = running.instance.memory_bytes();
        let above = *running.recycle_above_bytes.get_or_insert(recycle_above(memory_bytes, self.role.limits));
        if memory_bytes <= above {
            self.running = Some(running);
        }
        Ok(output)
    }
}

/// The memory above which an instance is dropped: half of its limit, or half as much again as its first call needed,
/// so that a plugin that works with a lot is not started at each call, and one that leaks never meets its limit.
fn recycle_above(first_bytes: usize, limits: Limits) -> usize {
    (first_bytes.saturating_add(first_bytes / 2)).max(limits.memory_bytes / 2)
}

impl Role {
    /// A new instance, configured. It must describe the tables that the first one described.
    fn start(&self, limits: Limits) -> Result<Instance, Failure> {
        let mut instance = Instance::start(&self.plugin, limits)?;
        let tables = instance.configure(&self.settings)?.map_err(|reason| {
            Failure::Invalid(bounded(format!("it refused settings that it took before: {reason}")))
        })?;
        if schema::tables(&tables).as_ref() != Ok(&self.tables) {
            return Err(Failure::Invalid("for equal settings it described other tables than before".to_owned()));
        }
        Ok(instance)
    }

    fn call(
        &self,
        instance: &mut Instance,
        topic: &str,
        partition: i32,
        messages: &[Message<'_>],
    ) -> Result<Output, Failure> {
        let headers: Vec<Header<'_>> = messages
            .iter()
            .flat_map(|message| message.headers)
            .map(|(key, value)| Header { key, value: value.as_deref() })
            .collect();
        let mut rest = headers.as_slice();
        let mut lowered = Vec::with_capacity(messages.len());
        for message in messages {
            let (headers, others) = rest.split_at(message.headers.len());
            rest = others;
            lowered.push(records::Message {
                value: message.value,
                key: message.key,
                headers,
                timestamp_ms: message.timestamp_ms,
                offset: message.offset,
            });
        }
        let signal = match self.signal {
            Signal::Traces => records::Signal::Traces,
            Signal::Metrics => records::Signal::Metrics,
            Signal::Logs => records::Signal::Logs,
        };
        let batch = Batch { signal, topic, partition, messages: &lowered };
        let given = instance.transform(batch)?.map_err(|reason| Failure::Failed(bounded(reason)))?;
        fault::pass(Point::Answered).map_err(Failure::Invalid)?;
        let clock = ThreadTime::now();
        let answer = answer::check(&self.tables, messages.len(), given);
        self.plugin.meter().checking(clock.elapsed());
        let answer = answer.map_err(|reason| Failure::Invalid(bounded(reason)))?;
        instance.settle_counters();
        self.plugin.meter().success(answer.bytes, answer.rows);
        Ok(answer.output)
    }
}
