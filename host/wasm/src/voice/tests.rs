use super::*;

#[test]
fn lines_beyond_the_bound_are_dropped_and_counted() {
    let mut voice = Voice::new("p".to_owned());
    (0..LINES_MAX + 7).for_each(|_| voice.write(Level::Info, "x"));
    assert_eq!(voice.end_call(), 7);
    voice.begin_call();
    voice.write(Level::Info, "x");
    assert_eq!(voice.end_call(), 0, "each call has its own hundred");
}

#[test]
fn a_long_line_is_cut_between_characters() {
    let mut voice = Voice::new("p".to_owned());
    voice.write(Level::Error, &"ä".repeat(LINE_BYTES_MAX));
    assert_eq!(voice.last_error().map(str::len), Some(LINE_BYTES_MAX));
    assert_eq!(cut("aä", 2), "a");
}

#[test]
fn a_line_cannot_forge_another() {
    assert_eq!(one_line("a\nERROR b\x1b[2J"), "a\\nERROR b\\u{1b}[2J");
}

#[test]
fn counters_have_plain_names_and_a_bounded_number() {
    let mut voice = Voice::new("p".to_owned());
    for name in ["", "Upper", "with space", "ä", &"x".repeat(65)] {
        voice.add(name.to_owned(), 1);
    }
    (0..100).for_each(|i| voice.add(format!("n_{i}"), 2));
    voice.add("n_0".to_owned(), u64::MAX);
    let amounts = voice.take_amounts();
    assert_eq!(amounts.len(), NAMES_MAX);
    assert_eq!((amounts["n_0"], amounts["n_63"]), (u64::MAX, 2));
    assert!(voice.take_amounts().is_empty());
}
