use super::{append, append_again};

#[test]
fn what_is_appended_is_what_was_given_whatever_its_length() {
    let bytes: Vec<u8> = (1..=200).collect();
    for before in [0, 3, 17] {
        for len in 0..=bytes.len() {
            let mut out = vec![0xff; before];
            append(&mut out, &bytes[..len]);
            assert_eq!(out[before..], bytes[..len], "{len} bytes behind {before}");
            assert!(out[..before].iter().all(|b| *b == 0xff), "{len} bytes behind {before}");
        }
    }
}

#[test]
fn what_is_appended_again_is_what_was_there() {
    let bytes: Vec<u8> = (1..=200).collect();
    for start in [0, 4, 5, 196] {
        for end in start..=bytes.len() {
            let mut out = bytes.clone();
            append_again(&mut out, start, end);
            assert_eq!(out[..bytes.len()], bytes);
            assert_eq!(out[bytes.len()..], bytes[start..end], "{start} to {end}");
        }
    }
}
