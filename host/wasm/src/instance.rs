//! A running sandbox: one instance of a plugin, its memory, and the clock that limits its calls.

use std::collections::BTreeMap;
use std::time::Duration;

use cpu_time::ThreadTime;
use wasmtime::{Store, UpdateDeadline, component};
use weir_pipeline::transform::Failure;

use crate::contract::Exported;
use crate::failure;
use crate::limits::{Limits, Memory};
use crate::plugin::Plugin;
use crate::voice::Voice;

/// What the host keeps for a running instance.
pub(crate) struct State {
    pub(crate) memory: Memory,
    pub(crate) voice: Voice,
    /// The thread's CPU time at which the running call is stopped.
    stop_at: Duration,
}

/// One instance, and the functions `G` that it exports. After a failure it must be dropped: a trap leaves the guest's
/// memory in any state.
pub(crate) struct Instance<G> {
    store: Store<State>,
    guest: G,
    plugin: Plugin,
    limits: Limits,
}

/// Finds the functions of an instance.
pub(crate) type Load<G> = fn(&Exported, &mut Store<State>, &component::Instance) -> wasmtime::Result<G>;

impl<G> Instance<G> {
    /// Starts an instance. What it does on its own at the start is limited like a call.
    pub(crate) fn start(plugin: &Plugin, limits: Limits, load: Load<G>) -> Result<Self, Failure> {
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
        let checked = plugin.checked();
        let started = checked.component.instantiate(&mut store);
        let started = started.and_then(|instance| load(&checked.exported, &mut store, &instance));
        plugin.meter().memory(store.data().memory.peak_bytes());
        match started {
            Ok(guest) => Ok(Self { store, guest, plugin: plugin.clone(), limits }),
            Err(error) => Err(failure::from_error(&error, store.data(), &limits)),
        }
    }

    /// Calls a function of the guest. The inner error is the plugin's own.
    pub(crate) fn call<T>(
        &mut self,
        function: impl FnOnce(&G, &mut Store<State>) -> wasmtime::Result<Result<T, String>>,
    ) -> Result<Result<T, String>, Failure> {
        begin(&mut self.store, &self.limits);
        let result = function(&self.guest, &mut self.store);
        let result = result.map_err(|error| failure::from_error(&error, self.store.data(), &self.limits));
        let state = self.store.data_mut();
        state.memory.forgive();
        let meter = self.plugin.meter();
        meter.memory(state.memory.peak_bytes());
        meter.log_lines_dropped(state.voice.end_call());
        result
    }

    /// What the last call counted.
    pub(crate) fn take_counted(&mut self) -> BTreeMap<String, u64> {
        self.store.data_mut().voice.take_amounts()
    }

    /// What it holds now, in bytes. It never gives any back.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory.now_bytes()
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
