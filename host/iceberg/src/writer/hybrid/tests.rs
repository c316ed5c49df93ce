use proptest::prelude::*;

use super::*;

/// A reader as the specification has it.
fn decode(mut bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let mut header = 0u64;
        for shift in (0..).step_by(7) {
            header |= u64::from(bytes[0] & 0x7f) << shift;
            let is_last = bytes[0] < 0x80;
            bytes = &bytes[1..];
            if is_last {
                break;
            }
        }
        if header & 1 == 0 {
            let size = width.div_ceil(8) as usize;
            let value = bytes[..size].iter().rev().fold(0, |v, b| v << 8 | u32::from(*b));
            numbers.extend(std::iter::repeat_n(value, (header >> 1) as usize));
            bytes = &bytes[size..];
        } else {
            let size = (header >> 1) as usize * width as usize;
            let bit = |i: usize| u32::from(bytes[i / 8] >> (i % 8) & 1);
            for i in 0..(header >> 1) as usize * 8 {
                numbers.push((0..width as usize).map(|b| bit(i * width as usize + b) << b).sum());
            }
            bytes = &bytes[size..];
        }
    }
    assert!(bytes.is_empty(), "nothing is left over");
    assert!(numbers[count..].iter().all(|n| *n == 0));
    numbers.truncate(count);
    numbers
}

proptest! {
    #[test]
    fn what_is_decoded_is_what_was_encoded(
        parts in prop::collection::vec((any::<u32>(), 1..40usize, any::<bool>()), 0..30),
        width in 1..=32u32,
    ) {
        let most = u32::MAX >> (32 - width);
        let part = |(value, length, is_run): (u32, usize, bool)| {
            (0..length as u32).map(move |i| if is_run { value & most } else { value.wrapping_mul(i * 2 + 1) & most })
        };
        let numbers: Vec<u32> = parts.into_iter().flat_map(part).collect();
        let mut bytes = Vec::new();
        encode(&numbers, width, &mut bytes);
        prop_assert_eq!(decode(&bytes, width, numbers.len()), numbers);
    }
}

#[test]
fn a_run_takes_no_more_room_than_it_must() {
    let mut bytes = Vec::new();
    encode(&[1; 10_000], 1, &mut bytes);
    assert_eq!(bytes.len(), 4);
}

proptest! {
    #[test]
    fn levels_are_what_was_pushed(
        parts in prop::collection::vec((0..4u8, 1..40usize), 0..60),
        width in 1..=2u32,
    ) {
        let (mut levels, mut numbers) = (Levels::default(), Vec::new());
        for (level, count) in parts {
            let level = level & ((1 << width) - 1);
            levels.push(level, count);
            numbers.extend(std::iter::repeat_n(u32::from(level), count));
        }
        let mut bytes = Vec::new();
        levels.encode(width, &mut bytes);
        prop_assert_eq!(levels.len(), numbers.len());
        prop_assert_eq!(decode(&bytes, width, numbers.len()), numbers);
    }
}
