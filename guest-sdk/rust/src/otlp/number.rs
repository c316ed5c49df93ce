//! Numbers and bytes as text, appended in place: the standard library's formatting costs several times as much,
//! and integers are the commonest attributes after strings.

use std::io::Write;

use crate::append::append;

/// The digits of the numbers below a hundred.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Appends an integer in decimal.
pub(crate) fn push_int(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut left = value.unsigned_abs();
    // Two at a time: a loop costs a check for interruption each time round.
    while left >= 10 {
        let two = (left % 100) as usize;
        left /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[two]);
    }
    if left > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + left as u8;
    }
    if value < 0 {
        out.push(b'-');
    }
    append(out, &digits[at..]);
}

/// Appends a double: the shortest decimal that reads back as the same number, which JSON can read; `NaN`,
/// `Infinity` and `-Infinity` where there is none.
pub(crate) fn push_double(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        // Writing to memory does not fail.
        let _ = write!(out, "{value:?}");
    }
}

/// Appends bytes in base64 (RFC 4648, section 4), padded.
pub(crate) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.reserve(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letter = |shift: u32| ALPHABET[(bits >> shift & 63) as usize];
        let mut quad = [letter(18), letter(12), letter(6), letter(0)];
        quad[chunk.len() + 1..].fill(b'=');
        out.extend_from_slice(&quad);
    }
}

#[cfg(test)]
mod tests;
