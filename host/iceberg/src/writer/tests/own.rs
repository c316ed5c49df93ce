//! What is written here is what Arrow's writer for Parquet would have written: the same values, counts, bounds, filters.
//! Files with another codec than zstd are that writer's.

use std::io::{Read, Seek, SeekFrom};

use arrow_array::Float64Array;
use arrow_array::builder::{
    ListBuilder, MapBuilder, StringBuilder, StringDictionaryBuilder, StructBuilder, TimestampMicrosecondBuilder,
};
use arrow_schema::{Fields, TimeUnit};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use proptest::prelude::*;

use super::*;

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// Texts of many lengths, few or many of them different.
fn text(random: &mut Random, different: u64) -> String {
    let number = random.below(different);
    match number % 5 {
        0 => String::new(),
        1 => format!("ä{number}"),
        2 => format!("{number:032x}"),
        3 => "long ".repeat(number as usize % 40),
        _ => format!("value {number}"),
    }
}

/// Rows of all types that are written here, at every depth at which they stand. One value in `nulls` is NULL.
fn rows(random: &mut Random, count: u64, nulls: u64, different: u64) -> RecordBatch {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let map = |key: DataType| {
        let entries = Fields::from(vec![Field::new("keys", key, false), Field::new("values", DataType::Utf8, true)]);
        DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
    };
    let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let event = Fields::from(vec![
        Field::new("at", utc.clone(), true),
        Field::new("name", coded.clone(), true),
        Field::new("attributes", map(coded.clone()), true),
    ]);
    let attributes = || MapBuilder::new(None, StringDictionaryBuilder::<Int32Type>::new(), StringBuilder::new());
    let event = StructBuilder::new(
        event,
        vec![
            Box::new(TimestampMicrosecondBuilder::new().with_timezone("+00:00")),
            Box::new(StringDictionaryBuilder::<Int32Type>::new()),
            Box::new(attributes()),
        ],
    );
    let (mut maps, mut events) = (attributes(), ListBuilder::new(event));
    for _ in 0..count {
        for _ in 0..random.below(6) {
            maps.keys().append_value(text(random, 12));
            let value = (random.below(nulls) > 0).then(|| text(random, different));
            maps.values().append_option(value);
        }
        maps.append(random.below(nulls) > 0).unwrap();
        for _ in 0..random.below(3) {
            let event = events.values();
            let at = (random.below(nulls) > 0).then(|| random.below(1 << 40).cast_signed());
            event.field_builder::<TimestampMicrosecondBuilder>(0).unwrap().append_option(at);
            let name = (random.below(nulls) > 0).then(|| text(random, 7));
            event.field_builder::<StringDictionaryBuilder<Int32Type>>(1).unwrap().append_option(name);
            let inside =
                event.field_builder::<MapBuilder<StringDictionaryBuilder<Int32Type>, StringBuilder>>(2).unwrap();
            for _ in 0..random.below(3) {
                inside.keys().append_value(text(random, 5));
                inside.values().append_value(text(random, different));
            }
            inside.append(random.below(nulls) > 0).unwrap();
            event.append(random.below(nulls) > 0);
        }
        events.append(random.below(nulls) > 0);
    }
    let mut some = |value: &mut dyn FnMut(&mut Random) -> f64| -> Vec<Option<f64>> {
        (0..count).map(|_| (random.below(nulls) > 0).then(|| value(random))).collect()
    };
    let doubles = some(&mut |r| [f64::NAN, 0.0, -0.0, 1.5, -7.25, r.below(1000) as f64][r.below(6) as usize]);
    let numbers = some(&mut |r| r.below(1 << 50) as f64);
    let whole = |v: &[Option<f64>]| v.iter().map(|n| n.map(|n| n as i64)).collect::<Vec<_>>();
    let texts = |random: &mut Random, different| -> Vec<Option<String>> {
        (0..count).map(|_| (random.below(nulls) > 0).then(|| text(random, different))).collect()
    };
    let (plain, names) = (texts(random, different), texts(random, 9));
    let times = TimestampMicrosecondArray::from(whole(&numbers)).with_timezone("+00:00");
    RecordBatch::try_from_iter_with_nullable([
        ("time", Arc::new(times) as ArrayRef, true),
        ("number", Arc::new(Int64Array::from(whole(&numbers))), true),
        ("double", Arc::new(Float64Array::from(doubles)), true),
        ("id", Arc::new(StringArray::from(plain)), true),
        ("name", Arc::new(names.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>()), true),
        ("attributes", Arc::new(maps.finish()), true),
        ("events", Arc::new(events.finish()), true),
    ])
    .unwrap()
}

fn filter(file: &DataFile, footer: &ParquetMetaData, column: usize) -> Vec<u8> {
    let column = footer.row_group(0).column(column);
    let mut bytes = vec![0; column.bloom_filter_length().unwrap() as usize];
    let mut opened = std::fs::File::open(file.file_path()).unwrap();
    opened.seek(SeekFrom::Start(column.bloom_filter_offset().unwrap() as u64)).unwrap();
    opened.read_exact(&mut bytes).unwrap();
    bytes
}

async fn written(batch: &RecordBatch, codec: &str, page_rows: u64, dictionary: u64) -> (Lake, DataFile) {
    let properties = vec![
        ("write.parquet.compression-codec", codec.to_string()),
        ("write.parquet.page-row-limit", page_rows.to_string()),
        ("write.parquet.dict-size-bytes", dictionary.to_string()),
        ("write.parquet.bloom-filter-enabled.column.id", "true".to_string()),
    ];
    let lake = Lake::new(batch, &Wanted { sort: vec!["number", "name", "double"], properties, ..Wanted::default() });
    let file = lake.write(std::slice::from_ref(batch)).await.remove(0);
    (lake, file)
}

fn compare(batch: &RecordBatch, own: &DataFile, arrows: &DataFile) {
    assert_eq!(rows_of([&read(own)]), rows_of([&printable(batch)]));
    assert_eq!((own.lower_bounds(), own.upper_bounds()), (arrows.lower_bounds(), arrows.upper_bounds()));
    assert_eq!(own.null_value_counts(), arrows.null_value_counts());
    assert_eq!(own.value_counts(), arrows.value_counts());
    let (own_footer, arrows_footer) = (footer(own), footer(arrows));
    assert_eq!(filter(own, &own_footer, 3), filter(arrows, &arrows_footer, 3));
    let (ours, theirs) = (own_footer.row_group(0), arrows_footer.row_group(0));
    for (index, (ours, theirs)) in ours.columns().iter().zip(theirs.columns()).enumerate() {
        let name = ours.column_path().string();
        assert_eq!(ours.statistics(), theirs.statistics(), "{name}");
        assert_eq!(ours.num_values(), theirs.num_values(), "{name}");
        let of = |footer: &ParquetMetaData| footer.column_index().map(|all| all[0][index].clone());
        let (ours, theirs) = (of(&own_footer), of(&arrows_footer));
        let is_indexed = |index: &Option<ColumnIndexMetaData>| {
            index.as_ref().is_some_and(|index| !matches!(index, ColumnIndexMetaData::NONE))
        };
        // A page of nothing but NaNs has no bounds: here the column has no index then.
        assert!(is_indexed(&ours) == is_indexed(&theirs) || name == "double" && is_indexed(&theirs), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_written_here_is_what_the_general_writer_writes(
        seed in 1..u64::MAX,
        count in prop_oneof![1..40u64, 900..2500u64],
        nulls in prop_oneof![Just(1u64), Just(2), Just(5), Just(1_000_000)],
        different in prop_oneof![Just(3u64), Just(100_000)],
        page_rows in prop_oneof![1..50u64, Just(700), Just(20_000)],
        dictionary in prop_oneof![Just(20u64), Just(2 << 20)],
    ) {
        let batch = rows(&mut Random(seed), count, nulls, different);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_own_lake, own) = written(&batch, "zstd", page_rows, dictionary).await;
            let (_arrows_lake, arrows) = written(&batch, "snappy", page_rows, dictionary).await;
            compare(&batch, &own, &arrows);
        });
    }
}
