//! The core of Weir: what a batch is, where a checkpoint stands, when an epoch commits, and what is done when the
//! world says no.
//!
//! Nothing here does I/O. Kafka, Wasm and Iceberg are behind the ports [`source`], [`transform`] and [`sink`]; time of
//! day and randomness come through [`clock`]. The simulation (`sim`, in tests only) puts seeded, faulty ports behind the very same
//! loop ([`run`]).

pub mod batch;
pub mod chain;
pub mod checkpoint;
pub mod clock;
pub mod commit;
pub mod dead_letter;
pub mod error;
pub mod event;
pub mod fault;
pub mod holdings;
pub mod replay;
pub mod run;
#[cfg(test)]
mod sim;
pub mod sink;
pub mod source;
pub mod stats;
pub mod transform;
pub mod work;
