#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn every_transform_is_read_and_written_back_the_same() {
    for text in [
        "service_name",
        "year(t)",
        "month(t)",
        "day(timestamp)",
        "hour(t)",
        "bucket(16, trace_id)",
        "truncate(8, operation_name)",
        "http.route",
        "\"odd name, (really) \"\"so\"\"\"",
    ] {
        assert_eq!(PartitionField::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn sparks_spelling_means_the_same() {
    assert_eq!(PartitionField::parse("DAYS( timestamp )").unwrap(), PartitionField::parse("day(timestamp)").unwrap());
    assert_eq!(PartitionField::parse("bucket(4,`a b`)").unwrap().column, "a b");
    assert_eq!(PartitionField::parse("identity(x)").unwrap(), PartitionField::parse("x").unwrap());
}

#[test]
fn a_sort_fields_unsaid_parts_are_sparks() {
    for (text, whole) in [
        ("x", "x asc nulls first"),
        ("x desc", "x desc nulls last"),
        ("x ASC Nulls LAST", "x asc nulls last"),
        ("x nulls last", "x asc nulls last"),
        ("x desc nulls first", "x desc nulls first"),
        ("day(x) desc", "day(x) desc nulls last"),
    ] {
        assert_eq!(SortField::parse(text).unwrap().to_string(), whole);
    }
}

#[test]
fn what_is_no_field_is_refused() {
    for text in [
        "",
        "()",
        "day",
        "day(",
        "day()",
        "day(x",
        "day(x) y",
        "day(2, x)",
        "bucket(x)",
        "bucket(0, x)",
        "bucket(-1, x)",
        "bucket(99999999999, x)",
        "bucket(16 x)",
        "week(x)",
        "x,y",
        "\"x",
        "\"\"",
        "x + y",
        "truncate(2147483648, x)",
    ] {
        // A lone `day` is a column of that name.
        assert_eq!(PartitionField::parse(text).is_ok(), text == "day", "{text}");
    }
    for text in ["x down", "x asc desc", "x nulls", "x nulls first last", "x first"] {
        assert!(SortField::parse(text).is_err(), "{text}");
    }
}
