use arrow::array::{DictionaryArray, Int64Array, StringArray};
use arrow::datatypes::{Field, Int32Type};
use bytes::Bytes;
use weir_pipeline::transform::{Effort, Failure, Message, Output, Rejection, TableRows};

use super::*;

/// Gives a row for each byte of a message, `n` and its text; refuses `!`, fails at `#`.
#[derive(Debug)]
struct Bytewise {
    schema: Arc<Schema>,
    plus: i64,
    refuses: u8,
}

impl Bytewise {
    fn side(columns: Vec<Field>, plus: i64, refuses: u8) -> Side<Self, Plain> {
        let schema = Arc::new(Schema::new(columns));
        let table = TableSchema { name: "bytes".into(), doc: String::new(), schema: Arc::clone(&schema) };
        Side::new(Self { schema, plus, refuses }, Plain, vec![table])
    }
}

impl Stage for Bytewise {
    fn call(&mut self, _: &str, _: i32, messages: &[Message<'_>], _: Effort) -> Result<Output, Failure> {
        let value = messages[0].value;
        if value == b"#" {
            return Err(Failure::Trap("#".into()));
        }
        let refused = value == [self.refuses];
        let value = if refused { &[] } else { value };
        let numbers = Int64Array::from_iter_values(value.iter().map(|b| i64::from(*b) + self.plus));
        let texts = value.iter().map(|b| char::from(*b).to_string());
        let texts: ArrayRef = match self.schema.field(1).data_type() {
            DataType::Utf8 => Arc::new(StringArray::from_iter_values(texts)),
            _ => Arc::new(
                texts.collect::<Vec<_>>().iter().map(|t| Some(t.as_str())).collect::<DictionaryArray<Int32Type>>(),
            ),
        };
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), vec![Arc::new(numbers), texts]).unwrap();
        let rejections = refused.then(|| Rejection { index: 0, reason: "no".into(), plugin: None });
        let count = u32::try_from(rows.num_rows()).unwrap();
        let tables = vec![TableRows { rows, rows_per_message: vec![count] }];
        Ok(Output { tables, rejections: rejections.into_iter().collect(), repaired_strings: 0 })
    }
}

#[derive(Debug)]
struct Plain;

impl Codec for Plain {
    fn decode(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<Option<()>, String> {
        Ok(None)
    }

    fn split(&mut self, value: &[u8], _: usize) -> Result<Vec<Vec<u8>>, String> {
        Ok(vec![value.to_vec()])
    }
}

fn fields(texts: DataType) -> Vec<Field> {
    vec![Field::new("n", DataType::Int64, false), Field::new("text", texts, true)]
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn records(values: &[&'static str]) -> Vec<(TopicPartition, Record)> {
    let record = |(offset, value): (i64, &&'static str)| {
        let value = Some(Bytes::from_static(value.as_bytes()));
        let record = Record { offset, timestamp_ms: None, key: None, value, headers: Vec::new() };
        (TopicPartition::new("t", 0), record)
    };
    (0..).zip(values).map(record).collect()
}

#[test]
fn the_same_rows_are_alike_however_they_are_encoded() {
    let (mut old, mut new) =
        (Bytewise::side(fields(DataType::Utf8), 0, b'!'), Bytewise::side(fields(dictionary()), 0, b'!'));
    let found = compare(&mut old, &mut new, &records(&["ab", "!", "#", "c"])).unwrap();
    assert!(found.is_alike(), "{found:?}");
    assert_eq!((found.records, found.tables["bytes"].rows), (4, (3, 3)));
}

#[test]
fn other_values_refusals_and_columns_are_counted_and_the_first_is_shown() {
    let mut wider = fields(DataType::Utf8);
    wider[0] = Field::new("n", DataType::Int64, true);
    let (mut old, mut new) = (Bytewise::side(fields(dictionary()), 0, b'!'), Bytewise::side(wider, 1, b'?'));
    let found = compare(&mut old, &mut new, &records(&["ab", "!", "?", "#"])).unwrap();
    assert_eq!(found.schema, ["bytes: n Int64 not null -> n Int64"]);
    let table = &found.tables["bytes"];
    assert_eq!(table.columns.keys().collect::<Vec<_>>(), ["n"]);
    assert_eq!(table.columns["n"], Difference { count: 2, first: "t/0@0 row 0: 97 -> 98".into() });
    assert_eq!(found.taken, Difference { count: 1, first: "t/0@1: no".into() });
    assert_eq!(found.refused, Difference { count: 1, first: "t/0@2: no".into() });
    assert_eq!(found.other_reason, Difference::default());
    assert!(!found.is_alike());
}

#[test]
fn tables_and_columns_that_only_one_has_are_named() {
    let table = |name: &str, columns| TableSchema {
        name: name.into(),
        doc: String::new(),
        schema: Arc::new(Schema::new(columns)),
    };
    let (a, b) = (fields(DataType::Utf8), vec![Field::new("n", DataType::Utf8, false)]);
    let lines = schemas(&[table("x", a.clone()), table("y", a.clone())], &[table("x", b), table("z", a)]);
    assert_eq!(
        lines,
        ["x: n Int64 not null -> n Utf8 not null", "x: - text Utf8", "y: the table is gone", "z: a new table"]
    );
}

#[test]
fn of_long_values_the_part_is_shown_where_they_differ() {
    let (old, new) = (format!("{}a{}", "x".repeat(100), "y".repeat(100)), format!("{}b", "x".repeat(100)));
    let (old, new) = apart(&old, &new);
    assert_eq!(new, format!("...{}b", "x".repeat(20)));
    assert_eq!(old, format!("...{}a{}...", "x".repeat(20), "y".repeat(39)));
    assert_eq!(apart("1", "NULL"), ("1".into(), "NULL".into()));
}
