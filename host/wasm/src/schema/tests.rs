use super::*;

fn field(name: &str, type_: Kind, nullable: bool, children: u32) -> guest::FieldResult {
    guest::FieldResult { name: name.to_owned(), type_, nullable, doc: String::new(), children }
}

fn one(fields: Vec<guest::FieldResult>) -> Result<Schema, String> {
    let given = [guest::TableResult { name: "t".to_owned(), doc: String::new(), fields }];
    tables(&given).map(|mut tables| tables.remove(0).schema.as_ref().clone())
}

#[test]
fn every_type_has_its_arrow_type() {
    let schema = one(vec![
        field("a", Kind::Boolean, true, 0),
        field("b", Kind::Date, false, 0),
        field("c", Kind::TimestampUtc, false, 0),
        field("d", Kind::TimestampLocal, true, 0),
        field("e", Kind::List, true, 1),
        field("element", Kind::Struct, false, 2),
        field("x", Kind::Binary, true, 0),
        field("m", Kind::Map, true, 1),
        field("entries", Kind::Struct, false, 2),
        field("key", Kind::Dictionary, false, 1),
        field("values", Kind::Utf8, false, 0),
        field("value", Kind::Float32, true, 0),
        field("f", Kind::Int64, true, 0),
    ])
    .unwrap();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let entries = DataType::Struct(Fields::from(vec![
        Field::new("key", dictionary, false),
        Field::new("value", DataType::Float32, true),
    ]));
    let element = DataType::Struct(Fields::from(vec![
        Field::new("x", DataType::Binary, true),
        Field::new("m", DataType::Map(Arc::new(Field::new("entries", entries, false)), false), true),
    ]));
    let expected = Schema::new(vec![
        Field::new("a", DataType::Boolean, true),
        Field::new("b", DataType::Date32, false),
        Field::new("c", DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())), false),
        Field::new("d", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("e", DataType::List(Arc::new(Field::new("element", element, false))), true),
        Field::new("f", DataType::Int64, true),
    ]);
    assert_eq!(schema, expected);
}

#[test]
fn what_cannot_be_is_refused_with_the_field_and_the_reason() {
    let utf8 = |name: &str| field(name, Kind::Utf8, true, 0);
    let long = "x".repeat(256);
    for (fields, says) in [
        (vec![], "it has no column"),
        (vec![utf8("")], "it has no name"),
        (vec![utf8(&long)], "its name has 256 bytes"),
        (vec![utf8("a\nb")], "control character"),
        (vec![utf8("a"), utf8("a")], "two fields beside each other are called a"),
        (vec![field("a", Kind::Int32, true, 1), utf8("b")], "field a: only lists, structs, maps and dictionaries"),
        (vec![field("a", Kind::List, true, 0)], "field a: a list has one child"),
        (vec![field("a", Kind::List, true, 2), utf8("b"), utf8("c")], "field a: a list has one child"),
        (vec![field("a", Kind::Struct, true, 0)], "field a: a struct has at least one child"),
        (vec![field("a", Kind::Struct, true, 2), utf8("b"), utf8("b")], "field a: two fields beside each other"),
        (vec![field("a", Kind::Struct, true, 3), utf8("b"), utf8("c")], "it has 3 children, and 2 fields follow"),
        (vec![field("a", Kind::Map, true, 1), utf8("b")], "field a: the child of a map is a struct"),
        (vec![field("a", Kind::Dictionary, true, 1), field("b", Kind::Int64, true, 0)], "utf8 or binary"),
    ] {
        let error = one(fields).unwrap_err();
        assert!(error.contains(says), "{error:?} does not say {says:?}");
    }
}

#[test]
fn a_map_is_held_to_its_shape() {
    let map = |entries_nullable, key_nullable, key: Kind, key_children, parts| {
        let mut fields = vec![
            field("m", Kind::Map, true, 1),
            field("entries", Kind::Struct, entries_nullable, parts),
            field("key", key, key_nullable, key_children),
        ];
        fields.extend((0..key_children).map(|_| field("element", Kind::Utf8, false, 0)));
        fields.extend((1..parts).map(|i| field(&format!("v{i}"), Kind::Utf8, true, 0)));
        one(fields)
    };
    assert!(map(false, false, Kind::Utf8, 0, 2).is_ok());
    assert!(map(true, false, Kind::Utf8, 0, 2).unwrap_err().contains("entries of a map are not nullable"));
    assert!(map(false, true, Kind::Utf8, 0, 2).unwrap_err().contains("key of a map is not nullable"));
    assert!(map(false, false, Kind::List, 1, 2).unwrap_err().contains("key of a map is not nested"));
    assert!(map(false, false, Kind::Utf8, 0, 3).unwrap_err().contains("they have 3 fields"));
}

#[test]
fn tables_have_names_of_their_own() {
    let table = || guest::TableResult {
        name: "t".to_owned(),
        doc: String::new(),
        fields: vec![field("a", Kind::Date, true, 0)],
    };
    assert_eq!(tables(&[table(), table()]).unwrap_err(), "two tables are called t");
}
