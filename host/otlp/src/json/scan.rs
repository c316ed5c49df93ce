//! Eight bytes at a time: the end of text, decimal digits, hexadecimal digits.

/// `byte` in each of a word's eight bytes.
const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The eight bytes at `at`, if there are as many; the first is the lowest.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk))
}

/// The first byte, from `at` on, that is a quote, a backslash or below 0x20; else the end.
#[inline]
pub(super) fn special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word(bytes, at) {
        // For bytes below 0x80: bit 7 of (b - n) & !b is set where b < n. A borrow can only set bits above the lowest
        // that is rightly set, and the lowest is the one that is used.
        let quote = word ^ all(b'"');
        let backslash = word ^ all(b'\\');
        let hit = (quote.wrapping_sub(all(1)) & !quote)
            | (backslash.wrapping_sub(all(1)) & !backslash)
            | (word.wrapping_sub(all(0x20)) & !word);
        let hit = hit & all(0x80);
        if hit != 0 {
            return at + (hit.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    at + found.unwrap_or(rest.len())
}

/// The number that the decimal digits from `at` on spell, and how many they are: at most 19, which always fit.
#[inline]
pub(super) fn digits(bytes: &[u8], at: usize) -> (u64, usize) {
    let (mut value, mut count) = (0, 0);
    while count < 16 {
        match word(bytes, at + count).and_then(eight_digits) {
            Some(eight) => value = value * 100_000_000 + eight,
            None => break,
        }
        count += 8;
    }
    while count < 19 {
        match bytes.get(at + count) {
            Some(digit @ b'0'..=b'9') => value = value * 10 + u64::from(digit - b'0'),
            _ => break,
        }
        count += 1;
    }
    (value, count)
}

/// The number that eight decimal digits spell, the lowest byte first.
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    let high = word & all(0xf0);
    if high != all(0x30) || (word + all(0x06)) & all(0xf0) != all(0x30) {
        return None;
    }
    // Pairs, then fours, then all eight: the lower byte is the higher digit.
    let pairs = (word & all(0x0f)).wrapping_mul(10 << 8 | 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
}

/// Appends the bytes that hexadecimal digits spell, in either case.
///
/// Gives `None`, with `out` as it was, where their number is odd or one is none.
#[inline]
pub(super) fn hex(digits: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let before = out.len();
    let (eights, rest) = digits.as_chunks::<8>();
    for eight in eights {
        match eight_hex(u64::from_le_bytes(*eight)) {
            Some(four) => out.extend_from_slice(&four.to_le_bytes()),
            None => {
                out.truncate(before);
                return None;
            }
        }
    }
    let (pairs, odd) = rest.as_chunks::<2>();
    for [high, low] in pairs {
        match (char::from(*high).to_digit(16), char::from(*low).to_digit(16)) {
            (Some(high), Some(low)) => out.push((high << 4 | low) as u8),
            _ => {
                out.truncate(before);
                return None;
            }
        }
    }
    if odd.is_empty() {
        return Some(());
    }
    out.truncate(before);
    None
}

/// The four bytes that eight hexadecimal digits spell, the lowest byte first.
#[inline]
fn eight_hex(word: u64) -> Option<u32> {
    const HIGH: u64 = all(0x80);
    // Bit 7 says whether a byte below 0x80 is at least n when 0x80 - n is added.
    let lower = word | all(0x20);
    let digit = (word.wrapping_add(all(0x80 - b'0'))) & !(word.wrapping_add(all(0x80 - b':')));
    let letter = (lower.wrapping_add(all(0x80 - b'a'))) & !(lower.wrapping_add(all(0x80 - b'g')));
    if word & HIGH != 0 || (digit | letter) & HIGH != HIGH {
        return None;
    }
    let nibbles = (word & all(0x0f)) + 9 * (word >> 6 & all(0x01));
    let pairs = (nibbles << 4 | nibbles >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Some((fours | fours >> 16) as u32)
}

#[cfg(test)]
mod tests;
