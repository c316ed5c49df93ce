//! What became of candidates, for `/status` and `/metrics`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use weir_pipeline::clock::{Clock, SystemClock};
use weir_wasm::Plugin;

use super::trial::Found;

/// What came of an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The next epoch is made by it: its digests.
    Swapped(String),
    /// It is live already.
    Same,
    /// It does not load, or does not fit.
    Refused(String),
    /// It was worse than the live plugins on the batches that both were given.
    RolledBack(String),
    /// A newer order came while it was tried.
    Superseded,
    /// The pipeline ended.
    Ended,
}

impl Outcome {
    /// The name, as metrics and programs see it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Swapped(_) => "swapped",
            Self::Same => "same",
            Self::Refused(_) => "refused",
            Self::RolledBack(_) => "rolled_back",
            Self::Superseded => "superseded",
            Self::Ended => "ended",
        }
    }

    /// Why it did not go live.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Swapped(_) => None,
            Self::Same => Some("the plugins and settings are those that are live"),
            Self::Refused(why) | Self::RolledBack(why) => Some(why),
            Self::Superseded => Some("a newer candidate came while it was tried"),
            Self::Ended => Some("the pipeline ended"),
        }
    }
}

/// What a pipeline's plugins are, and what was to become of them.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    plugins: Vec<Plugin>,
    last: Option<(i64, Outcome)>,
    /// The digests of what is tried, on how many batches it was, and on how many it is to be.
    trial: Option<(String, u32, u32)>,
    shadow: Option<Shadowed>,
}

/// What a shadow has shown.
#[derive(Clone, Debug, Default)]
pub struct Shadowed {
    /// Its digests.
    pub digests: String,
    /// Batches that were alike.
    pub alike: u64,
    /// Batches that gave other rows.
    pub different: u64,
    /// Batches with calls that failed or records that were refused, where the live plugins had neither.
    pub worse: u64,
    /// The newest difference.
    pub last: Option<String>,
}

impl Ledger {
    /// These plugins are live.
    pub fn live(&self, plugins: Vec<Plugin>) {
        self.state().plugins = plugins;
    }

    /// The plugins that are live.
    pub fn plugins(&self) -> Vec<Plugin> {
        self.state().plugins.clone()
    }

    /// What the shadow has shown, where one runs.
    pub fn shadowed(&self) -> Option<Shadowed> {
        self.state().shadow.clone()
    }

    /// Notes a refusal that no order came to.
    pub fn refused(&self, why: String) {
        self.close(&Outcome::Refused(why));
    }

    pub(super) fn tried(&self, trial: Option<(String, u32, u32)>) {
        self.state().trial = trial;
    }

    pub(super) fn close(&self, outcome: &Outcome) {
        if *outcome != Outcome::Same {
            self.state().last = Some((SystemClock::default().now_ms(), outcome.clone()));
        }
    }

    pub(super) fn shadowed_by(&self, digests: Option<String>) {
        self.state().shadow = digests.map(|digests| Shadowed { digests, ..Shadowed::default() });
    }

    /// A former shadow may still tell of its last batch.
    pub(super) fn shadow(&self, digests: &str, found: Found) {
        let mut state = self.state();
        let Some(shadow) = state.shadow.as_mut().filter(|shadow| shadow.digests == digests) else { return };
        match found {
            Found::Alike => shadow.alike += 1,
            Found::Different(why) => {
                shadow.different += 1;
                shadow.last = Some(why);
            }
            Found::Worse(why) => {
                shadow.worse += 1;
                shadow.last = Some(why);
            }
        }
    }

    /// For `/status`; `live` are the digests that the filling epoch is made by.
    pub fn value(&self, live: &str) -> Value {
        let state = self.state();
        json!({
            "digests": live,
            "names": state.plugins.iter().map(Plugin::name).collect::<Vec<_>>(),
            "last": state.last.as_ref().map(|(at_ms, outcome)| json!({
                "at_ms": at_ms, "result": outcome.name(), "reason": outcome.reason(),
            })),
            "trial": state.trial.as_ref().map(|(digests, batches, of)| json!({
                "digests": digests, "batches": batches, "of": of,
            })),
            "shadow": state.shadow.as_ref().map(|s| json!({
                "digests": s.digests, "alike": s.alike, "different": s.different, "worse": s.worse, "last": s.last,
            })),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
