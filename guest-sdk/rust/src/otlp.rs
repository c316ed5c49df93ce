//! Reads OTLP protobuf where it lies: no copy, no allocation, one pass.
//!
//! A message is a small struct of its scalars and of iterators over its repeated parts, all borrowed from the
//! record's value. Strings are bytes: they may hold invalid UTF-8, which the host repairs. Unknown fields are
//! skipped, groups too; what is cut off, or of another wire type than its field, is an error.
//!
//! Protobuf lets a message repeat a singular part, or send it late, and merges the pieces. No known exporter does
//! that, so the reader does not pay for it: it answers with an error that says so, the SDK puts the record in order
//! ([`merge`]) and shows it again.

mod edit;
mod id;
mod logs;
mod merge;
mod metrics;
mod number;
#[cfg(test)]
mod oracle;
mod origin;
mod packed;
mod points;
mod text;
mod trace;
mod value;
mod wire;

pub use edit::{Change, Level, edit_attributes, keep_log_records, keep_metrics, keep_spans, set_resource_attribute};
pub use id::{push_hex, span_id, trace_id};
pub use logs::{LogRecord, ResourceLogs, ScopeLogs, logs};
pub use merge::merge;
pub use metrics::{Data, Metric, ResourceMetrics, ScopeMetrics, metrics};
pub use origin::{Resource, ResourceItems, Scope, ScopeItems};
pub use packed::{Bits, Numbers};
pub use points::{
    Buckets, Exemplar, ExponentialHistogramPoint, HistogramPoint, Number, NumberPoint, Point, QuantileValue,
    SummaryPoint,
};
pub use trace::{Event, Link, ResourceSpans, ScopeSpans, Span, Status, traces};
pub use value::{AnyValue, Attributes, KeyValue, Oddities, Values};
pub use wire::{Fault, Field, Fields, Malformed, Read, Repeated, Wire};

/// How deep values may lie in each other: an attribute's value is at depth 1. Beyond it a record is refused, so
/// that nobody's nesting exhausts a stack.
pub const DEPTH_MAX: usize = 64;
