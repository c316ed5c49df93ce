use proptest::prelude::*;

use super::*;

/// A reader as the specification has it.
fn decode(bytes: &[u8]) -> Vec<i64> {
    let mut at = 0;
    let varint = |at: &mut usize| {
        let mut value = 0u64;
        for shift in (0..).step_by(7) {
            let byte = bytes[*at];
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    };
    let signed = |value: u64| (value >> 1).cast_signed() ^ -((value & 1).cast_signed());
    let (block, parts) = (varint(&mut at) as usize, varint(&mut at) as usize);
    let count = varint(&mut at) as usize;
    let mut numbers = vec![signed(varint(&mut at))];
    while numbers.len() < count {
        let least = signed(varint(&mut at));
        let widths = bytes[at..at + parts].to_vec();
        at += parts;
        for width in widths {
            let size = block / parts * usize::from(width) / 8;
            if numbers.len() >= count {
                assert_eq!(width, 0);
            }
            for index in 0..(block / parts).min(count - numbers.len()) {
                let bit = |b: usize| {
                    let place = index * usize::from(width) + b;
                    u64::from(bytes[at + place / 8] >> (place % 8) & 1) << b
                };
                let above: u64 = (0..usize::from(width)).map(bit).sum();
                numbers.push(numbers[numbers.len() - 1].wrapping_add(least).wrapping_add(above.cast_signed()));
            }
            at += size;
        }
    }
    assert_eq!(at, bytes.len(), "nothing is left over");
    numbers.truncate(count);
    numbers
}

proptest! {
    #[test]
    fn what_is_decoded_is_what_was_encoded(
        numbers in prop_oneof![
            prop::collection::vec(any::<i64>(), 0..300),
            prop::collection::vec(0..100i64, 0..300),
            prop::collection::vec(1_760_000_000_000_000..1_760_000_001_000_000i64, 0..300),
        ],
    ) {
        let mut bytes = Vec::new();
        encode(&numbers, &mut bytes);
        prop_assert_eq!(decode(&bytes), numbers);
    }
}
