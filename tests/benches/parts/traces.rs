//! The same made-up traces for every part, in the calls that a worker would make.

use std::rc::Rc;

use weir_demo::generate::{Generator, Options, encode_json, encode_proto};

use crate::signals::{self, Calls};

/// A Collector's usual request.
pub(crate) const SPANS_PER_MESSAGE: usize = 200;

/// Traces in both encodings.
pub(crate) struct Traces {
    pub(crate) spans: usize,
    /// OTLP protobuf, by call and message.
    pub(crate) protobuf: Calls,
    /// The same as the Collector writes it in JSON, by message.
    pub(crate) json: Rc<Vec<Vec<u8>>>,
}

impl Traces {
    /// So many spans, made up to whole calls.
    pub(crate) fn new(spans: usize) -> Self {
        let calls = spans.div_ceil(SPANS_PER_MESSAGE * signals::MESSAGES_PER_CALL).max(1);
        let options = Options { seed: 1, items_per_message: SPANS_PER_MESSAGE, ..Options::default() };
        let messages: Vec<_> = Generator::new(options).take(calls * signals::MESSAGES_PER_CALL).collect();
        Self {
            spans: messages.len() * SPANS_PER_MESSAGE,
            protobuf: signals::calls(messages.iter().map(encode_proto).collect()),
            json: Rc::new(messages.iter().map(encode_json).collect()),
        }
    }

    pub(crate) fn protobuf_bytes(&self) -> usize {
        self.protobuf.iter().flatten().map(Vec::len).sum()
    }

    pub(crate) fn json_bytes(&self) -> usize {
        self.json.iter().map(Vec::len).sum()
    }
}
