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
    /// The schema that the resource's attributes follow; empty where it is unknown.
    pub schema_url: &'a [u8],
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
    /// The schema that the spans' attributes follow; empty where it is unknown.
    pub schema_url: &'a [u8],
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

/// Reads a singular message field, which must not come twice.
fn once<'a, T: Read<'a>>(slot: &mut Option<T>, message: &'a [u8]) -> Result<(), Malformed> {
    if slot.is_some() {
        return Err(Malformed::at(Fault::Split, message));
    }
    *slot = Some(T::read(message)?);
    Ok(())
}

impl<'a> Read<'a> for ResourceSpans<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut resource, mut scopes, mut schema_url) = (None, Extent::default(), &[][..]);
        loop {
            let before = fields.rest();
            let Some(field) = fields.next_field()? else { break };
            match field.number {
                1 => once(&mut resource, field.bytes()?)?,
                2 => scopes.note(before, &field)?,
                3 => schema_url = field.bytes()?,
                _ => {}
            }
        }
        let resource = resource.map_or_else(|| Resource::read(&[]), Ok)?;
        Ok(ResourceSpans { resource, scopes: scopes.of(message, 2), schema_url })
    }
}

impl<'a> Read<'a> for Resource<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut attributes, mut dropped_attributes_count) = (Extent::default(), 0);
        loop {
            let before = fields.rest();
            let Some(field) = fields.next_field()? else { break };
            match field.number {
                1 => attributes.note(before, &field)?,
                2 => dropped_attributes_count = field.varint()? as u32,
                _ => {}
            }
        }
        Ok(Resource { attributes: attributes.of(message, 1), dropped_attributes_count })
    }
}

impl<'a> Read<'a> for ScopeSpans<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut scope, mut spans, mut schema_url) = (None, Extent::default(), &[][..]);
        loop {
            let before = fields.rest();
            let Some(field) = fields.next_field()? else { break };
            match field.number {
                1 => once(&mut scope, field.bytes()?)?,
                2 => spans.note(before, &field)?,
                3 => schema_url = field.bytes()?,
                _ => {}
            }
        }
        let scope = scope.map_or_else(|| Scope::read(&[]), Ok)?;
        Ok(ScopeSpans { scope, spans: spans.of(message, 2), schema_url })
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
            let Some(field) = fields.next_field()? else { break };
            match field.number {
                1 => scope.name = field.bytes()?,
                2 => scope.version = field.bytes()?,
                3 => attributes.note(before, &field)?,
                4 => scope.dropped_attributes_count = field.varint()? as u32,
                _ => {}
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
            let Some(field) = fields.next_field()? else { break };
            match field.number {
                1 => span.trace_id = field.bytes()?,
                2 => span.span_id = field.bytes()?,
                3 => span.trace_state = field.bytes()?,
                4 => span.parent_span_id = field.bytes()?,
                5 => span.name = field.bytes()?,
                6 => span.kind = field.varint()? as i32,
                7 => span.start_time_unix_nano = field.fixed64()?,
                8 => span.end_time_unix_nano = field.fixed64()?,
                9 => attributes.note(before, &field)?,
                10 => span.dropped_attributes_count = field.varint()? as u32,
                11 => events.note(before, &field)?,
                12 => span.dropped_events_count = field.varint()? as u32,
                13 => links.note(before, &field)?,
                14 => span.dropped_links_count = field.varint()? as u32,
                15 => span.status.merge(field.bytes()?)?,
                16 => span.flags = field.fixed32()?,
                _ => {}
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
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => self.message = field.bytes()?,
                3 => self.code = field.varint()? as i32,
                _ => {}
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
            let Some(field) = fields.next_field()? else { break };
            match field.number {
                1 => event.time_unix_nano = field.fixed64()?,
                2 => event.name = field.bytes()?,
                3 => attributes.note(before, &field)?,
                4 => event.dropped_attributes_count = field.varint()? as u32,
                _ => {}
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
            let Some(field) = fields.next_field()? else { break };
            match field.number {
                1 => link.trace_id = field.bytes()?,
                2 => link.span_id = field.bytes()?,
                3 => link.trace_state = field.bytes()?,
                4 => attributes.note(before, &field)?,
                5 => link.dropped_attributes_count = field.varint()? as u32,
                6 => link.flags = field.fixed32()?,
                _ => {}
            }
        }
        link.attributes = attributes.of(message, 4);
        Ok(link)
    }
}

#[cfg(test)]
mod tests;
