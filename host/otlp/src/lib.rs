//! OTLP as Weir needs it: JSON turned into protobuf, so that plugins see one encoding; a cheap check that bytes are
//! what a topic promises; and one message too large for a plugin cut into several.
//!
//! Pure functions: bytes in, bytes out. The rules are those of the OTLP specification, section "JSON Protobuf
//! Encoding"; where a sender breaks one and no data is lost by going on, the conversion goes on and counts it.

mod check;
#[cfg(test)]
mod dice;
mod json;
mod schema;
mod split;
mod wire;

use std::fmt;

pub use check::check;
pub use json::{ANY_VALUE_DEPTH_MAX, Anomalies, Converter, JsonError, JsonProblem};
pub use split::{Pieces, split};
pub use wire::{WireError, WireProblem};

/// What a topic carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signal {
    /// `TracesData`, the same wire form as `ExportTraceServiceRequest`.
    Traces,
    /// `MetricsData`.
    Metrics,
    /// `LogsData`.
    Logs,
}

impl Signal {
    /// The three of them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        })
    }
}
