//! The port to plugins, and what turns a batch into rows through it: known rejections, bisecting, joining.
//!
//! The grain of rejection is the Kafka record. A call that fails as a whole is halved until the record at fault is
//! alone; it is blamed only when it fails alone, in a fresh instance, with ten times the limits. A failure that does
//! not repeat there blames nobody.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;

/// One record, or part of one, as a stage sees it: OTLP protobuf whatever the topic's encoding was.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The record's offset.
    pub offset: i64,
    /// The record's timestamp, milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// The record's key.
    pub key: Option<&'a [u8]>,
    /// The record's headers.
    pub headers: &'a [(String, Option<Bytes>)],
    /// OTLP protobuf.
    pub value: &'a [u8],
}

/// A table that a chain fills.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSchema {
    /// What the pipeline's TOML calls it.
    pub name: String,
    /// What a row is; may be empty.
    pub doc: String,
    /// Its columns. A field's comment is its metadata `doc`. Dictionaries stand where the batches have them.
    pub schema: SchemaRef,
}

/// What a call gave to one table.
#[derive(Clone, Debug)]
pub struct TableRows {
    /// The rows, in the messages' order.
    pub rows: RecordBatch,
    /// How many rows each message gave.
    pub rows_per_message: Vec<u32>,
}

/// A message that a stage refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its index in the call.
    pub index: u32,
    /// Why.
    pub reason: String,
    /// The digest of the plugin that refuses it; `None` where the stage does not tell its plugins apart.
    pub plugin: Option<Arc<str>>,
}

/// What a call gave.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// One element a table, in the schema's order.
    pub tables: Vec<TableRows>,
    /// What was refused, by rising index.
    pub rejections: Vec<Rejection>,
    /// Strings whose invalid UTF-8 was replaced.
    pub repaired_strings: u64,
}

/// Why a call failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The plugin trapped: a panic, an access out of bounds, a stack that overflowed.
    Trap(String),
    /// It used more CPU time than it may.
    Deadline(String),
    /// It wanted more memory than it may have.
    Memory(String),
    /// It returned more than it may.
    Output(String),
    /// What it returned is not what it promised.
    Invalid(String),
    /// It said itself that it could not.
    Failed(String),
}

impl Failure {
    /// The name of the kind, as metrics and dead letters show it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Deadline(_) => "deadline",
            Self::Memory(_) => "memory",
            Self::Output(_) => "output",
            Self::Invalid(_) => "invalid",
            Self::Failed(_) => "failed",
        }
    }

    /// The same, with the place where it happened.
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        let named = |text: String| format!("{place}: {text}");
        match self {
            Self::Trap(text) => Self::Trap(named(text)),
            Self::Deadline(text) => Self::Deadline(named(text)),
            Self::Memory(text) => Self::Memory(named(text)),
            Self::Output(text) => Self::Output(named(text)),
            Self::Invalid(text) => Self::Invalid(named(text)),
            Self::Failed(text) => Self::Failed(named(text)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Trap(m)
        | Self::Deadline(m)
        | Self::Memory(m)
        | Self::Output(m)
        | Self::Invalid(m)
        | Self::Failed(m)) = self;
        write!(f, "{}: {m}", self.kind())
    }
}

/// With what a call is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// An instance at hand, the limits as configured.
    Normal,
    /// A new instance and ten times the limits: before a record is blamed.
    Fresh,
}

/// One running sandbox of a plugin, or a chain of them. Used by one thread at a time.
///
/// After a failure the stage makes itself a new instance at the next call.
pub trait Stage: Send {
    /// Runs the messages through. Called with at least one.
    fn call(
        &mut self,
        topic: &str,
        partition: i32,
        messages: &[Message<'_>],
        effort: Effort,
    ) -> Result<Output, Failure>;
    /// The digest of the plugin at which the last call that failed did so; `None` where the stage does not tell its
    /// plugins apart.
    fn failed_plugin(&self) -> Option<Arc<str>> {
        None
    }
}
