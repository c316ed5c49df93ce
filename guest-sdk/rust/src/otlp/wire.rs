//! Protobuf's wire format: tags, varints, lengths.

use std::fmt;
use std::marker::PhantomData;

/// Groups may lie in each other; deeper than this they are refused.
const GROUP_DEPTH_MAX: usize = 16;

/// What is wrong with a message.
///
/// As wide as an address: results that hold it are moved about for every attribute, and a narrow part would have
/// them moved in odd pieces, which is slower than reading the attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Fault {
    /// It ends within a field.
    Truncated,
    /// A varint is longer than 64 bits.
    Varint,
    /// A field's number is 0 or beyond 29 bits.
    FieldNumber,
    /// A field has a wire type that does not exist.
    WireType,
    /// A field has another wire type than its definition.
    Mismatch,
    /// A group ends that did not begin, or groups lie too deep in each other.
    Group,
    /// Values lie deeper in each other than [`super::DEPTH_MAX`].
    TooDeep,
    /// A singular part comes in pieces, or after what it belongs to: the message has to be put in order first.
    Split,
}

/// A message that is not what it should be, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub fault: Fault,
    /// The address of the byte at fault: readers see slices, only their caller knows where the record begins.
    address: usize,
}

impl Malformed {
    #[cold]
    #[inline(never)]
    pub(crate) fn at(fault: Fault, place: &[u8]) -> Self {
        Malformed { fault, address: place.as_ptr().addr() }
    }

    /// How many bytes into `value` the fault lies; none where it lies elsewhere.
    pub fn offset_in(&self, value: &[u8]) -> Option<usize> {
        self.address.checked_sub(value.as_ptr().addr()).filter(|offset| *offset <= value.len())
    }

    /// The fault and its place, for the person who reads the dead letters.
    pub fn describe_in(&self, value: &[u8]) -> String {
        match self.offset_in(value) {
            Some(offset) => format!("not OTLP protobuf: {} at byte {offset} of {}", self.fault, value.len()),
            None => format!("not OTLP protobuf: {}", self.fault),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not OTLP protobuf: {}", self.fault)
    }
}

impl std::error::Error for Malformed {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Truncated => "the message ends within a field",
            Fault::Varint => "a varint is longer than 64 bits",
            Fault::FieldNumber => "a field number is 0 or too large",
            Fault::WireType => "there is no such wire type",
            Fault::Mismatch => "a field has the wrong wire type",
            Fault::Group => "a group ends that did not begin, or lies too deep",
            Fault::TooDeep => "values are nested more than 64 deep",
            Fault::Split => "a singular field is repeated, or comes late",
        })
    }
}

/// A field's value as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire<'a> {
    /// Integers, booleans, enums.
    Varint(u64),
    /// 64 bits: times, doubles.
    Fixed64(u64),
    /// Strings, bytes, messages.
    Bytes(&'a [u8]),
    /// 32 bits: flags.
    Fixed32(u32),
    /// A group, which was skipped.
    Group,
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// Its value.
    pub wire: Wire<'a>,
    /// What follows it.
    rest: &'a [u8],
}

impl<'a> Field<'a> {
    /// The value of a field of strings, bytes or messages.
    ///
    /// # Errors
    /// The field has another wire type; so for the methods that follow.
    #[inline(always)]
    pub fn bytes(&self) -> Result<&'a [u8], Malformed> {
        if let Wire::Bytes(bytes) = self.wire { Ok(bytes) } else { Err(self.mismatch()) }
    }

    /// The value of a field of integers, booleans or enums.
    #[inline(always)]
    pub fn varint(&self) -> Result<u64, Malformed> {
        if let Wire::Varint(value) = self.wire { Ok(value) } else { Err(self.mismatch()) }
    }

    /// The value of a field of 64 bits.
    #[inline(always)]
    pub fn fixed64(&self) -> Result<u64, Malformed> {
        if let Wire::Fixed64(value) = self.wire { Ok(value) } else { Err(self.mismatch()) }
    }

    /// The value of a field of 32 bits.
    #[inline(always)]
    pub fn fixed32(&self) -> Result<u32, Malformed> {
        if let Wire::Fixed32(value) = self.wire { Ok(value) } else { Err(self.mismatch()) }
    }

    fn mismatch(&self) -> Malformed {
        Malformed::at(Fault::Mismatch, self.rest)
    }
}

/// The fields of a message, in their order on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of this message.
    #[inline(always)]
    pub fn new(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    /// What has not been read yet.
    #[inline(always)]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field; none at the end of the message.
    ///
    /// # Errors
    /// What follows is no field.
    #[inline(always)]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        let wire = self.wire(number, wire_type)?;
        Ok(Some(Field { number, wire, rest: self.rest }))
    }

    /// The next field's tag, its number times eight plus its wire type, known to be of a field; 0 at the end of the
    /// message. One of the methods below must read the value.
    #[inline(always)]
    pub(crate) fn next_tag(&mut self) -> Result<u32, Malformed> {
        match self.rest {
            [] => Ok(0),
            [tag @ 8..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u32::from(*tag))
            }
            _ => self.tag().map(|(number, wire_type)| number << 3 | u32::from(wire_type)),
        }
    }

    /// Skips the value of a field that is not known. `known` has a bit for each number that is: such a field has
    /// another wire type than its definition.
    #[cold]
    #[inline(never)]
    pub(crate) fn skip(&mut self, tag: u32, known: u32) -> Result<(), Malformed> {
        let number = tag >> 3;
        if number < 32 && known >> number & 1 == 1 {
            return Err(Malformed::at(Fault::Mismatch, self.rest));
        }
        self.wire(number, (tag & 7) as u8).map(drop)
    }

    #[inline(always)]
    fn wire(&mut self, number: u32, wire_type: u8) -> Result<Wire<'a>, Malformed> {
        Ok(match wire_type {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.fixed64()?),
            2 => Wire::Bytes(self.bytes()?),
            5 => Wire::Fixed32(self.fixed32()?),
            other => self.group(number, other)?,
        })
    }

    #[inline(always)]
    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let start = self.rest;
        let tag = self.varint()?;
        match u32::try_from(tag) {
            Ok(tag) if tag >= 8 => Ok((tag >> 3, (tag & 7) as u8)),
            _ => Err(Malformed::at(Fault::FieldNumber, start)),
        }
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        // The length of a span, mostly.
        if let [low @ 0x80..=0xff, high @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(low & 0x7f) | u64::from(*high) << 7);
        }
        let mut value = 0u64;
        for (index, byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                if index == 9 && *byte > 1 {
                    break;
                }
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        let fault = if self.rest.len() < 10 { Fault::Truncated } else { Fault::Varint };
        Err(Malformed::at(fault, self.rest))
    }

    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.varint()?;
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let Some((bytes, rest)) = split else { return Err(Malformed::at(Fault::Truncated, self.rest)) };
        self.rest = rest;
        Ok(bytes)
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Malformed> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<8>() else {
            return Err(Malformed::at(Fault::Truncated, self.rest));
        };
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    #[inline(always)]
    pub(crate) fn fixed32(&mut self) -> Result<u32, Malformed> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<4>() else {
            return Err(Malformed::at(Fault::Truncated, self.rest));
        };
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// Skips a group to its end, and the groups within.
    #[cold]
    #[inline(never)]
    fn group(&mut self, number: u32, wire_type: u8) -> Result<Wire<'a>, Malformed> {
        if wire_type != 3 {
            let fault = if wire_type == 4 { Fault::Group } else { Fault::WireType };
            return Err(Malformed::at(fault, self.rest));
        }
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            if self.rest.is_empty() {
                return Err(Malformed::at(Fault::Truncated, self.rest));
            }
            let (number, wire_type) = self.tag()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.fixed64()?),
                2 => drop(self.bytes()?),
                3 if open.len() < GROUP_DEPTH_MAX => open.push(number),
                4 if *innermost == number => drop(open.pop()),
                3 | 4 => return Err(Malformed::at(Fault::Group, self.rest)),
                5 => drop(self.fixed32()?),
                _ => return Err(Malformed::at(Fault::WireType, self.rest)),
            }
        }
        Ok(Wire::Group)
    }
}

// The readers of messages match whole tags: a field's number times eight, plus 0 for a varint, 1 for 64 bits, 2 for
// bytes and messages, 5 for 32 bits.

/// The numbers of the fields that a message has, a bit each.
pub(crate) const fn known(numbers: &[u32]) -> u32 {
    let (mut bits, mut index) = (0, 0);
    while index < numbers.len() {
        bits |= 1 << numbers[index];
        index += 1;
    }
    bits
}

/// A message that can be read from its bytes.
pub trait Read<'a>: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// The bytes are not such a message.
    fn read(message: &'a [u8]) -> Result<Self, Malformed>;
}

/// Reads a singular message field, which must not come twice.
pub(crate) fn once<'a, T: Read<'a>>(slot: &mut Option<T>, message: &'a [u8]) -> Result<(), Malformed> {
    if slot.is_some() {
        return Err(Malformed::at(Fault::Split, message));
    }
    *slot = Some(T::read(message)?);
    Ok(())
}

/// A repeated field of messages, each read when its turn comes.
#[derive(Debug)]
pub struct Repeated<'a, T> {
    fields: Fields<'a>,
    number: u32,
    /// The number of the field that must not come after these; 0 if there is none.
    first: u32,
    item: PhantomData<fn() -> T>,
}

impl<T> Clone for Repeated<'_, T> {
    fn clone(&self) -> Self {
        Repeated { fields: self.fields, number: self.number, first: self.first, item: PhantomData }
    }
}

impl<'a, T: Read<'a>> Repeated<'a, T> {
    /// The fields of this number, below 32, in a message.
    #[inline(always)]
    pub fn new(message: &'a [u8], number: u32) -> Self {
        Repeated { fields: Fields::new(message), number, first: 0, item: PhantomData }
    }

    /// The same, for what belongs to the field `first`, which was read already and must not come again.
    #[inline(always)]
    pub(crate) fn behind(first: u32, message: &'a [u8], number: u32) -> Self {
        Repeated { fields: Fields::new(message), number, first, item: PhantomData }
    }
}

impl<'a, T: Read<'a>> Iterator for Repeated<'a, T> {
    type Item = Result<T, Malformed>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let item = self.next_item();
        if let Err(malformed) = item {
            // There is no telling where the next field begins.
            self.fields = Fields::new(&[]);
            return Some(Err(malformed));
        }
        item.transpose()
    }
}

impl<'a, T: Read<'a>> Repeated<'a, T> {
    #[inline(always)]
    fn next_item(&mut self) -> Result<Option<T>, Malformed> {
        self.next_message()?.map(T::read).transpose()
    }

    /// The bytes of the next one; none after the last.
    ///
    /// # Errors
    /// What follows is no field. There is no reading on.
    #[inline(always)]
    pub(crate) fn next_message(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        loop {
            match self.fields.next_tag()? {
                0 => return Ok(None),
                tag if tag == self.number << 3 | 2 => return self.fields.bytes().map(Some),
                tag if tag >> 3 == self.first => return Err(Malformed::at(Fault::Split, self.fields.rest)),
                tag => self.fields.skip(tag, 1 << self.number)?,
            }
        }
    }
}

/// The part of a message from the first to the last field of one number: what is worth reading again to see them
/// all. Exporters write repeated fields side by side, so it holds little else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    /// How many bytes are left from the first one on; 0 while there is none.
    first: usize,
    /// How many bytes are left after the last one.
    last: usize,
}

impl Extent {
    /// Reads a field over: `before` is what was left before its tag.
    #[inline(always)]
    pub(crate) fn note(&mut self, before: &[u8], fields: &mut Fields<'_>) -> Result<(), Malformed> {
        fields.bytes()?;
        self.mark(before, fields);
        Ok(())
    }

    /// Notes a field that was read over.
    #[inline(always)]
    pub(crate) fn mark(&mut self, before: &[u8], fields: &Fields<'_>) {
        if self.first == 0 {
            self.first = before.len();
        }
        self.last = fields.rest.len();
    }

    #[inline(always)]
    pub(crate) fn of<'a, T: Read<'a>>(self, message: &'a [u8], number: u32) -> Repeated<'a, T> {
        Repeated::new(self.part(message), number)
    }

    #[inline(always)]
    pub(crate) fn part(self, message: &[u8]) -> &[u8] {
        let part = message.get(message.len() - self.first..message.len() - self.last);
        if self.first == 0 { &[] } else { part.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests;
