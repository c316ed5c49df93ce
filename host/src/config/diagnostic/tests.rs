#![allow(clippy::single_range_in_vec_init)]

use super::*;

fn shown(text: &str, span: Range<usize>, hidden: &[Range<usize>]) -> String {
    Diagnostic::new(Path::new("p.toml"), Excerpt::new(text, &span, hidden), "m".into(), None).to_string()
}

#[test]
fn the_caret_stands_under_what_is_meant() {
    assert_eq!(shown("a = 1\nbb = 22\n", 11..13, &[]), "error: m\n --> p.toml:2:6\n  |\n2 | bb = 22\n  |      ^^\n");
    assert_eq!(shown("ä\t= ß", 5..7, &[]), "error: m\n --> p.toml:1:5\n  |\n1 | ä = ß\n  |     ^\n");
}

#[test]
fn a_hidden_part_is_one_sign_wide_and_the_caret_follows() {
    let text = "t = \"secret\", x = 1";
    assert_eq!(shown(text, 14..15, &[4..12]), "error: m\n --> p.toml:1:15\n  |\n1 | t = …, x = 1\n  |        ^\n");
    assert_eq!(shown(text, 4..12, &[4..12]), "error: m\n --> p.toml:1:5\n  |\n1 | t = …, x = 1\n  |     ^\n");
    assert_eq!(shown(text, 6..8, &[4..12]), "error: m\n --> p.toml:1:7\n  |\n1 | t = …, x = 1\n  |     ^\n");
}

#[test]
fn a_span_at_or_beyond_the_end_is_shown_at_the_end() {
    assert!(shown("a =\r\n", 3..4, &[]).contains(":1:4\n"));
    assert!(shown("a =", 99..100, &[]).contains(":1:4\n"));
    assert!(shown("", 0..0, &[]).contains(":1:1\n"));
    assert!(shown("a = \"x\ny", 4..8, &[]).contains("1 | a = \"x\n  |     ^^\n"));
}
