//! OTLP JSON to protobuf: Weir's converter, and serde's structs written by prost.

use std::hint::black_box;
use std::rc::Rc;

use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message as _;
use weir_otlp::{Converter, Signal};

use crate::Part;
use crate::traces::Traces;

pub(crate) fn parts(traces: &Traces) -> Vec<Part> {
    agree(traces);
    let (mut converter, mut out) = (Converter::new(), Vec::new());
    let json = Rc::clone(&traces.json);
    let ours = move || {
        for message in &*json {
            out.clear();
            black_box(converter.convert(Signal::Traces, message, &mut out).unwrap());
        }
    };
    let json = Rc::clone(&traces.json);
    let mut out = Vec::new();
    let theirs = move || {
        for message in &*json {
            out.clear();
            serde_json::from_slice::<TracesData>(message).unwrap().encode(&mut out).unwrap();
            black_box(&out);
        }
    };
    let bytes = Some(traces.json_bytes());
    vec![
        Part::new("JSON to protobuf", bytes, ours).first(),
        Part::new("the same by serde_json and prost", bytes, theirs),
    ]
}

/// Both read what the generator made.
fn agree(traces: &Traces) {
    let (json, protobuf) = (&traces.json[0], &traces.protobuf[0][0]);
    let made = TracesData::decode(protobuf.as_slice()).unwrap();
    let mut out = Vec::new();
    Converter::new().convert(Signal::Traces, json, &mut out).unwrap();
    assert_eq!(TracesData::decode(out.as_slice()).unwrap(), made, "the converter reads something else");
    assert_eq!(serde_json::from_slice::<TracesData>(json).unwrap(), made, "serde reads something else");
}
