//! One message cut into several that each stand for themselves.
//!
//! The three signals share the numbers this needs: a request holds resources (1), a resource's entry holds scopes (2),
//! a scope's entry holds items (2); whatever else an entry holds describes it and belongs to each of its parts.

use crate::wire::{Fields, RawField, WireError};

/// A resource's entry in the request.
const RESOURCE: u32 = 1;
/// A scope's entry in its resource, and an item in its scope.
const CHILD: u32 = 2;
/// The wire type of a message.
const LENGTH: u8 = 2;

/// Cuts an OTLP message into messages of at most `bytes_max` bytes, as far as that is possible.
///
/// Each item (a span, a log record, a metric with all its points) is in exactly one piece, and the order stays. A
/// piece repeats what describes its resources and scopes. An item that does not fit with them goes alone, so a piece
/// can be larger than asked for; where the description by itself is larger than `bytes_max`, pieces are at most
/// `bytes_max` larger than it. Resources and scopes without items are kept. Fields of the request that OTLP does not
/// have are not.
///
/// The pieces are made one at a time, as they are asked for.
///
/// # Errors
/// Where the bytes are not protobuf down to the items' own boundaries. No piece has been made then.
pub fn split(bytes: &[u8], bytes_max: usize) -> Result<Pieces<'_>, WireError> {
    let mut walk = Walk::new(bytes);
    while walk.next()?.is_some() {}
    Ok(Pieces { walk: Walk::new(bytes), pending: None, bytes_max })
}

/// The pieces of one message.
#[derive(Debug)]
pub struct Pieces<'a> {
    walk: Walk<'a>,
    /// What did not fit into the piece before.
    pending: Option<Unit<'a>>,
    bytes_max: usize,
}

impl Iterator for Pieces<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut piece = Piece::default();
        // `split` has walked all of it: an error cannot come now, and would end the pieces.
        while let Some(unit) = self.pending.take().or_else(|| self.walk.next().ok().flatten()) {
            let described = self.walk.resource.header.len() + self.walk.scope.header.len();
            let limit = if described > self.bytes_max { described + self.bytes_max } else { self.bytes_max };
            if !piece.is_empty() && piece.length_with(&unit, &self.walk) > limit {
                self.pending = Some(unit);
                break;
            }
            piece.add(&unit, &self.walk);
        }
        piece.finish()
    }
}

/// What cannot be cut: an item; or a scope or a resource that has none.
#[derive(Clone, Copy, Debug)]
struct Unit<'a> {
    resource: usize,
    scope: Option<usize>,
    /// The item with its tag and length.
    item: Option<&'a [u8]>,
}

/// An entry of which the children are being read.
#[derive(Debug, Default)]
struct Level<'a> {
    children: Option<Fields<'a>>,
    /// How many entries of this level came before, over the whole message.
    number: usize,
    /// Whether a child was seen.
    has_child: bool,
    /// All fields but the children.
    header: Vec<u8>,
}

impl<'a> Level<'a> {
    /// Goes into the next entry.
    fn enter(&mut self, entry: RawField<'a>) -> Result<(), WireError> {
        let fields = Fields::new(entry.value, entry.value_at);
        self.number += 1;
        self.has_child = false;
        self.header.clear();
        let mut all = fields;
        while let Some(field) = all.next()? {
            if !is_child(&field) {
                self.header.extend_from_slice(field.whole);
            }
        }
        self.children = Some(fields);
        Ok(())
    }

    /// The next child; after the last one the entry is left.
    fn child(&mut self) -> Result<Option<RawField<'a>>, WireError> {
        let Some(fields) = &mut self.children else { return Ok(None) };
        while let Some(field) = fields.next()? {
            if is_child(&field) {
                self.has_child = true;
                return Ok(Some(field));
            }
        }
        self.children = None;
        Ok(None)
    }
}

fn is_child(field: &RawField<'_>) -> bool {
    field.number == CHILD && field.wire == LENGTH
}

/// A walk over a message's units.
#[derive(Debug)]
struct Walk<'a> {
    request: Fields<'a>,
    /// The resource of the unit that was given last.
    resource: Level<'a>,
    /// Its scope.
    scope: Level<'a>,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { request: Fields::new(bytes, 0), resource: Level::default(), scope: Level::default() }
    }

    fn next(&mut self) -> Result<Option<Unit<'a>>, WireError> {
        loop {
            if self.scope.children.is_some() {
                let item = self.scope.child()?;
                if item.is_some() || !self.scope.has_child {
                    let scope = Some(self.scope.number);
                    let item = item.map(|item| item.whole);
                    return Ok(Some(Unit { resource: self.resource.number, scope, item }));
                }
            } else if self.resource.children.is_some() {
                match self.resource.child()? {
                    Some(scope) => self.scope.enter(scope)?,
                    None if self.resource.has_child => {}
                    None => {
                        self.scope.header.clear();
                        return Ok(Some(Unit { resource: self.resource.number, scope: None, item: None }));
                    }
                }
            } else {
                match self.request.next()? {
                    Some(entry) if entry.number == RESOURCE && entry.wire == LENGTH => self.resource.enter(entry)?,
                    Some(_) => {}
                    None => return Ok(None),
                }
            }
        }
    }
}

/// A piece in the making: what is closed, and the contents of the resource and the scope that are not.
#[derive(Default)]
struct Piece {
    closed: Vec<u8>,
    resource: Option<(usize, Vec<u8>)>,
    scope: Option<(usize, Vec<u8>)>,
}

impl Piece {
    fn is_empty(&self) -> bool {
        self.resource.is_none()
    }

    /// How long the piece would be with one more unit.
    fn length_with(&self, unit: &Unit<'_>, walk: &Walk<'_>) -> usize {
        let open_scope = self.scope.as_ref().map(|(_, scope)| framed(scope.len()));
        let item = unit.item.map_or(0, <[u8]>::len);
        match &self.resource {
            Some((number, resource)) if *number == unit.resource => {
                let scopes = match (&self.scope, unit.scope) {
                    (Some((number, scope)), Some(wanted)) if *number == wanted => framed(scope.len() + item),
                    _ => open_scope.unwrap_or(0) + framed(walk.scope.header.len() + item),
                };
                self.closed.len() + framed(resource.len() + scopes)
            }
            resource => {
                let open =
                    resource.as_ref().map_or(0, |(_, resource)| framed(resource.len() + open_scope.unwrap_or(0)));
                let new = framed(walk.resource.header.len() + framed(walk.scope.header.len() + item));
                self.closed.len() + open + new
            }
        }
    }

    fn add(&mut self, unit: &Unit<'_>, walk: &Walk<'_>) {
        if self.resource.as_ref().is_none_or(|(number, _)| *number != unit.resource) {
            self.close_resource();
            self.resource = Some((unit.resource, walk.resource.header.clone()));
        }
        let Some(wanted) = unit.scope else { return };
        if self.scope.as_ref().is_none_or(|(number, _)| *number != wanted) {
            self.close_scope();
            self.scope = Some((wanted, walk.scope.header.clone()));
        }
        if let (Some((_, scope)), Some(item)) = (&mut self.scope, unit.item) {
            scope.extend_from_slice(item);
        }
    }

    fn close_scope(&mut self) {
        if let (Some((_, scope)), Some((_, resource))) = (self.scope.take(), &mut self.resource) {
            frame(resource, CHILD, &scope);
        }
    }

    fn close_resource(&mut self) {
        self.close_scope();
        if let Some((_, resource)) = self.resource.take() {
            frame(&mut self.closed, RESOURCE, &resource);
        }
    }

    /// The piece, if there is anything in it.
    fn finish(mut self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        self.close_resource();
        Some(self.closed)
    }
}

/// Appends a message as a field with a small number.
fn frame(out: &mut Vec<u8>, number: u32, message: &[u8]) {
    out.reserve(framed(message.len()));
    out.push((number << 3) as u8 | LENGTH);
    crate::wire::put_varint(out, message.len() as u64);
    out.extend_from_slice(message);
}

/// How long a message of so many bytes is with a tag and its length.
fn framed(length: usize) -> usize {
    let bits = usize::BITS - (length | 1).leading_zeros();
    1 + bits.div_ceil(7) as usize + length
}

#[cfg(test)]
mod tests;
