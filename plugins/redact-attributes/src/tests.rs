use super::*;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as trace;
use prost::Message as _;
use weir_sdk::testing;

const SETTINGS: [(&str, &[&str]); 2] = [("drop", &["secret"]), ("hash", &["user"])];

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Attributes as they come, or as they are to be when they are `redacted`.
fn attributes(redacted: bool) -> Vec<KeyValue> {
    let text = |text: &str| Value::StringValue(text.to_owned());
    let sha256 = |text: &str| Value::StringValue(hex::encode(Sha256::digest(text)));
    let mut all = vec![attribute("kept", text("x")), attribute("secret", text("s3cret"))];
    match redacted {
        false => all.extend([attribute("user", text("ada")), attribute("user", Value::IntValue(-7))]),
        true => {
            all.remove(1);
            all.extend([attribute("user", sha256("ada")), attribute("user", sha256("-7"))]);
        }
    }
    all
}

/// A trace with attributes on all of its levels.
fn data(redacted: bool) -> trace::TracesData {
    let all = || attributes(redacted);
    let event = trace::span::Event { attributes: all(), name: "secret".to_owned(), ..Default::default() };
    let link = trace::span::Link { attributes: all(), ..Default::default() };
    let span = trace::Span { attributes: all(), events: vec![event], links: vec![link], ..Default::default() };
    let scope = InstrumentationScope { attributes: all(), ..Default::default() };
    let scope_spans = trace::ScopeSpans { scope: Some(scope), spans: vec![span], ..Default::default() };
    let resource = Some(Resource { attributes: all(), ..Default::default() });
    trace::TracesData {
        resource_spans: vec![trace::ResourceSpans { resource, scope_spans: vec![scope_spans], ..Default::default() }],
    }
}

#[test]
fn attributes_are_removed_or_hashed_on_all_levels_and_counted() {
    let value = data(false).encode_to_vec();
    let outcomes = testing::rewrite::<RedactAttributes>(&SETTINGS, &testing::traces([value])).unwrap();
    let Ok(Outcome::Changed(changed)) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(trace::TracesData::decode(&changed[..]).unwrap(), data(true));
    let counted = weir_sdk::log::counted();
    assert_eq!((counted["attributes_dropped"], counted["attributes_hashed"]), (5, 10));
}

#[test]
fn a_record_without_such_attributes_is_not_copied() {
    let value = data(false).encode_to_vec();
    let outcomes = testing::rewrite::<RedactAttributes>(&[("drop", &["other"])], &testing::traces([value])).unwrap();
    assert_eq!(outcomes, [Ok(Outcome::Unchanged)]);
}

#[test]
fn a_malformed_record_is_refused_and_its_counts_are_taken_back() {
    let good = data(false).encode_to_vec();
    let cut = good[..good.len() - 1].to_vec();
    let outcomes = testing::rewrite::<RedactAttributes>(&SETTINGS, &testing::traces([cut, good])).unwrap();
    assert!(outcomes[0].as_ref().unwrap_err().starts_with("not OTLP protobuf: the message ends within a field"));
    assert!(outcomes[1].is_ok());
    assert_eq!(weir_sdk::log::counted()["attributes_dropped"], 5);
}

#[test]
fn a_value_in_pieces_is_put_together_before_it_is_hashed() {
    let piece = |text: &str| AnyValue { value: Some(Value::StringValue(text.to_owned())) }.encode_to_vec();
    let field = |number: u8, inner: &[u8]| [&[number << 3 | 2, inner.len() as u8], inner].concat();
    let attribute = [field(1, b"user"), field(2, &piece("wrong")), field(2, &piece("ada"))].concat();
    let value = field(1, &field(1, &field(1, &attribute)));
    let outcomes = testing::rewrite::<RedactAttributes>(&SETTINGS, &testing::traces([value])).unwrap();
    let changed = trace::TracesData::decode(outcomes[0].as_ref().unwrap().value(&[])).unwrap();
    let resource = changed.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(resource.attributes, [attributes(true)[1].clone()]);
}

#[test]
fn settings_that_redact_nothing_or_contradict_themselves_are_refused() {
    let refused = |settings: &[(&str, &[&str])]| {
        testing::rewrite::<RedactAttributes>(settings, &testing::traces([vec![]])).unwrap_err()
    };
    assert!(refused(&[]).contains("there is neither"));
    assert_eq!(refused(&[("drop", &["a", "b"]), ("hash", &["b"])]), "`b` is both in `drop` and in `hash`");
    assert!(refused(&[("drop", &["a"]), ("hush", &["b"])]).contains("did you mean `hash`?"));
}
