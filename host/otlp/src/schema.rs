//! OTLP's messages as data: what each field is called in JSON, its number in protobuf and what it holds.
//!
//! The three signals differ only in these tables; no code knows a span from a metric. Fields stand in the order in
//! which the Collector writes them, so that the next key of an object is mostly the next row of its table.
//! `string_value_strindex` and `key_strindex` are not here: they point into a dictionary that only profiles have.

mod attributes;
mod logs;
mod metrics;
mod traces;

use crate::Signal;

/// A message: its fields, and how wide its length usually is.
pub(crate) struct Message {
    /// Its fields, in the order in which the Collector writes them. At most 32.
    pub(crate) fields: &'static [Field],
    /// How many bytes the length of a usual message of this kind takes: a hint, never a limit.
    pub(crate) length_width: u8,
    /// Whether it is `AnyValue`, the one message that can hold itself.
    pub(crate) nests: bool,
    /// The bits of the fields, by their place in `fields`, of which at most one may be set.
    pub(crate) oneof: u32,
}

impl Message {
    /// A message whose encoded length mostly takes `length_width` bytes.
    const fn new(length_width: u8, fields: &'static [Field]) -> Self {
        assert!(fields.len() <= 32);
        let mut oneof = 0;
        let mut at = 0;
        while at < fields.len() {
            if matches!(fields[at].presence, Presence::Oneof) {
                oneof |= 1 << at;
            }
            at += 1;
        }
        Self { fields, length_width, nests: false, oneof }
    }

    /// Marks the message that can hold itself.
    const fn nesting(mut self) -> Self {
        self.nests = true;
        self
    }

    /// The field with this protobuf number.
    pub(crate) fn by_number(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// The place of the field with this JSON name.
    pub(crate) fn by_name(&self, name: &[u8]) -> Option<usize> {
        self.fields.iter().position(|field| field.name.as_bytes() == name)
    }
}

/// When a field is on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Unless it has its type's default value.
    Implicit,
    /// Whenever it was given: an `optional` field or a message.
    Explicit,
    /// Whenever it was given, and no sibling with it.
    Oneof,
    /// Once for each element, numbers packed.
    Repeated,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Text.
    String,
    /// A trace or span id of so many bytes: hexadecimal in JSON.
    Id(usize),
    /// Bytes: base64 in JSON.
    Bytes,
    /// A number, a truth value or an enum.
    Scalar(Scalar),
    /// Another message.
    Message(&'static Message),
}

/// What a scalar field holds, as protobuf names it.
#[derive(Clone, Copy)]
pub(crate) enum Scalar {
    /// Varint, 0 or 1.
    Bool,
    /// Varint of 32 bits.
    Uint32,
    /// Varint of 64 bits.
    Uint64,
    /// Varint of 64 bits, two's complement.
    Int64,
    /// Varint of 32 bits, zigzag.
    Sint32,
    /// Four bytes, unsigned.
    Fixed32,
    /// Eight bytes, unsigned.
    Fixed64,
    /// Eight bytes, signed.
    Sfixed64,
    /// Eight bytes, IEEE 754.
    Double,
    /// Varint of 32 bits, with the names of its values.
    Enum(&'static [(&'static str, i32)]),
}

/// How a value is laid out on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    /// Seven bits a byte.
    Varint = 0,
    /// Eight bytes.
    Fixed64 = 1,
    /// A length, then as many bytes.
    Length = 2,
    /// Four bytes.
    Fixed32 = 5,
}

impl Scalar {
    /// How one value is laid out.
    pub(crate) const fn wire(self) -> Wire {
        match self {
            Self::Bool | Self::Uint32 | Self::Uint64 | Self::Int64 | Self::Sint32 | Self::Enum(_) => Wire::Varint,
            Self::Fixed32 => Wire::Fixed32,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => Wire::Fixed64,
        }
    }
}

/// One field of a message.
pub(crate) struct Field {
    /// Its JSON name, lowerCamelCase.
    pub(crate) name: &'static str,
    /// Its protobuf number.
    pub(crate) number: u32,
    /// When it is on the wire.
    pub(crate) presence: Presence,
    /// What it holds.
    pub(crate) kind: Kind,
    /// The tag: the bytes of its varint, lowest first.
    tag: u16,
    /// `name":` in two words of sixteen bytes, little-endian, and the masks of those that count.
    spelling: [u128; 2],
    masks: [u128; 2],
}

impl Field {
    /// A field that is absent when it has its default value; a message is present whenever it is given.
    const fn new(name: &'static str, number: u32, kind: Kind) -> Self {
        let (presence, wire) = match kind {
            Kind::Message(_) => (Presence::Explicit, Wire::Length),
            Kind::Scalar(scalar) => (Presence::Implicit, scalar.wire()),
            Kind::String | Kind::Id(_) | Kind::Bytes => (Presence::Implicit, Wire::Length),
        };
        let (spelling, masks) = spelling(name);
        Self { name, number, presence, kind, tag: tag(number, wire), spelling, masks }
    }

    /// Makes it a list.
    const fn repeated(mut self) -> Self {
        self.presence = Presence::Repeated;
        self.tag = tag(self.number, Wire::Length);
        self
    }

    /// Makes it `optional`: 0 is not the same as absent.
    const fn optional(mut self) -> Self {
        self.presence = Presence::Explicit;
        self
    }

    /// Makes it a member of the message's one `oneof`.
    const fn oneof(mut self) -> Self {
        self.presence = Presence::Oneof;
        self
    }

    /// The tag's bytes: the first, and where the number exceeds 15 a second.
    #[inline]
    pub(crate) const fn tag(&self) -> (u8, Option<u8>) {
        let [first, second] = self.tag.to_le_bytes();
        (first, if second == 0 { None } else { Some(second) })
    }

    /// Whether the bytes after an opening quote, of which `head` is the first sixteen, spell this field's name, the
    /// closing quote and the colon; then how many bytes that is.
    #[inline]
    pub(crate) fn matches(&self, head: u128, rest: &[u8]) -> Option<usize> {
        if (head ^ self.spelling[0]) & self.masks[0] != 0 {
            return None;
        }
        if self.masks[1] != 0 {
            let tail = u128::from_le_bytes(*rest.get(16..)?.first_chunk()?);
            if (tail ^ self.spelling[1]) & self.masks[1] != 0 {
                return None;
            }
        }
        Some(self.name.len() + 2)
    }

    /// How it may be laid out on the wire: once by itself, and for a list of numbers also packed.
    pub(crate) fn allows(&self, wire: u32) -> bool {
        let own = match self.kind {
            Kind::Scalar(scalar) => scalar.wire(),
            _ => Wire::Length,
        };
        wire == own as u32 || (self.presence == Presence::Repeated && wire == Wire::Length as u32)
    }
}

/// A tag of one or two bytes.
const fn tag(number: u32, wire: Wire) -> u16 {
    assert!(number > 0 && number < 2048);
    let tag = number << 3 | wire as u32;
    if tag < 0x80 { tag as u16 } else { (tag & 0x7f | 0x80 | (tag >> 7) << 8) as u16 }
}

/// The words of `name":` and their masks.
const fn spelling(name: &str) -> ([u128; 2], [u128; 2]) {
    let bytes = name.as_bytes();
    assert!(bytes.len() + 2 <= 32);
    let (mut spelling, mut masks, mut at) = ([0; 2], [0; 2], 0);
    while at < bytes.len() + 2 {
        let byte = if at < bytes.len() {
            bytes[at]
        } else if at == bytes.len() {
            b'"'
        } else {
            b':'
        };
        spelling[at / 16] |= (byte as u128) << (8 * (at % 16));
        masks[at / 16] |= 0xff << (8 * (at % 16));
        at += 1;
    }
    (spelling, masks)
}

impl Signal {
    /// The message that a topic of this signal carries.
    pub(crate) const fn root(self) -> &'static Message {
        match self {
            Self::Traces => &traces::TRACES_DATA,
            Self::Metrics => &metrics::METRICS_DATA,
            Self::Logs => &logs::LOGS_DATA,
        }
    }
}

#[cfg(test)]
mod tests;
