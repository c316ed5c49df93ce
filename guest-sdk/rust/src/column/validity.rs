//! Which values are there. A column without a null has no bitmap at all: it is made when the first null comes.

use crate::output::{Node, RecordBatch};

/// The validity bitmap of a column, and the column's length.
#[derive(Debug)]
pub(crate) struct Validity {
    bits: Vec<u8>,
    len: usize,
    nulls: usize,
    pub(crate) nullable: bool,
}

impl Default for Validity {
    fn default() -> Self {
        Validity { bits: Vec::new(), len: 0, nulls: 0, nullable: true }
    }
}

impl Validity {
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, valid: bool) {
        if !valid || !self.bits.is_empty() {
            self.push_bit(valid);
        } else {
            self.len += 1;
        }
    }

    #[inline(always)]
    pub(crate) fn push_valid(&mut self, count: usize) {
        if self.bits.is_empty() {
            self.len += count;
        } else {
            (0..count).for_each(|_| self.push_bit(true));
        }
    }

    pub(crate) fn is_valid(&self, index: usize) -> bool {
        self.bits.get(index / 8).is_none_or(|byte| byte >> (index % 8) & 1 == 1)
    }

    #[inline(never)]
    fn push_bit(&mut self, valid: bool) {
        if self.bits.is_empty() {
            push_ones(&mut self.bits, self.len);
        }
        push_bit(&mut self.bits, self.len, valid);
        self.len += 1;
        self.nulls += usize::from(!valid);
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        if self.nulls > 0 {
            self.nulls -= (len..self.len).filter(|index| !self.is_valid(*index)).count();
        }
        self.len = len;
        truncate_bits(&mut self.bits, len);
    }

    /// Moves the node and the first buffer, which is always the validity.
    pub(crate) fn take(&mut self, into: &mut RecordBatch) {
        into.nodes.push(Node { length: count(self.len), null_count: count(self.nulls) });
        let bits = std::mem::take(&mut self.bits);
        into.buffers.push(if self.nulls == 0 { Vec::new() } else { bits });
        self.len = 0;
        self.nulls = 0;
    }
}

/// Lengths are 32 bits in the contract. A longer column cannot be: its offsets or its fellows are refused first.
pub(crate) fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Appends the bit number `len`.
#[inline(always)]
pub(crate) fn push_bit(bits: &mut Vec<u8>, len: usize, bit: bool) {
    if len.is_multiple_of(8) {
        bits.push(u8::from(bit));
    } else if let Some(last) = bits.last_mut() {
        *last |= u8::from(bit) << (len % 8);
    }
}

/// Cuts bits back, and clears those beyond `len` in the last byte, so that `push_bit` may set them again.
pub(crate) fn truncate_bits(bits: &mut Vec<u8>, len: usize) {
    bits.truncate(len.div_ceil(8));
    if !len.is_multiple_of(8)
        && let Some(last) = bits.get_mut(len / 8)
    {
        *last &= (1 << (len % 8)) - 1;
    }
}

/// Fills an empty bitmap with `len` ones; never leaves it empty, for an empty one means "no null yet".
fn push_ones(bits: &mut Vec<u8>, len: usize) {
    bits.reserve(len / 8 + 1);
    bits.resize(len / 8, u8::MAX);
    if !len.is_multiple_of(8) {
        bits.push((1 << (len % 8)) - 1);
    }
}
