//! The values that a correct reader must not stumble over.

use super::kit::*;
use crate::FlattenLogs;
use crate::logs::FURTHER;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use weir_sdk::testing::{self, Cell};
use weir_sdk::{Batch, Signal};

/// A body of each kind, as text and as JSON.
fn bodies() -> Vec<(Option<AnyValue>, &'static str, &'static str)> {
    let deep = list(vec![attribute("k", array(vec![holding(Value::DoubleValue(f64::NAN)), AnyValue::default()]))]);
    vec![
        (None, "null", "null"),
        (Some(AnyValue::default()), r#""""#, r#""null""#),
        (Some(holding(string("[1]"))), r#""[1]""#, "null"),
        (Some(holding(string(""))), r#""""#, "null"),
        (Some(holding(Value::BoolValue(true))), r#""true""#, r#""true""#),
        (Some(holding(Value::IntValue(9_007_199_254_740_993))), r#""9007199254740993""#, r#""9007199254740993""#),
        (Some(holding(Value::DoubleValue(-1.5))), r#""-1.5""#, r#""-1.5""#),
        (Some(holding(Value::DoubleValue(f64::NAN))), r#""NaN""#, r#""\"NaN\"""#),
        (Some(holding(Value::BytesValue(vec![0, 255]))), r#""AP8=""#, r#""\"AP8=\"""#),
        (Some(holding(array(vec![holding(Value::IntValue(1))]))), r#""[1]""#, r#""[1]""#),
        (Some(holding(deep)), r#""{\"k\":[\"NaN\",null]}""#, r#""{\"k\":[\"NaN\",null]}""#),
    ]
}

#[test]
fn a_body_of_every_kind_is_text_and_what_is_no_string_is_json_if_asked_for() {
    let records = bodies().into_iter().map(|(body, ..)| LogRecord { body, ..record() }).collect();
    let rows = rows(&[("columns", &["body_json"])], records);
    let texts: Vec<_> = bodies().into_iter().map(|(_, text, _)| text).collect();
    let jsons: Vec<_> = bodies().into_iter().map(|(.., json)| json).collect();
    assert_eq!(cells(&rows, "body"), texts);
    assert_eq!(cells(&rows, "body_json"), jsons);
    assert_eq!(counters(&rows), []);
}

#[test]
fn what_is_odd_in_a_body_is_counted_once() {
    let body = list(vec![text("a", "1"), attribute("b", Value::StringValueStrindex(3)), text("a", "2")]);
    let rows = rows(&[("columns", &["body_json"])], vec![saying(holding(body))]);
    assert_eq!(cells(&rows, "body"), [r#""{\"b\":null,\"a\":\"2\"}""#]);
    assert_eq!(counters(&rows), [("duplicate_keys", 1), ("profile_fields", 1)]);
}

#[test]
fn long_bodies_other_scripts_and_nuls_pass_unchanged() {
    let long = "x".repeat(8192);
    let bodies = [&long, "値", "a\0b"].map(|body| saying(holding(string(body))));
    let rows = rows(&[], bodies.to_vec());
    let texts: Vec<_> = rows.table("logs").column("body").iter().filter_map(Cell::text).collect();
    assert_eq!(texts, [&long, "値", "a\0b"]);
}

#[test]
fn invalid_utf8_is_passed_on_for_the_host_to_repair_and_rejects_nothing() {
    let part = |number: u8, inner: &[u8]| [&[number << 3 | 2, inner.len() as u8][..], inner].concat();
    let bad = [b'a', 0xff, b'b'];
    let record = [part(3, &bad), part(5, &part(1, &bad)), part(12, &bad)].concat();
    let rows = run(&[], [part(1, &part(2, &part(2, &record)))]);
    assert_eq!(rows.rejections, []);
    for column in ["severity_text", "body", "event_name"] {
        assert_eq!(rows.table("logs").cell(0, column).text(), Some("a\u{fffd}b"), "{column}");
    }
}

#[test]
fn an_id_of_the_wrong_length_or_all_zero_is_null_and_counted_and_none_at_all_is_nothing_odd() {
    let ids = |trace: Vec<u8>, span: Vec<u8>| LogRecord { trace_id: trace, span_id: span, ..record() };
    let of = |byte: u8, trace: usize, span: usize| ids(vec![byte; trace], vec![byte; span]);
    let records = vec![of(0xEE, 16, 8), of(0, 0, 0), of(0xEE, 15, 7), of(0xEE, 32, 16), of(0, 16, 8)];
    let rows = rows(&[], records);
    let valid = |column: &str| cells(&rows, column).iter().map(|cell| cell != "null").collect::<Vec<_>>();
    assert_eq!(valid("trace_id"), [true, false, false, false, false]);
    assert_eq!(valid("span_id"), [true, false, false, false, false]);
    assert_eq!(counters(&rows), [("invalid_ids", 6)]);
}

#[test]
fn the_timestamp_is_the_observed_one_where_the_records_own_is_unknown() {
    let times = |time_unix_nano, observed_time_unix_nano| LogRecord {
        time_unix_nano,
        observed_time_unix_nano,
        ..LogRecord::default()
    };
    let max = u64::MAX;
    let rows = rows(&[], vec![times(5000, 9000), times(0, 9000), times(5000, 0), times(0, 0), times(max, max)]);
    let (year_2554, saturated) = ("18446744073709551", "9223372036854775807");
    assert_eq!(cells(&rows, "timestamp"), ["5", "9", "5", "0", year_2554]);
    assert_eq!(cells(&rows, "observed_timestamp"), ["9", "9", "null", "null", year_2554]);
    assert_eq!(cells(&rows, "time_unix_nano"), ["5000", "0", "5000", "0", saturated]);
    assert_eq!(cells(&rows, "observed_time_unix_nano"), ["9000", "9000", "0", "0", saturated]);
    assert_eq!(counters(&rows), [("saturated_times", 2), ("unknown_times", 1)]);
}

#[test]
fn severities_that_do_not_exist_are_kept_and_counted() {
    let records = [0, 1, 24, 25, -1, i32::MAX].map(|severity_number| LogRecord { severity_number, ..record() });
    let rows = rows(&[], records.to_vec());
    assert_eq!(cells(&rows, "severity_number"), ["0", "1", "24", "25", "-1", "2147483647"]);
    assert_eq!(counters(&rows), [("unknown_severities", 3)]);
}

#[test]
fn of_attributes_with_one_key_the_last_is_kept_and_empty_ones_too() {
    let empty = KeyValue { key: "e".to_owned(), value: Some(AnyValue::default()), ..KeyValue::default() };
    let twice = || vec![text("a", "1"), empty.clone(), text("a", "3")];
    let rows = run(&[], [value(vec![resource(twice(), vec![LogRecord { attributes: twice(), ..record() }])])]);
    let map = r#"{"e":"","a":"3"}"#;
    assert_eq!((&*cells(&rows, "attributes")[0], &*cells(&rows, "resource_attributes")[0]), (map, map));
    assert_eq!(rows.counter("duplicate_keys"), 2);
}

#[test]
fn requests_without_log_records_give_no_rows_and_no_dead_letter() {
    let empty = [vec![], value(vec![ResourceLogs::default()]), value(vec![resource(vec![text("a", "b")], vec![])])];
    let rows = run(&[], empty);
    assert_eq!(rows.table("logs").rows_per_message, [0, 0, 0]);
    assert_eq!(rows.rejections, []);
}

#[test]
fn what_cannot_be_read_is_refused_alone_with_all_its_rows() {
    let good = value(vec![resource(vec![], vec![record()])]);
    let mut half_bad = good.clone();
    half_bad.extend_from_slice(&good[..good.len() - 1]);
    let deep = |depth: usize| (1..depth).fold(string("x"), |value, _| array(vec![holding(value)]));
    let saying_deep = |depth: usize| value(vec![resource(vec![], vec![record(), saying(holding(deep(depth)))])]);
    let values =
        [good.clone(), half_bad, vec![0; 10_000_000], saying_deep(1000), saying_deep(65), saying_deep(64), good];
    let rows = run(&[("columns", &["body_json"])], values);
    assert_eq!(rows.table("logs").rows_per_message, [1, 0, 0, 0, 0, 2, 1]);
    let reasons: Vec<_> = rows.rejections.iter().map(|one| (one.index, one.reason.as_str())).collect();
    assert_eq!(reasons[0].0, 1);
    assert!(reasons[0].1.contains("the message ends within a field at byte"), "{}", reasons[0].1);
    assert_eq!(reasons[1], (2, "not OTLP protobuf: a field number is 0 or too large at byte 0 of 10000000"));
    assert_eq!(reasons[2], (3, "not OTLP protobuf: values are nested more than 64 deep"));
    assert_eq!(reasons[3], (4, "not OTLP protobuf: values are nested more than 64 deep"));
    assert_eq!(rows.counter("missing_service_names"), 3, "what a refused record counted is forgotten");
}

#[test]
fn repeated_singular_parts_are_merged_and_unknown_fields_skipped() {
    let part = |number: u8, inner: &[u8]| [&[number << 3 | 2, inner.len() as u8][..], inner].concat();
    let unknown = [0xc0, 0x3e, 1, 0xc3, 0x3e, 8, 1, 0xc4, 0x3e];
    let body = |text: &[u8]| part(5, &part(5, &part(1, &part(1, text))));
    let record = [&unknown[..], &body(b"x"), &part(3, b"first"), &body(b"y"), &part(3, b"last")].concat();
    let resource = |key: &[u8], value: &[u8]| part(1, &part(1, &[part(1, key), part(2, &part(1, value))].concat()));
    let records = [&part(2, &part(2, &record))[..], &unknown, &resource(b"service.name", b"shop")].concat();
    let rows = run(&[], [[&unknown[..], &part(1, &[resource(b"zone", b"eu"), records].concat())].concat()]);
    assert_eq!(cells(&rows, "body"), [r#""[\"x\",\"y\"]""#]);
    assert_eq!(cells(&rows, "severity_text"), ["\"last\""]);
    assert_eq!(cells(&rows, "resource_attributes"), [r#"{"zone":"eu","service.name":"shop"}"#]);
}

#[test]
fn other_signals_are_refused() {
    let batch = Batch { signal: Signal::Traces, ..testing::logs([vec![]]) };
    let rows = testing::run::<FlattenLogs>(&[], batch).unwrap();
    assert_eq!(rows.rejections[0].reason, "flatten-logs reads logs, not traces");
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
        let attributes = vec![text("a", "b"), attribute("n", Value::IntValue(3)), attribute("l", array(vec![holding(string("x"))]))];
        let whole = LogRecord { attributes: attributes.clone(), ..saying(holding(list(attributes.clone()))) };
        let good = value(vec![resource(attributes, vec![whole.clone(), whole])]);
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
        prop_assert_eq!(rows.table("logs").rows_per_message[0], 2);
        prop_assert_eq!(rows.table("logs").rows_per_message[2], 2);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let rows = run(&[("columns", &FURTHER)], [bytes]);
        prop_assert_eq!(rows.table("logs").rows_per_message.len(), 1);
    }
}
