//! Traces: resources, scopes, spans and what hangs on a span (opentelemetry-proto, `trace/v1/trace.proto`).

use super::value::Attributes;
use super::wire::{Extent, Fault, Fields, Malformed, Read, Repeated};

/// The resources of a record's value. An empty value has none.
pub fn traces(value: &[u8]) -> Repeated<'_, ResourceSpans<'_>> {
    Repeated::new(value, 1)
}

/// The spans of one resource.
#[derive(Clone, Debug)]
pub struct ResourceSpans<'a> {
    /// What made the spans; without attributes where it is absent.
    pub resource: Resource<'a>,
    /// Its scopes.
    pub scopes: Repeated<'a, ScopeSpans<'a>>,
    message: &'a [u8],
}

/// What made the telemetry.
#[derive(Clone, Debug)]
pub struct Resource<'a> {
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes were dropped on the way.
    pub dropped_attributes_count: u32,
}

/// The spans of one scope.
#[derive(Clone, Debug)]
pub struct ScopeSpans<'a> {
    /// The library that made the spans; without a name where it is absent.
    pub scope: Scope<'a>,
    /// Its spans.
    pub spans: Repeated<'a, Span<'a>>,
    message: &'a [u8],
}

/// An instrumentation scope.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// Its name; empty where it is unknown.
    pub name: &'a [u8],
    /// Its version; empty where it is unknown.
    pub version: &'a [u8],
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes were dropped on the way.
    pub dropped_attributes_count: u32,
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

// The readers below match whole tags: a field's number times eight, plus 0 for a varint, 1 for 64 bits, 2 for bytes
// and messages, 5 for 32 bits.

/// The numbers of the fields that a message has, a bit each.
const fn known(numbers: &[u32]) -> u32 {
    let (mut bits, mut index) = (0, 0);
    while index < numbers.len() {
        bits |= 1 << numbers[index];
        index += 1;
    }
    bits
}

/// Reads a singular message field, which must not come twice.
fn once<'a, T: Read<'a>>(slot: &mut Option<T>, message: &'a [u8]) -> Result<(), Malformed> {
    if slot.is_some() {
        return Err(Malformed::at(Fault::Split, message));
    }
    *slot = Some(T::read(message)?);
    Ok(())
}

/// Reads a message of one head (field 1), the items that belong to it (field 2), and a schema (field 3): the head
/// and where the items begin. Whoever wrote it wrote the head first; to look behind the items for another one would
/// touch each of them before its time, which costs a cache miss for each.
fn head_and_items<'a, H: Read<'a>, T: Read<'a>>(message: &'a [u8]) -> Result<(H, Repeated<'a, T>), Malformed> {
    let mut fields = Fields::new(message);
    let mut head = None;
    let items = loop {
        let before = fields.rest();
        match fields.next_tag()? {
            0 | 0x12 => break before,
            0x0a => once(&mut head, fields.bytes()?)?,
            0x1a => drop(fields.bytes()?),
            tag => fields.skip(tag, known(&[1, 2, 3]))?,
        }
    };
    Ok((head.map_or_else(|| H::read(&[]), Ok)?, Repeated::behind(1, items, 2)))
}

/// Looks for the schema of such a message, in front of the items and behind.
fn schema_url(message: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = Fields::new(message);
    let mut url = &[][..];
    loop {
        match fields.next_tag()? {
            0 => return Ok(url),
            0x0a | 0x12 => drop(fields.bytes()?),
            0x1a => url = fields.bytes()?,
            tag => fields.skip(tag, known(&[1, 2, 3]))?,
        }
    }
}

impl<'a> ResourceSpans<'a> {
    /// The schema that the resource's attributes follow; empty where it is unknown. It usually lies behind the
    /// spans: this walks past all of them, so ask once.
    ///
    /// # Errors
    /// The message is malformed.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        schema_url(self.message)
    }
}

impl<'a> ScopeSpans<'a> {
    /// The schema that the spans' attributes follow; empty where it is unknown. It usually lies behind the spans:
    /// this walks past all of them, so ask once.
    ///
    /// # Errors
    /// The message is malformed.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        schema_url(self.message)
    }
}

impl<'a> Read<'a> for ResourceSpans<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let (resource, scopes) = head_and_items(message)?;
        Ok(ResourceSpans { resource, scopes, message })
    }
}

impl<'a> Read<'a> for Resource<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut attributes, mut dropped_attributes_count) = (Extent::default(), 0);
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x0a => attributes.note(before, &mut fields)?,
                0x10 => dropped_attributes_count = fields.varint()? as u32,
                tag => fields.skip(tag, known(&[1, 2]))?,
            }
        }
        Ok(Resource { attributes: attributes.of(message, 1), dropped_attributes_count })
    }
}

impl<'a> Read<'a> for ScopeSpans<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let (scope, spans) = head_and_items(message)?;
        Ok(ScopeSpans { scope, spans, message })
    }
}

impl<'a> Read<'a> for Scope<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut attributes = Extent::default();
        let mut scope =
            Scope { name: &[], version: &[], attributes: attributes.of(message, 3), dropped_attributes_count: 0 };
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x0a => scope.name = fields.bytes()?,
                0x12 => scope.version = fields.bytes()?,
                0x1a => attributes.note(before, &mut fields)?,
                0x20 => scope.dropped_attributes_count = fields.varint()? as u32,
                tag => fields.skip(tag, known(&[1, 2, 3, 4]))?,
            }
        }
        scope.attributes = attributes.of(message, 3);
        Ok(scope)
    }
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
