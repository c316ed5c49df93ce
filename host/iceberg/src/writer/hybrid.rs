//! Parquet's run-length and bit-packing hybrid (its documentation, "Encodings", RLE = 3), for levels and for keys of
//! dictionaries.

#[cfg(test)]
mod tests;

/// Bits that hold numbers up to `max`.
pub(super) fn width_of(max: usize) -> u32 {
    usize::BITS - max.leading_zeros()
}

/// Appends numbers of `width` bits each, without a length or a width before them.
///
/// It looks at eight at a time: those that are all the same begin a run, others are packed.
pub(super) fn encode(numbers: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut packed = Packed::new(width);
    let mut rest = numbers;
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        let first = eight[0];
        if eight.iter().fold(0, |differ, number| differ | (number ^ first)) == 0 {
            let more = behind.iter().take_while(|number| **number == first).count();
            packed.end(out);
            run(first, 8 + more, width, out);
            rest = &behind[more..];
        } else {
            packed.push_eight(eight);
            rest = behind;
        }
    }
    rest.iter().for_each(|number| packed.push(*number, 1));
    packed.end(out);
}

fn run(number: u32, length: usize, width: u32, out: &mut Vec<u8>) {
    varint((length as u64) << 1, out);
    out.extend_from_slice(&number.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Levels (Parquet's documentation, "Nested Encoding") as they come: many of one after the other.
#[derive(Default, Debug)]
pub(super) struct Levels {
    runs: Vec<(u8, u32)>,
    count: usize,
}

impl Levels {
    /// Adds one level, so many times.
    #[inline]
    pub(super) fn push(&mut self, level: u8, count: usize) {
        self.count += count;
        match self.runs.last_mut() {
            Some((last, length)) if *last == level => *length += count as u32,
            _ => self.runs.push((level, count as u32)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.count = 0;
    }

    /// Appends levels of `width` bits each, without a length or a width before them.
    pub(super) fn encode(&self, width: u32, out: &mut Vec<u8>) {
        let mut packed = Packed::new(width);
        for (level, length) in &self.runs {
            let (level, mut length) = (u32::from(*level), *length as usize);
            // What is packed comes in groups of eight: a run first gives what the last group lacks.
            let lacking = packed.count.next_multiple_of(8) - packed.count;
            if length >= lacking + 8 {
                packed.push(level, lacking);
                packed.end(out);
                length -= lacking;
                run(level, length, width, out);
            } else {
                packed.push(level, length);
            }
        }
        packed.end(out);
    }
}

/// Numbers side by side.
struct Packed {
    width: u32,
    bits: u64,
    bits_count: u32,
    bytes: Vec<u8>,
    count: usize,
}

impl Packed {
    fn new(width: u32) -> Self {
        Self { width, bits: 0, bits_count: 0, bytes: Vec::new(), count: 0 }
    }

    fn push(&mut self, number: u32, count: usize) {
        self.count += count;
        if self.width == 1 {
            let mut left = count as u32;
            while left > 0 {
                let some = left.min(32);
                self.add((u64::from(number) << some) - u64::from(number), some);
                left -= some;
            }
        } else {
            (0..count).for_each(|_| self.add(u64::from(number), self.width));
        }
    }

    /// At most 32 bits.
    #[inline]
    fn add(&mut self, bits: u64, count: u32) {
        self.bits |= bits << self.bits_count;
        self.bits_count += count;
        if self.bits_count >= 32 {
            self.bytes.extend_from_slice(&(self.bits as u32).to_le_bytes());
            self.bits >>= 32;
            self.bits_count -= 32;
        }
    }

    #[inline]
    fn push_eight(&mut self, eight: &[u32; 8]) {
        if self.width > 16 || self.bits_count > 0 {
            eight.iter().for_each(|number| self.push(*number, 1));
            return;
        }
        self.count += 8;
        let width = self.width as usize;
        if width <= 8 {
            let bits = eight.iter().rev().fold(0, |bits: u64, number| bits << width | u64::from(*number));
            self.bytes.extend_from_slice(&bits.to_le_bytes()[..width]);
        } else {
            let bits = eight.iter().rev().fold(0, |bits: u128, number| bits << width | u128::from(*number));
            self.bytes.extend_from_slice(&bits.to_le_bytes()[..width]);
        }
    }

    /// Appends what there is, filled up to a group of eight.
    fn end(&mut self, out: &mut Vec<u8>) {
        if self.count == 0 {
            return;
        }
        let groups = self.count.div_ceil(8);
        varint((groups as u64) << 1 | 1, out);
        let end = out.len() + groups * self.width as usize;
        out.extend_from_slice(&self.bytes);
        out.extend_from_slice(&self.bits.to_le_bytes()[..self.bits_count.div_ceil(8) as usize]);
        out.resize(end, 0);
        *self = Self { bytes: std::mem::take(&mut self.bytes), ..Self::new(self.width) };
        self.bytes.clear();
    }
}

pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
