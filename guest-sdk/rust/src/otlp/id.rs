//! Trace and span ids.

use crate::column::Utf8;

/// Appends bytes in lower-case hex.
#[inline]
pub fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        out.extend_from_slice(&hex(u32::from_be_bytes(*word)).to_be_bytes());
    }
    for byte in rest {
        out.extend_from_slice(&(hex(u32::from(*byte)) as u16).to_be_bytes());
    }
}

/// The eight hex digits of 32 bits, the most significant first: all of them at once.
#[inline(always)]
fn hex(bits: u32) -> u64 {
    let mut nibbles = u64::from(bits);
    nibbles = (nibbles | nibbles << 16) & 0x0000_FFFF_0000_FFFF;
    nibbles = (nibbles | nibbles << 8) & 0x00FF_00FF_00FF_00FF;
    nibbles = (nibbles | nibbles << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    // Adding 6 carries into bit 4 for a to f.
    let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    nibbles + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'9' - 1)
}

/// Appends a trace id in lower-case hex, or its absence where it is not 16 bytes or all zero. Answers whether it
/// is valid.
#[inline]
pub fn trace_id(column: &mut Utf8, id: &[u8]) -> bool {
    push_id::<16>(column, id)
}

/// Appends a span id in lower-case hex, or its absence where it is not 8 bytes or all zero. Answers whether it is
/// valid.
#[inline]
pub fn span_id(column: &mut Utf8, id: &[u8]) -> bool {
    push_id::<8>(column, id)
}

#[inline(always)]
fn push_id<const LEN: usize>(column: &mut Utf8, id: &[u8]) -> bool {
    match <&[u8; LEN]>::try_from(id) {
        Ok(id) if *id != [0; LEN] => {
            let written: Result<(), std::convert::Infallible> = column.push_with(|out| {
                push_hex(out, id);
                Ok(())
            });
            written.is_ok()
        }
        _ => {
            column.push_null();
            false
        }
    }
}

#[cfg(test)]
mod tests;
