use super::*;
use crate::otlp::Fault;

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
