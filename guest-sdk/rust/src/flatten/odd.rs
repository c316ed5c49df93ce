//! The counting of what is valid but odd, and the rules for it that all signals share.

use crate::column::{Oddities, Utf8};
use crate::otlp;
use crate::plugin::Context;

/// What was odd in one record, whatever its signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Odd {
    /// In attributes and values.
    pub attributes: Oddities,
    /// Ids of the wrong length or all zero, now NULL.
    pub invalid_ids: u64,
    /// Times of 0.
    pub unknown_times: u64,
    /// Nanoseconds beyond a long, in raw columns.
    pub saturated_times: u64,
    /// Resources without a `service.name`.
    pub missing_service_names: u64,
    /// Promoted attributes of another kind than their column, now NULL there.
    pub promoted_mismatches: u64,
}

impl Odd {
    /// Counts it under the names that the fields have.
    pub fn report(&self, context: &mut Context<'_>) {
        context.count("invalid_ids", self.invalid_ids);
        context.count("duplicate_keys", self.attributes.duplicate_keys);
        context.count("unknown_times", self.unknown_times);
        context.count("saturated_times", self.saturated_times);
        context.count("missing_service_names", self.missing_service_names);
        context.count("promoted_mismatches", self.promoted_mismatches);
        context.count("profile_fields", self.attributes.profile_fields);
    }

    /// Nanoseconds as the microseconds of a timestamp, which hold every value; 0 is 1970.
    #[inline]
    pub fn micros(&mut self, nanos: u64) -> i64 {
        self.unknown_times += u64::from(nanos == 0);
        (nanos / 1000) as i64
    }

    /// Nanoseconds as a long, which does not.
    #[inline]
    pub fn nanos(&mut self, nanos: u64) -> i64 {
        i64::try_from(nanos).unwrap_or_else(|_| {
            self.saturated_times += 1;
            i64::MAX
        })
    }

    /// Appends a trace id, or NULL where it is invalid.
    #[inline]
    pub fn trace_id(&mut self, column: &mut Utf8, id: &[u8]) {
        self.invalid_ids += u64::from(!otlp::trace_id(column, id));
    }

    /// Appends a span id, or NULL where it is invalid.
    #[inline]
    pub fn span_id(&mut self, column: &mut Utf8, id: &[u8]) {
        self.invalid_ids += u64::from(!otlp::span_id(column, id));
    }

    /// The same where an empty id means that there is none, and is nothing odd.
    #[inline]
    pub fn optional_trace_id(&mut self, column: &mut Utf8, id: &[u8]) {
        self.invalid_ids += u64::from(!otlp::trace_id(column, id) && !id.is_empty());
    }

    /// The same where an empty id means that there is none, and is nothing odd.
    #[inline]
    pub fn optional_span_id(&mut self, column: &mut Utf8, id: &[u8]) {
        self.invalid_ids += u64::from(!otlp::span_id(column, id) && !id.is_empty());
    }
}
