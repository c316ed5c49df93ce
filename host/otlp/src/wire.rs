//! Protobuf's wire format, read without knowing what it means.

use thiserror::Error;

/// Bytes that are not the protobuf they should be.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{problem}, at byte {offset}")]
pub struct WireError {
    /// What is wrong.
    pub problem: WireProblem,
    /// Where, in bytes from the start of the message.
    pub offset: usize,
}

/// What is wrong with a message.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum WireProblem {
    /// The message ends inside a number or before the end that a length names.
    #[error("the message ends too early")]
    Truncated,
    /// A varint of more than ten bytes, or beyond 64 bits.
    #[error("a number is longer than 64 bits")]
    LongVarint,
    /// A field of number 0, or beyond protobuf's largest.
    #[error("no field can have the number {number}")]
    InvalidField {
        /// The number.
        number: u64,
    },
    /// A group, which OTLP has never used, or a wire type that does not exist.
    #[error("wire type {wire} is not used by OTLP, in field {number}")]
    InvalidWire {
        /// The field's number.
        number: u32,
        /// The wire type.
        wire: u8,
    },
    /// A field that OTLP knows, laid out in another way than OTLP says.
    #[error("field {number}, {name} in {signal}, has wire type {wire}")]
    UnexpectedWire {
        /// The field's number.
        number: u32,
        /// Its name in OTLP/JSON.
        name: &'static str,
        /// The signal that the message should be of.
        signal: crate::Signal,
        /// The wire type found.
        wire: u8,
    },
    /// The message is JSON.
    #[error("the value is not protobuf, it looks like JSON: is the topic's encoding otlp_json?")]
    Json,
}

/// One field as it lies on the wire.
#[derive(Clone, Copy)]
pub(crate) struct RawField<'a> {
    pub(crate) number: u32,
    pub(crate) wire: u8,
    /// The value: without its length if it has one.
    pub(crate) value: &'a [u8],
    /// Tag, length and value.
    pub(crate) whole: &'a [u8],
    /// Where the value begins, in bytes from the start of the outermost message.
    pub(crate) value_at: usize,
    /// Where the tag begins, likewise.
    pub(crate) at: usize,
}

/// Reads the fields of one message, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    message: &'a [u8],
    /// Where the message begins in the outermost one.
    base: usize,
    at: usize,
}

impl<'a> Fields<'a> {
    /// The fields of a message that begins `base` bytes into the outermost one.
    pub(crate) fn new(message: &'a [u8], base: usize) -> Self {
        Self { message, base, at: 0 }
    }

    /// The next field, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<RawField<'a>>, WireError> {
        let begin = self.at;
        if begin >= self.message.len() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = match u32::try_from(tag >> 3) {
            Ok(number @ 1..0x2000_0000) => number,
            _ => return Err(self.error(begin, WireProblem::InvalidField { number: tag >> 3 })),
        };
        let wire = (tag & 7) as u8;
        let (value_begin, length) = match wire {
            0 => {
                let value_begin = self.at;
                self.varint()?;
                (value_begin, self.at - value_begin)
            }
            1 => (self.at, 8),
            2 => {
                // A length beyond the address space is beyond the message too.
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                (self.at, length)
            }
            5 => (self.at, 4),
            _ => return Err(self.error(begin, WireProblem::InvalidWire { number, wire })),
        };
        let end = value_begin.checked_add(length).filter(|end| *end <= self.message.len());
        let (Some(end), Some(value)) = (end, end.and_then(|end| self.message.get(value_begin..end))) else {
            return Err(self.error(begin, WireProblem::Truncated));
        };
        self.at = end;
        let whole = self.message.get(begin..end).unwrap_or_default();
        Ok(Some(RawField { number, wire, value, whole, value_at: self.base + value_begin, at: self.base + begin }))
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let begin = self.at;
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let Some(byte) = self.message.get(self.at) else {
                return Err(self.error(begin, WireProblem::Truncated));
            };
            self.at += 1;
            if shift == 63 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error(begin, WireProblem::LongVarint))
    }

    fn error(&self, at: usize, problem: WireProblem) -> WireError {
        WireError { problem, offset: self.base + at }
    }
}

/// Appends a varint.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
