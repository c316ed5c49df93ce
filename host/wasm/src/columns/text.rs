//! Text that is not UTF-8, mended value by value.

use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, OffsetBufferBuilder};

/// A text column that is valid.
pub(super) struct Mended {
    pub(super) offsets: OffsetBuffer<i32>,
    pub(super) bytes: Buffer,
    pub(super) values_changed: u64,
}

/// Replaces what is not UTF-8 in a value by U+FFFD, one for each maximal invalid part. Where a value is null, what
/// stands there is dropped and not counted. None where the result does not fit 32-bit offsets.
pub(super) fn mend(offsets: &[i32], bytes: &[u8], nulls: Option<&NullBuffer>) -> Option<Mended> {
    let mut mended_offsets = OffsetBufferBuilder::new(offsets.len());
    let mut mended = Vec::with_capacity(bytes.len());
    let mut values_changed = 0;
    for (index, pair) in offsets.windows(2).enumerate() {
        let before = mended.len();
        if nulls.is_none_or(|nulls| nulls.is_valid(index)) {
            let value = bytes.get(pair[0] as usize..pair[1] as usize)?;
            for chunk in value.utf8_chunks() {
                mended.extend_from_slice(chunk.valid().as_bytes());
                if !chunk.invalid().is_empty() {
                    mended.extend_from_slice("\u{FFFD}".as_bytes());
                }
            }
            values_changed += u64::from(mended[before..] != *value);
        }
        i32::try_from(mended.len()).ok()?;
        mended_offsets.push_length(mended.len() - before);
    }
    Some(Mended { offsets: mended_offsets.finish(), bytes: Buffer::from_vec(mended), values_changed })
}
