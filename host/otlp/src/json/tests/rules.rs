//! Each rule of OTLP/JSON, by itself.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::metrics::v1::{MetricsData, metric, number_data_point};
use prost::Message as _;

use super::{convert, document, span, traces};
use crate::{Anomalies, JsonProblem, Signal};

fn attribute(value: &str) -> (Option<AnyValue>, Anomalies) {
    let (mut span, found) = span(format!(r#""attributes":[{{"key":"k","value":{value}}}]"#));
    (span.attributes.remove(0).value, found)
}

fn value(json: &str) -> Value {
    let (value, found) = attribute(json);
    assert!(found.is_clean(), "{found:?}");
    value.unwrap().value.unwrap()
}

#[test]
fn ids_are_hexadecimal_in_either_case() {
    let (span, found) = span(
        r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","parentSpanId":"Eee19B7ec3c1b173""#,
    );
    assert_eq!(
        span.trace_id,
        [0x5b, 0x8e, 0xff, 0xf7, 0x98, 3, 0x81, 3, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c]
    );
    assert_eq!(span.span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]);
    assert_eq!(span.parent_span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x73]);
    assert!(found.is_clean());
}

#[test]
fn an_id_that_is_no_hexadecimal_is_left_out_and_the_span_stays() {
    for id in [
        r#""eee19b7ec3c1b17""#,
        r#""eee19b7ec3c1b17g""#,
        r#""eee19b7e:3c1b174""#,
        "\"eee19b7e\x11c1b1742\"",
        r#""7uGbfsPBsXQ=""#,
        r#""é9b7ec3c1b1741""#,
        "17",
        "[1,{}]",
    ] {
        let (span, found) = span(format!(r#""spanId":{id},"name":"kept""#));
        assert_eq!((span.span_id.as_slice(), span.name.as_str()), (&[][..], "kept"), "{id}");
        assert_eq!(found.invalid_ids, 1, "{id}");
    }
}

#[test]
fn an_id_of_another_even_length_is_passed_on() {
    for (id, bytes) in [("", &[][..]), ("0a", &[0x0a]), ("0a0B0c0d0e0f1011ff", &[10, 11, 12, 13, 14, 15, 16, 17, 255])]
    {
        let (span, found) = span(format!(r#""traceId":"{id}""#));
        assert_eq!(span.trace_id, bytes);
        assert!(found.is_clean());
    }
}

#[test]
fn an_id_may_be_spelled_with_escapes() {
    assert_eq!(span(r#""spanId":"\u0065ee19b7ec3c1b174""#).0.span_id[0], 0xee);
}

#[test]
fn unknown_fields_are_skipped_with_all_they_hold() {
    let unknown = r#"{"a":[1,-2.5e+3,"x\"]}\u12ab",null,true,false,[],{}],"spans":[{"name":"not this"}]}"#;
    let (span, found) = span(format!(r#""new":{unknown},"name":"kept","other":"x","trace_id":"00""#));
    assert_eq!((span.name.as_str(), span.trace_id.len()), ("kept", 0));
    assert_eq!(found, Anomalies { unknown_fields: 3, ..Default::default() });
}

#[test]
fn names_in_snake_case_are_unknown() {
    assert_eq!(traces(r#"{"resource_spans":[{}]}"#).0.resource_spans.len(), 0);
}

#[test]
fn null_is_the_default_value() {
    let (span, found) = span(r#""name":null,"spanId":null,"kind":null,"attributes":null,"status":null,"flags":null"#);
    assert_eq!(span, Default::default());
    assert!(found.is_clean());
    assert_eq!(attribute("null").0, None);
    assert_eq!(attribute(r#"{"stringValue":null}"#).0, Some(AnyValue { value: None }));
}

#[test]
fn null_in_a_list_keeps_its_place() {
    let Value::ArrayValue(ArrayValue { values }) = value(r#"{"arrayValue":{"values":[null,{"intValue":1}]}}"#) else {
        panic!("no array")
    };
    assert_eq!(values, [AnyValue { value: None }, AnyValue { value: Some(Value::IntValue(1)) }]);
}

#[test]
fn empty_values_are_kept() {
    assert_eq!(attribute("{}").0, Some(AnyValue { value: None }));
    assert_eq!(value(r#"{"stringValue":""}"#), Value::StringValue(String::new()));
    assert_eq!(value(r#"{"intValue":"0"}"#), Value::IntValue(0));
    assert_eq!(value(r#"{"boolValue":false}"#), Value::BoolValue(false));
    assert_eq!(value(r#"{"doubleValue":0}"#), Value::DoubleValue(0.0));
    assert_eq!(value(r#"{"bytesValue":""}"#), Value::BytesValue(vec![]));
    assert_eq!(value(r#"{"arrayValue":{}}"#), Value::ArrayValue(Default::default()));
    assert_eq!(value(r#"{"kvlistValue":{"values":[]}}"#), Value::KvlistValue(Default::default()));
    assert!(span(r#""status":{}"#).0.status.is_some());
}

#[test]
fn enums_are_numbers_and_names_are_counted() {
    assert_eq!(span(r#""kind":3"#).0.kind, 3);
    assert_eq!(span(r#""kind":-1"#).0.kind, -1);
    assert_eq!(span(r#""kind":77"#).0.kind, 77);
    for (name, kind) in [("SPAN_KIND_CLIENT", 3), ("2", 2), ("SPAN_KIND_NEW", 0)] {
        let (span, found) = span(format!(r#""kind":"{name}","status":{{"code":"STATUS_CODE_ERROR"}}"#));
        assert_eq!((span.kind, span.status.unwrap().code, found.enum_names), (kind, 2, 2), "{name}");
    }
}

#[test]
fn integers_come_as_text_or_as_numbers() {
    for (json, wanted) in [
        (r#""9223372036854775807""#, i64::MAX),
        ("9223372036854775807", i64::MAX),
        (r#""-9223372036854775808""#, i64::MIN),
        ("-9223372036854775808", i64::MIN),
        ("-0", 0),
        ("12345678", 12_345_678),
        ("1234567890123456", 1_234_567_890_123_456),
        ("9007199254740993", 9_007_199_254_740_993),
        ("1.5e1", 15),
        (r#""9.223372036854775807E+18""#, i64::MAX),
        ("120e-1", 12),
        ("0e999999999999", 0),
        (r#""\u0031\u0032""#, 12),
        (" 7 ", 7),
    ] {
        assert_eq!(value(&format!(r#"{{"intValue":{json}}}"#)), Value::IntValue(wanted), "{json}");
    }
    for json in [r#""18446744073709551615""#, "18446744073709551615", "1.8446744073709551615e19"] {
        assert_eq!(span(format!(r#""endTimeUnixNano":{json}"#)).0.end_time_unix_nano, u64::MAX, "{json}");
    }
    assert_eq!(span(r#""flags":"4294967295","droppedLinksCount":"3""#).0.flags, u32::MAX);
}

#[test]
fn doubles_come_as_numbers_as_text_or_by_name() {
    for (json, wanted) in [
        ("1.5", 1.5),
        ("-0.0", -0.0),
        ("12", 12.0),
        ("1e300", 1e300),
        (r#""2.5""#, 2.5),
        (r#""Infinity""#, f64::INFINITY),
        (r#""-Infinity""#, f64::NEG_INFINITY),
        ("2.2250738585072014e-308", 2.225_073_858_507_201_4e-308),
    ] {
        assert_eq!(value(&format!(r#"{{"doubleValue":{json}}}"#)), Value::DoubleValue(wanted), "{json}");
    }
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Value::DoubleValue(double) if double.is_nan()));
}

#[test]
fn bytes_are_base64_of_either_alphabet_padded_or_not() {
    for text in ["+/9h", "-_9h", r"+\/9h"] {
        assert_eq!(value(&format!(r#"{{"bytesValue":"{text}"}}"#)), Value::BytesValue(vec![0xfb, 0xff, 0x61]));
    }
    for text in ["AQ==", "AQ", "AQ="] {
        assert_eq!(value(&format!(r#"{{"bytesValue":"{text}"}}"#)), Value::BytesValue(vec![1]), "{text}");
    }
    let long = "A".repeat(1000);
    assert_eq!(value(&format!(r#"{{"bytesValue":"{long}"}}"#)), Value::BytesValue(vec![0; 750]));
}

#[test]
fn escapes_are_resolved() {
    let text = r#"{"stringValue":"\"\\\/\b\f\n\r\t\u00e9\u65e5\ud83e\udd80\u0000é"}"#;
    assert_eq!(value(text), Value::StringValue("\"\\/\u{8}\u{c}\n\r\té日🦀\0é".to_owned()));
    let (span, found) = span(r#""n\u0061me":"kept""#);
    assert_eq!((span.name.as_str(), found.is_clean()), ("kept", true));
}

#[test]
fn lone_surrogates_are_replaced_and_counted() {
    for (text, wanted, count) in [
        (r"\ud83e", "\u{FFFD}", 1),
        (r"\udd80x", "\u{FFFD}x", 1),
        (r"\ud83e\n", "\u{FFFD}\n", 1),
        (r"\ud83e\u0041", "\u{FFFD}A", 1),
        (r"\ud83e\ud83e\udd80", "\u{FFFD}🦀", 1),
        (r"\udd80\ud83e", "\u{FFFD}\u{FFFD}", 2),
    ] {
        let (span, found) = span(format!(r#""name":"{text}""#));
        assert_eq!((span.name.as_str(), found.lone_surrogates), (wanted, count), "{text}");
    }
}

#[test]
fn invalid_utf8_is_replaced_and_counted() {
    let (span, found) = span(b"\"name\":\"a\xffb\xe2\x82c\xc3\\n\",\"traceState\":\"sch\xc3\xb6n\",\"status\":{\"message\":\"no escape\xff\"}");
    assert_eq!(span.name, "a\u{FFFD}b\u{FFFD}c\u{FFFD}\n");
    assert_eq!(span.trace_state, "schön");
    assert_eq!(span.status.unwrap().message, "no escape\u{FFFD}");
    assert_eq!(found, Anomalies { invalid_utf8: 4, ..Default::default() });
}

#[test]
fn control_characters_in_text_are_kept_and_counted() {
    let (span, found) = span("\"name\":\"a\tb\0c\"");
    assert_eq!(span.name, "a\tb\0c");
    assert_eq!(found.control_characters, 2);
}

#[test]
fn of_a_field_named_twice_the_last_scalar_wins_and_messages_merge() {
    let (twice, found) = span(
        r#""name":"a","name":"b","kind":2,"kind":0,"flags":1,"flags":null,"status":{"code":2},"status":{"message":"m"}"#,
    );
    assert_eq!((twice.name.as_str(), twice.kind, twice.flags), ("b", 0, 0));
    let status = twice.status.unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "m"));
    assert_eq!(found.duplicate_fields, 3);
    let (emptied, found) = span(r#""name":"a","name":"","spanId":"0a","spanId":"xx""#);
    assert_eq!((emptied.name.as_str(), emptied.span_id.len()), ("", 0));
    assert_eq!((found.duplicate_fields, found.invalid_ids), (2, 1));
}

#[test]
fn of_two_values_of_an_attribute_the_last_one_wins() {
    let (value, found) = attribute(r#"{"stringValue":"a","intValue":null,"boolValue":true}"#);
    assert_eq!(value, Some(AnyValue { value: Some(Value::BoolValue(true)) }));
    assert_eq!(found.duplicate_fields, 1);
}

#[test]
fn optional_zeros_are_not_absent() {
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"histogram":{"dataPoints":[{"sum":0,"max":null,"bucketCounts":[],"explicitBounds":[0,1.5,"Infinity"]}]}},
        {"gauge":{"dataPoints":[{"asInt":"0"},{"asDouble":0},{}]}}]}]}]}"#;
    let (bytes, found) = convert(Signal::Metrics, json).unwrap();
    let data = MetricsData::decode(bytes.as_slice()).unwrap();
    let [histogram, gauge] = data.resource_metrics[0].scope_metrics[0].metrics.as_slice() else {
        panic!("two metrics")
    };
    let Some(metric::Data::Histogram(histogram)) = &histogram.data else { panic!("no histogram") };
    let point = &histogram.data_points[0];
    assert_eq!((point.sum, point.min, point.max), (Some(0.0), None, None));
    assert_eq!((point.bucket_counts.len(), point.explicit_bounds.as_slice()), (0, &[0.0, 1.5, f64::INFINITY][..]));
    let Some(metric::Data::Gauge(gauge)) = &gauge.data else { panic!("no gauge") };
    let values: Vec<_> = gauge.data_points.iter().map(|point| point.value).collect();
    let zero = number_data_point::Value::AsDouble(0.0);
    assert_eq!(values, [Some(number_data_point::Value::AsInt(0)), Some(zero), None]);
    assert!(found.is_clean());
}

#[test]
fn white_space_may_stand_between_all_tokens() {
    let json = "\r\n\t {  \"resourceSpans\" : [ { \"scopeSpans\"\n:\t[ { \"spans\" : [ { \"name\" : \"a\" , \
                \"startTimeUnixNano\" : \"7\" , \"attributes\" : [ ] , \"x\" : { \"y\" : [ 1 , 2 ] } } , { } ] } ] } ] } \n";
    let (data, found) = traces(json);
    let spans = &data.resource_spans[0].scope_spans[0].spans;
    assert_eq!((spans.len(), spans[0].name.as_str(), spans[0].start_time_unix_nano), (2, "a", 7));
    assert_eq!(found.unknown_fields, 1);
}

#[test]
fn fields_may_come_in_any_order() {
    let (span, found) =
        span(r#""status":{"code":1},"name":"a","endTimeUnixNano":"9","traceId":"0a","droppedLinksCount":1"#);
    assert_eq!((span.name.as_str(), span.end_time_unix_nano, span.dropped_links_count), ("a", 9, 1));
    assert_eq!((span.trace_id.as_slice(), span.status.unwrap().code), (&[0x0a][..], 1));
    assert!(found.is_clean());
}

#[test]
fn a_request_without_data_is_valid() {
    for json in ["{}", r#"{"resourceSpans":[]}"#, r#"{"resourceSpans":null}"#, " { } "] {
        assert_eq!(convert(Signal::Traces, json).unwrap().0, b"", "{json}");
    }
}

#[test]
fn lengths_are_as_short_as_they_can_be() {
    for length in [0, 1, 100, 127, 128, 5_000, 16_383, 16_384, 70_000, 3_000_000] {
        let name = "n".repeat(length);
        let (bytes, _) = convert(Signal::Traces, document(format!(r#""name":"{name}","status":{{}}"#))).unwrap();
        let decoded = opentelemetry_proto::tonic::trace::v1::TracesData::decode(bytes.as_slice()).unwrap();
        assert_eq!(decoded.encode_to_vec(), bytes, "{length}");
    }
}

#[test]
fn values_nest_sixty_four_deep() {
    let depth = crate::ANY_VALUE_DEPTH_MAX as usize;
    let open = r#"{"arrayValue":{"values":["#;
    let json = |depth: usize| {
        let (open, close) = (open.repeat(depth - 1), "]}}".repeat(depth - 1));
        document(format!(r#""attributes":[{{"key":"k","value":{open}{{"intValue":1}}{close}}}]"#))
    };
    assert!(convert(Signal::Traces, json(depth)).is_ok());
    let error = convert(Signal::Traces, json(depth + 1)).unwrap_err();
    assert_eq!(error.problem, JsonProblem::TooDeep { max: 64 });
    assert!(error.path.starts_with("resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.arrayValue.values[0]"));
    assert!(error.path.len() < 200 && error.path.ends_with("...[0].arrayValue.values[0]"), "{error}");
}
