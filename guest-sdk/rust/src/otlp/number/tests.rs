use super::*;
use base64::Engine;
use proptest::prelude::*;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = b"before ".to_vec();
    write(&mut out);
    String::from_utf8(out).unwrap().strip_prefix("before ").unwrap().to_owned()
}

proptest! {
    #[test]
    fn integers_are_written_as_the_standard_library_writes_them(value: i64, shift in 0..64u32) {
        let value = value >> shift;
        prop_assert_eq!(written(|out| push_int(out, value)), value.to_string());
    }

    #[test]
    fn doubles_are_json_numbers_that_read_back_the_same(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let text = written(|out| push_double(out, value));
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits, "{}", text);
        prop_assert!(serde_json::from_str::<serde_json::Number>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn bytes_are_written_as_the_crate_base64_writes_them(bytes: Vec<u8>) {
        let expected = base64::engine::general_purpose::STANDARD.encode(&bytes);
        prop_assert_eq!(written(|out| push_base64(out, &bytes)), expected);
    }
}

#[test]
fn numbers_at_the_edges_are_whole() {
    assert_eq!(written(|out| push_int(out, i64::MIN)), i64::MIN.to_string());
    assert_eq!(written(|out| push_int(out, i64::MAX)), i64::MAX.to_string());
    assert_eq!(written(|out| push_int(out, 0)), "0");
    assert_eq!(written(|out| push_double(out, 1.0)), "1.0");
    assert_eq!(written(|out| push_double(out, -0.0)), "-0.0");
    assert_eq!(written(|out| push_double(out, 1e300)), "1e300");
    assert_eq!(written(|out| push_double(out, f64::NAN)), "NaN");
    assert_eq!(written(|out| push_double(out, f64::INFINITY)), "Infinity");
}
