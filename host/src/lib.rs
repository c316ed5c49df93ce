//! Weir's parts that the binary puts together. `main.rs` is the command line.

pub mod config;
