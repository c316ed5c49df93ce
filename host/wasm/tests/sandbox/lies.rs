//! Answers that are not what they say.

use arrow_array::cast::AsArray;
use weir_pipeline::transform::Effort;

use crate::kit::{assert_fails, assert_works, call_with, plugin, stage};

#[test]
fn a_lie_about_a_batch_is_refused_and_named() {
    for (lie, says) in [
        ("no tables", "it gave 0 tables, and configure named 1"),
        ("reject nobody", "it rejected message 1000000 of 2"),
        ("reject twice", "it rejected message 0 after message 0"),
        ("reject and keep", "table rows: message 0 is rejected and has rows"),
        ("wrong counts", "table rows: the messages' rows add up to 3, and there are 2"),
        ("counts missing", "table rows: it counted rows of 0 messages, and there were 2"),
        ("node missing", "table rows: it has 8 nodes, and its schema has 9"),
        ("buffer missing", "table rows: it has 20 buffers, and its schema needs 21"),
        ("buffer too many", "table rows: it has 22 buffers, and its schema needs 21"),
        ("more rows", "table rows: the messages' rows add up to 2, and there are 3"),
    ] {
        assert_fails(lie, "invalid", says);
    }
}

#[test]
fn what_cannot_even_be_read_is_refused() {
    assert_fails("reason is no text", "invalid", "utf-8");
    assert_fails("buffer elsewhere", "invalid", "out of bounds of memory");
}

#[test]
fn a_little_memory_given_many_times_is_as_much_output_as_it_becomes() {
    assert_fails("one buffer a thousand times", "output", "more than 4194304 bytes");
}

#[test]
fn a_lie_about_a_column_is_refused_and_named() {
    for (lie, says) in [
        ("column short", "column text: it has 1 values, not 2"),
        ("column huge", "column offset: it has 4294967295 values, not 2"),
        ("values short", "column offset: its values have 15 bytes, not 16"),
        ("offsets negative", "column text: its offsets begin at -1"),
        ("offsets falling", "column text: its offsets fall from 1048576 to 7"),
        ("offsets beyond", "column text: its offsets end at 7, and it has 0 bytes"),
        ("null count", "column text: it says 1 nulls and has 0"),
        ("nulls where none may be", "column offset: it has 2 nulls and may have none"),
        ("key beyond", "column kind: key 2 at 0, and its dictionary has 2 values"),
        ("key negative", "column kind: key -1 at 0, and its dictionary has 2 values"),
        ("map key beyond", "column tags.entries.key: key 1 at 0, and its dictionary has 1 values"),
        ("map beyond", "column tags.entries: it has 0 values, and 2 are referred to"),
        ("dictionary null", "column kind.dictionary: it has 1 nulls and may have none"),
    ] {
        assert_fails(lie, "invalid", says);
    }
}

#[test]
fn bad_utf8_is_mended_and_counted_and_nothing_is_rejected() {
    let mut stage = stage(&plugin(), "");
    let output = call_with(&mut stage, &[b"good", b"b\xFFd", b"\xC3", "ü".as_bytes()], Effort::Normal).unwrap();
    let text = output.tables[0].rows.column_by_name("text").unwrap().as_string::<i32>();
    assert_eq!(text.iter().flatten().collect::<Vec<_>>(), ["good", "b\u{FFFD}d", "\u{FFFD}", "ü"]);
    assert_eq!(output.repaired_strings, 4, "two values, in the column and in the map");
    assert!(output.rejections.is_empty());
    assert_works(&mut stage);
}
