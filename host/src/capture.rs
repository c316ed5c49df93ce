//! Records of a topic in a file: a line of JSON that says what they are, then one for each record.
//!
//! Text, so that a record can be looked at, cut out or mended by hand; keys, values and headers are Base64, since they
//! are bytes, and among the interesting ones are those that are no text.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use weir_pipeline::batch::{Record, TopicPartition};

use crate::config::{Encoding, Signal};

/// The version of the format.
const VERSION: u32 = 1;

/// The partition of a record that has a file of its own, whose name is the topic's.
pub const OF_FILE: i32 = -1;

/// What a record is called.
pub fn name(place: &TopicPartition, offset: i64) -> String {
    if place.partition == OF_FILE { place.topic.to_string() } else { format!("{place}@{offset}") }
}

/// Records, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// What the topic carries.
    pub signal: Signal,
    /// How the values are written.
    pub encoding: Encoding,
    /// The records, each with where it stood.
    pub records: Vec<(TopicPartition, Record)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    weir_capture: u32,
    signal: String,
    encoding: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<String>,
    #[serde(default)]
    headers: Vec<(String, Option<String>)>,
    value: Option<String>,
}

impl Capture {
    /// Writes it.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let signal = self.signal.name().to_owned();
        let head = Head { weir_capture: VERSION, signal, encoding: self.encoding.name().to_owned() };
        writeln!(to, "{}", serde_json::to_string(&head)?)?;
        for (place, record) in &self.records {
            writeln!(to, "{}", serde_json::to_string(&line(place, record))?)?;
        }
        to.flush()
    }

    /// Reads what [`Self::write`] wrote.
    ///
    /// # Errors
    /// The file or the line that cannot be read, and why.
    pub fn read(file: &Path) -> Result<Self, String> {
        let at = |line: usize, why: &dyn Display| format!("{}:{line}: {why}", file.display());
        let opened = std::fs::File::open(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let mut lines = BufReader::new(opened).lines();
        let first = lines.next().transpose().map_err(|e| at(1, &e))?.unwrap_or_default();
        let head: Head = serde_json::from_str(&first).map_err(|e| at(1, &format_args!("no capture begins so: {e}")))?;
        if head.weir_capture != VERSION {
            return Err(at(1, &format_args!("version {} of captures, this is {VERSION}", head.weir_capture)));
        }
        let unknown = |what: &str, name: &str| at(1, &format_args!("{name:?} is no {what}"));
        let signal = Signal::of_name(&head.signal).ok_or_else(|| unknown("signal", &head.signal))?;
        let encoding = Encoding::of_name(&head.encoding).ok_or_else(|| unknown("encoding", &head.encoding))?;
        let mut records = Vec::new();
        for (number, line) in (2..).zip(lines) {
            let line = line.map_err(|e| at(number, &e))?;
            if line.trim().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_str(&line).map_err(|e| at(number, &e))?;
            records.push(record(line).map_err(|e| at(number, &e))?);
        }
        Ok(Self { signal, encoding, records })
    }

    /// Whether a file's bytes begin as a capture does.
    pub fn is_one(bytes: &[u8]) -> bool {
        let head = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        serde_json::from_slice::<Head>(head).is_ok()
    }
}

fn line(place: &TopicPartition, record: &Record) -> Line {
    let coded = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| BASE64_STANDARD.encode(bytes));
    Line {
        topic: place.topic.to_string(),
        partition: place.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: coded(&record.key),
        headers: record.headers.iter().map(|(name, value)| (name.clone(), coded(value))).collect(),
        value: coded(&record.value),
    }
}

fn record(line: Line) -> Result<(TopicPartition, Record), String> {
    let plain = |what: &str, text: Option<String>| {
        let decoded = text.map(|text| BASE64_STANDARD.decode(text).map(Bytes::from)).transpose();
        decoded.map_err(|e| format!("the {what} is no Base64: {e}"))
    };
    let headers = line.headers.into_iter().map(|(name, value)| Ok((name, plain("header", value)?)));
    let record = Record {
        offset: line.offset,
        timestamp_ms: line.timestamp_ms,
        key: plain("key", line.key)?,
        value: plain("value", line.value)?,
        headers: headers.collect::<Result<_, String>>()?,
    };
    Ok((TopicPartition::new(line.topic, line.partition), record))
}

#[cfg(test)]
mod tests;
