//! Whatever the bytes are: no panic, no endless loop, no more memory than a small multiple of them.

use proptest::prelude::*;
use prost::Message as _;

use super::convert;
use crate::Signal;
use crate::dice::Dice;

fn survives(json: &[u8]) {
    for signal in Signal::ALL {
        match convert(signal, json) {
            Ok((bytes, _)) => {
                assert!(bytes.len() <= 4 * json.len(), "{} bytes from {}", bytes.len(), json.len());
                crate::check(signal, &bytes).unwrap();
            }
            Err(error) => assert!(error.offset <= json.len(), "{error}"),
        }
    }
}

const TOKENS: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1e5",
    "\"1\"",
    "{}",
    "[]",
    "\\",
    "\\ud800",
    "\"resourceSpans\":[",
    "\"scopeSpans\":[",
    "\"spans\":[",
    "\"attributes\":[",
    "\"key\":",
    "\"value\":{",
    "\"k\"",
    "\"stringValue\":",
    "\"arrayValue\":{\"values\":[",
    "\"intValue\":",
    "\"doubleValue\":",
    "\"bytesValue\":\"",
    "\"kind\":",
    "\"resourceMetrics\":[",
    "\"scopeMetrics\":[",
    "\"metrics\":[",
    "\"histogram\":{\"dataPoints\":[",
    "\"bucketCounts\":[",
    "\"x\":",
    "\"traceId\":\"",
    "00",
    " ",
];

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&bytes);
        survives(&[b"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{", bytes.as_slice()].concat());
    }

    #[test]
    fn random_tokens_are_survived(tokens in prop::collection::vec(0..TOKENS.len(), 0..60)) {
        let json: String = tokens.into_iter().map(|token| TOKENS[token]).collect();
        survives(json.as_bytes());
        survives(format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{{json}").as_bytes());
    }

    #[test]
    fn changed_documents_are_survived(
        entropy in prop::collection::vec(any::<u8>(), 0..1500),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6),
    ) {
        let mut dice = Dice::new(&entropy);
        let mut json = match dice.below(3) {
            0 => serde_json::to_vec(&dice.traces()).unwrap(),
            1 => serde_json::to_vec(&dice.logs()).unwrap(),
            _ => serde_json::to_vec(&dice.metrics()).unwrap(),
        };
        for (place, byte, change) in changes {
            if json.is_empty() {
                break;
            }
            let at = place.index(json.len());
            match change {
                0 => json[at] = byte,
                1 => json.insert(at, byte),
                2 => drop(json.remove(at)),
                _ => json.truncate(at),
            }
        }
        survives(&json);
    }
}

#[test]
fn deep_nesting_is_refused_without_using_the_stack() {
    for (open, count) in [("[", 1_000_000), ("{\"x\":", 1_000_000), ("{\"x\":[", 1_000), ("[[[[", 1_000_000)] {
        survives(format!("{{\"unknown\":{}", open.repeat(count)).as_bytes());
    }
    for open in [r#"{"arrayValue":{"values":["#, r#"{"kvlistValue":{"values":[{"value":"#] {
        let nested = open.repeat(100_000);
        survives(format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"value":{nested}"#).as_bytes());
    }
    let unknown = format!("{{\"unknown\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
    assert!(convert(Signal::Traces, unknown).is_ok());
}

#[test]
fn ten_megabytes_of_nothing_are_survived() {
    survives(&vec![0; 10 << 20]);
    survives(&vec![b' '; 10 << 20]);
    survives(&[b"{\"resourceSpans\":[{\"schemaUrl\":\"".to_vec(), vec![b'a'; 10 << 20]].concat());
}

#[test]
fn a_string_of_eight_kilobytes_with_a_nul_is_kept() {
    let text = format!("{}\\u0000{}", "a".repeat(4_000), "é".repeat(2_000));
    let json = format!(r#"{{"resourceSpans":[{{"schemaUrl":"{text}"}}]}}"#);
    let (bytes, _) = convert(Signal::Traces, json).unwrap();
    let data = opentelemetry_proto::tonic::trace::v1::TracesData::decode(bytes.as_slice()).unwrap();
    assert_eq!(data.resource_spans[0].schema_url, text.replace("\\u0000", "\0"));
}
