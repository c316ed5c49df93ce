//! Protobuf, appended to a vector.

use crate::schema::{Field, Wire};
pub(super) use crate::wire::put_varint as varint;

/// Appends a field's tag.
#[inline]
pub(super) fn tag(out: &mut Vec<u8>, field: &Field) {
    match field.tag() {
        (first, None) => out.push(first),
        (first, Some(second)) => out.extend_from_slice(&[first, second]),
    }
}

/// Appends a field's tag and a length.
#[inline]
pub(super) fn prefix(out: &mut Vec<u8>, field: &Field, length: usize) {
    match (field.tag(), u8::try_from(length)) {
        ((only, None), Ok(length @ 0..0x80)) => out.extend_from_slice(&[only, length]),
        _ => {
            tag(out, field);
            varint(out, length as u64);
        }
    }
}

/// Appends a number, laid out as its type wants it.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, wire: Wire, value: u64) {
    match wire {
        Wire::Fixed64 => out.extend_from_slice(&value.to_le_bytes()),
        Wire::Fixed32 => out.extend_from_slice(&(value as u32).to_le_bytes()),
        Wire::Varint | Wire::Length => varint(out, value),
    }
}

/// Something whose length is written when its end is known.
#[must_use]
pub(super) struct Open {
    /// Where its length begins.
    at: usize,
    /// How many bytes were left for it.
    width: u8,
}

/// Appends a field's tag and leaves room for a length of `width` bytes, 1 to 3.
#[inline]
pub(super) fn open(out: &mut Vec<u8>, field: &Field, width: u8) -> Open {
    let (width, (first, second)) = (width.clamp(1, 3), field.tag());
    match (second, width) {
        (None, 1) => out.extend_from_slice(&[first, 0]),
        (None, 2) => out.extend_from_slice(&[first, 0, 0]),
        (None, _) => out.extend_from_slice(&[first, 0, 0, 0]),
        (Some(_), _) => {
            tag(out, field);
            out.resize(out.len() + usize::from(width), 0);
        }
    }
    Open { at: out.len() - usize::from(width), width }
}

/// Writes the length of what was appended since.
#[inline]
pub(super) fn close(out: &mut Vec<u8>, open: Open) {
    let width = usize::from(open.width);
    let length = out.len() - open.at - width;
    match out.get_mut(open.at..) {
        Some([only, ..]) if width == 1 && length < 0x80 => *only = length as u8,
        Some([low, high, ..]) if width == 2 && (0x80..0x4000).contains(&length) => {
            *low = length as u8 | 0x80;
            *high = (length >> 7) as u8;
        }
        _ => close_elsewhere(out, open.at, width, length),
    }
}

/// Moves the content where its length takes another number of bytes than were left for it.
#[inline(never)]
fn close_elsewhere(out: &mut Vec<u8>, at: usize, left: usize, length: usize) {
    let mut encoded = [0; 10];
    let mut width = 0;
    let mut rest = length;
    for byte in &mut encoded {
        width += 1;
        *byte = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            break;
        }
        *byte |= 0x80;
    }
    if width > left {
        let end = out.len();
        out.resize(end + width - left, 0);
        out.copy_within(at + left..end, at + width);
    } else if width < left {
        out.copy_within(at + left.., at + width);
        out.truncate(at + width + length);
    }
    for (to, byte) in out.iter_mut().skip(at).zip(&encoded[..width]) {
        *to = *byte;
    }
}
