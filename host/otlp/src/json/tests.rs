mod agreement;
mod hostile;
mod refusals;
mod rules;

use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use prost::Message as _;

use super::{Anomalies, Converter, JsonError};
use crate::Signal;

fn convert(signal: Signal, json: impl AsRef<[u8]>) -> Result<(Vec<u8>, Anomalies), JsonError> {
    let mut out = b"before".to_vec();
    let outcome = Converter::new().convert(signal, json.as_ref(), &mut out);
    assert!(out.starts_with(b"before"), "what was in the buffer stays");
    assert!(outcome.is_ok() || out == b"before", "a refused document leaves nothing behind");
    outcome.map(|found| (out.split_off(6), found))
}

fn traces(json: impl AsRef<[u8]>) -> (TracesData, Anomalies) {
    let (bytes, found) = convert(Signal::Traces, json).unwrap();
    (TracesData::decode(bytes.as_slice()).unwrap(), found)
}

/// The one span of a document, from the members of its JSON object.
fn span(members: impl AsRef<[u8]>) -> (Span, Anomalies) {
    let (mut data, found) = traces(document(members));
    (data.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0), found)
}

fn document(members: impl AsRef<[u8]>) -> Vec<u8> {
    [&br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"#[..], members.as_ref(), b"}]}]}]}"].concat()
}

fn refused(members: impl AsRef<[u8]>) -> String {
    convert(Signal::Traces, document(members)).unwrap_err().to_string()
}
