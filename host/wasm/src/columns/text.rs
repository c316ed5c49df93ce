//! UTF-8 in contiguous columns: checked at once, mended value by value.

use arrow_buffer::NullBuffer;

/// Whether `used`, the bytes from the first offset to the last, are UTF-8 and no offset is inside a character.
pub(super) fn is_valid(offsets: &[i32], used: &[u8]) -> bool {
    // Most columns are ASCII, in which every place is the beginning of a character.
    if used.is_ascii() {
        return true;
    }
    if simdutf8::basic::from_utf8(used).is_err() {
        return false;
    }
    let first = offsets.first().copied().unwrap_or_default();
    !offsets.iter().any(|offset| used.get((offset - first) as usize).is_some_and(|byte| is_continuation(*byte)))
}

/// Whether a byte is inside a character: 10xxxxxx.
fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// A text column that is valid.
pub(super) struct Text {
    pub(super) offsets: Vec<i32>,
    pub(super) bytes: Vec<u8>,
    /// How many values were changed.
    pub(super) repaired: u64,
}

/// Replaces what is not UTF-8 in a value by U+FFFD, one for each maximal invalid part. Where a value is null, what
/// stands there is dropped and not counted. None where the result does not fit 32-bit offsets.
pub(super) fn repair(offsets: &[i32], bytes: &[u8], nulls: Option<&NullBuffer>) -> Option<Text> {
    let mut text =
        Text { offsets: Vec::with_capacity(offsets.len()), bytes: Vec::with_capacity(bytes.len()), repaired: 0 };
    text.offsets.push(0);
    for (index, pair) in offsets.windows(2).enumerate() {
        if nulls.is_none_or(|nulls| nulls.is_valid(index)) {
            let value = bytes.get(pair[0] as usize..pair[1] as usize)?;
            let before = text.bytes.len();
            for chunk in value.utf8_chunks() {
                text.bytes.extend_from_slice(chunk.valid().as_bytes());
                if !chunk.invalid().is_empty() {
                    text.bytes.extend_from_slice("\u{FFFD}".as_bytes());
                }
            }
            text.repaired += u64::from(text.bytes[before..] != *value);
        }
        text.offsets.push(i32::try_from(text.bytes.len()).ok()?);
    }
    Some(text)
}
