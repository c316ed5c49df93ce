//! `[source.kafka]`.

use std::collections::BTreeMap;

use crate::config::flaw::Flaw;
use crate::config::pipeline::{Encoding, KafkaSource, Signal, Start};
use crate::config::secret::Secret;
use crate::config::section::{Item, Section};

pub(super) fn kafka(section: &Section<'_>, pipeline: Option<&str>) -> Option<KafkaSource> {
    let brokers = section.need("brokers", "write brokers = [\"localhost:9092\"]").and_then(|item| list(&item, broker));
    let topics = section.need("topics", "write topics = [\"otel-traces-lake\"]").and_then(|item| list(&item, topic));
    let group = match section.get("group") {
        Some(item) => item.parse(group),
        None => pipeline.map(|name| format!("weir-{name}")),
    };
    let signal = section.need("signal", "write signal = \"traces\", \"metrics\" or \"logs\"");
    let signal = signal.and_then(|item| item.parse(signal_of));
    let encoding = section
        .need("encoding", "write the encoding of the Collector's Kafka exporter: \"otlp_json\" or \"otlp_proto\"");
    let encoding = encoding.and_then(|item| item.parse(encoding_of));
    let start = section.get("start").map_or(Some(Start::Latest), |item| start(&item));
    let properties = section.get("properties").map_or(Some(BTreeMap::new()), |item| properties(&item));
    Some(KafkaSource {
        brokers: brokers?,
        topics: topics?,
        group: group?,
        signal: signal?,
        encoding: encoding?,
        start: start?,
        properties: properties?,
    })
}

/// A list of one or more, none twice.
fn list(item: &Item<'_>, check: fn(&str) -> Result<String, Flaw>) -> Option<Vec<String>> {
    let mut seen = Vec::new();
    let values = item.parse_each(|text| {
        let value = check(text)?;
        if seen.contains(&value) {
            return Err(Flaw::new(format!("`{value}` stands twice in `{}`", item.key), "leave one of them out"));
        }
        seen.push(value.clone());
        Ok(value)
    })?;
    if values.is_empty() {
        item.flaw(Flaw::new(format!("`{}` is empty", item.key), "name at least one"));
        return None;
    }
    Some(values)
}

fn broker(text: &str) -> Result<String, Flaw> {
    const HELP: &str = "write host:port: \"localhost:9092\"";
    if text.contains("://") {
        return Err(Flaw::new(
            format!("`{text}` has a scheme"),
            "write host:port; security.protocol stands in [source.kafka.properties]",
        ));
    }
    let is_host = |host: &str| !host.is_empty() && !host.contains([' ', ',', '/']);
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(text.to_owned()),
        Some((host, port)) if is_host(host) => Err(Flaw::new(format!("`{port}` is not a port"), HELP)),
        Some(_) => Err(Flaw::new(format!("`{text}` is not a broker"), "write one host:port an element")),
        None => Err(Flaw::new(format!("`{text}` has no port"), HELP)),
    }
}

/// Kafka's own rule (`org.apache.kafka.common.internals.Topic`). A pattern is refused with it: a topic that appears
/// later would begin at `start`, behind its owner's back.
fn topic(text: &str) -> Result<String, Flaw> {
    let is_topic = !text.is_empty()
        && text.len() <= 249
        && text != "."
        && text != ".."
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if is_topic {
        Ok(text.to_owned())
    } else {
        let help = "write up to 249 letters, digits, ., _ and -; patterns are not taken";
        Err(Flaw::new(format!("`{text}` is not a topic's name"), help))
    }
}

fn group(text: &str) -> Result<String, Flaw> {
    if text.trim().is_empty() {
        return Err(Flaw::new("the group is empty", "write group = \"weir-traces\", or leave the key out"));
    }
    Ok(text.to_owned())
}

fn signal_of(text: &str) -> Result<Signal, Flaw> {
    let flaw = || Flaw::new(format!("`{text}` is not a signal"), "write \"traces\", \"metrics\" or \"logs\"");
    Signal::of_name(text).ok_or_else(flaw)
}

fn encoding_of(text: &str) -> Result<Encoding, Flaw> {
    let flaw = || Flaw::new(format!("`{text}` is not an encoding"), "write \"otlp_proto\" or \"otlp_json\"");
    Encoding::of_name(text).ok_or_else(flaw)
}

/// A word, a string with a time, or TOML's own time.
fn start(item: &Item<'_>) -> Option<Start> {
    const HELP: &str = "write \"earliest\", \"latest\" or a time with a zone: \"2026-01-30T00:00:00Z\"";
    let text = item.scalar()?;
    let start = match text.as_str() {
        "earliest" => Some(Start::Earliest),
        "latest" => Some(Start::Latest),
        time => chrono::DateTime::parse_from_rfc3339(time).ok().map(|time| Start::Time(time.timestamp_millis())),
    };
    if start.is_none() {
        item.flaw(Flaw::new(format!("`{text}` is not a place to begin"), HELP));
    }
    start
}

fn properties(item: &Item<'_>) -> Option<BTreeMap<String, Secret>> {
    let mut properties = BTreeMap::new();
    let mut whole = true;
    for entry in item.entries()? {
        if let Some(reason) = (entry.document.around().refused_property)(entry.key) {
            let flaw = Flaw::new(format!("`{}` may not be set", entry.key), reason);
            entry.document.flaw(&entry.key_span, flaw);
            whole = false;
            continue;
        }
        if let toml::de::DeValue::Table(_) = entry.value {
            let help = "put the whole name in quotes: \"fetch.max.bytes\" = \"8000000\"";
            let flaw = Flaw::new(format!("`{}` is a table; a dot outside quotes makes one", entry.key), help);
            entry.document.flaw(&entry.key_span, flaw);
            whole = false;
            continue;
        }
        match entry.scalar() {
            Some(value) => drop(properties.insert(entry.key.to_owned(), Secret::new(value))),
            None => whole = false,
        }
    }
    whole.then_some(properties)
}
