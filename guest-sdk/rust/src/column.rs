//! Columns to fill, laid out as Arrow lays them out. Each writes straight into the buffers that cross to the host.
//!
//! A column is a field of the plugin's own table; [`crate::Columns`] lists them. Filling one never fails and
//! never allocates more than it keeps. All can be cut back to a number of values, which is how the rows of a
//! record that turns out to be malformed are taken back.

mod attributes;
mod bytes;
mod dictionary;
mod fixed;
mod nested;
mod validity;

pub use attributes::{AttributeMap, Oddities, Text};
pub use bytes::{Binary, Utf8};
pub use dictionary::{Dictionary, Key};
pub use fixed::{Boolean, Date, Float32, Float64, Int32, Int64, TimestampLocal, TimestampUtc};
pub(crate) use nested::Truncate;
pub use nested::{List, Map, Struct};
pub(crate) use validity::count;

use crate::output::{DataType, RecordBatch};
use crate::plugin::Visit;

/// What all columns have in common.
pub trait Column {
    /// What it holds.
    fn data_type(&self) -> DataType;

    /// Whether a value may be missing: yes, unless it was made `required`.
    fn nullable(&self) -> bool;

    /// How many values it has.
    fn len(&self) -> usize;

    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cuts it back to its first `len` values, and takes back the parts of a value that was begun.
    fn truncate(&mut self, len: usize);

    /// Moves its own node and buffers to the end of a record batch and is empty then; its children do so
    /// themselves.
    fn take(&mut self, into: &mut RecordBatch);

    /// Shows its children, by the names that Arrow gives them.
    fn children(&mut self, _visit: &mut dyn Visit) {}

    /// The length that each child must have for this column to be well formed; none where it is their own affair.
    fn child_len(&self) -> Option<usize> {
        None
    }
}

#[cfg(test)]
mod tests;
