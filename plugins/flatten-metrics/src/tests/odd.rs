//! The values that a correct reader must not stumble over.

use super::kit::*;
use crate::FlattenMetrics;
use crate::points::FURTHER;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric, NumberDataPoint, ResourceMetrics, exemplar};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use weir_sdk::testing;
use weir_sdk::{Batch, Signal};

#[test]
fn a_point_without_a_recorded_value_keeps_its_row_and_has_no_value() {
    let flags = NO_VALUE | 1 << 31;
    let number = NumberDataPoint { flags, ..number(Number::AsInt(7)) };
    let mut histogram_point = histogram_point();
    histogram_point.flags = flags;
    let mut exponential_point = exponential_point();
    exponential_point.flags = flags;
    let mut summary_point = summary_point();
    summary_point.flags = flags;
    let data = vec![
        gauge(vec![number.clone(), NumberDataPoint { value: None, ..number.clone() }]),
        sum(vec![number], CUMULATIVE),
        histogram(vec![histogram_point]),
        exponential(vec![exponential_point]),
        summary(vec![summary_point]),
    ];
    let rows = rows(&[], data);
    assert_eq!(lens(&rows), [2, 1, 1, 1, 1]);
    let kept = ["timestamp", "start_timestamp", "service_name", "metric_name", "aggregation_temporality", "flags"];
    let empty = ["attributes", "resource_attributes", "scope_attributes", "exemplars", "is_monotonic"];
    for table in TABLES {
        assert_eq!(cells(&rows, table, "flags")[0], "2147483649");
        for column in rows.table(table).names() {
            let is_null = cells(&rows, table, column)[0] == "null";
            let may_be = column.starts_with("scope_") || column.starts_with("metric_");
            let is_value = !kept.contains(&column) && !empty.contains(&column) && !may_be;
            assert!(is_null == is_value || may_be, "{column} of {table}");
        }
    }
    assert_eq!(counters(&rows), []);
}

#[test]
fn a_value_that_is_missing_without_saying_so_is_null_and_counted() {
    let exemplar = Exemplar { time_unix_nano: 1, ..Exemplar::default() };
    let point = NumberDataPoint { value: None, exemplars: vec![exemplar], ..number(Number::AsInt(1)) };
    let rows = rows(&[], vec![gauge(vec![point])]);
    assert_eq!(cells(&rows, "gauge", "value"), ["null"]);
    assert_eq!(counters(&rows), [("missing_values", 2)]);
}

#[test]
fn doubles_that_are_not_finite_and_negative_ones_pass_unchanged() {
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE];
    let quantiles = values.map(|value| ValueAtQuantile { quantile: -1.0, value });
    let mut of_quantiles = summary_point();
    of_quantiles.quantile_values = quantiles.to_vec();
    let points = values.map(|value| number(Number::AsDouble(value)));
    let mut bounded = histogram_point();
    (bounded.explicit_bounds, bounded.bucket_counts) = (vec![f64::NEG_INFINITY, f64::NAN], vec![0, 0, 0]);
    let rows = rows(&[], vec![gauge(points.to_vec()), histogram(vec![bounded]), summary(vec![of_quantiles])]);
    let written = ["NaN", "inf", "-inf", "-0.0", "2.2250738585072014e-308"];
    assert_eq!(cells(&rows, "gauge", "value"), written);
    assert_eq!(cells(&rows, "histogram", "explicit_bounds"), ["[-inf,NaN]"]);
    assert_eq!(cells(&rows, "summary", "quantile_values")[0].matches("-1.0").count(), 5);
    assert_eq!(counters(&rows), []);
}

#[test]
fn integers_at_the_edges_are_exact_and_counts_beyond_a_long_are_saturated() {
    let points = [i64::MIN, i64::MAX, -1].map(|value| number(Number::AsInt(value)));
    let mut bucketed = histogram_point();
    (bucketed.count, bucketed.bucket_counts) = (u64::MAX, vec![u64::MAX, 1, i64::MAX as u64]);
    let mut scaled = exponential_point();
    scaled.zero_count = u64::MAX;
    scaled.positive = Some(Buckets { offset: i32::MAX, bucket_counts: vec![u64::MAX] });
    let mut summed = summary_point();
    summed.count = u64::MAX;
    let data = vec![
        sum(points.to_vec(), CUMULATIVE),
        histogram(vec![bucketed]),
        exponential(vec![scaled]),
        summary(vec![summed]),
    ];
    let rows = rows(&[], data);
    let max = "9223372036854775807";
    assert_eq!(cells(&rows, "sum", "value_int"), ["-9223372036854775808", max, "-1"]);
    assert_eq!(cells(&rows, "histogram", "count"), [max]);
    assert_eq!(cells(&rows, "histogram", "bucket_counts"), [format!("[{max},1,{max}]")]);
    assert_eq!(cells(&rows, "exponential_histogram", "zero_count"), [max]);
    assert_eq!(cells(&rows, "exponential_histogram", "positive_bucket_counts"), [format!("[{max}]")]);
    assert_eq!(counters(&rows), [("saturated_counts", 5)]);
}

#[test]
fn buckets_that_do_not_fit_their_bounds_are_kept_and_counted() {
    let of = |buckets: usize, bounds: usize| {
        let mut point = histogram_point();
        (point.bucket_counts, point.explicit_bounds) = (vec![1; buckets], vec![0.5; bounds]);
        point
    };
    let rows = rows(&[], vec![histogram(vec![of(0, 0), of(1, 0), of(2, 1), of(0, 1), of(2, 2), of(5, 1)])]);
    assert_eq!(cells(&rows, "histogram", "bucket_counts")[3..5], ["[]", "[1,1]"]);
    assert_eq!(counters(&rows), [("uneven_buckets", 3)]);
}

#[test]
fn temporalities_that_do_not_exist_keep_their_rows() {
    let data = [0, 1, 2, 3, -1].map(|temporality| sum(vec![number(Number::AsInt(1))], temporality));
    let rows = rows(&[], data.to_vec());
    let expected = ["UNSPECIFIED", "DELTA", "CUMULATIVE", "UNSPECIFIED", "UNSPECIFIED"];
    assert_eq!(cells(&rows, "sum", "aggregation_temporality"), expected.map(|name| format!("{name:?}")));
    assert_eq!(counters(&rows), [("unknown_temporalities", 2)]);
}

#[test]
fn a_start_that_is_not_known_is_null_and_a_time_of_zero_is_1970_and_counted() {
    let times = |start_time_unix_nano, time_unix_nano| NumberDataPoint {
        start_time_unix_nano,
        time_unix_nano,
        ..number(Number::AsInt(1))
    };
    let max = u64::MAX;
    let points = vec![times(0, 5000), times(5000, 0), times(max, max), times(9000, 5000)];
    let rows = rows(&[("columns", &["time_unix_nano", "start_time_unix_nano"])], vec![gauge(points)]);
    let (year_2554, saturated) = ("18446744073709551", "9223372036854775807");
    assert_eq!(cells(&rows, "gauge", "timestamp"), ["5", "0", year_2554, "5"]);
    assert_eq!(cells(&rows, "gauge", "start_timestamp"), ["null", "5", year_2554, "9"]);
    assert_eq!(cells(&rows, "gauge", "time_unix_nano"), ["5000", "0", saturated, "5000"]);
    assert_eq!(cells(&rows, "gauge", "start_time_unix_nano"), ["0", "5000", saturated, "9000"]);
    assert_eq!(counters(&rows), [("saturated_times", 2), ("unknown_times", 1)]);
}

#[test]
fn an_exemplars_id_of_the_wrong_length_or_all_zero_is_null_and_counted() {
    let of = |byte: u8, trace: usize, span: usize| Exemplar {
        trace_id: vec![byte; trace],
        span_id: vec![byte; span],
        time_unix_nano: 1000,
        value: Some(exemplar::Value::AsInt(1)),
        ..Exemplar::default()
    };
    let exemplars = vec![of(9, 16, 8), of(0, 0, 0), of(9, 15, 7), of(9, 32, 17), of(0, 16, 8)];
    let rows = rows(&[], vec![gauge(vec![NumberDataPoint { exemplars, ..number(Number::AsInt(1)) }])]);
    let cell = &cells(&rows, "gauge", "exemplars")[0];
    assert_eq!(cell.matches(r#""trace_id":null,"span_id":null"#).count(), 4, "{cell}");
    assert_eq!(counters(&rows), [("invalid_ids", 6)]);
}

#[test]
fn attributes_of_every_kind_are_text_and_of_one_key_the_last_is_kept() {
    let empty = KeyValue { key: "e".to_owned(), value: Some(AnyValue::default()), ..KeyValue::default() };
    let array = Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(Value::DoubleValue(f64::NAN)) }] });
    let attributes = vec![
        text("a", "1"),
        attribute("i", Value::IntValue(9_007_199_254_740_993)),
        attribute("l", array),
        attribute("p", Value::StringValueStrindex(3)),
        empty,
        text("a", "2"),
    ];
    let exemplar = Exemplar {
        filtered_attributes: attributes.clone(),
        time_unix_nano: 1,
        value: Some(exemplar::Value::AsInt(1)),
        ..Exemplar::default()
    };
    let point =
        NumberDataPoint { attributes: attributes.clone(), exemplars: vec![exemplar], ..number(Number::AsInt(1)) };
    let metric = Metric { metadata: attributes.clone(), ..metric(gauge(vec![point])) };
    let rows = run(&[("columns", &["metric_metadata"])], [value(vec![resource(attributes, vec![metric])])]);
    let map = r#"{"i":"9007199254740993","l":"[\"NaN\"]","p":"","e":"","a":"2"}"#;
    for column in ["attributes", "resource_attributes", "metric_metadata"] {
        assert_eq!(cells(&rows, "gauge", column), [map], "{column}");
    }
    assert!(cells(&rows, "gauge", "exemplars")[0].contains(map));
    assert_eq!((rows.counter("duplicate_keys"), rows.counter("profile_fields")), (4, 4));
}

#[test]
fn invalid_utf8_is_passed_on_for_the_host_to_repair_and_rejects_nothing() {
    let part = |number: u8, inner: &[u8]| [&[number << 3 | 2, inner.len() as u8][..], inner].concat();
    let bad = [b'a', 0xff, b'b'];
    let metric = [part(1, &bad), part(2, &bad), part(3, &bad), part(5, &part(1, &[]))].concat();
    let rows = run(&[], [part(1, &part(2, &part(2, &metric)))]);
    assert_eq!(rows.rejections, []);
    for column in ["metric_name", "metric_description", "metric_unit"] {
        assert_eq!(rows.table("gauge").cell(0, column).text(), Some("a\u{fffd}b"), "{column}");
    }
}

#[test]
fn requests_without_points_give_no_rows_and_no_dead_letter() {
    let of = |metrics| value(vec![resource(vec![text("a", "b")], metrics)]);
    let newer = [&[0x0a, 1, b'm'][..], &[0xa2, 1, 2, 0x0a, 0]].concat();
    let part = |number: u8, inner: &[u8]| [&[number << 3 | 2, inner.len() as u8][..], inner].concat();
    let newer = part(1, &part(2, &part(2, &newer)));
    let empty = [
        vec![],
        value(vec![ResourceMetrics::default()]),
        of(vec![]),
        of(vec![metric(gauge(vec![])), metric(histogram(vec![]))]),
        of(vec![Metric::default()]),
        newer,
    ];
    let rows = run(&[], empty);
    assert_eq!(lens(&rows), [0; 5]);
    assert_eq!(rows.rejections, []);
    assert_eq!(counters(&rows), [("unknown_data", 2)]);
}

#[test]
fn what_cannot_be_read_is_refused_alone_with_all_its_rows_in_every_table() {
    let of = |data: [Data; 5]| value(vec![resource(vec![], data.map(metric).to_vec())]);
    let good = of(one_of_each());
    let mut half_bad = good.clone();
    half_bad.extend_from_slice(&good[..good.len() - 1]);
    let wrap = |value, _| Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(value) }] });
    let deep = (0..1000).fold(Value::BoolValue(true), wrap);
    let deep_point = NumberDataPoint { attributes: vec![attribute("deep", deep)], ..number(Number::AsInt(1)) };
    let [first, _, third, ..] = one_of_each();
    let too_deep = of([first, third.clone(), third, gauge(vec![deep_point.clone()]), sum(vec![deep_point], 1)]);
    // A packed list of doubles that is cut off within one.
    let part = |number: u8, inner: &[u8]| [&[number << 3 | 2, inner.len() as u8][..], inner].concat();
    let cut = part(1, &part(2, &part(2, &part(9, &part(1, &part(7, &[0; 12]))))));
    let rows = run(&[("columns", &FURTHER)], [good.clone(), half_bad, vec![0; 10_000_000], too_deep, cut, good]);
    for table in TABLES {
        assert_eq!(rows.table(table).rows_per_message, [1, 0, 0, 0, 0, 1], "{table}");
    }
    let reasons: Vec<_> = rows.rejections.iter().map(|one| (one.index, one.reason.as_str())).collect();
    assert!(reasons[0].1.contains("the message ends within a field at byte"), "{}", reasons[0].1);
    assert_eq!(reasons[1], (2, "not OTLP protobuf: a field number is 0 or too large at byte 0 of 10000000"));
    assert_eq!(reasons[2], (3, "not OTLP protobuf: values are nested more than 64 deep"));
    assert!(reasons[3].1.contains("the message ends within a field at byte"), "{}", reasons[3].1);
    assert_eq!(rows.counter("missing_service_names"), 10, "what a refused record counted is forgotten");
}

#[test]
fn repeated_singular_parts_are_merged_and_unknown_fields_skipped() {
    let part = |number: u8, inner: &[u8]| [&[number << 3 | 2, inner.len() as u8][..], inner].concat();
    let unknown = [0xc0, 0x3e, 1, 0xc3, 0x3e, 8, 1, 0xc4, 0x3e];
    let buckets = |count: u8| part(8, &part(2, &[count]));
    let point = |count: u8| part(1, &[&unknown[..], &buckets(count), &buckets(count + 1)].concat());
    let metric = [part(10, &point(1)), part(1, b"m"), part(10, &point(3)), unknown.to_vec()].concat();
    let rows = run(&[], [part(1, &part(2, &part(2, &metric)))]);
    assert_eq!(cells(&rows, "exponential_histogram", "positive_bucket_counts"), ["[1,2]", "[3,4]"]);
    assert_eq!(cells(&rows, "exponential_histogram", "metric_name"), ["\"m\"", "\"m\""]);
}

#[test]
fn other_signals_are_refused() {
    let batch = Batch { signal: Signal::Logs, ..testing::metrics([vec![]]) };
    let rows = testing::run::<FlattenMetrics>(&[], batch).unwrap();
    assert_eq!(rows.rejections[0].reason, "flatten-metrics reads metrics, not logs");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Bytes of a valid request changed and cut: refused or read, never a panic, never columns that do not fit.
    #[test]
    fn damaged_requests_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let attributes = vec![text("a", "b"), attribute("n", Value::IntValue(3))];
        let exemplar = Exemplar { filtered_attributes: attributes.clone(), ..Exemplar::default() };
        let point = NumberDataPoint { attributes: attributes.clone(), exemplars: vec![exemplar], ..number(Number::AsInt(1)) };
        let [_, data @ ..] = one_of_each();
        let metrics = [&[metric(gauge(vec![point.clone(), point]))][..], &data.map(metric)].concat();
        let good = value(vec![resource(attributes, metrics)]);
        let mut bytes = good.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let given: Given<'_> = &[("columns", &FURTHER), ("promote", &["a", "n:long"])];
        let rows = run(given, [good.clone(), bytes, good]);
        for (table, per_message) in TABLES.into_iter().zip([2, 1, 1, 1, 1]) {
            prop_assert_eq!(rows.table(table).rows_per_message[0], per_message);
            prop_assert_eq!(rows.table(table).rows_per_message[2], per_message);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let rows = run(&[("columns", &FURTHER)], [bytes]);
        prop_assert_eq!(rows.table("sum").rows_per_message.len(), 1);
    }
}
