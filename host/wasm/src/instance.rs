//! A running sandbox: one instance of a plugin, its memory, and the clock that limits its calls.

use std::time::Duration;

use cpu_time::ThreadTime;
use wasmtime::{Store, UpdateDeadline};
use weir_pipeline::transform::Failure;

use crate::bindings::OtlpToArrowPlugin;
use crate::bindings::exports::weir::plugin::otlp_to_arrow::Output;
use crate::bindings::weir::plugin::columns::Table;
use crate::bindings::weir::plugin::records::Batch;
use crate::bindings::weir::plugin::settings;
use crate::failure;
use crate::limits::{Limits, Memory};
use crate::plugin::{Plugin, Setting};
use crate::voice::Voice;

/// What the host keeps for a running instance.
pub(crate) struct State {
    pub(crate) memory: Memory,
    pub(crate) voice: Voice,
    /// The thread's CPU time at which the running call is stopped.
    stop_at: Duration,
}

/// One instance. After a failure it must be dropped: a trap leaves the guest's memory in any state.
pub(crate) struct Instance {
    store: Store<State>,
    guest: OtlpToArrowPlugin,
    plugin: Plugin,
    limits: Limits,
}

impl Instance {
    /// Starts an instance. What it does on its own at the start is limited like a call.
    pub(crate) fn start(plugin: &Plugin, limits: Limits) -> Result<Self, Failure> {
        let state = State {
            memory: Memory::new(limits.memory_bytes),
            voice: Voice::new(plugin.name().to_owned()),
            stop_at: Duration::ZERO,
        };
        let mut store = Store::new(plugin.engine().wasmtime(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(limits.output_bytes);
        // Ticks are wall time and only an occasion to look: what counts is the CPU time of this thread, so that a
        // stopped or starved process blames nobody.
        store.epoch_deadline_callback(|context| {
            Ok(if thread_time() >= context.data().stop_at {
                UpdateDeadline::Interrupt
            } else {
                UpdateDeadline::Continue(1)
            })
        });
        begin(&mut store, &limits);
        plugin.meter().instance();
        let started = plugin.component().instantiate(&mut store);
        plugin.meter().memory(store.data().memory.peak_bytes());
        match started {
            Ok(guest) => Ok(Self { store, guest, plugin: plugin.clone(), limits }),
            Err(error) => Err(failure::from_error(&error, store.data(), &limits)),
        }
    }

    /// Calls `configure`. The inner error is the plugin's own: it refuses the settings.
    pub(crate) fn configure(&mut self, settings: &[Setting]) -> Result<Result<Vec<Table>, String>, Failure> {
        let values: Vec<Vec<&str>> =
            settings.iter().map(|setting| setting.values.iter().map(String::as_str).collect()).collect();
        let settings: Vec<settings::Setting<'_>> = settings
            .iter()
            .zip(&values)
            .map(|(setting, values)| settings::Setting { key: &setting.key, values })
            .collect();
        begin(&mut self.store, &self.limits);
        let result = self.guest.weir_plugin_otlp_to_arrow().call_configure(&mut self.store, &settings);
        self.end(result)
    }

    /// Calls `transform`. The inner error is the plugin's own: it could not do the batch.
    pub(crate) fn transform(&mut self, batch: Batch<'_>) -> Result<Result<Output, String>, Failure> {
        begin(&mut self.store, &self.limits);
        let result = self.guest.weir_plugin_otlp_to_arrow().call_transform(&mut self.store, batch);
        self.end(result)
    }

    /// Takes over what the last call counted, once its answer holds: a batch that is done twice is counted once.
    pub(crate) fn settle_counters(&mut self) {
        let amounts = self.store.data_mut().voice.take_amounts();
        self.plugin.meter().count(self.plugin.name(), amounts);
    }

    /// What it holds now, in bytes. It never gives any back.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory.now_bytes()
    }

    fn end<T>(&mut self, result: wasmtime::Result<Result<T, String>>) -> Result<Result<T, String>, Failure> {
        let result = result.map_err(|error| failure::from_error(&error, self.store.data(), &self.limits));
        let state = self.store.data_mut();
        state.memory.forgive();
        let meter = self.plugin.meter();
        meter.memory(state.memory.peak_bytes());
        meter.log_lines_dropped(state.voice.end_call());
        result
    }
}

/// Starts the clock of a call.
fn begin(store: &mut Store<State>, limits: &Limits) {
    store.data_mut().voice.begin_call();
    store.data_mut().stop_at = thread_time().saturating_add(limits.deadline);
    store.set_epoch_deadline(1);
}

/// The CPU time that this thread has used.
fn thread_time() -> Duration {
    ThreadTime::now().as_duration()
}
