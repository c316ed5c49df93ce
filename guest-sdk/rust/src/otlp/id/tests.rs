use super::*;
use crate::column::Column;

#[test]
fn every_byte_has_its_two_digits() {
    let all: Vec<u8> = (0..=255).collect();
    let expected: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
    for from in 0..5 {
        let mut out = Vec::new();
        push_hex(&mut out, &all[from..]);
        assert_eq!(String::from_utf8(out).unwrap(), expected[from * 2..]);
    }
}

#[test]
fn an_id_of_another_length_or_of_zeros_is_missing() {
    let mut ids = Utf8::new();
    for len in [0, 7, 8, 15, 17, 32] {
        assert!(!trace_id(&mut ids, &vec![1; len]), "{len} bytes");
    }
    assert!(!trace_id(&mut ids, &[0; 16]));
    assert!(trace_id(&mut ids, &[1; 16]));
    for len in [0, 7, 15, 16] {
        assert!(!span_id(&mut ids, &vec![1; len]), "{len} bytes");
    }
    assert!(!span_id(&mut ids, &[0; 8]));
    assert!(span_id(&mut ids, &[0xAB; 8]));
    assert_eq!(ids.len(), 14);
    assert_eq!(ids.bytes, [&b"01".repeat(16)[..], &b"ab".repeat(8)].concat());
}
