//! What is refused, and how the error reads.

use super::{convert, document, refused};
use crate::{JsonProblem, Signal};

fn problem(json: impl AsRef<[u8]>) -> (JsonProblem, usize) {
    let error = convert(Signal::Traces, json).unwrap_err();
    (error.problem, error.offset)
}

#[test]
fn a_value_that_is_empty_is_not_json() {
    assert_eq!(problem(""), (JsonProblem::Empty, 0));
    assert_eq!(problem(" \n"), (JsonProblem::Empty, 0));
}

#[test]
fn a_byte_order_mark_is_named() {
    assert_eq!(problem("\u{feff}{}"), (JsonProblem::ByteOrderMark, 0));
    assert_eq!(problem(b"\xff\xfe{\0}\0"), (JsonProblem::ByteOrderMark, 0));
}

#[test]
fn a_document_that_is_no_object_is_refused() {
    for json in ["[]", "null", "1", "\"a\"", "true", "x"] {
        let (problem, offset) = problem(json);
        assert!(matches!(problem, JsonProblem::Unexpected { wanted: "an object", .. }), "{json}");
        assert_eq!(offset, 0);
    }
}

#[test]
fn what_follows_the_document_is_named_with_its_offset() {
    assert_eq!(problem("{}x"), (JsonProblem::Trailing { found: b'x' }, 2));
    assert_eq!(problem("{} \0"), (JsonProblem::Trailing { found: 0 }, 3));
    assert_eq!(problem("{}\n{}"), (JsonProblem::SecondDocument, 3));
}

#[test]
fn a_truncated_document_is_refused_wherever_it_ends() {
    let json = document(
        r#""traceId":"5b8efff798038103d269b633813fc60c","name":"a\u00e9\ud83e\udd80","kind":2,"flags":1.5e1,
           "attributes":[{"key":"k","value":{"doubleValue":"NaN"}},{"key":"b","value":{"boolValue":true}}],
           "x":{"y":[null,false,"\n"]},"status":{"code":"STATUS_CODE_OK"}"#,
    );
    for end in 1..json.len() {
        let error = convert(Signal::Traces, &json[..end]).unwrap_err();
        let is_truncated = matches!(error.problem, JsonProblem::Truncated);
        // Half a word is another word, half an escape another escape; the end is what is at fault all the same.
        assert!(is_truncated || error.offset + 6 > end, "{error} of {end}");
    }
}

#[test]
fn protobuf_in_a_json_topic_is_recognised() {
    let bytes = include_bytes!("../../../tests/data/traces.proto");
    let error = convert(Signal::Traces, bytes).unwrap_err();
    assert_eq!(error.problem, JsonProblem::Protobuf { signal: Signal::Traces });
}

#[test]
fn a_document_of_another_signal_is_not_taken_for_an_empty_one() {
    let logs = include_bytes!("../../../tests/data/logs.json");
    let error = convert(Signal::Traces, logs).unwrap_err();
    assert_eq!(error.to_string(), "the document holds logs, not traces, at byte 0");
    assert!(convert(Signal::Traces, r#"{"resourceNews":[{}]}"#).is_ok());
}

#[test]
fn a_value_of_another_type_names_its_field() {
    let at = "in resourceSpans[0].scopeSpans[0].spans[0]";
    for (members, wanted) in [
        (r#""name":7"#, format!("expected a string, found '7', at byte 51, {at}.name")),
        (r#""attributes":{}"#, format!("expected an array, found '{{', at byte 57, {at}.attributes")),
        (r#""status":[]"#, format!("expected an object, found '[', at byte 53, {at}.status")),
        (
            r#""attributes":[{"key":"k"},{"key":"l","value":{"boolValue":"true"}}]"#,
            format!("expected true or false, found '\"', at byte 102, {at}.attributes[1].value.boolValue"),
        ),
        (r#""flags":{}"#, format!("expected an integer or one in quotes, found '{{', at byte 52, {at}.flags")),
        (
            r#""flags":-1"#,
            format!("the number is out of range for an unsigned integer of 32 bits, at byte 52, {at}.flags"),
        ),
        (r#""kind":2147483648"#, format!("the number is out of range for an enum, at byte 51, {at}.kind")),
    ] {
        assert_eq!(refused(members), wanted);
    }
}

#[test]
fn numbers_that_are_none_are_refused() {
    for number in ["1.5", "01", "+1", "-", "1.", ".5", "1e", "--1", "\"\"", "\" 1\"", "\"1x\"", "NaN", "1e-1"] {
        let error = refused(format!(r#""startTimeUnixNano":{number}"#));
        assert!(error.contains("startTimeUnixNano"), "{number}: {error}");
    }
    for number in ["18446744073709551616", "\"99999999999999999999\"", "1e20", "-1", "1e999999999999"] {
        let error = refused(format!(r#""startTimeUnixNano":{number}"#));
        assert!(error.contains("out of range"), "{number}: {error}");
    }
    for number in ["NaN", "1e", "\"\"", "\"nan\"", "\"inf\"", "1e999", "-Infinity", "1-2", "00.5"] {
        refused(format!(r#""attributes":[{{"value":{{"doubleValue":{number}}}}}]"#));
    }
}

#[test]
fn broken_grammar_is_refused() {
    for members in [
        r#""name":"a",}"#,
        r#""name":"a",,"kind":1"#,
        r#""name" "a""#,
        r#""name":"a" "kind":1"#,
        "name:1",
        r#""name":nul"#,
        r#""name":"\x""#,
        r#""name":"\u12g4""#,
        r#""attributes":[{},]"#,
        r#""attributes":[{}}"#,
        r#""x":[1,]"#,
        r#""x":{"a":1]"#,
        r#""x":{1:2}"#,
        r#""kind":0x10"#,
        r#""x":tru"#,
        r#""x":01"#,
        r#""x":"\q""#,
        "\u{7}",
    ] {
        refused(members);
    }
}

#[test]
fn bytes_that_are_no_base64_are_refused() {
    for text in ["A", "A*==", "+_AA", "A===", "AQ==A", "é"] {
        let error = refused(format!(r#""attributes":[{{"value":{{"bytesValue":"{text}"}}}}]"#));
        assert!(error.starts_with("the bytes are not base64, at byte 82"), "{text}: {error}");
    }
}
