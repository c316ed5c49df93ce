use std::sync::Arc;

use arrow_array::builder::{
    Int32Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder, StringDictionaryBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Float64Array, PrimitiveArray, StringArray, StructArray, new_null_array,
};
use arrow_schema::{Field, Fields, Schema};
use proptest::prelude::*;

use super::*;

/// The columns as an honest guest would give them.
fn tell(batch: &RecordBatch) -> guest::RecordBatchResult {
    let mut told = guest::RecordBatchResult { rows: batch.num_rows() as u32, nodes: vec![], buffers: vec![] };
    batch.columns().iter().for_each(|column| tell_data(&column.to_data(), &mut told));
    told
}

fn tell_data(data: &ArrayData, told: &mut guest::RecordBatchResult) {
    assert_eq!(data.offset(), 0, "not sliced");
    told.nodes.push(guest::Node { length: data.len() as u32, null_count: data.null_count() as u32 });
    told.buffers.push(data.nulls().map(|nulls| nulls.buffer().to_vec()).unwrap_or_default());
    told.buffers.extend(data.buffers().iter().map(|buffer| buffer.to_vec()));
    data.child_data().iter().for_each(|child| tell_data(child, told));
}

/// A batch of every type of the contract, with nulls, of so many rows.
pub(crate) fn every_type(rows: usize) -> RecordBatch {
    let mut kinds = StringDictionaryBuilder::<Int32Type>::new();
    let mut lists = ListBuilder::new(Int64Builder::new());
    let names = arrow_array::builder::MapFieldNames::default();
    let mut tags = MapBuilder::new(Some(names), StringDictionaryBuilder::<Int32Type>::new(), StringBuilder::new());
    for i in 0..rows {
        kinds.append_option((i % 5 != 0).then_some(["SERVER", "CLIENT"][i % 2]));
        lists.append_option((i % 4 != 0).then(|| (0..i as i64 % 7).map(Some)));
        for j in 0..i % 3 {
            tags.keys().append_value(["http.route", "größe", "k"][(i + j) % 3]);
            tags.values().append_option((j != 1).then(|| format!("v{i}")));
        }
        tags.append(i % 6 != 5).unwrap();
    }
    let some = |i: &usize| !i.is_multiple_of(3);
    let text: StringArray = (0..rows).map(|i| some(&i).then(|| format!("op-{i}-ü"))).collect();
    let bytes: BinaryArray = (0..rows).map(|i| some(&i).then(|| vec![i as u8, 0xFF])).collect();
    let flags: BooleanArray = (0..rows).map(|i| some(&i).then_some(i % 2 == 0)).collect();
    let times: PrimitiveArray<TimestampMicrosecondType> = (0..rows as i64).map(Some).collect();
    let numbers: Float64Array = (0..rows).map(|i| some(&i).then_some(i as f64)).collect();
    let mut small = Int32Builder::new();
    (0..rows).for_each(|i| small.append_value(i as i32));
    let fields =
        Fields::from(vec![Field::new("flag", DataType::Boolean, true), Field::new("text", DataType::Utf8, true)]);
    let parts: Vec<ArrayRef> = vec![Arc::new(flags), Arc::new(text.clone())];
    let nulls = (rows > 0).then(|| NullBuffer::from_iter((0..rows).map(|i| i % 9 != 8)));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("time", Arc::new(times.with_timezone("+00:00"))),
        ("text", Arc::new(text)),
        ("kind", Arc::new(kinds.finish())),
        ("tags", Arc::new(tags.finish())),
        ("list", Arc::new(lists.finish())),
        ("pair", Arc::new(StructArray::try_new_with_length(fields, parts, nulls, rows).unwrap())),
        ("bytes", Arc::new(bytes)),
        ("number", Arc::new(numbers)),
        ("small", Arc::new(small.finish())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| {
        let nullable = !matches!(name, "time" | "small");
        (name, column, nullable)
    }))
    .unwrap()
}

fn believe(schema: &SchemaRef, told: guest::RecordBatchResult) -> Result<RecordBatch, String> {
    record_batch(schema, told, &mut 0)
}

#[test]
fn every_type_comes_through_unchanged() {
    for rows in [0, 1, 7, 8, 9, 64, 1000] {
        let batch = every_type(rows);
        assert_eq!(believe(&batch.schema(), tell(&batch)).unwrap(), batch, "{rows} rows");
    }
}

#[test]
fn buffers_of_an_empty_batch_may_all_be_empty() {
    let batch = every_type(0);
    let mut told = tell(&batch);
    told.buffers.iter_mut().for_each(Vec::clear);
    assert_eq!(believe(&batch.schema(), told).unwrap(), batch);
}

#[test]
fn longer_buffers_than_needed_are_cut_and_not_held() {
    let batch = every_type(100);
    let mut told = tell(&batch);
    told.buffers.iter_mut().filter(|b| !b.is_empty()).for_each(|b| b.resize(1 << 20, 0xAA));
    let believed = believe(&batch.schema(), told).unwrap();
    assert_eq!(believed, batch);
    assert!(believed.get_array_memory_size() < 1 << 20);
}

#[test]
fn buffers_that_are_not_aligned_are_copied() {
    let bytes: Vec<u8> = (0..64).collect();
    let shifted = Buffer::from_vec(bytes.clone()).slice(1);
    assert!(!shifted.as_ptr().addr().is_multiple_of(8));
    let aligned = adopt(bytes.clone(), 64, 8);
    assert!(aligned.as_ptr().addr().is_multiple_of(8));
    assert_eq!(aligned.as_slice(), bytes);
}

fn text_column(values: &[&[u8]]) -> (SchemaRef, guest::RecordBatchResult) {
    let array = BinaryArray::from_iter_values(values);
    let data = RecordBatch::try_from_iter_with_nullable([("t", Arc::new(array) as ArrayRef, true)]).unwrap();
    (Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8, true)])), tell(&data))
}

#[test]
fn invalid_utf8_is_mended_in_its_own_value_only() {
    let (schema, told) =
        text_column(&[b"plain", b"a\xFFb\xC3", "ü".as_bytes(), b"\xE2\x82", b"", "\u{FFFD}".as_bytes()]);
    let mut repaired = 0;
    let batch = record_batch(&schema, told, &mut repaired).unwrap();
    let text: Vec<_> = batch.column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(text, ["plain", "a\u{FFFD}b\u{FFFD}", "ü", "\u{FFFD}", "", "\u{FFFD}"]);
    assert_eq!(repaired, 2);
}

#[test]
fn a_character_that_is_cut_by_an_offset_is_mended_on_both_sides() {
    let (schema, mut told) = text_column(&["aü".as_bytes(), b"b"]);
    told.buffers[1][4..8].copy_from_slice(&2_i32.to_le_bytes());
    let mut repaired = 0;
    let batch = record_batch(&schema, told, &mut repaired).unwrap();
    let text: Vec<_> = batch.column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(text, ["a\u{FFFD}", "\u{FFFD}b"]);
    assert_eq!(repaired, 2);
}

#[test]
fn what_stands_under_a_null_is_not_counted_as_mended() {
    let (schema, mut told) = text_column(&[b"\xFF", b"x"]);
    told.nodes[0].null_count = 1;
    told.buffers[0] = vec![0b10];
    let mut repaired = 0;
    let batch = record_batch(&schema, told, &mut repaired).unwrap();
    assert_eq!(batch.column(0).as_string::<i32>().iter().collect::<Vec<_>>(), [None, Some("x")]);
    assert_eq!(repaired, 0);
}

#[test]
fn offsets_need_not_begin_at_zero_and_what_is_outside_is_not_text() {
    let (schema, mut told) = text_column(&[b"\xFF\xFF", b"ab", b"\xFF"]);
    told.rows = 1;
    told.nodes[0].length = 1;
    told.buffers[1].drain(..4);
    let mut repaired = 0;
    let batch = record_batch(&schema, told, &mut repaired).unwrap();
    assert_eq!(batch.column(0).as_string::<i32>().value(0), "ab");
    assert_eq!(repaired, 0);
}

#[test]
fn keys_under_nulls_become_zero_and_other_wrong_keys_are_refused() {
    let kinds: ArrayRef =
        Arc::new([Some("a"), None, Some("b")].into_iter().collect::<arrow_array::DictionaryArray<Int32Type>>());
    let batch = RecordBatch::try_from_iter_with_nullable([("k", kinds, true)]).unwrap();
    let mut told = tell(&batch);
    told.buffers[1][4..8].copy_from_slice(&i32::MIN.to_le_bytes());
    let believed = believe(&batch.schema(), told.clone()).unwrap();
    assert_eq!(believed.column(0).as_dictionary::<Int32Type>().keys().values(), &[0, 0, 1]);
    told.buffers[1][8..12].copy_from_slice(&2_i32.to_le_bytes());
    assert_eq!(believe(&batch.schema(), told).unwrap_err(), "column k: key 2 at 2, and its dictionary has 2 values");
}

#[test]
fn a_child_may_be_null_only_where_its_struct_is() {
    let part = Field::new("n", DataType::Int32, false);
    let field = Field::new("s", DataType::Struct(Fields::from(vec![part])), true);
    let schema: SchemaRef = Arc::new(Schema::new(vec![field]));
    let told = |parent: (u32, Vec<u8>), child: u8| guest::RecordBatchResult {
        rows: 2,
        nodes: vec![guest::Node { length: 2, null_count: parent.0 }, guest::Node { length: 2, null_count: 1 }],
        buffers: vec![parent.1, vec![child], vec![0; 8]],
    };
    assert!(believe(&schema, told((1, vec![0b01]), 0b01)).is_ok());
    assert!(believe(&schema, told((1, vec![0b01]), 0b10)).unwrap_err().contains("column s"));
    assert_eq!(believe(&schema, told((0, vec![]), 0b10)).unwrap_err(), "column s.n: it has 1 nulls and may have none");
}

#[test]
fn a_column_of_nulls_over_an_empty_dictionary_is_valid() {
    let kinds = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let batch = RecordBatch::try_from_iter_with_nullable([("k", new_null_array(&kinds, 3), true)]).unwrap();
    let mut told = tell(&batch);
    told.nodes[1] = guest::Node { length: 0, null_count: 0 };
    told.buffers[2..].iter_mut().for_each(Vec::clear);
    assert_eq!(believe(&batch.schema(), told).unwrap().column(0).logical_null_count(), 3);
}

/// One change to an honest batch.
#[derive(Clone, Debug)]
enum Lie {
    Rows(u32),
    Length(usize, u32),
    Nulls(usize, u32),
    Byte(usize, usize, u8),
    Word(usize, usize, i32),
    Cut(usize, usize),
    Grow(usize, usize),
    Swap(usize, usize),
    DropNode,
    DropBuffer,
}

fn lie() -> impl Strategy<Value = Lie> {
    let small = || prop_oneof![0_u32..40, Just(u32::MAX), Just(1 << 31), any::<u32>()];
    let word = || prop_oneof![-3_i32..60, Just(i32::MAX), Just(i32::MIN), any::<i32>()];
    let at = || 0_usize..64;
    prop_oneof![
        small().prop_map(Lie::Rows),
        (at(), small()).prop_map(|(a, b)| Lie::Length(a, b)),
        (at(), small()).prop_map(|(a, b)| Lie::Nulls(a, b)),
        (at(), any::<usize>(), any::<u8>()).prop_map(|(a, b, c)| Lie::Byte(a, b, c)),
        (at(), any::<usize>(), word()).prop_map(|(a, b, c)| Lie::Word(a, b, c)),
        (at(), any::<usize>()).prop_map(|(a, b)| Lie::Cut(a, b)),
        (at(), 0_usize..100).prop_map(|(a, b)| Lie::Grow(a, b)),
        (at(), at()).prop_map(|(a, b)| Lie::Swap(a, b)),
        Just(Lie::DropNode),
        Just(Lie::DropBuffer),
    ]
}

fn apply(lie: &Lie, told: &mut guest::RecordBatchResult) {
    let (nodes, buffers) = (told.nodes.len().max(1), told.buffers.len().max(1));
    match *lie {
        Lie::Rows(rows) => told.rows = rows,
        Lie::Length(node, length) => told.nodes.get_mut(node % nodes).into_iter().for_each(|n| n.length = length),
        Lie::Nulls(node, count) => told.nodes.get_mut(node % nodes).into_iter().for_each(|n| n.null_count = count),
        Lie::Byte(buffer, at, byte) => {
            if let Some(b) = told.buffers.get_mut(buffer % buffers).filter(|b| !b.is_empty()) {
                let at = at % b.len();
                b[at] = byte;
            }
        }
        Lie::Word(buffer, at, word) => {
            if let Some(b) = told.buffers.get_mut(buffer % buffers).filter(|b| b.len() >= 4) {
                let at = at % (b.len() / 4) * 4;
                b[at..at + 4].copy_from_slice(&word.to_le_bytes());
            }
        }
        Lie::Cut(buffer, at) => {
            told.buffers.get_mut(buffer % buffers).into_iter().for_each(|b| b.truncate(at % (b.len() + 1)))
        }
        Lie::Grow(buffer, by) => {
            told.buffers.get_mut(buffer % buffers).into_iter().for_each(|b| b.resize(b.len() + by, 0xA5));
        }
        Lie::Swap(a, b) => told.buffers.swap(a % buffers, b % buffers),
        Lie::DropNode => drop(told.nodes.pop()),
        Lie::DropBuffer => drop(told.buffers.pop()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_lie_panics_and_what_is_believed_is_valid(
        rows in 0_usize..40,
        lies in proptest::collection::vec(lie(), 1..4),
    ) {
        let batch = every_type(rows);
        let mut told = tell(&batch);
        lies.iter().for_each(|lie| apply(lie, &mut told));
        if let Ok(believed) = believe(&batch.schema(), told) {
            for column in believed.columns() {
                prop_assert!(column.to_data().validate_full().is_ok());
            }
            // Whoever reads it later does not panic either.
            let shown = format!("{believed:?}");
            prop_assert!(!shown.is_empty());
        }
    }

    #[test]
    fn any_bytes_become_text(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 0..20)) {
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let (schema, told) = text_column(&values);
        let mut repaired = 0;
        let batch = record_batch(&schema, told, &mut repaired).unwrap();
        let expected: Vec<_> = values.iter().map(|v| String::from_utf8_lossy(v)).collect();
        let text: Vec<_> = batch.column(0).as_string::<i32>().iter().flatten().collect();
        prop_assert_eq!(text, expected);
        let invalid = values.iter().filter(|v| std::str::from_utf8(v).is_err()).count();
        prop_assert_eq!(repaired, invalid as u64);
    }
}
