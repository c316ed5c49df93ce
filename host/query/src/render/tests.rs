#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, MapBuilder, StringArray, StringBuilder, TimestampMicrosecondArray,
};

use super::*;
use crate::answer::Answer;

fn answer(columns: Vec<(&str, ArrayRef)>) -> Answer {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)));
    let batch = batch.unwrap();
    Answer { schema: batch.schema(), batches: vec![batch] }
}

fn sample() -> Answer {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("http.route");
    map.values().append_value("/a");
    map.append(true).unwrap();
    map.append(false).unwrap();
    let mut list = ListBuilder::new(StringBuilder::new());
    list.values().append_value("x");
    list.values().append_null();
    list.append(true);
    list.append(true);
    let times = TimestampMicrosecondArray::from(vec![Some(1_769_731_200_000_001), None]).with_timezone("+00:00");
    answer(vec![
        ("at", Arc::new(times)),
        ("n", Arc::new(Int64Array::from(vec![Some(-5), None]))),
        ("ms", Arc::new(Float64Array::from(vec![0.5, f64::NAN]))),
        ("name", Arc::new(StringArray::from(vec!["tab\t\u{1b}[31m", ""]))),
        ("attributes", Arc::new(map.finish())),
        ("links", Arc::new(list.finish())),
    ])
}

#[test]
fn every_kind_of_value_is_readable_and_none_breaks_the_table() {
    let expected = "\
at                              n   ms  name             attributes        links
────────────────────────────────────────────────────────────────────────────────────
2026-01-30 00:00:00.000001Z    -5  0.5  tab\\t\\u{1b}[31m  {http.route: /a}  [x, NULL]
NULL                         NULL  NaN                   NULL              []
(2 rows)
";
    assert_eq!(table(&sample(), None).unwrap(), expected);
}

#[test]
fn a_table_too_wide_is_cut_at_its_widest_columns() {
    let shown = table(&sample(), Some(60)).unwrap();
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    assert!(shown.contains('…'), "{shown}");
    let long = answer(vec![("x", Arc::new(StringArray::from(vec!["a".repeat(500)])) as ArrayRef)]);
    assert_eq!(table(&long, Some(40)).unwrap().lines().nth(2).unwrap().chars().count(), 40);
}

#[test]
fn many_rows_are_counted_not_shown() {
    let many = answer(vec![("x", Arc::new(Int64Array::from_iter_values(0..5000)) as ArrayRef)]);
    let shown = table(&many, None).unwrap();
    assert!(shown.ends_with("\n999\n(5000 rows, the first 1000 are shown)\n"), "{}", &shown[shown.len() - 80..]);
}

#[test]
fn json_has_one_object_a_line_with_nulls_and_nesting() {
    let lines = json_lines(&sample().batches[0]).unwrap();
    let objects: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["attributes"]["http.route"], "/a");
    assert_eq!(objects[0]["at"], "2026-01-30T00:00:00.000001Z");
    assert_eq!(objects[0]["links"], serde_json::json!(["x", null]));
    assert!(objects[1]["n"].is_null() && objects[1].get("n").is_some());
}
