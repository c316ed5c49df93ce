//! Parquet's DELTA_BINARY_PACKED (its documentation, "Encodings", 5), for times, numbers and lengths of texts.

use super::hybrid::varint;

#[cfg(test)]
mod tests;

/// Values of a block, and of a part of it that has a width of its own.
const BLOCK: usize = 128;
const PART: usize = 32;

/// Appends numbers. Where the column's are of 32 bits, so must be the differences between any two of them.
pub(super) fn encode(numbers: &[i64], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / PART) as u64, out);
    varint(numbers.len() as u64, out);
    zigzag(numbers.first().copied().unwrap_or_default(), out);
    let mut deltas = [0; BLOCK];
    for at in (1..numbers.len()).step_by(BLOCK) {
        let block = &numbers[at - 1..numbers.len().min(at + BLOCK)];
        let deltas = &mut deltas[..block.len() - 1];
        for (delta, pair) in deltas.iter_mut().zip(block.windows(2)) {
            *delta = pair[1].wrapping_sub(pair[0]);
        }
        encode_block(deltas, out);
    }
}

fn encode_block(deltas: &[i64], out: &mut Vec<u8>) {
    let least = deltas.iter().copied().fold(i64::MAX, i64::min);
    zigzag(least, out);
    let widths_at = out.len();
    out.extend_from_slice(&[0; BLOCK / PART]);
    for (index, part) in deltas.chunks(PART).enumerate() {
        let above = |delta: &i64| delta.wrapping_sub(least).cast_unsigned();
        let width = u64::BITS - part.iter().fold(0, |all, delta| all | above(delta)).leading_zeros();
        out[widths_at + index] = width as u8;
        let end = out.len() + PART * width as usize / 8;
        let (mut bits, mut count) = (0u128, 0);
        for delta in part {
            bits |= u128::from(above(delta)) << count;
            count += width;
            if count >= u64::BITS {
                out.extend_from_slice(&(bits as u64).to_le_bytes());
                bits >>= u64::BITS;
                count -= u64::BITS;
            }
        }
        out.extend_from_slice(&(bits as u64).to_le_bytes()[..count.div_ceil(8) as usize]);
        out.resize(end, 0);
    }
}

fn zigzag(number: i64, out: &mut Vec<u8>) {
    varint((number << 1 ^ number >> 63).cast_unsigned(), out);
}
