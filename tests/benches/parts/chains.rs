//! What a plugin before or behind the one that makes rows adds.

use weir::config::PluginRef;
use weir_wasm::{Engine, Limits, Link, Setting, Signal, WasmStage};

use crate::traces::Traces;
use crate::{Part, rows};

/// A plugin of the chain, and its one setting.
type Step = (&'static str, Option<(&'static str, &'static str)>);

const FLATTEN: Step = ("flatten-spans", None);

/// Each chain beside the one plugin that every chain has.
const CHAINS: [(&str, &[Step]); 6] = [
    ("flatten-spans alone, in Wasm", &[FLATTEN]),
    ("keep-columns behind it, which changes nothing", &[FLATTEN, ("keep-columns", None)]),
    ("flag-slow-spans behind it", &[FLATTEN, ("flag-slow-spans", None)]),
    ("flag-slow-spans behind it, which keeps the slow ones", &[FLATTEN, ("flag-slow-spans", Some(("only", "true")))]),
    ("redact-attributes before it, nothing found", &[("redact-attributes", Some(("drop", "enduser.email"))), FLATTEN]),
    ("redact-attributes before it, one dropped", &[("redact-attributes", Some(("drop", "url.path"))), FLATTEN]),
];

/// A part for each chain.
pub(crate) fn parts(traces: &Traces) -> Vec<Part> {
    let engine = Engine::new(None).unwrap();
    let part = |(at, (name, steps)): (usize, &(&str, &[Step]))| {
        let links = steps.iter().map(|step| link(&engine, step)).collect();
        let stage = WasmStage::chain(Signal::Traces, links).unwrap();
        let part = Part::new(*name, Some(traces.protobuf_bytes()), rows::called(&traces.protobuf, stage));
        if at == 0 { part.first() } else { part }
    };
    CHAINS.iter().enumerate().map(part).collect()
}

fn link(engine: &Engine, (name, setting): &Step) -> Link {
    let plugin = weir::plugins::load(engine, &PluginRef::Named((*name).into()), &[]).unwrap();
    let setting = setting.map(|(key, value)| Setting { key: key.into(), values: vec![value.into()] });
    Link { plugin, settings: setting.into_iter().collect(), limits: Limits::default() }
}
