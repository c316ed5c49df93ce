use proptest::prelude::*;
use prost::Message as _;

use super::check;
use crate::dice::Dice;
use crate::{Signal, WireProblem};

const SAMPLES: [(Signal, &[u8]); 6] = [
    (Signal::Traces, include_bytes!("../../tests/data/traces.proto")),
    (Signal::Traces, include_bytes!("../../tests/data/traces-attributes.proto")),
    (Signal::Logs, include_bytes!("../../tests/data/logs.proto")),
    (Signal::Logs, include_bytes!("../../tests/data/logs-attributes.proto")),
    (Signal::Metrics, include_bytes!("../../tests/data/metrics.proto")),
    (Signal::Metrics, include_bytes!("../../tests/data/metrics-histogram.proto")),
];

#[test]
fn what_the_collector_writes_passes_and_is_not_taken_for_logs() {
    for (signal, bytes) in SAMPLES {
        assert_eq!(check(signal, bytes), Ok(()));
        if signal != Signal::Logs {
            assert!(check(Signal::Logs, bytes).is_err(), "{signal}");
        }
    }
}

#[test]
fn no_bytes_are_a_request_without_data() {
    assert_eq!(check(Signal::Traces, b""), Ok(()));
}

#[test]
fn a_truncated_message_is_refused_with_an_offset() {
    for (signal, bytes) in SAMPLES {
        for end in 1..bytes.len() {
            // Before the end of the first entry; a message that stops between two entries is whole.
            let error = check(signal, &bytes[..end]).unwrap_err();
            assert_eq!(error.problem, WireProblem::Truncated);
            assert!(error.offset <= end);
        }
    }
}

#[test]
fn errors_name_field_and_offset() {
    for (bytes, wanted) in [
        (&b"\x0b"[..], "wire type 3 is not used by OTLP, in field 1, at byte 0"),
        (b"\x00", "no field can have the number 0, at byte 0"),
        (b"\x08\x01", "field 1, resourceSpans in traces, has wire type 0, at byte 0"),
        (b"\x0a\x02\x12\x05", "the message ends too early, at byte 2"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "a number is longer than 64 bits, at byte 1"),
        (b"\x0a\x06\x12\x04\x12\x02\x38\x01", "field 7, startTimeUnixNano in traces, has wire type 0, at byte 6"),
        (
            b" {\"resourceSpans\":[]}",
            "the value is not protobuf, it looks like JSON: is the topic's encoding otlp_json?, at byte 0",
        ),
    ] {
        assert_eq!(check(Signal::Traces, bytes).unwrap_err().to_string(), wanted);
    }
}

#[test]
fn unknown_fields_pass_at_every_level() {
    let unknown = &b"\xa2\x06\x01x"[..];
    let span = [&b"\x2a\x01n"[..], unknown].concat();
    let scope = [unknown, &[0x12, span.len() as u8], span.as_slice()].concat();
    let resource = [&[0x12, scope.len() as u8], scope.as_slice(), unknown].concat();
    let request = [unknown, &[0x0a, resource.len() as u8], resource.as_slice()].concat();
    assert_eq!(check(Signal::Traces, &request), Ok(()));
}

#[test]
fn deep_nesting_costs_nothing() {
    let mut message = vec![];
    for _ in 0..1_000 {
        let mut outer = vec![0x12];
        crate::wire::put_varint(&mut outer, message.len() as u64);
        outer.extend(message);
        message = outer;
    }
    let mut request = vec![0x0a];
    crate::wire::put_varint(&mut request, message.len() as u64);
    request.extend(message);
    assert_eq!(check(Signal::Traces, &request), Ok(()));
}

proptest! {
    #[test]
    fn every_real_message_passes(entropy in prop::collection::vec(any::<u8>(), 0..1500)) {
        let mut dice = Dice::new(&entropy);
        prop_assert_eq!(check(Signal::Traces, &dice.traces().encode_to_vec()), Ok(()));
        let mut dice = Dice::new(&entropy);
        prop_assert_eq!(check(Signal::Metrics, &dice.metrics().encode_to_vec()), Ok(()));
        let mut dice = Dice::new(&entropy);
        prop_assert_eq!(check(Signal::Logs, &dice.logs().encode_to_vec()), Ok(()));
    }

    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for signal in Signal::ALL {
            if let Err(error) = check(signal, &bytes) {
                prop_assert!(error.offset <= bytes.len());
            }
        }
    }
}
