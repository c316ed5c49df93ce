use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use super::*;

fn table(columns: &[(&str, DataType, bool)]) -> TableSchema {
    let field = |(name, of, nullable): &(&str, DataType, bool)| Field::new(*name, of.clone(), *nullable);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    TableSchema { name: "spans".into(), doc: String::new(), schema }
}

#[test]
fn a_candidates_columns_are_those_of_the_live_plugin_and_perhaps_more() {
    let (id, text, number) =
        (("id", DataType::Int64, false), ("text", DataType::Utf8, true), ("number", DataType::Int32, true));
    let live = table(&[id.clone(), text.clone(), number.clone()]);
    check_columns(&live, &live, false).unwrap();
    let more = ("more", DataType::Utf8, true);
    check_columns(&live, &table(&[more, number.clone(), text.clone(), id.clone()]), false).unwrap();
    // What repeats may be numbered or not: the table's column is the same.
    let dictionary = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
    check_columns(&live, &table(&[id.clone(), ("text", dictionary, true), number.clone()]), false).unwrap();
    let told = check_columns(&live, &table(std::slice::from_ref(&id)), false).unwrap_err();
    assert!(told.starts_with("it no longer gives text, number of table spans, which the live plugin gives"), "{told}");
    check_columns(&live, &table(std::slice::from_ref(&id)), true).unwrap();
    for (changed, told) in [
        (("number", DataType::Int64, true), "the column number Int64 of table spans, and the live plugin number Int32"),
        (("number", DataType::Int32, false), "the column number Int32 not null of table spans"),
    ] {
        // Leave to drop a column is none to change one.
        let refused = check_columns(&live, &table(&[id.clone(), text.clone(), changed]), true).unwrap_err();
        assert!(refused.contains(told), "{refused}");
    }
}
