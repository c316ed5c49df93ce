//! The values that a correct reader must not stumble over.

use super::kit::*;
use crate::FlattenSpans;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span, Status, span};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use weir_sdk::testing::{self, Cell};
use weir_sdk::{Batch, Signal};

fn with(attributes: Vec<KeyValue>) -> Span {
    Span { attributes, ..span() }
}

#[test]
fn attributes_of_every_kind_are_text() {
    let deep =
        array(vec![holding(list(vec![attribute("k", array(vec![holding(Value::IntValue(1)), AnyValue::default()]))]))]);
    let attributes = vec![
        text("string", "a \"b\" \\ c"),
        attribute("bool", Value::BoolValue(false)),
        attribute("int", Value::IntValue(9_007_199_254_740_993)),
        attribute("double", Value::DoubleValue(1.5)),
        attribute("nan", Value::DoubleValue(f64::NAN)),
        attribute("bytes", Value::BytesValue(vec![0, 255])),
        attribute("deep", deep),
        KeyValue { key: "empty".to_owned(), value: Some(AnyValue::default()), ..KeyValue::default() },
        KeyValue { key: "none".to_owned(), ..KeyValue::default() },
    ];
    let rows = rows(&[], vec![with(attributes)]);
    let map = rows.table("spans").cell(0, "attributes").clone();
    let expected = [
        ("string", "a \"b\" \\ c"),
        ("bool", "false"),
        ("int", "9007199254740993"),
        ("double", "1.5"),
        ("nan", "NaN"),
        ("bytes", "AP8="),
        ("deep", r#"[{"k":[1,null]}]"#),
        ("empty", ""),
        ("none", ""),
    ];
    assert_eq!(map, Cell::Map(expected.map(|(key, value)| (Cell::from(key), Cell::from(value))).to_vec()));
}

#[test]
fn long_strings_other_scripts_and_nuls_pass_unchanged() {
    let long = "x".repeat(8192);
    let rows = rows(&[], vec![with(vec![text("long", &long), text("ключ", "値"), text("nul", "a\0b")])]);
    let map = rows.table("spans").cell(0, "attributes");
    assert_eq!(map.get("long").and_then(Cell::text), Some(long.as_str()));
    assert_eq!(map.get("ключ").and_then(Cell::text), Some("値"));
    assert_eq!(map.get("nul").and_then(Cell::text), Some("a\0b"));
}

#[test]
fn invalid_utf8_is_passed_on_for_the_host_to_repair_and_rejects_nothing() {
    let name = vec![0x2a, 3, b'a', 0xff, b'b'];
    let scope = [vec![0x12, name.len() as u8], name].concat();
    let resource = [vec![0x12, scope.len() as u8], scope].concat();
    let bytes = [vec![0x0a, resource.len() as u8], resource].concat();
    let rows = run(&[], [bytes]);
    assert_eq!(rows.rejections, []);
    assert_eq!(rows.table("spans").cell(0, "operation_name").text(), Some("a\u{fffd}b"));
}

#[test]
fn an_id_of_the_wrong_length_or_all_zero_is_null_and_counted_and_an_empty_parent_is_a_root() {
    let ids = |trace: usize, own: usize, parent: usize| Span {
        trace_id: vec![0xEE; trace],
        span_id: vec![0xEE; own],
        parent_span_id: vec![0xEE; parent],
        ..span()
    };
    let zero = Span { trace_id: vec![0; 16], span_id: vec![0; 8], parent_span_id: vec![0; 8], ..span() };
    let spans = vec![ids(16, 8, 0), ids(0, 0, 7), ids(15, 7, 8), ids(17, 16, 15), ids(32, 17, 32), zero];
    let rows = rows(&[], spans);
    let valid = |column: &str| -> Vec<bool> {
        rows.table("spans").column(column).iter().map(|cell| *cell != Cell::Null).collect()
    };
    assert_eq!(valid("trace_id"), [true, false, false, false, false, false]);
    assert_eq!(valid("span_id"), [true, false, false, false, false, false]);
    assert_eq!(valid("parent_span_id"), [false, false, true, false, false, false]);
    assert_eq!(counters(&rows), [("invalid_ids", 5 + 5 + 4)]);
}

#[test]
fn times_at_the_edges_are_kept() {
    let times = |start: u64, end: u64| Span { start_time_unix_nano: start, end_time_unix_nano: end, ..span() };
    let max = u64::MAX;
    let spans = vec![times(0, 0), times(max, max), times(2_000_000, 500_000), times(max, 0), times(1, max)];
    let rows = rows(&[("columns", &["start_time_unix_nano", "end_time_unix_nano"])], spans);
    let cells = |column: &str| rows.table("spans").column(column).iter().map(Cell::to_string).collect::<Vec<_>>();
    let year_2554 = "18446744073709551";
    assert_eq!(cells("timestamp"), ["0", year_2554, "2000", year_2554, "0"]);
    assert_eq!(cells("duration_ms"), ["0.0", "0.0", "-1.5", "-18446744073709.55", "18446744073709.55"]);
    let saturated = "9223372036854775807";
    assert_eq!(cells("start_time_unix_nano"), ["0", saturated, "2000000", saturated, "1"]);
    assert_eq!(cells("end_time_unix_nano"), ["0", saturated, "500000", "0", saturated]);
    let expected = [("negative_durations", 2), ("saturated_times", 4), ("unknown_times", 3)];
    assert_eq!(counters(&rows), expected);
}

#[test]
fn of_attributes_with_one_key_the_last_is_kept_wherever_they_are() {
    let twice = || vec![text("a", "1"), text("b", "2"), text("a", "3")];
    let span = Span { events: vec![span::Event { attributes: twice(), ..Default::default() }], ..with(twice()) };
    let rows = run(&[], [value(vec![resource(twice(), vec![span])])]);
    let map = r#"{"b":"2","a":"3"}"#;
    let spans = rows.table("spans");
    assert_eq!(spans.cell(0, "attributes").to_string(), map);
    assert_eq!(spans.cell(0, "resource_attributes").to_string(), map);
    assert_eq!(spans.cell(0, "events").to_string(), format!(r#"[{{"timestamp":0,"name":null,"attributes":{map}}}]"#));
    assert_eq!(rows.counter("duplicate_keys"), 3);
}

#[test]
fn a_service_name_may_be_missing_empty_or_of_another_kind() {
    let of = |attributes| resource(attributes, vec![span()]);
    let empty = KeyValue { key: "service.name".to_owned(), value: Some(AnyValue::default()), ..KeyValue::default() };
    let mut absent = of(vec![]);
    absent.resource = None;
    let number = attribute("service.name", Value::IntValue(7));
    let rows = run(
        &[],
        [value(vec![of(vec![]), absent, of(vec![empty]), of(vec![text("service.name", "")]), of(vec![number])])],
    );
    let names: Vec<_> = rows.table("spans").column("service_name").iter().map(Cell::to_string).collect();
    assert_eq!(names, ["null", "null", "null", "\"\"", "\"7\""]);
    assert_eq!(counters(&rows), [("missing_service_names", 3)]);
}

#[test]
fn kinds_and_statuses_that_do_not_exist_keep_their_rows() {
    let kinds = [0, 1, 2, 3, 4, 5, 6, -1].map(|kind| Span { kind, ..span() });
    let expected =
        ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER", "UNSPECIFIED", "UNSPECIFIED"];
    assert_eq!(column("span_kind", kinds.to_vec()), expected.map(|kind| format!("{kind:?}")));
    assert_eq!(rows(&[], kinds.to_vec()).counter("unknown_kinds"), 2);
    let statuses = [None, Some(0), Some(1), Some(2), Some(9)];
    let spans = statuses.map(|code| Span { status: code.map(|code| Status { code, ..Status::default() }), ..span() });
    assert_eq!(column("status_code", spans.to_vec()), ["0", "0", "1", "2", "9"]);
}

#[test]
fn references_to_a_profile_dictionary_are_absent_and_counted() {
    let by_index = KeyValue { key_strindex: 4, value: Some(holding(string("kept"))), ..KeyValue::default() };
    let rows = rows(&[], vec![with(vec![attribute("a", Value::StringValueStrindex(3)), by_index])]);
    assert_eq!(rows.table("spans").cell(0, "attributes").to_string(), r#"{"a":"","":"kept"}"#);
    assert_eq!(counters(&rows), [("profile_fields", 2)]);
}

#[test]
fn requests_without_spans_give_no_rows_and_no_dead_letter() {
    let empty = [vec![], value(vec![ResourceSpans::default()]), value(vec![resource(vec![text("a", "b")], vec![])])];
    let rows = run(&[], empty);
    assert_eq!(rows.table("spans").rows_per_message, [0, 0, 0]);
    assert_eq!(rows.rejections, []);
}

#[test]
fn what_cannot_be_read_is_refused_alone_with_all_its_rows() {
    let good = value(vec![resource(vec![], vec![span()])]);
    let whole = value(vec![resource(vec![], vec![with(vec![text("a", "b")])])]);
    let mut half_bad = good.clone();
    half_bad.extend_from_slice(&whole[..whole.len() - 1]);
    let zeros = vec![0; 10_000_000];
    let deep = (0..1000).fold(string("x"), |value, _| array(vec![holding(value)]));
    let deep = value(vec![resource(vec![], vec![span(), with(vec![attribute("deep", deep)])])]);
    let rows = run(&[], [good.clone(), half_bad, zeros, deep, good]);
    assert_eq!(rows.table("spans").rows_per_message, [1, 0, 0, 0, 1]);
    let reasons: Vec<_> = rows.rejections.iter().map(|one| (one.index, one.reason.as_str())).collect();
    assert_eq!(reasons[0].0, 1);
    assert!(reasons[0].1.contains("the message ends within a field at byte"), "{}", reasons[0].1);
    assert_eq!(reasons[1], (2, "not OTLP protobuf: a field number is 0 or too large at byte 0 of 10000000"));
    assert_eq!(reasons[2], (3, "not OTLP protobuf: values are nested more than 64 deep"));
    assert_eq!(rows.counter("missing_service_names"), 2, "what a refused record counted is forgotten");
}

#[test]
fn repeated_singular_parts_are_merged() {
    let part = |number: u8, inner: &[u8]| [&[number << 3 | 2, inner.len() as u8][..], inner].concat();
    let string = |text: &[u8]| part(1, text);
    let key_value = |key: &[u8], values: &[Vec<u8>]| {
        [part(1, key), values.iter().flat_map(|value| part(2, value)).collect()].concat()
    };
    let one = |value: &[u8]| part(5, &part(1, &string(value)));
    let span = [part(5, b"first"), part(5, b"last"), part(9, &key_value(b"list", &[one(b"x"), one(b"y")]))].concat();
    let resource = |key: &[u8], value: &[u8]| part(1, &part(1, &key_value(key, &[string(value)])));
    let spans = [resource(b"service.name", b"shop"), part(2, &part(2, &span)), resource(b"zone", b"eu")].concat();
    let rows = run(&[], [part(1, &spans)]);
    let row = rows.table("spans");
    assert_eq!(row.cell(0, "operation_name").text(), Some("last"));
    assert_eq!(row.cell(0, "attributes").to_string(), r#"{"list":"[\"x\",\"y\"]"}"#);
    assert_eq!(row.cell(0, "resource_attributes").to_string(), r#"{"service.name":"shop","zone":"eu"}"#);
}

#[test]
fn other_signals_are_refused() {
    let batch = Batch { signal: Signal::Metrics, ..testing::traces([vec![]]) };
    let rows = testing::run::<FlattenSpans>(&[], batch).unwrap();
    assert_eq!(rows.rejections[0].reason, "flatten-spans reads traces, not metrics");
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
        let event = span::Event { attributes: attributes.clone(), ..Default::default() };
        let link = span::Link { attributes: attributes.clone(), ..Default::default() };
        let whole = Span { attributes: attributes.clone(), events: vec![event], links: vec![link], ..span() };
        let good = value(vec![resource(attributes, vec![whole.clone(), whole])]);
        let mut bytes = good.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let all = crate::optional::Optional::NAMES;
        let given: Given<'_> = &[("columns", &all), ("promote", &["a", "n:long"])];
        let rows = run(given, [good.clone(), bytes, good]);
        prop_assert_eq!(rows.table("spans").rows_per_message[0], 2);
        prop_assert_eq!(rows.table("spans").rows_per_message[2], 2);
    }
}
