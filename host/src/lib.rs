//! Weir's parts that the binary puts together. `main.rs` is the command line.

pub mod admin;
pub mod assemble;
pub mod capture;
pub mod chain;
pub mod cli;
pub mod codec;
pub mod compare;
pub mod config;
pub mod lake;
pub mod letters;
pub mod maintenance;
pub mod mirror;
pub mod plugins;
pub mod progress;
pub mod recent;
pub mod reload;
pub mod shelf;
pub mod supervisor;
pub mod watch;
pub mod workers;
