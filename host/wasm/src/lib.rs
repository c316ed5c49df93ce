//! Runs plugins in a sandbox and turns what they return into Arrow record batches that are safe to use.
//!
//! A [`Plugin`] is a compiled component. A [`WasmStage`] is a chain of plugins with their settings and limits: each worker
//! has its own clone, with its own running instances. What one plugin gives the next is checked in between. A plugin can harm only its own call: it has no file, no network, no clock,
//! no memory beyond its limit and no CPU time beyond its deadline, and nothing it returns is believed before it is
//! checked. A failure ends the instance; the next call gets a new one.
//!
//! The contract is `wit/weir.wit`. This package is the only user of wasmtime, and `unsafe` is in one module,
//! `compiled`, with its argument.

mod answer;
mod bindings;
mod columns;
mod compiled;
mod compiler;
mod contract;
mod describe;
mod digest;
mod engine;
mod error;
mod failure;
mod instance;
mod limits;
mod lower;
pub mod native;
mod order;
mod otlp;
mod passage;
mod plan;
mod plugin;
mod rows;
mod schema;
mod stage;
mod step;
mod usage;
mod voice;

pub use compiler::{CompileLimits, Compiler, compile};
pub use contract::World;
pub use describe::text as tables_text;
pub use digest::digest;
pub use engine::Engine;
pub use error::PluginError;
pub use limits::Limits;
pub use plugin::{Plugin, Setting};
pub use stage::{ChainError, Link, Signal, WasmStage};
pub use usage::Usage;
