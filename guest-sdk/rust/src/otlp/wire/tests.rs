use super::*;

fn all(message: &[u8]) -> Result<Vec<(u32, Wire<'_>)>, Malformed> {
    let mut fields = Fields::new(message);
    let mut read = Vec::new();
    while let Some(field) = fields.next_field()? {
        read.push((field.number, field.wire));
    }
    Ok(read)
}

fn fault(message: &[u8]) -> (Fault, Option<usize>) {
    let malformed = all(message).unwrap_err();
    (malformed.fault, malformed.offset_in(message))
}

#[test]
fn every_wire_type_is_read() {
    let message = [8, 0x96, 1, 0x11, 1, 0, 0, 0, 0, 0, 0, 0x80, 0x1a, 2, b'h', b'i', 0x25, 1, 0, 0, 0x80];
    let expected = [
        (1, Wire::Varint(150)),
        (2, Wire::Fixed64(0x8000_0000_0000_0001)),
        (3, Wire::Bytes(b"hi")),
        (4, Wire::Fixed32(0x8000_0001)),
    ];
    assert_eq!(all(&message).unwrap(), expected);
}

#[test]
fn a_varint_holds_64_bits_and_no_more() {
    let max = [&[8][..], &[0xff; 9], &[1]].concat();
    assert_eq!(all(&max).unwrap(), [(1, Wire::Varint(u64::MAX))]);
    assert_eq!(fault(&[&[8][..], &[0xff; 9], &[2]].concat()), (Fault::Varint, Some(1)));
    assert_eq!(fault(&[&[8][..], &[0xff; 10], &[0]].concat()), (Fault::Varint, Some(1)));
    assert_eq!(all(&[8, 0x80, 0]).unwrap(), [(1, Wire::Varint(0))]);
}

#[test]
fn a_message_that_ends_within_a_field_is_truncated() {
    for message in [&[8][..], &[8, 0x80], &[0x11, 0], &[0x1a, 2, 0], &[0x25, 0, 0, 0], &[0x80], &[0x0b, 8, 1]] {
        assert_eq!(fault(message).0, Fault::Truncated, "{message:?}");
    }
    let length_beyond_memory = [&[0x1a][..], &[0xff; 9], &[1]].concat();
    assert_eq!(fault(&length_beyond_memory).0, Fault::Truncated);
}

#[test]
fn a_field_number_of_zero_or_beyond_29_bits_is_refused() {
    assert_eq!(fault(&[0, 0]), (Fault::FieldNumber, Some(0)));
    assert_eq!(fault(&[8, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 0]), (Fault::FieldNumber, Some(2)));
    assert_eq!(fault(&vec![0; 10_000_000]), (Fault::FieldNumber, Some(0)));
}

#[test]
fn groups_are_skipped_to_their_own_end() {
    // group 1 { 2: varint, group 3 { 4: "hi" }, 5: fixed32 }, 6: 7
    let message = [0x0b, 0x10, 1, 0x1b, 0x22, 2, b'h', b'i', 0x1c, 0x2d, 0, 0, 0, 0, 0x0c, 0x30, 7];
    assert_eq!(all(&message).unwrap(), [(1, Wire::Group), (6, Wire::Varint(7))]);
    assert_eq!(fault(&[0x0b, 0x14]).0, Fault::Group, "the end of another group");
    assert_eq!(fault(&[0x0c]).0, Fault::Group, "an end without a begin");
    assert_eq!(fault(&[0x0b; 100]).0, Fault::Group, "too deep");
    assert_eq!(fault(&[0x0e]).0, Fault::WireType);
    assert_eq!(fault(&[0x0b, 0x0f]).0, Fault::WireType);
}

#[test]
fn a_field_of_another_wire_type_is_refused_where_it_is_used() {
    let message = [8, 1];
    let field = Fields::new(&message).next_field().unwrap().unwrap();
    assert_eq!(field.bytes().unwrap_err().fault, Fault::Mismatch);
    assert_eq!(field.fixed64().unwrap_err().fault, Fault::Mismatch);
    assert_eq!(field.fixed32().unwrap_err().fault, Fault::Mismatch);
    assert_eq!(field.varint(), Ok(1));
}

#[test]
fn a_fault_names_the_byte_in_the_whole_record() {
    let record = [0x0a, 3, 0x1a, 5, 0];
    let inner = Fields::new(&record).next_field().unwrap().unwrap().bytes().unwrap();
    let malformed = all(inner).unwrap_err();
    let text = "not OTLP protobuf: the message ends within a field at byte 4 of 5";
    assert_eq!(malformed.describe_in(&record), text);
    assert_eq!(malformed.describe_in(&[0; 5]), "not OTLP protobuf: the message ends within a field");
}
