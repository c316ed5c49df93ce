//! The world `otlp-to-otlp-plugin`.

use super::Setting;
use super::weir::plugin::records::Batch;
use crate::otlp_to_otlp::{self, OtlpToOtlp, Rewriter};
use std::cell::RefCell;
use std::thread::LocalKey;

wit_bindgen::generate!({
    world: "otlp-to-otlp-plugin",
    path: "../../wit",
    pub_export_macro: true,
    export_macro_name: "export_otlp_to_otlp",
    default_bindings_module: "weir_sdk::bindings::otlp_to_otlp",
    with: {
        "weir:plugin/settings@0.1.0": super::weir::plugin::settings,
        "weir:plugin/records@0.1.0": super::weir::plugin::records,
        "weir:plugin/log@0.1.0": super::weir::plugin::log,
        "weir:plugin/counters@0.1.0": super::weir::plugin::counters,
    },
});

pub use exports::weir::plugin::otlp_to_otlp::{Guest, Outcome};

/// Where a component keeps its one instance.
pub type Slot<P> = RefCell<Option<Rewriter<P>>>;

pub fn configure<P: OtlpToOtlp + 'static>(slot: &'static LocalKey<Slot<P>>, given: Vec<Setting>) -> Result<(), String> {
    slot.set(Some(Rewriter::configure(super::begin(given))?));
    Ok(())
}

pub fn transform<P: OtlpToOtlp + 'static>(
    slot: &'static LocalKey<Slot<P>>,
    given: Batch,
) -> Result<Vec<Outcome>, String> {
    slot.with_borrow_mut(|slot| {
        let rewriter = slot.as_mut().ok_or("transform was called before configure")?;
        let outcomes = rewriter.transform(&super::batch(given)).into_iter().map(|outcome| match outcome {
            Ok(otlp_to_otlp::Outcome::Unchanged) => Outcome::Unchanged,
            Ok(otlp_to_otlp::Outcome::Changed(value)) => Outcome::Changed(value),
            Err(reason) => Outcome::Rejected(reason),
        });
        Ok(outcomes.collect())
    })
}
