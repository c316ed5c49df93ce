//! One plugin of a chain with its settings and limits, and the instance of it that is at hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use cpu_time::ThreadTime;
use weir_pipeline::transform::{Effort, Failure};

use crate::bindings::settings;
use crate::error::PluginError;
use crate::failure::bounded;
use crate::instance::{Instance, Load};
use crate::limits::Limits;
use crate::plugin::{Plugin, Setting};

/// What a world of the contract adds to running an instance.
pub(crate) trait Role: 'static {
    /// The functions that the world exports.
    type Guest: Send;
    /// What `configure` is given besides the settings.
    type Given: Send + Sync;
    /// What `configure` tells. Equal settings must give equal descriptions.
    type Description: PartialEq + Send + Sync;
    /// Finds the functions.
    const LOAD: Load<Self::Guest>;

    /// Calls `configure` and checks what it tells.
    fn describe(
        instance: &mut Instance<Self::Guest>,
        settings: &[settings::Setting<'_>],
        given: &Self::Given,
    ) -> Result<Self::Description, Misfit>;
}

/// Why a plugin is not configured.
pub(crate) enum Misfit {
    /// The call failed.
    Failed(Failure),
    /// The plugin refused what it was given.
    Refused(String),
    /// What it told cannot be.
    Impossible(String),
}

impl From<Failure> for Misfit {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A configured plugin. Each worker has its own clone; a clone starts its instance at its first call.
pub(crate) struct Step<R: Role> {
    shared: Arc<Shared<R>>,
    running: Option<Running<R::Guest>>,
    /// What the last call did, until it is known whether the chain as a whole succeeded.
    done: Done,
}

pub(crate) struct Shared<R: Role> {
    plugin: Plugin,
    settings: Vec<Setting>,
    limits: Limits,
    given: R::Given,
    description: R::Description,
}

/// An instance that is kept from call to call.
struct Running<G> {
    instance: Instance<G>,
    /// Above this an instance is dropped, for its memory never shrinks. Set after its first call.
    recycle_above_bytes: Option<usize>,
}

/// What a call gave and counted.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) bytes_out: u64,
    pub(crate) rows_out: u64,
    counted: BTreeMap<String, u64>,
}

impl<R: Role> Step<R> {
    /// Starts a first instance and asks it what it does with these settings.
    ///
    /// # Errors
    /// [`PluginError::Settings`] where the plugin refuses them, [`PluginError::Configure`] where it fails,
    /// [`PluginError::Schema`] where its tables cannot be.
    pub(crate) fn new(
        plugin: Plugin,
        settings: Vec<Setting>,
        limits: Limits,
        given: R::Given,
    ) -> Result<Self, PluginError> {
        let name = plugin.name().to_owned();
        let described = Instance::start(&plugin, limits, R::LOAD).map_err(Misfit::from).and_then(|mut instance| {
            let description = with_settings(&settings, |settings| R::describe(&mut instance, settings, &given))?;
            Ok((instance, description))
        });
        let (instance, description) = described.map_err(|misfit| match misfit {
            Misfit::Failed(failure) => PluginError::Configure { plugin: name, failure },
            Misfit::Refused(reason) => PluginError::Settings { plugin: name, reason: bounded(reason) },
            Misfit::Impossible(reason) => PluginError::Schema { plugin: name, reason: bounded(reason) },
        })?;
        let shared = Arc::new(Shared { plugin, settings, limits, given, description });
        Ok(Self { shared, running: Some(Running { instance, recycle_above_bytes: None }), done: Done::default() })
    }

    /// The plugin behind it.
    pub(crate) fn plugin(&self) -> &Plugin {
        &self.shared.plugin
    }

    /// What the plugin said that it does.
    pub(crate) fn description(&self) -> &R::Description {
        &self.shared.description
    }

    /// Works with an instance, whose usage is measured. It is kept only if the work succeeds.
    pub(crate) fn run<T>(
        &mut self,
        effort: Effort,
        bytes_in: u64,
        work: impl FnOnce(&Shared<R>, &mut Instance<R::Guest>, &mut Done) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let clock = ThreadTime::now();
        let mut done = Done::default();
        let result = match effort {
            Effort::Normal => self.run_at_hand(|shared, instance| {
                let result = work(shared, instance, &mut done);
                done.counted = instance.take_counted();
                result
            }),
            Effort::Fresh => self.shared.start(self.shared.limits.tenfold()).and_then(|mut instance| {
                let result = work(&self.shared, &mut instance, &mut done);
                done.counted = instance.take_counted();
                result
            }),
        };
        let meter = self.shared.plugin.meter();
        meter.call(clock.elapsed(), bytes_in);
        match &result {
            Ok(_) => self.done = done,
            Err(failure) => {
                self.done = Done::default();
                meter.failure(failure);
            }
        }
        result
    }

    /// The chain as a whole succeeded: what the last call gave and counted holds. A batch that is done twice is
    /// counted once.
    pub(crate) fn settle(&mut self) {
        let done = std::mem::take(&mut self.done);
        let plugin = &self.shared.plugin;
        plugin.meter().success(done.bytes_out, done.rows_out);
        plugin.meter().count(plugin.name(), done.counted);
    }

    /// The chain as a whole failed: the last call counts for nothing.
    pub(crate) fn forget(&mut self) {
        self.done = Done::default();
    }

    fn run_at_hand<T>(
        &mut self,
        work: impl FnOnce(&Shared<R>, &mut Instance<R::Guest>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let limits = self.shared.limits;
        let mut running = match self.running.take() {
            Some(running) => running,
            None => Running { instance: self.shared.start(limits)?, recycle_above_bytes: None },
        };
        let output = work(&self.shared, &mut running.instance)?;
        let memory_bytes = running.instance.memory_bytes();
        let above = *running.recycle_above_bytes.get_or_insert(recycle_above(memory_bytes, limits));
        if memory_bytes <= above {
            self.running = Some(running);
        }
        Ok(output)
    }
}

impl<R: Role> Clone for Step<R> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), running: None, done: Done::default() }
    }
}

impl<R: Role> std::fmt::Debug for Step<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step")
            .field("plugin", &self.shared.plugin)
            .field("limits", &self.shared.limits)
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}

impl<R: Role> Shared<R> {
    pub(crate) fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    pub(crate) fn given(&self) -> &R::Given {
        &self.given
    }

    pub(crate) fn description(&self) -> &R::Description {
        &self.description
    }

    /// A new instance, configured. It must describe what the first one described.
    fn start(&self, limits: Limits) -> Result<Instance<R::Guest>, Failure> {
        let mut instance = Instance::start(&self.plugin, limits, R::LOAD)?;
        let described = with_settings(&self.settings, |settings| R::describe(&mut instance, settings, &self.given));
        match described {
            Ok(description) if description == self.description => Ok(instance),
            Ok(_) | Err(Misfit::Impossible(_)) => {
                Err(Failure::Invalid("for equal settings it described other tables than before".to_owned()))
            }
            Err(Misfit::Refused(reason)) => {
                Err(Failure::Invalid(bounded(format!("it refused settings that it took before: {reason}"))))
            }
            Err(Misfit::Failed(failure)) => Err(failure),
        }
    }
}

/// The memory above which an instance is dropped: half of its limit, or half as much again as its first call needed,
/// so that a plugin that works with a lot is not started at each call, and one that leaks never meets its limit.
fn recycle_above(first_bytes: usize, limits: Limits) -> usize {
    (first_bytes.saturating_add(first_bytes / 2)).max(limits.memory_bytes / 2)
}

fn with_settings<T>(settings: &[Setting], use_them: impl FnOnce(&[settings::Setting<'_>]) -> T) -> T {
    let values: Vec<Vec<&str>> =
        settings.iter().map(|setting| setting.values.iter().map(String::as_str).collect()).collect();
    let lowered = settings.iter().zip(&values).map(|(setting, values)| settings::Setting { key: &setting.key, values });
    use_them(&lowered.collect::<Vec<_>>())
}
