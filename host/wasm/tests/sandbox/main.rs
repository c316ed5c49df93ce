//! A plugin can harm only its own call: hostile guests, run in the real sandbox.
#![allow(clippy::unwrap_used, reason = "tests")]

mod cache;
mod calls;
mod chains;
mod configuring;
mod handmade;
mod kit;
mod lies;
mod loading;
