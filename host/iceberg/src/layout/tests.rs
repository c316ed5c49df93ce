use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray,
    Float64Array, Int32Array, Int64Array, StringArray, StructArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow_schema::DataType;
use iceberg::spec::{
    Datum, FormatVersion, Literal, PrimitiveLiteral, SortField, SortOrder, Struct, TableMetadataBuilder,
    UnboundPartitionSpec,
};
use iceberg::transform::create_transform_function;
use proptest::prelude::*;
use weir_pipeline::transform::TableSchema;

use super::*;
use crate::schema::{Former, Mapping, create_schema, reconcile};

/// A table of a plugin's columns, and how its rows become the table's.
fn table(
    columns: &RecordBatch,
    partition: &[(&str, Transform)],
    sort: &[(&str, SortDirection, NullOrder)],
) -> (TableMetadata, Mapping) {
    let plugin = TableSchema { name: "t".into(), doc: String::new(), schema: columns.schema() };
    let schema = create_schema(&plugin).unwrap();
    let id = |name: &str| schema.field_id_by_name(name).unwrap();
    let mut spec = UnboundPartitionSpec::builder();
    for (index, (name, transform)) in partition.iter().enumerate() {
        spec = spec.add_partition_field(id(name), format!("p{index}"), *transform).unwrap();
    }
    let fields = sort.iter().map(|(name, direction, null_order)| SortField {
        source_id: id(name),
        transform: Transform::Identity,
        direction: *direction,
        null_order: *null_order,
    });
    let order = SortOrder::builder().with_fields(fields.collect::<Vec<_>>()).build(&schema).unwrap();
    let metadata = TableMetadataBuilder::new(
        schema,
        spec.build(),
        order,
        "/nowhere".to_string(),
        FormatVersion::V2,
        HashMap::new(),
    )
    .unwrap()
    .build()
    .unwrap()
    .metadata;
    let mapping = reconcile(metadata.current_schema(), &Former::default(), &plugin).unwrap().mapping;
    (metadata, mapping)
}

fn one(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

fn partitions_of(column: ArrayRef, transform: Transform) -> Vec<Option<Literal>> {
    let batch = one("c", column);
    let (metadata, mapping) = table(&batch, &[("c", transform)], &[]);
    let layout = Layout::new(&metadata, mapping.schema()).unwrap();
    let found = layout.partitions(&mapping.apply(&batch).unwrap()).unwrap();
    assert_eq!(found.counts.iter().map(|c| *c as usize).sum::<usize>(), batch.num_rows());
    let number = |row: usize| found.rows.as_ref().map_or(0, |rows| rows[row] as usize);
    (0..batch.num_rows()).map(|row| found.values[number(row)][0].clone()).collect()
}

fn primitive(literal: Option<&Literal>) -> Option<PrimitiveLiteral> {
    literal.and_then(Literal::as_primitive_literal)
}

/// What the crate `iceberg` makes of each value.
fn expected(values: &[Option<Datum>], transform: Transform) -> Vec<Option<PrimitiveLiteral>> {
    let function = create_transform_function(&transform).unwrap();
    let transformed = |d: &Datum| function.transform_literal(d).unwrap().map(|d| d.literal().clone());
    values.iter().map(|v| v.as_ref().and_then(transformed)).collect()
}

fn assert_same(found: &[Option<Literal>], expected: &[Option<PrimitiveLiteral>], what: Transform) {
    let found: Vec<_> = found.iter().map(|l| primitive(l.as_ref())).collect();
    assert_eq!(found, expected, "{what}");
}

const CALENDAR: [Transform; 3] = [Transform::Year, Transform::Month, Transform::Day];

proptest! {
    #[test]
    fn times_are_partitioned_as_iceberg_does(
        micros in prop::collection::vec(prop::option::of(-200_000_000_000_000_000i64..200_000_000_000_000_000), 1..60)
    ) {
        // Whole seconds: in the last second of a day before 1970 that crate names the day after.
        let micros: Vec<_> = micros.into_iter().map(|m| m.map(|m| if m < 0 { m - m.rem_euclid(1_000_000) } else { m })).collect();
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros.clone()).with_timezone("+00:00"));
        let values: Vec<_> = micros.iter().map(|m| m.map(Datum::timestamptz_micros)).collect();
        let others = [Transform::Hour, Transform::Identity, Transform::Bucket(16)];
        for transform in CALENDAR.into_iter().chain(others) {
            assert_same(&partitions_of(Arc::clone(&column), transform), &expected(&values, transform), transform);
        }
    }

    #[test]
    fn dates_are_partitioned_as_iceberg_does(
        days in prop::collection::vec(prop::option::of(-2_000_000i32..2_000_000), 1..60)
    ) {
        let column: ArrayRef = Arc::new(Date32Array::from(days.clone()));
        let values: Vec<_> = days.iter().map(|d| d.map(Datum::date)).collect();
        for transform in CALENDAR.into_iter().chain([Transform::Identity, Transform::Bucket(7)]) {
            assert_same(&partitions_of(Arc::clone(&column), transform), &expected(&values, transform), transform);
        }
    }

    #[test]
    fn numbers_are_partitioned_as_iceberg_does(
        numbers in prop::collection::vec(prop::option::of(-1_000_000_000i32..1_000_000_000), 1..60)
    ) {
        let ints: ArrayRef = Arc::new(Int32Array::from(numbers.clone()));
        let longs: ArrayRef = Arc::new(Int64Array::from_iter(numbers.iter().map(|n| n.map(|n| i64::from(n) * 77))));
        let int_values: Vec<_> = numbers.iter().map(|n| n.map(Datum::int)).collect();
        let long_values: Vec<_> = numbers.iter().map(|n| n.map(|n| Datum::long(i64::from(n) * 77))).collect();
        for transform in [Transform::Identity, Transform::Bucket(13), Transform::Truncate(10)] {
            assert_same(&partitions_of(Arc::clone(&ints), transform), &expected(&int_values, transform), transform);
            assert_same(&partitions_of(Arc::clone(&longs), transform), &expected(&long_values, transform), transform);
        }
    }

    #[test]
    fn text_is_partitioned_as_iceberg_does_with_and_without_a_dictionary(
        texts in prop::collection::vec(prop::option::of("[aä✓𝄞b]{0,6}"), 1..60)
    ) {
        let plain: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let coded: DictionaryArray<Int32Type> = texts.iter().map(|t| t.as_deref()).collect();
        let values: Vec<_> = texts.iter().map(|t| t.as_ref().map(Datum::string)).collect();
        for transform in [Transform::Identity, Transform::Bucket(5), Transform::Truncate(2)] {
            let expected = expected(&values, transform);
            assert_same(&partitions_of(Arc::clone(&plain), transform), &expected, transform);
            assert_same(&partitions_of(Arc::new(coded.clone()), transform), &expected, transform);
        }
    }

    #[test]
    fn bytes_and_decimals_are_partitioned_as_iceberg_does(
        bytes in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..5)), 1..40),
        unscaled in prop::collection::vec(-99_999_999i128..99_999_999, 1..40),
    ) {
        let column: ArrayRef = Arc::new(BinaryArray::from_iter(bytes.clone()));
        let values: Vec<_> = bytes.iter().map(|b| b.clone().map(Datum::binary)).collect();
        for transform in [Transform::Identity, Transform::Bucket(5)] {
            assert_same(&partitions_of(Arc::clone(&column), transform), &expected(&values, transform), transform);
        }
        let first_two = |b: &Option<Vec<u8>>| b.as_ref().map(|b| PrimitiveLiteral::Binary(b[..b.len().min(2)].to_vec()));
        let truncated: Vec<_> = bytes.iter().map(first_two).collect();
        assert_same(&partitions_of(Arc::clone(&column), Transform::Truncate(2)), &truncated, Transform::Truncate(2));
        let decimals = Decimal128Array::from_iter_values(unscaled.clone()).with_precision_and_scale(9, 2).unwrap();
        let decimal_type = PrimitiveType::Decimal { precision: 9, scale: 2 };
        let datum = |n: &i128| Datum::try_from_bytes(&n.to_be_bytes(), decimal_type.clone()).ok();
        let values: Vec<_> = unscaled.iter().map(datum).collect();
        for transform in [Transform::Bucket(5), Transform::Truncate(50)] {
            assert_same(&partitions_of(Arc::new(decimals.clone()), transform), &expected(&values, transform), transform);
        }
    }
}

#[test]
fn no_time_is_too_far_away() {
    let extremes: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN, -1, 0, i64::MAX]));
    let ints = |transform| {
        let found = partitions_of(Arc::clone(&extremes), transform);
        let int = |l: &Option<Literal>| match primitive(l.as_ref()) {
            Some(PrimitiveLiteral::Int(v)) => v,
            other => panic!("{other:?}"),
        };
        found.iter().map(int).collect::<Vec<_>>()
    };
    assert_eq!(ints(Transform::Day), [-106_751_992, -1, 0, 106_751_991]);
    assert_eq!(ints(Transform::Hour), [i32::MIN, -1, 0, i32::MAX]);
    assert_eq!(ints(Transform::Month)[1..3], [-1, 0]);
    assert_eq!(ints(Transform::Year), [-292_278, -1, 0, 292_277]);
}

#[test]
fn the_hashes_are_those_of_the_specification() {
    // "Appendix B: 32-bit Hash Requirements".
    let bucket = |column| partitions_of(column, Transform::Bucket(1 << 30))[0].clone();
    let of = |hash: i32| Some(Literal::int((hash & i32::MAX) % (1 << 30)));
    assert_eq!(bucket(Arc::new(Int32Array::from(vec![34])) as ArrayRef), of(2_017_239_379));
    assert_eq!(bucket(Arc::new(Int64Array::from(vec![34])) as ArrayRef), of(2_017_239_379));
    assert_eq!(bucket(Arc::new(StringArray::from(vec!["iceberg"])) as ArrayRef), of(1_210_000_089));
    assert_eq!(bucket(Arc::new(BinaryArray::from_iter_values([[0u8, 1, 2, 3]])) as ArrayRef), of(-188_683_207));
    let decimal = Decimal128Array::from(vec![1420]).with_precision_and_scale(9, 2).unwrap();
    assert_eq!(bucket(Arc::new(decimal) as ArrayRef), of(-500_754_589));
}

#[test]
fn partitions_are_the_pairs_that_occur() {
    let services: DictionaryArray<Int32Type> = ["a", "b", "a", "c", "b"].into_iter().collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("service", Arc::new(services) as ArrayRef, true),
        ("code", Arc::new(Int32Array::from(vec![Some(1), None, Some(1), Some(2), None])) as ArrayRef, true),
        ("gone", Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5])) as ArrayRef, true),
    ])
    .unwrap();
    let keys = [("service", Transform::Identity), ("code", Transform::Identity), ("gone", Transform::Void)];
    let (metadata, mapping) = table(&batch, &keys, &[]);
    let layout = Layout::new(&metadata, mapping.schema()).unwrap();
    let found = layout.partitions(&mapping.apply(&batch).unwrap()).unwrap();
    let pair = |s: &str, c: Option<i32>| Struct::from_iter([Some(Literal::string(s)), c.map(Literal::int), None]);
    assert_eq!(found.values, [pair("a", Some(1)), pair("b", None), pair("c", Some(2))]);
    assert_eq!(found.counts, [2, 2, 1]);
    assert_eq!(found.rows, Some(vec![0, 1, 0, 2, 1]));
}

#[test]
fn a_key_inside_a_struct_is_null_where_the_struct_is() {
    let inside: ArrayRef = Arc::new(Int32Array::from(vec![7, 8, 9]));
    let field = Arc::new(Field::new("code", DataType::Int32, true));
    let whole = StructArray::new(vec![field].into(), vec![inside], Some(NullBuffer::from(vec![true, false, true])));
    let batch = one("s", Arc::new(whole));
    let (metadata, mapping) = table(&batch, &[("s.code", Transform::Identity)], &[]);
    let layout = Layout::new(&metadata, mapping.schema()).unwrap();
    let found = layout.partitions(&mapping.apply(&batch).unwrap()).unwrap();
    let values: Vec<_> = found.values.iter().map(|s| s[0].clone()).collect();
    assert_eq!(values, [Some(Literal::int(7)), None, Some(Literal::int(9))]);
}

#[test]
fn a_transform_that_cannot_be_obeyed_is_refused_by_name() {
    let batch = one("c", Arc::new(StringArray::from(vec!["x"])));
    for transform in [Transform::Bucket(0), Transform::Truncate(0), Transform::Bucket(u32::MAX)] {
        let (metadata, mapping) = table(&batch, &[("c", transform)], &[]);
        let error = Layout::new(&metadata, mapping.schema()).unwrap_err().to_string();
        assert!(error.contains("partition field \"p0\"") && error.contains(&transform.to_string()), "{error}");
    }
}

/// Sorts rows as a table would, and gives the values of one column in that order.
fn sorted_rows(batches: &[RecordBatch], sort: &[(&str, SortDirection, NullOrder)]) -> Vec<(usize, usize)> {
    let (metadata, mapping) = table(&batches[0], &[], sort);
    let layout = Layout::new(&metadata, mapping.schema()).unwrap();
    let mapped: Vec<_> = batches.iter().map(|b| mapping.apply(b).unwrap()).collect();
    let sorted = layout.sorted(&mapped.iter().collect::<Vec<_>>()).unwrap();
    let mut rows: Vec<u128> = Vec::new();
    for (batch, rows_of) in mapped.iter().enumerate() {
        rows.extend((0..rows_of.num_rows()).map(|row| sorted.number(batch as u32, row as u32)));
    }
    sorted.sort(&mut rows);
    rows.iter().map(|r| order::place(*r)).map(|(b, r)| (b as usize, r as usize)).collect()
}

fn directions() -> impl Strategy<Value = (SortDirection, NullOrder)> {
    (any::<bool>(), any::<bool>()).prop_map(|(down, first)| {
        let direction = if down { SortDirection::Descending } else { SortDirection::Ascending };
        (direction, if first { NullOrder::First } else { NullOrder::Last })
    })
}

fn compare<T>(
    a: Option<&T>,
    b: Option<&T>,
    how: (SortDirection, NullOrder),
    by: impl Fn(&T, &T) -> std::cmp::Ordering,
) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    let null = if how.1 == NullOrder::First { Ordering::Less } else { Ordering::Greater };
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => null,
        (Some(_), None) => null.reverse(),
        (Some(a), Some(b)) if how.0 == SortDirection::Descending => by(b, a),
        (Some(a), Some(b)) => by(a, b),
    }
}

type Row = (Option<String>, Option<i32>, Option<f64>);

proptest! {
    #[test]
    fn rows_are_in_the_tables_order_whatever_it_is(
        rows in prop::collection::vec(
            (prop::option::of("(shared-prefix-)?[ab]{0,3}"), prop::option::of(-2..3i32), prop::option::of(-1.0..1.0f64)),
            1..80,
        ),
        how in prop::array::uniform3(directions()),
        first in 0..3usize,
        is_dictionary in any::<bool>(),
    ) {
        let batch = |rows: &[Row]| {
            let texts: Vec<_> = rows.iter().map(|r| r.0.as_deref()).collect();
            let text: ArrayRef = if is_dictionary {
                Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>())
            } else {
                Arc::new(StringArray::from(texts))
            };
            let ints: Int32Array = rows.iter().map(|r| r.1).collect();
            let doubles: Float64Array = rows.iter().map(|r| r.2).collect();
            RecordBatch::try_from_iter_with_nullable([
                ("text", text, true),
                ("int", Arc::new(ints) as ArrayRef, true),
                ("double", Arc::new(doubles) as ArrayRef, true),
            ]).unwrap()
        };
        let half = rows.len() / 2;
        let batches = [batch(&rows[..half]), batch(&rows[half..])];
        let names = ["text", "int", "double"];
        let sort: Vec<_> = (0..3).map(|i| (first + i) % 3).map(|i| (names[i], how[i].0, how[i].1)).collect();
        let found: Vec<usize> = sorted_rows(&batches, &sort).iter().map(|(b, r)| b * half + r).collect();
        let mut expected: Vec<usize> = (0..rows.len()).collect();
        expected.sort_by(|a, b| {
            let (a, b) = (&rows[*a], &rows[*b]);
            let by = |i| match i {
                0 => compare(a.0.as_ref(), b.0.as_ref(), how[0], String::cmp),
                1 => compare(a.1.as_ref(), b.1.as_ref(), how[1], i32::cmp),
                _ => compare(a.2.as_ref(), b.2.as_ref(), how[2], f64::total_cmp),
            };
            (0..3).map(|i| by((first + i) % 3)).fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn numbers_beyond_the_ordinary_sort_too() {
    use SortDirection::Ascending;
    let floats = vec![f64::NAN, f64::INFINITY, 0.0, -0.0, f64::NEG_INFINITY, -1.5];
    let batch = one("c", Arc::new(Float64Array::from(floats)));
    let rows = sorted_rows(&[batch], &[("c", Ascending, NullOrder::First)]);
    assert_eq!(rows.iter().map(|r| r.1).collect::<Vec<_>>(), [4, 5, 3, 2, 1, 0]);
    let decimals = Decimal128Array::from(vec![5, -5, i128::from(i64::MAX) * 9, -i128::from(i64::MAX) * 9, 0]);
    let batch = one("c", Arc::new(decimals.with_precision_and_scale(38, 0).unwrap()));
    let rows = sorted_rows(&[batch], &[("c", Ascending, NullOrder::First)]);
    assert_eq!(rows.iter().map(|r| r.1).collect::<Vec<_>>(), [3, 1, 4, 0, 2]);
}

/// One array of every shape that a file may have, `rows` long, different for each seed.
fn every_shape(seed: i32, rows: i32) -> Vec<ArrayRef> {
    let some = |i: i32| (i + seed) % 5 != 0;
    let optional = |i: i32| some(i).then_some(i * 3 + seed);
    let text = |i: i32| some(i).then(|| format!("text {}", (i + seed) % 7));
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    let mut list = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    for i in 0..rows {
        for j in 0..(i + seed) % 4 {
            map.keys().append_value(format!("key {j}"));
            map.values().append_option(text(i + j));
            list.values().values().append_slice(&[i, j, seed]);
            list.values().append(j % 2 == 0);
        }
        map.append(some(i)).unwrap();
        list.append(some(i));
    }
    let ints: ArrayRef = Arc::new((0..rows).map(optional).collect::<Int32Array>());
    let coded: DictionaryArray<Int32Type> =
        (0..rows).map(text).collect::<Vec<_>>().iter().map(|t| t.as_deref()).collect();
    let fields = vec![
        Arc::new(Field::new("int", DataType::Int32, true)),
        Arc::new(Field::new("coded", coded.data_type().clone(), true)),
    ];
    let nulls = NullBuffer::from((0..rows).map(some).collect::<Vec<_>>());
    let inside = vec![Arc::clone(&ints), Arc::new(coded.clone()) as ArrayRef];
    let fixed = (0..rows).map(|i| some(i).then_some([i as u8, seed as u8, 3]));
    let decimals: Decimal128Array = (0..rows).map(|i| optional(i).map(i128::from)).collect();
    vec![
        ints,
        Arc::new((0..rows).map(|i| optional(i).map(i64::from)).collect::<Int64Array>()),
        Arc::new((0..rows).map(|i| some(i).then_some(i % 2 == 0)).collect::<BooleanArray>()),
        Arc::new((0..rows).map(text).collect::<StringArray>()),
        Arc::new(coded),
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 3).unwrap()),
        Arc::new(decimals.with_precision_and_scale(20, 1).unwrap()),
        Arc::new(TimestampMicrosecondArray::from_iter((0..rows).map(|i| optional(i).map(i64::from)))),
        Arc::new(StructArray::new(fields.into(), inside, Some(nulls))),
        Arc::new(map.finish()),
        Arc::new(list.finish()),
    ]
}

#[test]
fn gathered_rows_are_those_that_were_named() {
    let parts: Vec<Vec<ArrayRef>> =
        [(1, 40), (2, 0), (3, 25), (4, 64)].map(|(seed, rows)| every_shape(seed, rows)).into();
    let shapes = parts[0].len();
    for shape in 0..shapes {
        let arrays: Vec<ArrayRef> = parts.iter().map(|p| Arc::clone(&p[shape])).collect();
        let name = arrays[0].data_type().to_string();
        // Sliced arrays begin in the middle of their buffers.
        let arrays: Vec<ArrayRef> = arrays.iter().map(|a| a.slice(a.len() / 3, a.len() - a.len() / 3)).collect();
        let batches: Vec<RecordBatch> = arrays.iter().map(|a| one("c", Arc::clone(a))).collect();
        let (_, mapping) = table(&batches[0], &[], &[]);
        let mapped: Vec<ArrayRef> = batches.iter().map(|b| Arc::clone(mapping.apply(b).unwrap().column(0))).collect();
        let column = Column::new(&mapped, mapping.rows_schema().field(0).data_type()).unwrap();

        let mut wanted = Vec::new();
        for i in 0..300u32 {
            let batch = [0, 2, 3][(i / 7 % 3) as usize];
            wanted.push((batch, i * 5 % arrays[batch as usize].len() as u32));
        }
        wanted.extend((0..20).map(|row| (3, row)));
        let numbers: Vec<u128> = wanted.iter().map(|(b, r)| u128::from(*b) << 32 | u128::from(*r)).collect();
        let gathered = column.gather(&runs(&numbers), numbers.len()).unwrap();

        let before = |b: u32| arrays[..b as usize].iter().map(|a| a.len() as u32).sum::<u32>();
        let places: UInt32Array = wanted.iter().map(|(b, r)| before(*b) + r).collect();
        let all = arrow::compute::concat(&arrays.iter().map(|a| &**a).collect::<Vec<_>>()).unwrap();
        let expected = arrow::compute::take(&all, &places, None).unwrap();
        assert_eq!(shown(&gathered), shown(&expected), "{name}");
        assert_eq!(gathered.null_count(), expected.null_count(), "{name}");
        assert_eq!(gathered.data_type(), mapping.rows_schema().field(0).data_type(), "{name}");
    }
}

/// Every value as it is printed; bytes that are text, as text.
fn shown(array: &ArrayRef) -> Vec<String> {
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let readable = text_again(array);
    let format = arrow::util::display::ArrayFormatter::try_new(&readable, &options).unwrap();
    (0..array.len()).map(|i| format.value(i).to_string()).collect()
}

fn text_again(array: &ArrayRef) -> ArrayRef {
    fn text(data_type: &DataType) -> DataType {
        let inside = |f: &Arc<Field>| Arc::new(Field::clone(f).with_data_type(text(f.data_type())));
        match data_type {
            DataType::Binary => DataType::Utf8,
            DataType::Dictionary(_, values) => text(values),
            DataType::List(f) => DataType::List(inside(f)),
            DataType::Map(f, sorted) => DataType::Map(inside(f), *sorted),
            DataType::Struct(fields) => DataType::Struct(fields.iter().map(inside).collect()),
            other => other.clone(),
        }
    }
    arrow::compute::cast(array, &text(array.data_type())).unwrap()
}

#[test]
fn rows_that_follow_each_other_are_one_run() {
    let number = |batch: u128, row: u128| batch << 32 | row;
    let rows = [number(0, 4), number(0, 5), number(0, 6), number(1, 7), number(1, 6), number(0, 7)];
    let found: Vec<_> = runs(&rows).iter().map(|r| (r.batch, r.start, r.length)).collect();
    assert_eq!(found, [(0, 4, 3), (1, 7, 1), (1, 6, 1), (0, 7, 1)]);
}

#[test]
fn the_last_moment_of_a_day_before_1970_is_of_that_day() {
    let day = 86_400_000_000;
    let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![day, -1, -day, -day - 1, -day - 999_999]));
    let days = [1, -1, -1, -2, -2].map(|d| Some(Literal::date(d)));
    assert_eq!(partitions_of(Arc::clone(&column), Transform::Day), days);
    let hours = [24, -1, -24, -25, -25].map(|h| Some(Literal::int(h)));
    assert_eq!(partitions_of(column, Transform::Hour), hours);
}
