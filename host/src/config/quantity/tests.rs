#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn each_unit_counts_what_it_says() {
    assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
    assert_eq!(duration("30s").unwrap(), Duration::from_secs(30));
    assert_eq!(duration("5m").unwrap(), Duration::from_secs(300));
    assert_eq!(duration(" 2 h ").unwrap(), Duration::from_secs(7200));
    assert_eq!(duration("1d").unwrap(), Duration::from_secs(86_400));
    assert_eq!(size_bytes("64MiB").unwrap(), 64 << 20);
    assert_eq!(size_bytes("128MB").unwrap(), 128_000_000);
    assert_eq!(size_bytes("1B").unwrap(), 1);
    assert_eq!(percent("50%").unwrap().get(), 50);
}

#[test]
fn a_number_without_a_unit_or_beyond_all_bounds_is_refused_not_guessed() {
    for text in ["", "30", "s", "-1s", "1.5s", "1m30s", "99999999999999999999s", "18446744073709551615d"] {
        assert!(duration(text).is_err(), "{text}");
    }
    for text in ["", "64", "64M", "64mib", "MiB", "18446744073709551615GiB"] {
        assert!(size_bytes(text).is_err(), "{text}");
    }
    for text in ["", "50", "101%", "-1%", "0.5%", "%"] {
        assert!(percent(text).is_err(), "{text}");
    }
}
