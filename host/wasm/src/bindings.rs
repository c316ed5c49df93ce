//! The host's side of `wit/weir.wit`, generated: never seen outside this package.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit",
    // One world with all that plugins export, so that the types they share are generated once. No plugin is of it.
    inline: "
        package weir:host;
        world any-plugin {
            import weir:plugin/log@0.1.0;
            import weir:plugin/counters@0.1.0;
            export weir:plugin/otlp-to-otlp@0.1.0;
            export weir:plugin/otlp-to-arrow@0.1.0;
            export weir:plugin/arrow-to-arrow@0.1.0;
        }
    ",
    world: "weir:host/any-plugin",
    // What goes in is borrowed: the values of Kafka records are copied once, into the guest's memory.
    ownership: Borrowing { duplicate_if_necessary: true },
});

pub(crate) use exports::weir::plugin::{arrow_to_arrow, otlp_to_arrow, otlp_to_otlp};
pub(crate) use weir::plugin::{columns, counters, log, records, settings};
