use super::*;

#[test]
fn an_integer_is_read_exactly_or_not_at_all() {
    for (text, wanted) in [
        ("0", Some(Ok((false, 0)))),
        ("-0", Some(Ok((true, 0)))),
        ("0.000", Some(Ok((false, 0)))),
        ("1.0", Some(Ok((false, 1)))),
        ("10", Some(Ok((false, 10)))),
        ("1000e-3", Some(Ok((false, 1)))),
        ("1000e-4", None),
        ("0.5", None),
        ("0.5e1", Some(Ok((false, 5)))),
        ("18446744073709551615", Some(Ok((false, u64::MAX)))),
        ("18446744073709551616", Some(Err(()))),
        ("1e19", Some(Ok((false, 10_000_000_000_000_000_000)))),
        ("1e20", Some(Err(()))),
        ("100000000000000000000000000000e-28", Some(Ok((false, 10)))),
        ("", None),
        ("-", None),
        ("1e", None),
    ] {
        assert_eq!(decimal(text.as_bytes()), wanted, "{text}");
    }
}
