//! Parquet's run-length and bit-packing hybrid (its documentation, "Encodings", RLE = 3), for levels and for keys of
//! dictionaries.

#[cfg(test)]
mod tests;

/// Bits that hold numbers up to `max`.
pub(super) fn width_of(max: usize) -> u32 {
    usize::BITS - max.leading_zeros()
}

/// Appends numbers of `width` bits each, without a length or a width before them.
pub(super) fn encode<T: Copy + PartialEq + Into<u32>>(numbers: &[T], width: u32, out: &mut Vec<u8>) {
    let (mut at, mut literals) = (0, 0);
    while at < numbers.len() {
        let first = numbers[at];
        let mut run = numbers[at..].iter().take_while(|n| **n == first).count();
        // Literals come in groups of eight: a run first gives what the last group lacks.
        let lacking = (at - literals).next_multiple_of(8) - (at - literals);
        if run >= lacking + 8 {
            at += lacking;
            run -= lacking;
            pack(&numbers[literals..at], width, out);
            varint((run as u64) << 1, out);
            out.extend_from_slice(&first.into().to_le_bytes()[..width.div_ceil(8) as usize]);
            literals = at + run;
        }
        at += run;
    }
    pack(&numbers[literals..], width, out);
}

fn pack<T: Copy + Into<u32>>(numbers: &[T], width: u32, out: &mut Vec<u8>) {
    if numbers.is_empty() {
        return;
    }
    let groups = numbers.len().div_ceil(8);
    varint((groups as u64) << 1 | 1, out);
    let end = out.len() + groups * width as usize;
    let (mut bits, mut count) = (0u64, 0);
    for number in numbers {
        bits |= u64::from((*number).into()) << count;
        count += width;
        if count >= 32 {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= 32;
            count -= 32;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes()[..count.div_ceil(8) as usize]);
    out.resize(end, 0);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
