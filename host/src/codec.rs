//! A topic's encoding, turned into the one that plugins see.

use std::sync::Arc;

use weir_otlp::{Anomalies, Converter, Signal, split};
use weir_pipeline::stats::Stats;
use weir_pipeline::work::Codec;

use crate::config::Encoding;

/// OTLP as the topic has it.
#[derive(Debug)]
pub struct OtlpCodec {
    signal: Signal,
    encoding: Encoding,
    converter: Converter,
    stats: Arc<Stats>,
}

impl OtlpCodec {
    /// A codec that counts what is odd.
    pub fn new(signal: Signal, encoding: Encoding, stats: Arc<Stats>) -> Self {
        Self { signal, encoding, converter: Converter::new(), stats }
    }
}

impl OtlpCodec {
    #[cold]
    fn count(&self, found: &Anomalies) {
        let kinds = [
            ("json_invalid_ids", found.invalid_ids),
            ("json_enum_names", found.enum_names),
            ("json_duplicate_fields", found.duplicate_fields),
            ("json_unknown_fields", found.unknown_fields),
            ("json_lone_surrogates", found.lone_surrogates),
            ("json_invalid_utf8", found.invalid_utf8),
            ("json_control_characters", found.control_characters),
        ];
        for (kind, n) in kinds.into_iter().filter(|(_, n)| *n > 0) {
            self.stats.anomalies.add(kind, n);
        }
    }
}

impl Codec for OtlpCodec {
    fn decode(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<Option<()>, String> {
        match self.encoding {
            // The plugin reads it once anyway, and names what it cannot read.
            Encoding::OtlpProto => Ok(None),
            Encoding::OtlpJson => {
                let found = self.converter.convert(self.signal, value, out).map_err(|e| e.to_string())?;
                if !found.is_clean() {
                    self.count(&found);
                }
                Ok(Some(()))
            }
        }
    }

    fn split(&mut self, value: &[u8], bytes_max: usize) -> Result<Vec<Vec<u8>>, String> {
        Ok(split(value, bytes_max).map_err(|e| e.to_string())?.collect())
    }
}
