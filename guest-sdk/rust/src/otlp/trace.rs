//! Traces: spans and what hangs on a span (opentelemetry-proto, `trace/v1/trace.proto`).

use super::origin::{ResourceItems, ScopeItems};
use super::value::Attributes;
use super::wire::{Extent, Fields, Malformed, Read, Repeated, known};

/// The spans of one resource.
pub type ResourceSpans<'a> = ResourceItems<'a, Span<'a>>;

/// The spans of one scope.
pub type ScopeSpans<'a> = ScopeItems<'a, Span<'a>>;

/// The resources of a record's value. An empty value has none.
pub fn traces(value: &[u8]) -> Repeated<'_, ResourceSpans<'_>> {
    Repeated::new(value, 1)
}

/// A span.
#[derive(Clone, Debug)]
pub struct Span<'a> {
    /// 16 bytes, unless it is invalid.
    pub trace_id: &'a [u8],
    /// 8 bytes, unless it is invalid.
    pub span_id: &'a [u8],
    /// The W3C tracestate.
    pub trace_state: &'a [u8],
    /// 8 bytes, empty in a root, or invalid.
    pub parent_span_id: &'a [u8],
    /// Bits 0 to 7 are W3C's, 8 and 9 say whether the parent is remote.
    pub flags: u32,
    /// Its name; empty where it is unknown.
    pub name: &'a [u8],
    /// 0 UNSPECIFIED, 1 INTERNAL, 2 SERVER, 3 CLIENT, 4 PRODUCER, 5 CONSUMER.
    pub kind: i32,
    /// Nanoseconds since 1970; 0 where it is unknown.
    pub start_time_unix_nano: u64,
    /// Nanoseconds since 1970; 0 where it is unknown.
    pub end_time_unix_nano: u64,
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes were dropped on the way.
    pub dropped_attributes_count: u32,
    /// Its events.
    pub events: Repeated<'a, Event<'a>>,
    /// How many events were dropped on the way.
    pub dropped_events_count: u32,
    /// Its links to other spans.
    pub links: Repeated<'a, Link<'a>>,
    /// How many links were dropped on the way.
    pub dropped_links_count: u32,
    /// How it ended.
    pub status: Status<'a>,
}

/// How a span ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status<'a> {
    /// For a developer; usually empty.
    pub message: &'a [u8],
    /// 0 UNSET, 1 OK, 2 ERROR.
    pub code: i32,
}

/// Something that happened during a span.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// Its name.
    pub name: &'a [u8],
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes were dropped on the way.
    pub dropped_attributes_count: u32,
}

/// A pointer from a span to another.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    /// 16 bytes, unless it is invalid.
    pub trace_id: &'a [u8],
    /// 8 bytes, unless it is invalid.
    pub span_id: &'a [u8],
    /// The W3C tracestate.
    pub trace_state: &'a [u8],
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes were dropped on the way.
    pub dropped_attributes_count: u32,
    /// As a span's.
    pub flags: u32,
}

impl<'a> Read<'a> for Span<'a> {
    #[inline]
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut attributes, mut events, mut links) = (Extent::default(), Extent::default(), Extent::default());
        let mut span = Span {
            trace_id: &[],
            span_id: &[],
            trace_state: &[],
            parent_span_id: &[],
            flags: 0,
            name: &[],
            kind: 0,
            start_time_unix_nano: 0,
            end_time_unix_nano: 0,
            attributes: attributes.of(message, 9),
            dropped_attributes_count: 0,
            events: events.of(message, 11),
            dropped_events_count: 0,
            links: links.of(message, 13),
            dropped_links_count: 0,
            status: Status::default(),
        };
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x0a => span.trace_id = fields.bytes()?,
                0x12 => span.span_id = fields.bytes()?,
                0x1a => span.trace_state = fields.bytes()?,
                0x22 => span.parent_span_id = fields.bytes()?,
                0x2a => span.name = fields.bytes()?,
                0x30 => span.kind = fields.varint()? as i32,
                0x39 => span.start_time_unix_nano = fields.fixed64()?,
                0x41 => span.end_time_unix_nano = fields.fixed64()?,
                0x4a => attributes.note(before, &mut fields)?,
                0x50 => span.dropped_attributes_count = fields.varint()? as u32,
                0x5a => events.note(before, &mut fields)?,
                0x60 => span.dropped_events_count = fields.varint()? as u32,
                0x6a => links.note(before, &mut fields)?,
                0x70 => span.dropped_links_count = fields.varint()? as u32,
                0x7a => span.status.merge(fields.bytes()?)?,
                0x85 => span.flags = fields.fixed32()?,
                tag => fields.skip(tag, known(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]))?,
            }
        }
        span.attributes = attributes.of(message, 9);
        span.events = events.of(message, 11);
        span.links = links.of(message, 13);
        Ok(span)
    }
}

impl<'a> Status<'a> {
    /// Scalars only: a second piece is merged on the spot.
    #[inline]
    fn merge(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(message);
        loop {
            match fields.next_tag()? {
                0 => break,
                0x12 => self.message = fields.bytes()?,
                0x18 => self.code = fields.varint()? as i32,
                tag => fields.skip(tag, known(&[2, 3]))?,
            }
        }
        Ok(())
    }
}

impl<'a> Read<'a> for Event<'a> {
    #[inline]
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut attributes = Extent::default();
        let mut event =
            Event { time_unix_nano: 0, name: &[], attributes: attributes.of(message, 3), dropped_attributes_count: 0 };
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x09 => event.time_unix_nano = fields.fixed64()?,
                0x12 => event.name = fields.bytes()?,
                0x1a => attributes.note(before, &mut fields)?,
                0x20 => event.dropped_attributes_count = fields.varint()? as u32,
                tag => fields.skip(tag, known(&[1, 2, 3, 4]))?,
            }
        }
        event.attributes = attributes.of(message, 3);
        Ok(event)
    }
}

impl<'a> Read<'a> for Link<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut attributes = Extent::default();
        let mut link = Link {
            trace_id: &[],
            span_id: &[],
            trace_state: &[],
            attributes: attributes.of(message, 4),
            dropped_attributes_count: 0,
            flags: 0,
        };
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x0a => link.trace_id = fields.bytes()?,
                0x12 => link.span_id = fields.bytes()?,
                0x1a => link.trace_state = fields.bytes()?,
                0x22 => attributes.note(before, &mut fields)?,
                0x28 => link.dropped_attributes_count = fields.varint()? as u32,
                0x35 => link.flags = fields.fixed32()?,
                tag => fields.skip(tag, known(&[1, 2, 3, 4, 5, 6]))?,
            }
        }
        link.attributes = attributes.of(message, 4);
        Ok(link)
    }
}

#[cfg(test)]
mod tests;
