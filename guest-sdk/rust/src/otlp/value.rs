//! Attributes and their values.

use super::number::push_int;
use super::wire::{Fault, Field, Fields, Malformed, Read, Repeated};
use crate::column::Text;
use std::collections::HashMap;

/// Attributes, in their order on the wire.
pub type Attributes<'a> = Repeated<'a, KeyValue<'a>>;

/// The elements of an array.
pub type Values<'a> = Repeated<'a, AnyValue<'a>>;

/// A key and its value.
#[derive(Clone, Debug)]
pub struct KeyValue<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value; empty where there is none.
    pub value: AnyValue<'a>,
    /// Whether it names its key by a number in a profile's dictionary, which traces do not have: then the key is
    /// absent.
    pub has_key_index: bool,
}

/// A value of any kind.
///
/// Its tag has 64 bits so that no payload lies at an odd place: copying one that does costs more than reading it.
#[derive(Clone, Debug, Default)]
#[repr(u64)]
pub enum AnyValue<'a> {
    /// Nothing: valid, and not the same as a missing attribute.
    #[default]
    Empty,
    /// Text, perhaps not UTF-8.
    String(&'a [u8]),
    /// True or false.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A double, perhaps not finite.
    Double(f64),
    /// Values in a row, of any kinds.
    Array(Values<'a>),
    /// Values by key.
    KeyValues(Attributes<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A number in a profile's dictionary, which traces do not have: as good as empty.
    StringIndex,
}

/// What is valid, but should not be: kept, and worth counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// Attributes that were dropped because a later one has the same key.
    pub duplicate_keys: u64,
    /// References to a profile's dictionary, where there is none.
    pub profile_fields: u64,
}

impl Oddities {
    #[inline(always)]
    pub(crate) fn note(&mut self, attribute: &KeyValue<'_>) {
        self.profile_fields += u64::from(attribute.has_key_index);
    }
}

impl<'a> Read<'a> for KeyValue<'a> {
    #[inline]
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        match Self::short_text(message) {
            Some((key, text)) => Ok(KeyValue { key, value: AnyValue::String(text), has_key_index: false }),
            None => Self::read_any(message),
        }
    }
}

impl<'a> KeyValue<'a> {
    /// The key and the text of what nearly every attribute is: a short key, then a short string, and nothing else.
    #[inline(always)]
    pub(crate) fn short_text(message: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let [0x0a, key_len @ ..0x80, rest @ ..] = message else { return None };
        let (key, value) = rest.split_at_checked(usize::from(*key_len))?;
        let [0x12, value_len @ ..0x80, 0x0a, text_len @ ..0x80, text @ ..] = value else { return None };
        let fits = usize::from(*text_len) == text.len() && usize::from(*value_len) == text.len() + 2;
        fits.then_some((key, text))
    }

    /// Any attribute.
    #[inline(never)]
    pub(crate) fn read_any(message: &'a [u8]) -> Result<Self, Malformed> {
        match Self::short_scalar(message) {
            Some(read) => Ok(read),
            None => Self::read_fields(message),
        }
    }

    /// What nearly every other attribute is: a short key, then a number or a flag, and nothing else.
    #[inline(always)]
    fn short_scalar(message: &'a [u8]) -> Option<Self> {
        let [0x0a, key_len @ ..0x80, rest @ ..] = message else { return None };
        let (key, value) = rest.split_at_checked(usize::from(*key_len))?;
        let [0x12, value_len, member @ ..] = value else { return None };
        if usize::from(*value_len) != member.len() || member.len() >= 0x80 {
            return None;
        }
        let value = match member {
            [0x18, int @ ..] => AnyValue::Int(short_varint(int)?.into()),
            [0x10, flag @ ..0x80] => AnyValue::Bool(*flag != 0),
            [0x21, double @ ..] => AnyValue::Double(f64::from_le_bytes(double.try_into().ok()?)),
            _ => return None,
        };
        Some(KeyValue { key, value, has_key_index: false })
    }

    #[inline(never)]
    fn read_fields(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut read = KeyValue { key: &[], value: AnyValue::Empty, has_key_index: false };
        let mut has_value = false;
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => read.key = field.bytes()?,
                2 if has_value => return Err(Malformed::at(Fault::Split, field.bytes()?)),
                2 => {
                    read.value = AnyValue::read(field.bytes()?)?;
                    has_value = true;
                }
                3 => read.has_key_index = field.varint()? as i32 != 0,
                _ => {}
            }
        }
        Ok(read)
    }
}

/// A varint of up to four bytes that is all there is: ports, status codes, sizes. Without a loop, which costs a check for
/// interruption each time round.
#[inline(always)]
fn short_varint(bytes: &[u8]) -> Option<u32> {
    let low = |byte: u8, index: u32| u32::from(byte & 0x7f) << (7 * index);
    match *bytes {
        [a @ ..0x80] => Some(a.into()),
        [a @ 0x80..=0xff, b @ ..0x80] => Some(low(a, 0) | low(b, 1)),
        [a @ 0x80..=0xff, b @ 0x80..=0xff, c @ ..0x80] => Some(low(a, 0) | low(b, 1) | low(c, 2)),
        [a @ 0x80..=0xff, b @ 0x80..=0xff, c @ 0x80..=0xff, d @ ..0x80] => {
            Some(low(a, 0) | low(b, 1) | low(c, 2) | low(d, 3))
        }
        _ => None,
    }
}

impl<'a> Read<'a> for AnyValue<'a> {
    /// The last of several members wins, as protobuf has it; two containers of one kind would have to be merged.
    #[inline(never)]
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut read = AnyValue::Empty;
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => read = AnyValue::String(field.bytes()?),
                2 => read = AnyValue::Bool(field.varint()? != 0),
                3 => read = AnyValue::Int(field.varint()? as i64),
                4 => read = AnyValue::Double(f64::from_bits(field.fixed64()?)),
                7 => read = AnyValue::Bytes(field.bytes()?),
                5 | 6 | 8 => read.read_rare(&field)?,
                _ => {}
            }
        }
        Ok(read)
    }
}

impl<'a> AnyValue<'a> {
    #[inline(never)]
    fn read_rare(&mut self, field: &Field<'a>) -> Result<(), Malformed> {
        *self = match (field.number, &self) {
            (5, AnyValue::Array(_)) | (6, AnyValue::KeyValues(_)) => {
                return Err(Malformed::at(Fault::Split, field.bytes()?));
            }
            (5, _) => AnyValue::Array(Values::new(field.bytes()?, 1)),
            (6, _) => AnyValue::KeyValues(Attributes::new(field.bytes()?, 1)),
            _ => {
                field.varint()?;
                AnyValue::StringIndex
            }
        };
        Ok(())
    }

    /// Appends the value's text to a column.
    ///
    /// # Errors
    /// Something within the value is malformed, or too deep.
    #[inline(always)]
    pub fn push_text(&self, column: &mut impl Text, oddities: &mut Oddities) -> Result<(), Malformed> {
        match self {
            AnyValue::String(text) => column.push_text(text),
            AnyValue::Int(value) => column.push_written(|out| {
                push_int(out, *value);
                Ok(())
            })?,
            _ => column.push_written(|out| self.write_text(out, oddities))?,
        }
        Ok(())
    }
}

impl<'a> Attributes<'a> {
    /// The text of the last attribute of this key; none where it is missing or no string.
    ///
    /// # Errors
    /// An attribute is malformed.
    pub fn string(&self, key: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
        let mut found = None;
        for attribute in self.clone() {
            let attribute = attribute?;
            if attribute.key == key {
                found = if let AnyValue::String(text) = attribute.value { Some(text) } else { None };
            }
        }
        Ok(found)
    }

    /// The last of the attributes of each key, in order; the others are counted.
    ///
    /// # Errors
    /// An attribute is malformed.
    pub fn last_of_each_key(self, oddities: &mut Oddities) -> Result<Vec<KeyValue<'a>>, Malformed> {
        let all = self.collect::<Result<Vec<_>, _>>()?;
        let mut last = HashMap::with_capacity(all.len());
        for (index, attribute) in all.iter().enumerate() {
            last.insert(attribute.key, index);
        }
        oddities.duplicate_keys += (all.len() - last.len()) as u64;
        let kept = all.into_iter().enumerate().filter(|(index, attribute)| last.get(attribute.key) == Some(index));
        Ok(kept.map(|(_, attribute)| attribute).collect())
    }
}

#[cfg(test)]
mod tests;
