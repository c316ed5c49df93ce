use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float32Array, Int32Array, MapArray, RecordBatch, StringArray, StructArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{Fields, Schema as ArrowSchema};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::*;

fn plugin(fields: Vec<Field>) -> TableSchema {
    TableSchema { name: "t".into(), doc: String::new(), schema: Arc::new(ArrowSchema::new(fields)) }
}

fn table(fields: Vec<NestedField>) -> Schema {
    Schema::builder().with_fields(fields.into_iter().map(Arc::new)).build().unwrap()
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn map(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

fn documented(field: Field, doc: &str) -> Field {
    field.with_metadata(HashMap::from([("doc".to_string(), doc.to_string())]))
}

#[test]
fn a_new_table_has_the_plugins_columns_comments_and_fresh_ids() {
    let event = Fields::from(vec![
        documented(Field::new("at", utc(), true), "when it happened"),
        Field::new("attributes", map(dictionary(), DataType::Utf8), true),
    ]);
    let schema = create_schema(&plugin(vec![
        documented(Field::new("time", utc(), false), "when it began"),
        Field::new("service", dictionary(), true),
        Field::new("events", DataType::List(Arc::new(Field::new("item", DataType::Struct(event), true))), true),
        Field::new("local", DataType::Timestamp(TimeUnit::Microsecond, None), true),
    ]))
    .unwrap();
    let name = |id| schema.name_by_field_id(id).unwrap();
    assert_eq!((1..=4).map(name).collect::<Vec<_>>(), ["time", "service", "events", "local"]);
    assert_eq!(name(5), "events.element");
    assert_eq!(name(6), "events.element.at");
    assert_eq!(name(9), "events.element.attributes.value");
    let kind = |id: i32| schema.field_by_id(id).unwrap().field_type.to_string();
    assert_eq!((kind(1), kind(2), kind(4)), ("timestamptz".into(), "string".into(), "timestamp".into()));
    assert!(schema.field_by_id(1).unwrap().required && !schema.field_by_id(2).unwrap().required);
    assert_eq!(schema.field_by_id(1).unwrap().doc.as_deref(), Some("when it began"));
    assert_eq!(schema.field_by_id(6).unwrap().doc.as_deref(), Some("when it happened"));
}

#[test]
fn what_no_table_can_hold_is_refused_by_name() {
    let inside = Fields::from(vec![Field::new("wait", DataType::Duration(TimeUnit::Second), true)]);
    let error = create_schema(&plugin(vec![Field::new("s", DataType::Struct(inside), true)])).unwrap_err();
    assert!(error.to_string().starts_with("column s.wait has type Duration"), "{error}");
    let twice = plugin(vec![Field::new("a", DataType::Int32, true), Field::new("a", DataType::Int64, true)]);
    assert_eq!(create_schema(&twice).unwrap_err(), SchemaError::Duplicate("a".to_string()));
}

fn optional(id: i32, name: &str, p: PrimitiveType) -> NestedField {
    NestedField::optional(id, name, Type::Primitive(p))
}

#[test]
fn columns_that_do_not_fit_are_refused_with_both_types() {
    use PrimitiveType as P;
    let local = DataType::Timestamp(TimeUnit::Microsecond, None);
    let cases = [
        (
            DataType::Int64,
            P::Int,
            "column c is int in the table and long in the plugin: the table's is the narrower one",
        ),
        (DataType::Float64, P::Float, "column c is float in the table and double in the plugin: the table's is the"),
        (DataType::Int32, P::Double, "column c is double in the table and int in the plugin"),
        (DataType::Utf8, P::Binary, "column c is binary in the table and string in the plugin"),
        (dictionary(), P::Long, "column c is long in the table and string in the plugin"),
        (utc(), P::Timestamp, "column c is timestamp in the table and timestamptz in the plugin: a point in time"),
        (local, P::Timestamptz, "column c is timestamptz in the table and timestamp in the plugin: a clock without"),
        (utc(), P::TimestamptzNs, "column c is timestamptz_ns in the table and timestamptz in the plugin"),
        (map(DataType::Utf8, DataType::Utf8), P::String, "column c is string in the table and map"),
    ];
    for (ours, theirs, message) in cases {
        let error = reconcile(
            &table(vec![optional(7, "c", theirs)]),
            &Former::default(),
            &plugin(vec![Field::new("c", ours, true)]),
        );
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}\nnot {message}");
    }
}

#[test]
fn what_one_side_requires_the_other_must_give() {
    let string = PrimitiveType::String;
    let required = NestedField::required(1, "a", Type::Primitive(string.clone()));
    let ours = |name: &str, nullable| plugin(vec![Field::new(name, DataType::Utf8, nullable)]);
    let refusal = |table: &Schema, plugin: &TableSchema| reconcile(table, &Former::default(), plugin).unwrap_err();
    assert_eq!(
        refusal(&table(vec![required.clone()]), &ours("b", true)),
        SchemaError::NotGiven { column: "a".into(), theirs: "string".into() }
    );
    assert_eq!(refusal(&table(vec![required.clone()]), &ours("a", true)), SchemaError::MayBeNull("a".into()));
    assert_eq!(
        refusal(&table(vec![optional(1, "a", string)]), &ours("b", false)),
        SchemaError::CannotAdd { column: "b".into(), ours: "Utf8".into() }
    );
    assert!(reconcile(&table(vec![required]), &Former::default(), &ours("a", false)).unwrap().missing.is_empty());
    // Another case is another name.
    let other_case =
        reconcile(&table(vec![optional(1, "A", PrimitiveType::String)]), &Former::default(), &ours("a", true)).unwrap();
    assert_eq!(other_case.missing[0].name, "a");
}

#[test]
fn missing_columns_are_added_behind_the_others_at_any_depth() {
    let inside = StructType::new(vec![Arc::new(optional(5, "at", PrimitiveType::Timestamptz))]);
    let element = NestedField::list_element(4, Type::Struct(inside), false);
    let events = NestedField::optional(3, "events", Type::List(ListType::new(Arc::new(element))));
    let table = table(vec![optional(1, "x", PrimitiveType::Long), events]);
    let event = Fields::from(vec![Field::new("name", dictionary(), true), Field::new("at", utc(), true)]);
    let plugin = plugin(vec![
        documented(Field::new("attributes", map(dictionary(), DataType::Utf8), true), "what the span says"),
        Field::new("events", DataType::List(Arc::new(Field::new("item", DataType::Struct(event), true))), true),
    ]);
    let found = reconcile(&table, &Former::default(), &plugin).unwrap();
    assert_eq!(found.missing.iter().map(|m| &*m.name).collect::<Vec<_>>(), ["events.element.name", "attributes"]);

    let grown = add_columns(&table, 10, &found.missing).unwrap();
    let ids = ["x", "events", "events.element.at", "events.element.name", "attributes", "attributes.value"];
    assert_eq!(ids.map(|n| grown.field_id_by_name(n).unwrap()), [1, 3, 5, 11, 12, 14]);
    assert_eq!(grown.field_by_id(12).unwrap().doc.as_deref(), Some("what the span says"));
    let again = reconcile(&grown, &Former::default(), &plugin).unwrap();
    assert!(again.missing.is_empty());
    let names: Vec<_> = again.mapping.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["x", "events", "attributes"]);
}

#[test]
fn rows_become_the_tables_by_name_with_its_ids_and_widened() {
    let pair = StructType::new(vec![
        Arc::new(optional(6, "not_given", PrimitiveType::Date)),
        Arc::new(optional(7, "n", PrimitiveType::Long)),
    ]);
    let table = table(vec![
        optional(5, "double", PrimitiveType::Double),
        optional(4, "not_given", PrimitiveType::String),
        NestedField::optional(3, "pair", Type::Struct(pair)),
        optional(2, "long", PrimitiveType::Long),
        optional(1, "text", PrimitiveType::String),
    ]);
    let inside = Fields::from(vec![Field::new("n", DataType::Int32, false)]);
    let plugin = plugin(vec![
        Field::new("text", dictionary(), false),
        Field::new("long", DataType::Int32, true),
        Field::new("double", DataType::Float32, true),
        Field::new("pair", DataType::Struct(inside.clone()), true),
    ]);
    let mapping = reconcile(&table, &Former::default(), &plugin).unwrap().mapping;
    let text: DictionaryArray<Int32Type> = ["x", "", "x"].into_iter().collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(text),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)])),
        Arc::new(Float32Array::from(vec![Some(0.5), None, Some(f32::NAN)])),
        Arc::new(StructArray::new(inside, vec![Arc::new(Int32Array::from(vec![1, 2, 3]))], None)),
    ];
    let rows = mapping.apply(&RecordBatch::try_new(Arc::clone(&plugin.schema), columns).unwrap()).unwrap();

    let ids = |f: &Field| f.metadata()[PARQUET_FIELD_ID_META_KEY].clone();
    assert_eq!(mapping.schema().fields().iter().map(|f| ids(f)).collect::<Vec<_>>(), ["5", "4", "3", "2", "1"]);
    let doubles = rows.column(0).as_primitive::<Float64Type>();
    assert!(doubles.value(0) == 0.5 && doubles.is_null(1) && doubles.value(2).is_nan());
    assert_eq!(rows.column(1).null_count(), 3);
    let pair = rows.column(2).as_struct();
    assert_eq!(pair.column(0).null_count(), 3);
    assert_eq!(pair.column(1).as_primitive::<Int64Type>().values(), &[1, 2, 3]);
    let longs = rows.column(3).as_primitive::<Int64Type>();
    assert_eq!((longs.value(0), longs.is_null(1), longs.value(2)), (i32::MIN.into(), true, i32::MAX.into()));
    let text = rows.column(4).as_dictionary::<Int32Type>();
    assert_eq!(text.values().as_binary::<i32>().iter().collect::<Vec<_>>(), [Some(&b"x"[..]), Some(b"")]);
}

#[test]
fn a_dictionary_with_a_null_among_its_values_is_cleared_of_it() {
    let plugin = plugin(vec![Field::new("c", dictionary(), true)]);
    let schema = create_schema(&plugin).unwrap();
    let mapping = reconcile(&schema, &Former::default(), &plugin).unwrap().mapping;
    let values = Arc::new(StringArray::from(vec![Some("a"), None]));
    let column = DictionaryArray::<Int32Type>::new(Int32Array::from(vec![Some(1), Some(0), None]), values);
    let rows = RecordBatch::try_new(Arc::clone(&plugin.schema), vec![Arc::new(column)]).unwrap();
    let mapped = mapping.apply(&rows).unwrap();
    let column = mapped.column(0).as_dictionary::<Int32Type>();
    assert_eq!(column.values().null_count(), 0);
    assert_eq!((0..3).map(|i| column.is_null(i)).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn rows_that_break_the_promise_are_refused() {
    let plugin = plugin(vec![Field::new("c", map(DataType::Utf8, DataType::Utf8), true)]);
    let mapping = reconcile(&create_schema(&plugin).unwrap(), &Former::default(), &plugin).unwrap().mapping;
    let other = RecordBatch::try_from_iter([("c", Arc::new(Int32Array::from(vec![1])) as ArrayRef)]).unwrap();
    let error = mapping.apply(&other).unwrap_err().to_string();
    assert!(error.contains("column c is Int32, not c Map"), "{error}");

    let DataType::Map(entries, _) = plugin.schema.field(0).data_type().clone() else { panic!() };
    let DataType::Struct(fields) = entries.data_type().clone() else { panic!() };
    let pair: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["k"])), Arc::new(StringArray::from(vec!["v"]))];
    let entries_array = StructArray::new(fields, pair, None);
    let maps = MapArray::new(entries, OffsetBuffer::from_lengths([1, 0]), entries_array, None, false);
    let rows = RecordBatch::try_new(Arc::clone(&plugin.schema), vec![Arc::new(maps)]).unwrap();
    assert_eq!(mapping.apply(&rows).unwrap().num_rows(), 2);
}
