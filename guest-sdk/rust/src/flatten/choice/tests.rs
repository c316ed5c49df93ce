use super::*;
use crate::testing::settings;

fn read(given: &[(&str, &[&str])]) -> Result<Choice, String> {
    Choice::read(&mut Settings::new(settings(given)), &["timestamp", "span_kind"], &["links", "flags"])
}

fn refused(given: &[(&str, &[&str])]) -> String {
    read(given).err().unwrap_or_default()
}

#[test]
fn promoted_attributes_have_a_type_and_a_column_that_sql_needs_no_quotes_for() {
    let promote = read(&[("promote", &["http.route", "a:b:long", "x-y.Z:boolean", "größe:double"])]).unwrap().promote;
    let short: Vec<_> = promote.iter().map(|one| (one.key.as_str(), one.column.as_str(), one.kind)).collect();
    let expected = [
        ("http.route", "http_route", Kind::String),
        ("a:b", "a_b", Kind::Long),
        ("x-y.Z", "x_y_Z", Kind::Boolean),
        ("größe", "größe", Kind::Double),
    ];
    assert_eq!(short, expected);
}

#[test]
fn what_cannot_be_promoted_is_refused_with_the_reason() {
    let promote = |entry: &str| refused(&[("promote", &[entry])]);
    assert_eq!(promote("a:int"), "`promote`: `a:int` asks for `int`; a type is string, long, double or boolean");
    assert_eq!(promote(""), "`promote`: `` names no attribute");
    assert_eq!(promote("..:long"), "`promote`: `..:long` names no attribute");
    assert_eq!(promote("Span.Kind"), "`promote`: `Span.Kind` would be the column `Span_Kind`, which there is already");
    assert_eq!(promote("flags"), "`promote`: `flags` would be the column `flags`, which there is already");
    let twice = refused(&[("promote", &["a.b"]), ("promote_resource", &["a_b:long"])]);
    assert_eq!(twice, "`promote_resource`: `a_b` would be the column `a_b`, which there is already");
}

#[test]
fn columns_are_chosen_by_name_and_once() {
    assert_eq!(read(&[("columns", &["links", "flags"])]).unwrap().columns, ["links", "flags"]);
    let unknown = refused(&[("columns", &["link"])]);
    assert!(unknown.starts_with("`columns`: `link` is not a column; choose from links, flags"), "{unknown}");
    assert!(refused(&[("columns", &["timestamp"])]).starts_with("`columns`: `timestamp` is always there; choose"));
    assert_eq!(refused(&[("columns", &["links", "links"])]), "`columns` names `links` twice");
}
