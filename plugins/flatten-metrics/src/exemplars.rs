//! Values of gauges, sums and exemplars, and exemplars themselves.

use crate::Odd;
use weir_sdk::otlp::{Exemplar, Malformed, Number};
use weir_sdk::prelude::*;

/// A number in two columns: as a double whichever kind it is, and as a long where it was sent as one.
#[derive(Default)]
pub(crate) struct Numbers {
    value: Float64,
    value_int: Int64,
}

impl Numbers {
    pub(crate) fn push(&mut self, number: Option<Number>) {
        let (value, value_int) = match number {
            None => (None, None),
            Some(Number::Double(value)) => (Some(value), None),
            Some(Number::Int(value)) => (Some(value as f64), Some(value)),
        };
        self.value.push_option(value);
        self.value_int.push_option(value_int);
    }
}

impl Columns for Numbers {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("value", "The value; NULL where there is none.", &mut self.value);
        visit.column("value_int", "The same, exactly, where it was sent as an integer.", &mut self.value_int);
    }
}

/// The fields of an exemplar.
#[derive(Default)]
pub(crate) struct Exemplars {
    timestamp: TimestampUtc,
    numbers: Numbers,
    trace_id: Utf8,
    span_id: Utf8,
    filtered_attributes: AttributeMap,
}

impl Exemplars {
    pub(crate) fn push(&mut self, exemplar: &Exemplar<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        self.timestamp.push(odd.common.micros(exemplar.time_unix_nano));
        odd.missing_values += u64::from(exemplar.value.is_none());
        self.numbers.push(exemplar.value);
        odd.common.optional_trace_id(&mut self.trace_id, exemplar.trace_id);
        odd.common.optional_span_id(&mut self.span_id, exemplar.span_id);
        self.filtered_attributes.push(exemplar.filtered_attributes.clone(), &mut odd.common.attributes)
    }
}

impl Columns for Exemplars {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("timestamp", "When it was measured.", &mut self.timestamp);
        self.numbers.columns(visit);
        visit.column("trace_id", "32 hex digits; NULL outside a trace.", &mut self.trace_id);
        visit.column("span_id", "16 hex digits; NULL outside a span.", &mut self.span_id);
        let attributes = &mut self.filtered_attributes;
        visit.column("filtered_attributes", "Attributes that the point left out, as text.", attributes);
    }
}
