//! A plugin that is compiled into the program: what the sandbox is measured against.
//!
//! It is checked as a guest is, so that the difference between the two is the sandbox alone. Nothing that users run
//! goes this way.

use weir_pipeline::transform::{Effort, Failure, Message, Output, Stage, TableSchema};

use crate::answer;
use crate::bindings::columns::{Node, RecordBatchResult, TableRows};
use crate::bindings::otlp_to_arrow::Output as GuestOutput;
use crate::bindings::records::Rejection;

/// One table's part of an answer, laid out as the contract says.
#[derive(Debug, Default)]
pub struct NativeRows {
    /// How many rows.
    pub rows: u32,
    /// Length and null count of each field, depth first.
    pub nodes: Vec<(u32, u32)>,
    /// The fields' buffers.
    pub buffers: Vec<Vec<u8>>,
    /// How many rows each message gave.
    pub rows_per_message: Vec<u32>,
}

/// What a plugin gave: rows of each table, and the messages that it refused, with the reason.
pub type NativeOutput = (Vec<NativeRows>, Vec<(u32, String)>);

/// A compiled-in plugin as a stage.
pub struct NativeStage<F> {
    tables: Vec<TableSchema>,
    transform: F,
}

impl<F> std::fmt::Debug for NativeStage<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeStage").finish_non_exhaustive()
    }
}

impl<F> NativeStage<F>
where
    F: FnMut(&str, i32, &[Message<'_>]) -> Result<NativeOutput, String> + Send,
{
    /// A stage that fills these tables.
    pub fn new(tables: Vec<TableSchema>, transform: F) -> Self {
        Self { tables, transform }
    }
}

impl<F> Stage for NativeStage<F>
where
    F: FnMut(&str, i32, &[Message<'_>]) -> Result<NativeOutput, String> + Send,
{
    fn call(&mut self, topic: &str, partition: i32, messages: &[Message<'_>], _: Effort) -> Result<Output, Failure> {
        let (tables, rejections) = (self.transform)(topic, partition, messages).map_err(Failure::Failed)?;
        let rows = |t: NativeRows| TableRows {
            rows: RecordBatchResult {
                rows: t.rows,
                nodes: t.nodes.into_iter().map(|(length, null_count)| Node { length, null_count }).collect(),
                buffers: t.buffers,
            },
            rows_per_message: t.rows_per_message,
        };
        let given = GuestOutput {
            tables: tables.into_iter().map(rows).collect(),
            rejections: rejections.into_iter().map(|(index, reason)| Rejection { index, reason }).collect(),
        };
        answer::check(&self.tables, messages.len(), given).map(|a| a.output).map_err(Failure::Invalid)
    }
}
