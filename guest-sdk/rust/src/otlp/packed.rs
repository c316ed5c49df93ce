//! Repeated fields of numbers. Protobuf packs them into one field of bytes; a reader takes them one by one too, and
//! both in turns (protobuf encoding, "Packed Repeated Fields").

use super::wire::{Extent, Fields, Malformed};
use std::marker::PhantomData;

/// A number that 64 bits on the wire stand for.
pub trait Bits {
    /// The number.
    fn from_wire(bits: u64) -> Self;
}

impl Bits for u64 {
    #[inline(always)]
    fn from_wire(bits: u64) -> Self {
        bits
    }
}

impl Bits for f64 {
    #[inline(always)]
    fn from_wire(bits: u64) -> Self {
        f64::from_bits(bits)
    }
}

/// The numbers of a repeated field, each read when its turn comes.
#[derive(Debug)]
pub struct Numbers<'a, N> {
    fields: Fields<'a>,
    /// What is left of the packed ones at hand.
    packed: Fields<'a>,
    number: u32,
    /// 0 for varints, 1 for 64 bits.
    wire_type: u32,
    item: PhantomData<fn() -> N>,
}

impl<N> Clone for Numbers<'_, N> {
    fn clone(&self) -> Self {
        Numbers {
            fields: self.fields,
            packed: self.packed,
            number: self.number,
            wire_type: self.wire_type,
            item: PhantomData,
        }
    }
}

impl<'a, N: Bits> Numbers<'a, N> {
    /// Numbers of 64 bits each, in the part of a message that holds them.
    #[inline]
    pub(crate) fn fixed64(part: &'a [u8], number: u32) -> Self {
        Numbers { fields: Fields::new(part), packed: Fields::new(&[]), number, wire_type: 1, item: PhantomData }
    }

    /// Numbers as varints.
    #[inline]
    pub(crate) fn varints(part: &'a [u8], number: u32) -> Self {
        Numbers { wire_type: 0, ..Self::fixed64(part, number) }
    }

    #[inline(always)]
    fn one(wire_type: u32, fields: &mut Fields<'a>) -> Result<N, Malformed> {
        let bits = if wire_type == 0 { fields.varint()? } else { fields.fixed64()? };
        Ok(N::from_wire(bits))
    }

    #[inline(always)]
    fn next_number(&mut self) -> Result<Option<N>, Malformed> {
        while self.packed.rest().is_empty() {
            match self.fields.next_tag()? {
                0 => return Ok(None),
                tag if tag == self.number << 3 | 2 => self.packed = Fields::new(self.fields.bytes()?),
                tag if tag == self.number << 3 | self.wire_type => {
                    return Self::one(self.wire_type, &mut self.fields).map(Some);
                }
                tag => self.fields.skip(tag, 1 << self.number)?,
            }
        }
        Self::one(self.wire_type, &mut self.packed).map(Some)
    }
}

impl<'a, N: Bits> Iterator for Numbers<'a, N> {
    type Item = Result<N, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let number = self.next_number();
        if let Err(malformed) = number {
            // There is no telling where the next one begins.
            (self.fields, self.packed) = (Fields::new(&[]), Fields::new(&[]));
            return Some(Err(malformed));
        }
        number.transpose()
    }
}

/// The part of a message that holds a repeated field of numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NumbersExtent(Extent);

impl NumbersExtent {
    /// Reads over packed numbers: `before` is what was left before their tag.
    #[inline(always)]
    pub(crate) fn note_packed(&mut self, before: &[u8], fields: &mut Fields<'_>) -> Result<(), Malformed> {
        self.0.note(before, fields)
    }

    /// Notes one number that was read over.
    #[inline]
    pub(crate) fn note_one(&mut self, before: &[u8], fields: &Fields<'_>) {
        self.0.mark(before, fields);
    }

    /// Numbers of 64 bits.
    #[inline]
    pub(crate) fn fixed64<N: Bits>(self, message: &[u8], number: u32) -> Numbers<'_, N> {
        Numbers::fixed64(self.0.part(message), number)
    }

    /// Numbers as varints.
    #[inline]
    pub(crate) fn varints<N: Bits>(self, message: &[u8], number: u32) -> Numbers<'_, N> {
        Numbers::varints(self.0.part(message), number)
    }
}

#[cfg(test)]
mod tests;
