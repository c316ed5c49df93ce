//! Appending short texts.
//!
//! A copy of unknown length is a call out of the sandbox: twenty nanoseconds for the twenty bytes that most texts have.
//! Words of known length are plain stores.

/// Longer texts are worth the call.
const WORDS_MAX: usize = 64;

/// Appends bytes, of which there are usually few.
#[inline(always)]
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        0 => {}
        1..8 => append_bytes(out, bytes),
        8..=16 => append_ends::<8>(out, bytes),
        17..=32 => append_ends::<16>(out, bytes),
        33..=WORDS_MAX => append_ends::<32>(out, bytes),
        _ => out.extend_from_slice(bytes),
    }
}

/// Appends the bytes of a range once more.
#[inline(always)]
pub(crate) fn append_again(out: &mut Vec<u8>, start: usize, end: usize) {
    out.reserve(end - start);
    match out.get(start..end) {
        Some(words) if words.len() <= WORDS_MAX && words.len().is_multiple_of(4) => {
            for at in (start..end).step_by(4) {
                if let Some(word) = out.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied() {
                    out.extend_from_slice(&word);
                }
            }
        }
        _ => out.extend_from_within(start..end),
    }
}

/// The first bytes, then the last, over what of them is there already: without a loop, which costs a check for
/// interruption each time round.
#[inline(always)]
fn append_ends<const LEN: usize>(out: &mut Vec<u8>, bytes: &[u8]) {
    let end = out.len() + bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<LEN>(), bytes.last_chunk::<LEN>()) {
        out.reserve(2 * LEN);
        out.extend_from_slice(first);
        out.truncate(end - LEN);
        out.extend_from_slice(last);
    }
}

/// One word, of which too much is taken back.
#[inline(always)]
fn append_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let word = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let shift = 8 * (bytes.len() as u32 - 4);
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << shift
        }
        _ => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let end = out.len() + bytes.len();
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

#[cfg(test)]
mod tests;
