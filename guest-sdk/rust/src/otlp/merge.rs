//! Puts together what protobuf allows to come in pieces, and first what belongs first: a singular message field
//! that is repeated means its pieces one after the other (protobuf encoding, "Last One Wins"), and fields may come in
//! any order.

use super::wire::{Fault, Fields, Malformed, Wire};
use crate::message::Signal;
use std::borrow::Cow;

/// Messages lie in each other at most so deep: three for each level of a value, and what lies around.
const DEPTH_MAX: usize = 3 * super::DEPTH_MAX + 8;

/// The messages that hold messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The value of a Kafka record: its field 1 is resources with their items.
    Data(Signal),
    ResourceItems(Signal),
    ScopeItems(Signal),
    Span,
    LogRecord,
    Metric,
    /// `Gauge`, `Sum` and so on, whose field 1 is data points.
    Points(PointKind),
    Point(PointKind),
    /// Whatever has attributes and no other messages; the number is theirs.
    Attributed(u32),
    KeyValue,
    AnyValue,
    /// `ArrayValue`: its field 1 is values.
    Array,
    /// `KeyValueList`: its field 1 is key-values.
    List,
    /// Whatever holds no messages.
    Leaf,
}

/// The kinds of data points; those of gauges and sums are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PointKind {
    Number,
    Histogram,
    ExponentialHistogram,
    Summary,
}

enum Part {
    Repeated(Kind),
    Singular(Kind),
}

impl Kind {
    fn part(self, number: u32) -> Option<Part> {
        use Part::{Repeated, Singular};
        Some(match (self, number) {
            (Kind::Data(signal), 1) => Repeated(Kind::ResourceItems(signal)),
            (Kind::ResourceItems(_), 1) => Singular(Kind::Attributed(1)),
            (Kind::ResourceItems(signal), 2) => Repeated(Kind::ScopeItems(signal)),
            (Kind::ScopeItems(_), 1) => Singular(Kind::Attributed(3)),
            (Kind::ScopeItems(Signal::Traces), 2) => Repeated(Kind::Span),
            (Kind::ScopeItems(Signal::Logs), 2) => Repeated(Kind::LogRecord),
            (Kind::ScopeItems(Signal::Metrics), 2) => Repeated(Kind::Metric),
            (Kind::Span, 9) => Repeated(Kind::KeyValue),
            (Kind::Span, 11) => Repeated(Kind::Attributed(3)),
            (Kind::Span, 13) => Repeated(Kind::Attributed(4)),
            (Kind::LogRecord, 5) => Singular(Kind::AnyValue),
            (Kind::LogRecord, 6) => Repeated(Kind::KeyValue),
            (Kind::Metric, 5 | 7) => Singular(Kind::Points(PointKind::Number)),
            (Kind::Metric, 9) => Singular(Kind::Points(PointKind::Histogram)),
            (Kind::Metric, 10) => Singular(Kind::Points(PointKind::ExponentialHistogram)),
            (Kind::Metric, 11) => Singular(Kind::Points(PointKind::Summary)),
            (Kind::Metric, 12) => Repeated(Kind::KeyValue),
            (Kind::Points(kind), 1) => Repeated(Kind::Point(kind)),
            (Kind::Point(kind), number) => return kind.part(number),
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

impl PointKind {
    fn part(self, number: u32) -> Option<Part> {
        use Part::{Repeated, Singular};
        /// `Exemplar`: its attributes have the number 7.
        const EXEMPLAR: Kind = Kind::Attributed(7);
        Some(match (self, number) {
            (PointKind::Number | PointKind::Summary, 7) => Repeated(Kind::KeyValue),
            (PointKind::Number, 5) => Repeated(EXEMPLAR),
            (PointKind::Histogram, 9) => Repeated(Kind::KeyValue),
            (PointKind::Histogram, 8) => Repeated(EXEMPLAR),
            (PointKind::ExponentialHistogram, 1) => Repeated(Kind::KeyValue),
            (PointKind::ExponentialHistogram, 8 | 9) => Singular(Kind::Leaf),
            (PointKind::ExponentialHistogram, 11) => Repeated(EXEMPLAR),
            _ => return None,
        })
    }
}

/// The same value of a Kafka record with each singular message in one piece, before the other fields. Groups are dropped.
///
/// # Errors
/// The value is malformed.
pub fn merge(signal: Signal, value: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut merged = Vec::with_capacity(value.len());
    merge_message(Kind::Data(signal), value, &mut merged, 0)?;
    Ok(merged)
}

fn merge_message(kind: Kind, message: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed::at(Fault::TooDeep, message));
    }
    let mut pieces: Vec<(u32, Kind, Cow<'_, [u8]>)> = Vec::new();
    let mut others = Vec::new();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        // A value has one member, the last; what is before it is gone. So it is with a metric's data.
        match (kind, field.number) {
            (Kind::AnyValue, 1..=8) => {
                others.clear();
                pieces.retain(|(number, ..)| *number == field.number);
            }
            (Kind::Metric, 5 | 7 | 9 | 10 | 11) => pieces.retain(|(number, ..)| *number == field.number),
            _ => {}
        }
        match kind.part(field.number) {
            None => push_field(&mut others, field.number, field.wire),
            Some(Part::Repeated(child)) => {
                let mut whole = Vec::new();
                merge_message(child, field.bytes()?, &mut whole, depth + 1)?;
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
        merge_message(child, &piece, &mut whole, depth + 1)?;
        push_field(out, number, Wire::Bytes(&whole));
    }
    out.extend_from_slice(&others);
    Ok(())
}

pub(super) fn push_field(out: &mut Vec<u8>, number: u32, wire: Wire<'_>) {
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

pub(super) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests;
