use super::*;

#[test]
fn the_end_of_text_is_found_wherever_it_is() {
    for length in 0..40 {
        for end in [b'"', b'\\', 0, 0x1f] {
            for filler in [b'a', b' ', b'!', 0x7f, 0x80, 0xff, b'#', b'['] {
                let mut text = vec![filler; length];
                assert_eq!(special(&text, 0), length);
                text.push(end);
                text.extend([b'"', filler, 0, b'\\', b'"', filler, filler, filler, filler]);
                assert_eq!(special(&text, 0), length, "{filler} {end}");
                assert_eq!(special(&text, length / 2), length);
            }
        }
    }
    assert_eq!(special(b"", 0), 0);
    assert_eq!(special(b"a", 5), 5);
}

#[test]
fn up_to_nineteen_digits_are_read() {
    let text = b"1234567890123456789012";
    for length in 0..=text.len() {
        for after in [&b""[..], b",", b":", b"/", b"/,,,,,,,,,", b":::::::::"] {
            let spelled = [&text[..length], after].concat();
            let count = length.min(19);
            let wanted = std::str::from_utf8(&text[..count]).unwrap().parse().unwrap_or(0);
            assert_eq!(digits(&spelled, 0), (wanted, count));
        }
    }
}

#[test]
fn hexadecimal_digits_are_told_from_all_other_bytes() {
    for byte in 0..=255u8 {
        for at in 0..10 {
            let mut text = *b"0123456789";
            text[at] = byte;
            let mut out = vec![1];
            let wanted =
                (0..5).map(|pair| u8::from_str_radix(std::str::from_utf8(&text[2 * pair..][..2]).ok()?, 16).ok());
            // `from_str_radix` takes a sign.
            let wanted: Option<Vec<u8>> = if byte == b'+' { None } else { wanted.collect() };
            assert_eq!(hex(&text, &mut out).is_some(), wanted.is_some(), "{byte} at {at}");
            assert_eq!(out.split_off(1), wanted.unwrap_or_default());
        }
    }
}
