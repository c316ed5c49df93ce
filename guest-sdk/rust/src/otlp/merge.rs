//! Puts together what protobuf allows to come in pieces, and first what belongs first: a singular message field
//! that is repeated means its pieces one after the other (protobuf encoding, "Last One Wins"), and fields may come in
//! any order.

use super::wire::{Fault, Fields, Malformed, Wire};
use std::borrow::Cow;

/// Messages lie in each other at most so deep: three for each level of a value, and what lies around.
const DEPTH_MAX: usize = 3 * super::DEPTH_MAX + 8;

/// The messages that hold messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    TracesData,
    ResourceSpans,
    ScopeSpans,
    Span,
    /// Whatever has attributes and no other messages; the number is theirs.
    Attributed(u32),
    KeyValue,
    AnyValue,
    /// `ArrayValue`: its field 1 is values.
    Array,
    /// `KeyValueList`: its field 1 is key-values.
    List,
}

enum Part {
    Repeated(Kind),
    Singular(Kind),
}

impl Kind {
    fn part(self, number: u32) -> Option<Part> {
        use Part::{Repeated, Singular};
        Some(match (self, number) {
            (Kind::TracesData, 1) => Repeated(Kind::ResourceSpans),
            (Kind::ResourceSpans, 1) => Singular(Kind::Attributed(1)),
            (Kind::ResourceSpans, 2) => Repeated(Kind::ScopeSpans),
            (Kind::ScopeSpans, 1) => Singular(Kind::Attributed(3)),
            (Kind::ScopeSpans, 2) => Repeated(Kind::Span),
            (Kind::Span, 9) => Repeated(Kind::KeyValue),
            (Kind::Span, 11) => Repeated(Kind::Attributed(3)),
            (Kind::Span, 13) => Repeated(Kind::Attributed(4)),
            (Kind::Attributed(own), number) if own == number => Repeated(Kind::KeyValue),
            (Kind::KeyValue, 2) => Singular(Kind::AnyValue),
            (Kind::AnyValue, 5) => Singular(Kind::Array),
            (Kind::AnyValue, 6) => Singular(Kind::List),
            (Kind::Array, 1) => Repeated(Kind::AnyValue),
            (Kind::List, 1) => Repeated(Kind::KeyValue),
            _ => return None,
        })
    }
}

/// The same `TracesData` with each singular message in one piece, before the other fields. Groups are dropped.
///
/// # Errors
/// The value is malformed.
pub fn merge_traces(value: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut merged = Vec::with_capacity(value.len());
    merge(Kind::TracesData, value, &mut merged, 0)?;
    Ok(merged)
}

fn merge(kind: Kind, message: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed::at(Fault::TooDeep, message));
    }
    let mut pieces: Vec<(u32, Kind, Cow<'_, [u8]>)> = Vec::new();
    let mut others = Vec::new();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        // A value has one member, the last; what is before it is gone.
        let is_member = kind == Kind::AnyValue && (1..=8).contains(&field.number);
        if is_member {
            others.clear();
            pieces.retain(|(number, ..)| *number == field.number);
        }
        match kind.part(field.number) {
            None => push_field(&mut others, field.number, field.wire),
            Some(Part::Repeated(child)) => {
                let mut whole = Vec::new();
                merge(child, field.bytes()?, &mut whole, depth + 1)?;
                push_field(&mut others, field.number, Wire::Bytes(&whole));
            }
            Some(Part::Singular(child)) => {
                let piece = field.bytes()?;
                match pieces.iter_mut().find(|(number, ..)| *number == field.number) {
                    Some((.., whole)) => whole.to_mut().extend_from_slice(piece),
                    None => pieces.push((field.number, child, Cow::Borrowed(piece))),
                }
            }
        }
    }
    for (number, child, piece) in pieces {
        let mut whole = Vec::new();
        merge(child, &piece, &mut whole, depth + 1)?;
        push_field(out, number, Wire::Bytes(&whole));
    }
    out.extend_from_slice(&others);
    Ok(())
}

fn push_field(out: &mut Vec<u8>, number: u32, wire: Wire<'_>) {
    let tag = |wire_type: u32| u64::from(number << 3 | wire_type);
    match wire {
        Wire::Varint(value) => {
            push_varint(out, tag(0));
            push_varint(out, value);
        }
        Wire::Fixed64(value) => {
            push_varint(out, tag(1));
            out.extend_from_slice(&value.to_le_bytes());
        }
        Wire::Bytes(bytes) => {
            push_varint(out, tag(2));
            push_varint(out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
        Wire::Fixed32(value) => {
            push_varint(out, tag(5));
            out.extend_from_slice(&value.to_le_bytes());
        }
        Wire::Group => {}
    }
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests;
