//! The host's side of `wit/weir.wit`, generated: never seen outside this package.
#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "otlp-to-arrow-plugin",
    // What goes in is borrowed: the values of Kafka records are copied once, into the guest's memory.
    ownership: Borrowing { duplicate_if_necessary: true },
});
