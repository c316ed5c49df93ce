use super::*;
use crate::otlp::Attributes;
use crate::testing::Cell;
use crate::{Columns, Output, TableRows, TableSchema, Visit};
use proptest::prelude::*;
use std::collections::HashMap;

/// Reads a column back, by way of a table that has only this column.
fn cells(column: &mut dyn Column) -> Vec<Cell> {
    let rows = column.len();
    let mut schema = TableSchema { name: "t".to_owned(), doc: String::new(), fields: Vec::new() };
    crate::instance::Describe { fields: &mut schema.fields }.column("c", "", column);
    let mut batch = RecordBatch { rows: count(rows), ..RecordBatch::default() };
    let mut fault = None;
    crate::instance::Take { into: &mut batch, parent: "t", expected: Some(rows), fault: &mut fault }
        .column("c", "", column);
    assert_eq!(fault, None);
    assert_eq!(column.len(), 0, "what was taken is gone");
    let output =
        Output { tables: vec![TableRows { rows: batch, rows_per_message: vec![count(rows)] }], rejections: vec![] };
    let read = crate::testing::Rows::read(&[schema], &output).unwrap();
    read.table("t").column("c").to_vec()
}

fn texts(cells: &[Cell]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

#[test]
fn each_column_of_one_size_gives_back_what_was_pushed() {
    let mut column = Int64::new();
    column.push(i64::MIN);
    column.push_again();
    column.push_null();
    column.push_again();
    column.push_option(Some(7));
    assert_eq!(texts(&cells(&mut column)), ["-9223372036854775808", "-9223372036854775808", "null", "null", "7"]);
    let mut column = Float32::required();
    column.push(1.5);
    assert_eq!(cells(&mut column), [Cell::Float(1.5)]);
    let mut column = Boolean::new();
    (0..20).for_each(|n| column.push_option((n % 3 > 0).then_some(n % 3 == 1)));
    column.push_again();
    let read = cells(&mut column);
    assert_eq!(read[..4], [Cell::Null, Cell::Bool(true), Cell::Bool(false), Cell::Null]);
    assert_eq!(read[19..], [Cell::Bool(true), Cell::Bool(true)]);
}

#[test]
fn a_column_without_nulls_has_no_bitmap() {
    let mut column = Int32::new();
    column.push(1);
    column.push_null();
    column.truncate(1);
    column.push(2);
    let mut batch = RecordBatch::default();
    column.take(&mut batch);
    assert_eq!(batch.nodes[0].null_count, 0);
    assert!(batch.buffers[0].is_empty());
}

/// Does to a column what the bits say, and to a plain list beside it.
fn drive<C: Column>(column: &mut C, steps: &[(u8, u8)], push: impl Fn(&mut C, Option<u8>)) -> Vec<Option<u8>> {
    let mut model = Vec::new();
    for (kind, value) in steps {
        match kind % 8 {
            0 => {
                let len = *value as usize % (model.len() + 1);
                column.truncate(len);
                model.truncate(len);
            }
            1 | 2 => {
                push(column, None);
                model.push(None);
            }
            _ => {
                push(column, Some(*value));
                model.push(Some(*value));
            }
        }
    }
    assert_eq!(column.len(), model.len());
    model
}

proptest! {
    /// Whatever is pushed and cut back, in whatever order, the column holds what a list would hold.
    #[test]
    fn columns_hold_what_lists_hold(steps in proptest::collection::vec(any::<(u8, u8)>(), 0..120)) {
        let mut numbers = Int32::new();
        let model = drive(&mut numbers, &steps, |column, value| column.push_option(value.map(i32::from)));
        let expected: Vec<_> = model.iter().map(|value| value.map_or(Cell::Null, |value| Cell::Int(value.into()))).collect();
        prop_assert_eq!(cells(&mut numbers), expected);

        let mut flags = Boolean::new();
        let model = drive(&mut flags, &steps, |column, value| column.push_option(value.map(|value| value > 99)));
        let expected: Vec<_> = model.iter().map(|value| value.map_or(Cell::Null, |value| Cell::Bool(value > 99))).collect();
        prop_assert_eq!(cells(&mut flags), expected);

        let text = |value: u8| "é".repeat(value as usize % 12);
        let expected = |model: &[Option<u8>]| -> Vec<Cell> {
            model.iter().map(|value| value.map_or(Cell::Null, |value| Cell::Text(text(value)))).collect()
        };
        let mut plain = Utf8::new();
        let model = drive(&mut plain, &steps, |column, value| column.push_option(value.map(text).as_deref().map(str::as_bytes)));
        prop_assert_eq!(cells(&mut plain), expected(&model));

        let mut dictionary = Dictionary::new();
        let model = drive(&mut dictionary, &steps, |column, value| column.push_option(value.map(text).as_deref().map(str::as_bytes)));
        prop_assert_eq!(cells(&mut dictionary), expected(&model));

        let mut lists = List::new(Utf8::new());
        let model = drive(&mut lists, &steps, |column, value| match value {
            None => column.push_null(),
            Some(value) => {
                (0..value % 4).for_each(|n| column.items.push(text(n).as_bytes()));
                column.close();
            }
        });
        let list = |value: u8| Cell::List((0..value % 4).map(|n| Cell::Text(text(n))).collect());
        let expected: Vec<_> = model.iter().map(|value| value.map_or(Cell::Null, list)).collect();
        prop_assert_eq!(cells(&mut lists), expected);
    }

    /// A dictionary numbers distinct values from 0 in the order in which they come, however many there are.
    #[test]
    fn a_dictionary_knows_each_value_by_one_number(values in proptest::collection::vec("[a-c]{0,20}", 0..300)) {
        let mut dictionary = Dictionary::new();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for value in &values {
            let next = numbers.len();
            let number = *numbers.entry(value).or_insert(next);
            prop_assert_eq!(dictionary.intern(value.as_bytes()).index(), number);
        }
        prop_assert_eq!(dictionary.distinct(), numbers.len());
    }
}

#[test]
fn a_dictionary_begins_each_batch_with_its_seed() {
    let mut dictionary = Dictionary::seeded(vec![b"a".to_vec(), b"b".to_vec()]);
    for _ in 0..2 {
        assert_eq!(dictionary.intern(b"c").index(), 2);
        assert_eq!(dictionary.intern(b"b").index(), 1);
        dictionary.push(b"c");
        dictionary.push_again();
        assert_eq!(cells(&mut dictionary), [Cell::from("c"), Cell::from("c")]);
    }
}

#[test]
fn a_dictionary_survives_more_values_than_it_keeps_room_for() {
    let mut dictionary = Dictionary::new();
    for round in 0..2 {
        let values: Vec<String> = (0..10_000).map(|n| format!("{round}-{n}")).collect();
        values.iter().for_each(|value| dictionary.push(value.as_bytes()));
        values.iter().rev().for_each(|value| dictionary.push(value.as_bytes()));
        let read = cells(&mut dictionary);
        assert_eq!(read[9_999].text(), read[10_000].text());
        assert_eq!(read[0].text(), Some(values[0].as_str()));
    }
}

#[derive(Default)]
struct Pair {
    a: Int32,
    b: Utf8,
}

impl Columns for Pair {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("a", "", &mut self.a);
        visit.column("b", "", &mut self.b);
    }
}

#[test]
fn structs_in_lists_are_cut_back_with_what_was_begun() {
    let mut column: List<Struct<Pair>> = List::default();
    let push = |column: &mut List<Struct<Pair>>, n: i32| {
        column.items.fields.a.push(n);
        column.items.fields.b.push_null();
        column.items.push();
    };
    push(&mut column, 1);
    push(&mut column, 2);
    column.close();
    push(&mut column, 3);
    column.items.fields.a.push(4);
    column.truncate(1);
    push(&mut column, 5);
    column.close();
    column.items.fields.a.push_null();
    column.items.fields.b.push_null();
    column.items.push_null();
    column.close();
    let expected = [r#"[{"a":1,"b":null},{"a":2,"b":null}]"#, r#"[{"a":5,"b":null}]"#, "[null]"];
    assert_eq!(texts(&cells(&mut column)), expected);
}

#[test]
fn a_map_has_its_entries_and_may_be_missing() {
    let mut column = Map::new(Utf8::required(), Int64::new());
    column.push_entry(|keys, values| {
        keys.push(b"k");
        values.push(1);
    });
    column.close();
    column.push_null();
    column.close();
    assert_eq!(texts(&cells(&mut column)), [r#"{"k":1}"#, "null", "{}"]);
}

/// Attributes of one-letter keys and values.
fn attributes(pairs: &[(u8, u8)]) -> Vec<u8> {
    pairs.iter().flat_map(|(key, value)| [0x0a, 8, 0x0a, 1, *key, 0x12, 3, 0x0a, 1, *value]).collect()
}

#[test]
fn an_attribute_map_keeps_the_last_of_each_key_and_repeats_rows() {
    let mut column: AttributeMap<Dictionary> = AttributeMap::seeded(vec![b"s".to_vec()]);
    let mut oddities = Oddities::default();
    let mut shown = Vec::new();
    let message =
        attributes(b"a1b2a3s4".as_chunks::<2>().0.iter().map(|[k, v]| (*k, *v)).collect::<Vec<_>>().as_slice());
    let keep = |key: Key, _: &crate::otlp::KeyValue<'_>| {
        shown.push(key.index());
        key.index() != 0
    };
    column.push_if(Attributes::new(&message, 1), &mut oddities, keep).unwrap();
    column.push_again();
    column.push(Attributes::new(&attributes(&[(b's', b'5')]), 1), &mut oddities).unwrap();
    column.push(Attributes::new(&[], 1), &mut oddities).unwrap();
    column.push_again();
    assert_eq!(shown, [1, 2, 2, 1, 0], "the seed is number 0, and the second pass shows each key once");
    assert_eq!(oddities, Oddities { duplicate_keys: 1, profile_fields: 0 });
    let row = r#"{"b":"2","a":"3"}"#;
    assert_eq!(texts(&cells(&mut column)), [row, row, r#"{"s":"5"}"#, "{}", "{}"]);
}

#[test]
fn an_attribute_map_cut_back_to_a_row_takes_the_same_keys_again() {
    let mut column: AttributeMap = AttributeMap::new();
    let mut oddities = Oddities::default();
    for _ in 0..3 {
        column.push(Attributes::new(&attributes(&[(b'a', b'1')]), 1), &mut oddities).unwrap();
        column.truncate(1);
    }
    column.push(Attributes::new(&attributes(&[(b'a', b'2')]), 1), &mut oddities).unwrap();
    assert_eq!(oddities.duplicate_keys, 0);
    assert_eq!(texts(&cells(&mut column)), [r#"{"a":"1"}"#, r#"{"a":"2"}"#]);
}
