#![allow(clippy::unwrap_used)]

use super::*;

fn masked(text: &str) -> Vec<&str> {
    let (root, _) = DeTable::parse_recoverable(text);
    hidden(root.get_ref()).into_iter().map(|range| &text[range]).collect()
}

#[test]
fn secrets_are_hidden_and_the_rest_is_shown() {
    assert_eq!(
        masked("[sink.iceberg]\ncatalog = { type = \"rest\", token = \"a\", headers = { x = \"b\" } }"),
        ["\"a\"", "\"b\""]
    );
    assert_eq!(masked("[source.kafka.properties]\n\"sasl.password\" = \"a\"\nn = 5"), ["\"a\"", "5"]);
    assert_eq!(masked("[sink.iceberg.tables.spans]\nname = \"a.b\"\nproperties = { a = \"b\" }"), Vec::<&str>::new());
    assert_eq!(masked("tokn = [\"a\", { b = \"c\" }]"), ["\"a\"", "\"c\""]);
    assert_eq!(masked("[sink.iceberg.catalog]\nuri = \"postgres://u:p@h/d\""), ["\"postgres://u:p@h/d\""]);
}

#[test]
fn a_broken_line_is_hidden_where_it_may_hold_a_secret() {
    let left = |line: &str| {
        let mut left = line.to_owned();
        hidden_roughly(line).into_iter().for_each(|range| left.replace_range(range, "…"));
        left
    };
    assert_eq!(left("commit_interval = 30s"), "commit_interval = 30s");
    assert_eq!(left("  token = abc"), "  token =…");
    assert_eq!(left("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"), "…");
    assert_eq!(left("[sink.iceberg"), "[sink.iceberg");
}
