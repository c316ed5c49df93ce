//! Bounds and counts in the manifest: right, or absent.

use arrow_array::{BinaryArray, BooleanArray, Float64Array, Int32Array};
use iceberg::spec::Datum;

use super::*;

fn column(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

fn with(properties: &[(&'static str, &str)]) -> Wanted<'static> {
    Wanted { properties: properties.iter().map(|(k, v)| (*k, v.to_string())).collect(), ..Wanted::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_in_several_row_groups_have_bounds_that_hold_them_all() {
    let long = |first: char| format!("{first}{}", "x".repeat(200));
    let texts = ["m", &long('a'), &long('z'), "n"];
    // Each batch more than a row group.
    let batches: Vec<_> = texts
        .iter()
        .map(|t| column("c", Arc::new(StringArray::from_iter_values((0..5000).map(|i| format!("{t}{i}"))))))
        .collect();
    let lake = Lake::new(&batches[0], &with(&[("write.parquet.row-group-size-bytes", "20000")]));
    let files = lake.write(&batches).await;
    assert!(footer(&files[0]).num_row_groups() >= 3);
    assert_eq!(files[0].lower_bounds()[&1], Datum::string(format!("a{}", "x".repeat(15))));
    assert_eq!(files[0].upper_bounds()[&1], Datum::string(format!("z{}y", "x".repeat(14))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upper_bound_is_never_below_a_value() {
    let cases: [(Vec<&str>, Option<&str>); 5] = [
        (vec!["short"], Some("short")),
        (vec!["0123456789abcdef"], Some("0123456789abcdef")),
        (vec!["0123456789abcdefg"], Some("0123456789abcdeg")),
        // The last character cannot be raised: the one before is.
        (vec!["0123456789abcde\u{10ffff}\u{10ffff}"], Some("0123456789abcdf")),
        (vec!["0123456789abcde\u{d7ff}x"], Some("0123456789abcde\u{e000}")),
    ];
    for (texts, expected) in cases {
        let batch = column("c", Arc::new(StringArray::from(texts.clone())));
        let files = Lake::new(&batch, &Wanted::default()).write(&[batch]).await;
        assert_eq!(files[0].upper_bounds().get(&1), expected.map(Datum::string).as_ref(), "{texts:?}");
    }
    let top = "\u{10ffff}".repeat(17);
    let batch = column("c", Arc::new(StringArray::from(vec![top.as_str()])));
    let files = Lake::new(&batch, &Wanted::default()).write(&[batch]).await;
    assert_eq!(files[0].upper_bounds().get(&1), None);
    let batch = column("c", Arc::new(BinaryArray::from_iter_values([vec![255u8; 20], vec![0; 20]])));
    let files = Lake::new(&batch, &Wanted::default()).write(&[batch]).await;
    assert_eq!(files[0].upper_bounds().get(&1), None);
    assert_eq!(files[0].lower_bounds()[&1], Datum::binary([0; 16]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nan_is_counted_and_no_bound() {
    let nan = f64::NAN;
    let all = column("c", Arc::new(Float64Array::from(vec![Some(nan), Some(2.5), None, Some(-1.0), Some(nan)])));
    let files = Lake::new(&all, &Wanted::default()).write(&[all]).await;
    let file = &files[0];
    assert_eq!((file.nan_value_counts()[&1], file.null_value_counts()[&1], file.value_counts()[&1]), (2, 1, 5));
    assert_eq!(file.lower_bounds()[&1], Datum::double(-1.0));
    assert_eq!(file.upper_bounds()[&1], Datum::double(2.5));
    let only = column("c", Arc::new(Float64Array::from(vec![nan, nan])));
    let files = Lake::new(&only, &Wanted::default()).write(&[only]).await;
    assert_eq!(files[0].nan_value_counts()[&1], 2);
    assert!(files[0].lower_bounds().is_empty() && files[0].upper_bounds().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_of_numbers_are_those_of_all_row_groups() {
    let batch = |from: i32| {
        RecordBatch::try_from_iter_with_nullable([
            (
                "int",
                Arc::new(Int32Array::from_iter_values((from..from + 9000).map(|i| i.wrapping_mul(7)))) as ArrayRef,
                true,
            ),
            ("bool", Arc::new((0..9000).map(|_| Some(true)).collect::<BooleanArray>()), true),
            ("none", Arc::new(StringArray::new_null(9000)), true),
            ("empty", Arc::new(StringArray::from_iter_values((0..9000).map(|_| ""))), true),
        ])
        .unwrap()
    };
    let lake = Lake::new(&batch(0), &with(&[("write.parquet.row-group-size-bytes", "1000")]));
    let files = lake.write(&[batch(0), batch(-20_000), batch(40_000)]).await;
    let file = &files[0];
    assert!(footer(file).num_row_groups() >= 3);
    let bounds = |id| (file.lower_bounds().get(&id).cloned(), file.upper_bounds().get(&id).cloned());
    assert_eq!(bounds(1), (Some(Datum::int(-140_000)), Some(Datum::int(48_999 * 7))));
    assert_eq!(bounds(2), (Some(Datum::bool(true)), Some(Datum::bool(true))));
    assert_eq!(bounds(3), (None, None));
    assert_eq!(file.null_value_counts()[&3], 27_000);
    assert_eq!(bounds(4), (Some(Datum::string("")), Some(Datum::string(""))));
    let offsets = file.split_offsets().unwrap();
    assert_eq!(offsets.len(), footer(file).num_row_groups());
    assert!(offsets[0] == 4 && offsets.is_sorted());
    assert_eq!(file.file_size_in_bytes(), std::fs::metadata(file.file_path()).unwrap().len());
    assert!(file.column_sizes().values().all(|size| *size > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metrics_mode_decides_what_the_manifest_says() {
    let batch = spans(0, 100, |_| "a service with a long name".to_string());
    let files = Lake::new(
        &batch,
        &with(&[
            ("write.metadata.metrics.default", "counts"),
            ("write.metadata.metrics.column.time", "none"),
            ("write.metadata.metrics.column.service", "full"),
            ("write.metadata.metrics.column.id", "truncate(3)"),
        ]),
    )
    .write(&[batch])
    .await;
    let file = &files[0];
    assert!(!file.value_counts().contains_key(&1) && file.column_sizes().contains_key(&1));
    assert_eq!(file.upper_bounds()[&2], Datum::string("a service with a long name"));
    assert_eq!(file.lower_bounds()[&3], Datum::string("000"));
    assert_eq!(file.upper_bounds()[&3], Datum::string("001"));
    assert!(file.value_counts()[&4] == 100 && file.null_value_counts()[&4] == 0);
    assert!(!file.lower_bounds().contains_key(&4));
}
