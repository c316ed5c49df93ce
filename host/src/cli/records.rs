//! Records that plugins are tried on: captured, one in a file, of a live topic, or made up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use weir_demo::generate::{Generator, LogGenerator, MetricGenerator, Options as MadeUp, encode_proto};
use weir_kafka::{KafkaObserver, Since};
use weir_pipeline::batch::{Record, TopicPartition};
use weir_pipeline::stats::Stats;
use weir_pipeline::work::Codec;

use super::Failure;
use crate::assemble::kafka_config;
use crate::capture::{Capture, OF_FILE, name};
use crate::codec::OtlpCodec;
use crate::config::{Encoding, Pipeline, Signal};

/// A broker that is there answers long before this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Which records of a live topic.
#[derive(clap::Args, Debug)]
pub(super) struct Slice {
    /// Records at the most; each partition gives about its share.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub(super) records: usize,
    /// Where they lie: newest, earliest, or a time with a zone from which on they are taken.
    #[arg(long, default_value = "newest", value_name = "WHERE", value_parser = since)]
    pub(super) since: Since,
}

fn since(text: &str) -> Result<Since, String> {
    match text {
        "newest" => Ok(Since::Newest),
        "earliest" => Ok(Since::Earliest),
        time => chrono::DateTime::parse_from_rfc3339(time)
            .map(|time| Since::Time(time.timestamp_millis()))
            .map_err(|_| "write newest, earliest or a time with a zone, as 2026-01-30T00:00:00Z".to_owned()),
    }
}

/// Records of a pipeline's topics. No group is joined and no offset moved.
pub(super) async fn of_topics(pipeline: &Pipeline, slice: &Slice) -> Result<Capture, Failure> {
    let from = &pipeline.source;
    let mut config = kafka_config(from);
    config.answer_timeout = ANSWER_TIMEOUT;
    let observer = KafkaObserver::new(&config).map_err(Failure::wrong)?;
    let mut records = Vec::new();
    for (at, topic) in from.topics.iter().enumerate() {
        let left = slice.records - records.len();
        let share = left / (from.topics.len() - at);
        records.extend(observer.slice(topic, slice.since, share).await.map_err(Failure::failed)?);
    }
    Ok(Capture { signal: from.signal, encoding: from.encoding, records })
}

/// Records of files: captures, or files that each hold the value of one record. `signal` is what the latter hold.
pub(super) fn of_files(files: &[PathBuf], signal: Signal) -> Result<Capture, Failure> {
    let mut all: Option<Capture> = None;
    for file in files {
        let one = of_file(file, signal)?;
        match &mut all {
            None => all = Some(one),
            Some(all) if (all.signal, all.encoding) == (one.signal, one.encoding) => all.records.extend(one.records),
            Some(all) => {
                return Err(Failure::wrong(format!(
                    "{} holds {} as {}, the files before it {} as {}: give them apart",
                    file.display(),
                    one.signal.name(),
                    one.encoding.name(),
                    all.signal.name(),
                    all.encoding.name()
                )));
            }
        }
    }
    all.ok_or_else(|| Failure::wrong("no file is given"))
}

fn of_file(file: &Path, signal: Signal) -> Result<Capture, Failure> {
    let bytes = std::fs::read(file).map_err(|e| Failure::wrong(format!("{}: {e}", file.display())))?;
    if Capture::is_one(&bytes) {
        return Capture::read(file).map_err(Failure::wrong);
    }
    // JSON begins with a brace, which no OTLP protobuf does.
    let is_json = bytes.trim_ascii_start().starts_with(b"{");
    let encoding = if is_json { Encoding::OtlpJson } else { Encoding::OtlpProto };
    let name = file.display().to_string();
    Ok(Capture { signal, encoding, records: vec![(TopicPartition::new(name, OF_FILE), plain(0, bytes))] })
}

/// Records as the Collector would write them, of about so many items.
pub(super) fn made_up(signal: Signal, items: u64) -> Capture {
    let options = MadeUp { items_per_message: 500, ..MadeUp::default() };
    let messages = items.div_ceil(options.items_per_message as u64);
    let (mut traces, mut logs) = (Generator::new(options), LogGenerator::new(options));
    let mut metrics = MetricGenerator::new(options);
    let mut value = || match signal {
        Signal::Traces => traces.next().map(|m| encode_proto(&m)),
        Signal::Logs => logs.next().map(|m| encode_proto(&m)),
        Signal::Metrics => metrics.next().map(|m| encode_proto(&m)),
    };
    let place = TopicPartition::new("made-up", 0);
    let records =
        (0..i64::try_from(messages).unwrap_or(i64::MAX)).map_while(|at| Some((place.clone(), plain(at, value()?))));
    Capture { signal, encoding: Encoding::OtlpProto, records: records.collect() }
}

fn plain(offset: i64, value: Vec<u8>) -> Record {
    Record { offset, timestamp_ms: None, key: None, value: Some(Bytes::from(value)), headers: Vec::new() }
}

/// What decodes such records; what is odd in them is counted nowhere.
pub(super) fn codec(of: &Capture) -> OtlpCodec {
    OtlpCodec::new(crate::assemble::otlp_signal(of.signal), of.encoding, Arc::<Stats>::default())
}

/// The values as OTLP protobuf, each with the name of its record.
pub(super) fn decoded(of: &Capture) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut codec = codec(of);
    let mut values = Vec::new();
    for (place, record) in &of.records {
        let Some(value) = &record.value else { continue };
        let name = name(place, record.offset);
        let mut protobuf = Vec::new();
        match codec.decode(value, &mut protobuf) {
            Ok(Some(())) => values.push((name, protobuf)),
            Ok(None) => values.push((name, value.to_vec())),
            Err(why) => return Err(Failure::failed(format!("{name}: {why}"))),
        }
    }
    Ok(values)
}
