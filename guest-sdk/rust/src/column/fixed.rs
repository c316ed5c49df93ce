//! Columns whose values all have one size.

use super::Column;
use super::validity::{Validity, push_bit, truncate_bits};
use crate::append::append_again;
use crate::output::{DataType, RecordBatch};

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $native:ty, $data_type:expr) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name {
            validity: Validity,
            values: Vec<u8>,
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
            pub fn push(&mut self, value: $native) {
                self.values.extend_from_slice(&value.to_le_bytes());
                self.validity.push(true);
            }

            /// Appends a missing value.
            #[inline]
            pub fn push_null(&mut self) {
                self.values.extend_from_slice(&[0; size_of::<$native>()]);
                self.validity.push(false);
            }

            /// Appends the last value, or its absence, once more. An empty column stays empty.
            #[inline]
            pub fn push_again(&mut self) {
                if let Some(last) = self.len().checked_sub(1) {
                    let valid = self.validity.is_valid(last);
                    append_again(&mut self.values, last * size_of::<$native>(), (last + 1) * size_of::<$native>());
                    self.validity.push(valid);
                }
            }

            /// Appends a value or its absence.
            #[inline]
            pub fn push_option(&mut self, value: Option<$native>) {
                match value {
                    Some(value) => self.push(value),
                    None => self.push_null(),
                }
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
                self.validity.truncate(len);
                self.values.truncate(len * size_of::<$native>());
            }

            fn take(&mut self, into: &mut RecordBatch) {
                self.validity.take(into);
                into.buffers.push(std::mem::take(&mut self.values));
            }
        }
    };
}

fixed!(
    /// Signed integers of 32 bits.
    Int32, i32, DataType::Int32
);
fixed!(
    /// Signed integers of 64 bits.
    Int64, i64, DataType::Int64
);
fixed!(
    /// IEEE 754 numbers of 32 bits.
    Float32, f32, DataType::Float32
);
fixed!(
    /// IEEE 754 numbers of 64 bits.
    Float64, f64, DataType::Float64
);
fixed!(
    /// Days since 1970-01-01.
    Date, i32, DataType::Date
);
fixed!(
    /// Points in time, in microseconds since 1970-01-01T00:00:00Z.
    TimestampUtc, i64, DataType::TimestampUtc
);
fixed!(
    /// Readings of an unnamed clock, in microseconds since 1970-01-01T00:00:00.
    TimestampLocal, i64, DataType::TimestampLocal
);

/// Values of true and false, one bit each.
#[derive(Debug, Default)]
pub struct Boolean {
    validity: Validity,
    bits: Vec<u8>,
}

impl Boolean {
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
    pub fn push(&mut self, value: bool) {
        push_bit(&mut self.bits, self.validity.len(), value);
        self.validity.push(true);
    }

    /// Appends a missing value.
    #[inline]
    pub fn push_null(&mut self) {
        push_bit(&mut self.bits, self.validity.len(), false);
        self.validity.push(false);
    }

    /// Appends the last value, or its absence, once more. An empty column stays empty.
    #[inline]
    pub fn push_again(&mut self) {
        if let Some(last) = self.validity.len().checked_sub(1) {
            let valid = self.validity.is_valid(last);
            let bit = self.bits.get(last / 8).is_some_and(|byte| byte >> (last % 8) & 1 == 1);
            push_bit(&mut self.bits, last + 1, bit);
            self.validity.push(valid);
        }
    }

    /// Appends a value or its absence.
    #[inline]
    pub fn push_option(&mut self, value: Option<bool>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }
}

impl Column for Boolean {
    fn data_type(&self) -> DataType {
        DataType::Boolean
    }

    fn nullable(&self) -> bool {
        self.validity.nullable
    }

    fn len(&self) -> usize {
        self.validity.len()
    }

    fn truncate(&mut self, len: usize) {
        if len < self.validity.len() {
            self.validity.truncate(len);
            truncate_bits(&mut self.bits, len);
        }
    }

    fn take(&mut self, into: &mut RecordBatch) {
        self.validity.take(into);
        into.buffers.push(std::mem::take(&mut self.bits));
    }
}
