use super::*;
use crate::otlp::Fault;
use proptest::prelude::*;
use prost::encoding::encode_varint;

fn value(message: &[u8]) -> AnyValue<'_> {
    AnyValue::read(message).unwrap()
}

#[test]
fn the_last_member_of_a_value_wins() {
    assert!(matches!(value(&[0x0a, 1, b'a', 0x18, 5]), AnyValue::Int(5)));
    assert!(matches!(value(&[0x18, 5, 0x0a, 1, b'a']), AnyValue::String(b"a")));
    assert!(matches!(value(&[0x2a, 0, 0x32, 0]), AnyValue::KeyValues(_)));
}

#[test]
fn a_value_in_pieces_asks_to_be_merged() {
    assert_eq!(AnyValue::read(&[0x2a, 0, 0x2a, 0]).unwrap_err().fault, Fault::Split);
    assert_eq!(AnyValue::read(&[0x32, 0, 0x32, 0]).unwrap_err().fault, Fault::Split);
    assert_eq!(KeyValue::read(&[0x12, 0, 0x12, 0]).unwrap_err().fault, Fault::Split);
}

#[test]
fn a_member_of_another_wire_type_is_refused() {
    for message in [[0x08, 1], [0x12, 0], [0x1a, 0], [0x22, 0], [0x28, 0], [0x30, 0], [0x38, 0], [0x42, 0]] {
        assert_eq!(AnyValue::read(&message).unwrap_err().fault, Fault::Mismatch, "{message:?}");
    }
}

#[test]
fn of_attributes_with_one_key_the_last_is_kept_in_its_place() {
    let message = [
        [0x0a, 7, 0x0a, 1, b'a', 0x12, 2, 0x18, 1],
        [0x0a, 7, 0x0a, 1, b'b', 0x12, 2, 0x18, 2],
        [0x0a, 7, 0x0a, 1, b'a', 0x12, 2, 0x18, 3],
    ]
    .concat();
    let mut oddities = Oddities::default();
    let kept = Attributes::new(&message, 1).last_of_each_key(&mut oddities).unwrap();
    assert!(matches!(kept[..], [KeyValue { key: b"b", .. }, KeyValue { key: b"a", value: AnyValue::Int(3), .. }]));
    assert_eq!(oddities.duplicate_keys, 1);
}

#[test]
fn a_string_is_found_by_its_key_and_only_a_string() {
    let message = [0x0a, 8, 0x0a, 1, b'a', 0x12, 3, 0x0a, 1, b'x', 0x0a, 7, 0x0a, 1, b'b', 0x12, 2, 0x18, 3];
    let attributes = Attributes::new(&message, 1);
    assert_eq!(attributes.string(b"a"), Ok(Some(&b"x"[..])));
    assert_eq!(attributes.string(b"b"), Ok(None));
    assert_eq!(attributes.string(b"c"), Ok(None));
}

/// An attribute of the key `k` with a value of these bytes.
fn attribute(member: &[u8]) -> Vec<u8> {
    [&[0x0a, 1, b'k', 0x12, member.len() as u8][..], member].concat()
}

proptest! {
    /// What the quick way reads is what the way that reads everything reads, and it refuses nothing that that one takes.
    #[test]
    fn numbers_and_flags_are_read_as_all_fields_are(number: u64, shift in 0..64u32, more: Vec<u8>, cut in 0..16usize) {
        for tag in [0x10, 0x18, 0x21] {
            let mut member = vec![tag];
            if tag == 0x21 {
                member.extend_from_slice(&number.to_le_bytes());
            } else {
                encode_varint(number >> shift, &mut member);
            }
            let whole = attribute(&member);
            let broken = attribute(&member[..member.len().saturating_sub(cut)]);
            let followed = attribute(&[&member[..], &more[..more.len().min(64)]].concat());
            let behind = [&whole[..], &more].concat();
            for message in [whole, broken, followed, behind] {
                let (quick, all) = (KeyValue::read_any(&message), KeyValue::read_fields(&message));
                prop_assert_eq!(format!("{quick:?}"), format!("{all:?}"), "{:02x?}", message);
            }
        }
    }
}

#[test]
fn the_usual_numbers_take_the_quick_way() {
    for member in
        [&[0x18, 5][..], &[0x18, 0xc8, 1], &[0x18, 0x80, 0x80, 0x80, 1], &[0x10, 1], &[0x21, 0, 0, 0, 0, 0, 0, 0, 1]]
    {
        assert!(KeyValue::short_scalar(&attribute(member)).is_some(), "{member:02x?}");
    }
}
