use super::*;
use crate::otlp::Fault;

fn counts(message: &[u8]) -> Result<Vec<u64>, Fault> {
    Numbers::varints(message, 2).collect::<Result<_, _>>().map_err(|malformed| malformed.fault)
}

#[test]
fn packed_numbers_single_ones_and_both_in_turns_are_one_list() {
    assert_eq!(counts(&[0x12, 3, 1, 0xac, 2]), Ok(vec![1, 300]));
    assert_eq!(counts(&[0x10, 1, 0x10, 2]), Ok(vec![1, 2]));
    assert_eq!(counts(&[0x12, 2, 1, 2, 0x10, 3, 0x12, 0, 0x12, 1, 4]), Ok(vec![1, 2, 3, 4]));
    assert_eq!(counts(&[]), Ok(vec![]));
}

#[test]
fn other_fields_between_are_skipped() {
    assert_eq!(counts(&[0x10, 1, 0x1a, 1, 9, 0x10, 2]), Ok(vec![1, 2]));
}

#[test]
fn numbers_that_are_cut_off_end_with_an_error_and_only_one() {
    assert_eq!(counts(&[0x12, 1, 0x80]), Err(Fault::Truncated));
    let half = [0x32, 12, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0];
    let read: Vec<_> = Numbers::<u64>::fixed64(&half, 6).map(|number| number.ok()).collect();
    assert_eq!(read, [Some(1), None]);
}

#[test]
fn doubles_are_read_from_their_bits() {
    let message = [&[0x3a, 8][..], &(-0.5f64).to_le_bytes()].concat();
    assert_eq!(Numbers::<f64>::fixed64(&message, 7).collect::<Result<Vec<_>, _>>(), Ok(vec![-0.5]));
}
