//! A cheap look at bytes that should be OTLP protobuf.

use crate::Signal;
use crate::schema::{Kind, Message};
use crate::wire::{Fields, RawField, WireError, WireProblem};

/// How many messages deep the walk goes: the request, its resources, their scopes, their items. What the items hold
/// is only stepped over.
const DEPTH: u32 = 4;

/// Checks that bytes may be an OTLP message of this signal: that its resources, scopes and items are where they should
/// be, that each field down to the items' own is laid out as OTLP says, and that all of it ends where it should.
///
/// Unknown fields are stepped over. What attributes, events or data points hold is not looked at, nor is text: a
/// message that passes can still be one that its reader refuses. No bytes at all are a valid request without data.
///
/// # Errors
/// Where the bytes are not protobuf, or not of this signal as far as the layout shows. One thing it cannot show:
/// spans and metrics share the wire types of their first fields.
pub fn check(signal: Signal, bytes: &[u8]) -> Result<(), WireError> {
    walk(signal, signal.root(), Fields::new(bytes, 0), DEPTH).map_err(|error| {
        // '{' is the tag of a group, which OTLP does not have.
        let is_json = bytes.trim_ascii_start().starts_with(b"{");
        if is_json { WireError { problem: WireProblem::Json, offset: 0 } } else { error }
    })
}

fn walk(signal: Signal, message: &'static Message, mut fields: Fields<'_>, depth: u32) -> Result<(), WireError> {
    while let Some(found) = fields.next()? {
        let Some(field) = message.by_number(found.number) else { continue };
        if !field.allows(u32::from(found.wire)) {
            let RawField { number, wire, at, .. } = found;
            let problem = WireProblem::UnexpectedWire { number, name: field.name, signal, wire };
            return Err(WireError { problem, offset: at });
        }
        if let (Kind::Message(inner), 2..) = (field.kind, depth) {
            // Resources and scopes are as deep as the next list, and walked no further than that.
            walk(signal, inner, Fields::new(found.value, found.value_at), depth - 1)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
