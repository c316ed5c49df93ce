use super::*;
use crate::otlp::wire::Read;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;

fn any(value: Value) -> common::AnyValue {
    common::AnyValue { value: Some(value) }
}

fn array(values: Vec<common::AnyValue>) -> common::AnyValue {
    any(Value::ArrayValue(common::ArrayValue { values }))
}

fn list(entries: Vec<(&str, common::AnyValue)>) -> common::AnyValue {
    let entry = |(key, value): (&str, _)| common::KeyValue {
        key: key.to_owned(),
        value: Some(value),
        ..common::KeyValue::default()
    };
    any(Value::KvlistValue(common::KeyValueList { values: entries.into_iter().map(entry).collect() }))
}

fn string(text: &str) -> common::AnyValue {
    any(Value::StringValue(text.to_owned()))
}

fn text_and_oddities(value: &common::AnyValue) -> Result<(String, Oddities), Malformed> {
    let (mut out, mut oddities) = (Vec::new(), Oddities::default());
    AnyValue::read(&value.encode_to_vec())?.write_text(&mut out, &mut oddities)?;
    Ok((String::from_utf8_lossy(&out).into_owned(), oddities))
}

fn text(value: &common::AnyValue) -> String {
    text_and_oddities(value).unwrap().0
}

#[test]
fn each_kind_has_the_text_that_the_specification_gives_it() {
    assert_eq!(text(&common::AnyValue::default()), "");
    assert_eq!(text(&string("hello \"world\"\0")), "hello \"world\"\0");
    assert_eq!(text(&any(Value::BoolValue(true))), "true");
    assert_eq!(text(&any(Value::BoolValue(false))), "false");
    assert_eq!(text(&any(Value::IntValue(9_007_199_254_740_993))), "9007199254740993");
    assert_eq!(text(&any(Value::DoubleValue(-1.25e-7))), "-1.25e-7");
    assert_eq!(text(&any(Value::DoubleValue(f64::NAN))), "NaN");
    assert_eq!(text(&any(Value::DoubleValue(f64::NEG_INFINITY))), "-Infinity");
    assert_eq!(text(&any(Value::BytesValue(b"hello world".to_vec()))), "aGVsbG8gd29ybGQ=");
    assert_eq!(text(&array(vec![])), "[]");
    assert_eq!(text(&list(vec![])), "{}");
}

#[test]
fn arrays_and_lists_are_json_of_mixed_kinds_three_deep() {
    let value = array(vec![
        any(Value::IntValue(1)),
        any(Value::DoubleValue(f64::INFINITY)),
        any(Value::DoubleValue(f64::NAN)),
        string("a\"\\\n\u{1}é"),
        any(Value::BoolValue(true)),
        common::AnyValue::default(),
        list(vec![("k\"", any(Value::BytesValue(b"hello world".to_vec()))), ("deep", array(vec![string("x")]))]),
    ]);
    let expected = r#"[1,"Infinity","NaN","a\"\\\n\u0001é",true,null,{"k\"":"aGVsbG8gd29ybGQ=","deep":["x"]}]"#;
    assert_eq!(text(&value), expected);
    let parsed: serde_json::Value = serde_json::from_str(&text(&value)).unwrap();
    assert_eq!(parsed[3], "a\"\\\n\u{1}é");
}

#[test]
fn of_keys_that_repeat_within_a_list_the_last_is_kept_and_the_others_counted() {
    let value = list(vec![("a", string("1")), ("b", string("2")), ("a", string("3"))]);
    let (text, oddities) = text_and_oddities(&value).unwrap();
    assert_eq!(text, r#"{"b":"2","a":"3"}"#);
    assert_eq!(oddities, Oddities { duplicate_keys: 1, profile_fields: 0 });
}

#[test]
fn a_reference_to_a_profile_dictionary_is_as_good_as_empty_and_counted() {
    let index = || any(Value::StringValueStrindex(3));
    assert_eq!(text_and_oddities(&index()), Ok((String::new(), Oddities { duplicate_keys: 0, profile_fields: 1 })));
    let (text, oddities) = text_and_oddities(&array(vec![index(), index()])).unwrap();
    assert_eq!((text.as_str(), oddities.profile_fields), ("[null,null]", 2));
}

#[test]
fn values_may_be_64_deep_and_no_deeper() {
    let nested = |depth: usize| (1..depth).fold(string("x"), |value, _| array(vec![value]));
    assert_eq!(text(&nested(64)), format!("{}\"x\"{}", "[".repeat(63), "]".repeat(63)));
    assert_eq!(text_and_oddities(&nested(65)).unwrap_err().fault, Fault::TooDeep);
    let lists = (1..65).fold(string("x"), |value, _| list(vec![("k", value)]));
    assert_eq!(text_and_oddities(&lists).unwrap_err().fault, Fault::TooDeep);
}
