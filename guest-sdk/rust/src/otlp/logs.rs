//! Logs: records of something that happened (opentelemetry-proto, `logs/v1/logs.proto`).

use super::origin::{ResourceItems, ScopeItems};
use super::value::{AnyValue, Attributes};
use super::wire::{Extent, Fault, Fields, Malformed, Read, Repeated, known};

/// The log records of one resource.
pub type ResourceLogs<'a> = ResourceItems<'a, LogRecord<'a>>;

/// The log records of one scope.
pub type ScopeLogs<'a> = ScopeItems<'a, LogRecord<'a>>;

/// The resources of a record's value. An empty value has none.
pub fn logs(value: &[u8]) -> Repeated<'_, ResourceLogs<'_>> {
    Repeated::new(value, 1)
}

/// A log record.
#[derive(Clone, Debug)]
pub struct LogRecord<'a> {
    /// When it happened, in nanoseconds since 1970; 0 where that is unknown.
    pub time_unix_nano: u64,
    /// When it was collected, in nanoseconds since 1970; 0 where that is unknown.
    pub observed_time_unix_nano: u64,
    /// 1 to 24, the higher the worse; 0 UNSPECIFIED.
    pub severity_number: i32,
    /// The severity as its source calls it; empty where it is unknown.
    pub severity_text: &'a [u8],
    /// What it says, of any kind; none where it says nothing, which is not an empty value.
    pub body: Option<AnyValue<'a>>,
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes were dropped on the way.
    pub dropped_attributes_count: u32,
    /// Bits 0 to 7 are W3C's.
    pub flags: u32,
    /// 16 bytes, empty outside a trace, or invalid.
    pub trace_id: &'a [u8],
    /// 8 bytes, empty outside a span, or invalid.
    pub span_id: &'a [u8],
    /// What kind of event it is; empty where it is none.
    pub event_name: &'a [u8],
}

impl<'a> Read<'a> for LogRecord<'a> {
    #[inline]
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut attributes = Extent::default();
        let mut record = LogRecord {
            time_unix_nano: 0,
            observed_time_unix_nano: 0,
            severity_number: 0,
            severity_text: &[],
            body: None,
            attributes: attributes.of(message, 6),
            dropped_attributes_count: 0,
            flags: 0,
            trace_id: &[],
            span_id: &[],
            event_name: &[],
        };
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x09 => record.time_unix_nano = fields.fixed64()?,
                0x10 => record.severity_number = fields.varint()? as i32,
                0x1a => record.severity_text = fields.bytes()?,
                0x2a if record.body.is_some() => return Err(Malformed::at(Fault::Split, before)),
                0x2a => record.body = Some(AnyValue::read(fields.bytes()?)?),
                0x32 => attributes.note(before, &mut fields)?,
                0x38 => record.dropped_attributes_count = fields.varint()? as u32,
                0x45 => record.flags = fields.fixed32()?,
                0x4a => record.trace_id = fields.bytes()?,
                0x52 => record.span_id = fields.bytes()?,
                0x59 => record.observed_time_unix_nano = fields.fixed64()?,
                0x62 => record.event_name = fields.bytes()?,
                tag => fields.skip(tag, known(&[1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]))?,
            }
        }
        record.attributes = attributes.of(message, 6);
        Ok(record)
    }
}

#[cfg(test)]
mod tests;
