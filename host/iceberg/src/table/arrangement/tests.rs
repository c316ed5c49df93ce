use super::*;

fn terms(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| t.to_string()).collect()
}

#[test]
fn every_spelling_of_a_partition_term_is_understood() {
    for (text, column, transform) in [
        ("service_name", "service_name", Transform::Identity),
        ("day(timestamp)", "timestamp", Transform::Day),
        ("days( timestamp )", "timestamp", Transform::Day),
        ("HOUR(timestamp)", "timestamp", Transform::Hour),
        ("month(timestamp)", "timestamp", Transform::Month),
        ("year(timestamp)", "timestamp", Transform::Year),
        ("bucket(16, trace_id)", "trace_id", Transform::Bucket(16)),
        ("truncate(4,x)", "x", Transform::Truncate(4)),
    ] {
        let term: Term = text.parse().unwrap();
        assert_eq!((term.column.as_str(), term.transform), (column, transform), "{text}");
    }
    for text in
        ["", "day()", "day(timestamp", "bucket(0, x)", "bucket(x)", "bucket(x, 16)", "week(x)", "a b", "day(1, x)"]
    {
        assert!(text.parse::<Term>().is_err(), "{text}");
    }
}

#[test]
fn an_order_puts_nulls_where_it_says_or_where_sql_does() {
    let spelled = |text: &str| text.parse::<SortTerm>().map(|t| t.to_string());
    assert_eq!(spelled("timestamp").unwrap(), "timestamp asc nulls first");
    assert_eq!(spelled("service_name desc").unwrap(), "service_name desc nulls last");
    assert_eq!(spelled(" service_name DESC nulls first").unwrap(), "service_name desc nulls first");
    assert_eq!(spelled("bucket(4, x) asc nulls last").unwrap(), "bucket(4, x) asc nulls last");
    for text in ["", "x descending", "x nulls", "x desc last", "desc nulls last x"] {
        assert!(spelled(text).is_err(), "{text}");
    }
}

#[test]
fn a_table_says_its_arrangement_in_the_words_it_was_given() {
    let partition = terms(&["day(timestamp)", "service", "bucket(16, trace_id)"]);
    let sort = terms(&["timestamp asc nulls first", "service desc nulls last"]);
    let table = crate::fixture::metadata(&partition, &sort);
    assert_eq!(partition_terms(&table), partition);
    assert_eq!(sort_terms(&table), sort);
    let names: Vec<_> = table.default_partition_spec().fields().iter().map(|f| f.name.clone()).collect();
    assert_eq!(names, ["timestamp_day", "service", "trace_id_bucket"]);
}

#[test]
fn a_column_that_is_not_there_is_named() {
    let schema = crate::fixture::schema();
    let missing = partition_spec(&schema, &terms(&["day(nope)"])).unwrap_err();
    assert_eq!(missing, ArrangementError::NoColumn { text: "day(nope)".to_string(), column: "nope".to_string() });
    assert!(matches!(partition_spec(&schema, &terms(&["day(service)"])), Err(ArrangementError::Refused { .. })));
}
