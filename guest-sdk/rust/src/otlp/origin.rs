//! Where telemetry comes from: resources and scopes, which all signals have in the same shape (opentelemetry-proto,
//! `resource/v1/resource.proto`, `common/v1/common.proto`).

use super::value::Attributes;
use super::wire::{Extent, Fields, Malformed, Read, Repeated, known, once};

/// What one resource sent: the spans, log records or metrics of its scopes.
#[derive(Clone, Debug)]
pub struct ResourceItems<'a, T> {
    /// What made the telemetry; without attributes where it is absent.
    pub resource: Resource<'a>,
    /// Its scopes.
    pub scopes: Repeated<'a, ScopeItems<'a, T>>,
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

/// The spans, log records or metrics of one scope.
#[derive(Clone, Debug)]
pub struct ScopeItems<'a, T> {
    /// The library that made the items; without a name where it is absent.
    pub scope: Scope<'a>,
    /// Its spans, log records or metrics.
    pub items: Repeated<'a, T>,
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

impl<'a, T> ResourceItems<'a, T> {
    /// The schema that the resource's attributes follow; empty where it is unknown. It usually lies behind the
    /// items: this walks past all of them, so ask once.
    ///
    /// # Errors
    /// The message is malformed.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        schema_url(self.message)
    }
}

impl<'a, T> ScopeItems<'a, T> {
    /// The schema that the items' attributes follow; empty where it is unknown. It usually lies behind the items:
    /// this walks past all of them, so ask once.
    ///
    /// # Errors
    /// The message is malformed.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        schema_url(self.message)
    }
}

impl<'a, T: Read<'a>> Read<'a> for ResourceItems<'a, T> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let (resource, scopes) = head_and_items(message)?;
        Ok(ResourceItems { resource, scopes, message })
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

impl<'a, T: Read<'a>> Read<'a> for ScopeItems<'a, T> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let (scope, items) = head_and_items(message)?;
        Ok(ScopeItems { scope, items, message })
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
