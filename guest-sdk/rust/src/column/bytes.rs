//! Text and bytes, one after the other, and where each ends.

use super::Column;
use super::validity::Validity;
use crate::append::append;
use crate::output::{DataType, RecordBatch};

/// Where each value of a column of variable length ends: 32 bits each, little-endian, the first of them 0.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    bytes: Vec<u8>,
}

impl Offsets {
    /// Appends the end of a value. An end beyond 32 bits is wrapped, and refused when the column is taken.
    #[inline(always)]
    pub(crate) fn push(&mut self, end: usize) {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&[0; 4]);
        }
        self.bytes.extend_from_slice(&(end as u32).to_le_bytes());
    }

    /// Where the value of this index begins, which is where the one before it ends.
    #[inline]
    pub(crate) fn start(&self, index: usize) -> usize {
        let at = index * 4;
        let bytes = self.bytes.get(at..at + 4).and_then(|bytes| bytes.first_chunk::<4>());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(if len == 0 { 0 } else { (len + 1) * 4 });
    }

    pub(crate) fn take(&mut self, into: &mut RecordBatch) {
        into.buffers.push(std::mem::take(&mut self.bytes));
    }
}

macro_rules! variable {
    ($(#[$doc:meta])* $name:ident, $data_type:expr) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name {
            pub(crate) validity: Validity,
            pub(crate) offsets: Offsets,
            pub(crate) bytes: Vec<u8>,
        }

        impl $name {
            /// An empty column.
            pub fn new() -> Self {
                Self::default()
            }

            /// An empty column that holds no nulls.
            pub fn required() -> Self {
                let mut column = Self::default();
                column.validity.nullable = false;
                column
            }

            /// Appends a value.
            #[inline]
            pub fn push(&mut self, value: &[u8]) {
                append(&mut self.bytes, value);
                self.close();
            }

            /// Appends a missing value.
            #[inline]
            pub fn push_null(&mut self) {
                self.offsets.push(self.bytes.len());
                self.validity.push(false);
            }

            /// Appends a value or its absence.
            #[inline]
            pub fn push_option(&mut self, value: Option<&[u8]>) {
                match value {
                    Some(value) => self.push(value),
                    None => self.push_null(),
                }
            }

            /// Appends a value that is written in place, without a copy. Only append to what is there.
            ///
            /// # Errors
            /// The writer's own: the column is as it was.
            #[inline]
            pub fn push_with<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
                let start = self.bytes.len();
                let written = write(&mut self.bytes);
                match written {
                    Ok(()) => self.close(),
                    Err(_) => self.bytes.truncate(start),
                }
                written
            }

            #[inline(always)]
            fn close(&mut self) {
                self.offsets.push(self.bytes.len());
                self.validity.push(true);
            }
        }

        impl Column for $name {
            fn data_type(&self) -> DataType {
                $data_type
            }

            fn nullable(&self) -> bool {
                self.validity.nullable
            }

            #[inline]
            fn len(&self) -> usize {
                self.validity.len()
            }

            fn truncate(&mut self, len: usize) {
                if len < self.len() {
                    self.bytes.truncate(self.offsets.start(len));
                    self.offsets.truncate(len);
                    self.validity.truncate(len);
                }
            }

            fn take(&mut self, into: &mut RecordBatch) {
                self.validity.take(into);
                self.offsets.take(into);
                into.buffers.push(std::mem::take(&mut self.bytes));
            }
        }
    };
}

variable!(
    /// Text. Bytes that are not UTF-8 are the host's to repair; a plugin passes them on.
    Utf8, DataType::Utf8
);
variable!(
    /// Bytes.
    Binary, DataType::Binary
);
