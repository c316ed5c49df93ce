//! From one OTLP/JSON document to OTLP protobuf, in one pass and without a tree in between.
//!
//! The document is read once, left to right, and each field is written as soon as it is read. Only the length of a
//! nested message is not known in time: room is left for as many bytes as such a length usually takes, and the message
//! is moved where it took another number. So the output has minimal lengths, as a protobuf library would write them.

mod anomalies;
mod conversion;
mod emit;
mod error;
mod number;
mod scan;
mod skip;
mod text;

pub use anomalies::Anomalies;
pub use error::{JsonError, JsonProblem};

use crate::Signal;
use conversion::Conversion;

/// How deep `AnyValue` may nest in `AnyValue`, the outermost counted as 1. Real attributes nest two or three deep; a
/// document that nests a thousand deep is out to overflow somebody's stack.
pub const ANY_VALUE_DEPTH_MAX: u32 = 64;

/// Converts documents, one after the other, with the same scratch space.
#[derive(Default, Debug)]
pub struct Converter {
    /// Text without its escapes, where it is not copied straight to the output.
    scratch: Vec<u8>,
}

impl Converter {
    /// A converter without scratch space yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the protobuf form of one document to `out`: at most four times the document's length.
    ///
    /// Where the document names a field twice, numbers and text of the last one count, and messages are merged, as
    /// they are in protobuf. What breaks a rule without making the rest unreadable is counted in the result.
    ///
    /// # Errors
    /// Where the document is not JSON, holds another signal, a value of another type than its field's, a number out
    /// of its field's range, bytes that are not base64, or values that nest too deep. `out` is then as it was.
    pub fn convert(&mut self, signal: Signal, json: &[u8], out: &mut Vec<u8>) -> Result<Anomalies, JsonError> {
        let before = out.len();
        // Protobuf takes about 0.6 of the Collector's JSON; memory that is not touched costs nothing.
        out.reserve(json.len());
        let outcome = Conversion::new(json, out, &mut self.scratch).document(signal.root());
        let outcome = outcome.map_err(|error| self.explained(signal, json, error)).and_then(|found| {
            // A document of another signal would otherwise pass as one that holds nothing.
            let empty = out.len() == before && found.unknown_fields > 0;
            match if empty { self.other_signal(signal, json) } else { None } {
                Some(other) => Err(JsonError::at_start(JsonProblem::OtherSignal { found: other, wanted: signal })),
                None => Ok(found),
            }
        });
        if outcome.is_err() {
            out.truncate(before);
        }
        outcome
    }

    /// Says so where what is not JSON is protobuf: a topic's encoding is easily configured wrongly.
    #[cold]
    fn explained(&self, signal: Signal, json: &[u8], error: JsonError) -> JsonError {
        let at_start = matches!(error.problem, JsonProblem::Unexpected { .. }) && error.path.is_empty();
        if at_start && !json.starts_with(b"{") && crate::check(signal, json).is_ok() {
            return JsonError::at_start(JsonProblem::Protobuf { signal });
        }
        error
    }

    /// The other signal, if any, of which the document holds data.
    #[cold]
    fn other_signal(&mut self, signal: Signal, json: &[u8]) -> Option<Signal> {
        Signal::ALL.into_iter().filter(|other| *other != signal).find(|other| {
            let mut out = Vec::new();
            let outcome = Conversion::new(json, &mut out, &mut self.scratch).document(other.root());
            outcome.is_ok() && !out.is_empty()
        })
    }
}

#[cfg(test)]
mod tests;
