//! A pipeline's TOML: file image, checked values, diagnostics.
//!
//! [`load`] reads one file, [`load_all`] several that run in one process. Either the whole file is right and gives a
//! [`Pipeline`], or the [`Report`] has every mistake in it: file, line, column, reason and what to write instead.
//! Nothing downstream checks a value again.
//!
//! The keys, their units, defaults and effects stand in `pipelines/reference.toml`.

mod catalog;
mod diagnostic;
mod document;
mod expand;
mod flaw;
mod layout;
mod location;
mod mask;
mod pin;
mod pipeline;
mod property;
mod quantity;
mod read;
mod secret;
mod section;
mod shape;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub use catalog::{Catalog, RestAuth, RestCatalog};
pub use diagnostic::{Diagnostic, Report};
pub use layout::{Direction, FieldTransform, Nulls, PartitionField, SortField};
pub use location::Location;
pub use pin::Pin;
pub use pipeline::{
    Admin, Buffer, Compaction, Component, DeadLetter, Encoding, Expiry, IcebergSink, KafkaSource, Limits, Maintenance,
    Origin, Percent, Pipeline, PluginRef, S3, Setting, Signal, Start, Table, TableName, Transform,
};
pub use property::refused_kafka_property;
pub use secret::Secret;

use document::Document;

/// What a file's meaning depends on besides its text.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// An environment variable's value.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// A file's text.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Why a librdkafka property may not be set in `[source.kafka.properties]`; `None` where it may.
    pub refused_property: &'a dyn Fn(&str) -> Option<String>,
}

impl Surroundings<'static> {
    /// The process's own environment and files, and [`refused_kafka_property`].
    pub fn process() -> Self {
        Self { variable: &process_variable, read: &read_file, refused_property: &refused_kafka_property }
    }
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Surroundings")
    }
}

fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read_file(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

/// A duration as the files write it, for the command line.
///
/// # Errors
/// What is wrong with it, and what to write.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    quantity::duration(text).map_err(|flaw| format!("{}: {}", flaw.message, flaw.help))
}

/// A size of the command line: bytes as a plain number, which is what other engines take, or a number with its unit.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let parsed = match text.parse::<u64>() {
        Ok(number) => Ok(number),
        Err(_) => quantity::size_bytes(text).map_err(|flaw| format!("{}: {}", flaw.message, flaw.help)),
    };
    parsed.and_then(|bytes| if bytes > 0 { Ok(bytes) } else { Err("the size is 0".to_string()) })
}

/// Reads and checks one file.
///
/// # Errors
/// Every mistake in the file, in its order; or the one that it cannot be read.
pub fn load(file: &Path, around: &Surroundings<'_>) -> Result<Pipeline, Report> {
    match (around.read)(file) {
        Ok(text) => check(file, &text, around),
        Err(why) => Err(Report::unreadable(file, &why)),
    }
}

/// Reads and checks files that run in one process, each by itself and then together.
///
/// # Errors
/// Every mistake in every file.
pub fn load_all(files: &[PathBuf], around: &Surroundings<'_>) -> Result<Vec<Pipeline>, Report> {
    let mut pipelines = Vec::new();
    let mut report = Report::default();
    for file in files {
        match load(file, around) {
            Ok(pipeline) => pipelines.push(pipeline),
            Err(more) => report.extend(more),
        }
    }
    if let Err(more) = check_together(&pipelines) {
        report.extend(more);
    }
    if report.is_empty() { Ok(pipelines) } else { Err(report) }
}

/// Checks a file's text. Relative paths in it stand against the file's folder.
///
/// # Errors
/// Every mistake in the text, in its order.
pub fn check(file: &Path, text: &str, around: &Surroundings<'_>) -> Result<Pipeline, Report> {
    let (root, errors) = toml::de::DeTable::parse_recoverable(text);
    let document = Document::new(file, text, *around, root.get_ref(), &errors);
    let pipeline = read::pipeline(&document, root.get_ref());
    let report = document.into_report();
    match pipeline {
        Some(pipeline) if report.is_empty() => Ok(pipeline),
        _ => Err(report),
    }
}

/// Checks what no file can know by itself: names and consumer groups are used once.
///
/// Two pipelines of one name would take each other's offsets for their own; two of one group would each get half of
/// the partitions.
///
/// # Errors
/// One diagnostic for each pipeline that repeats an earlier one's name or group.
pub fn check_together(pipelines: &[Pipeline]) -> Result<(), Report> {
    let mut names: BTreeMap<&str, &Pipeline> = BTreeMap::new();
    let mut groups: BTreeMap<&str, &Pipeline> = BTreeMap::new();
    let mut report = Report::default();
    for pipeline in pipelines {
        let (name, group) = (pipeline.name.as_str(), pipeline.source.group.as_str());
        if let Some(first) = names.insert(name, pipeline) {
            report.push(pipeline.origin.diagnostic(
                format!("the pipeline name `{name}` is taken by {}", first.origin.file().display()),
                "a pipeline's name says whose offsets these are: give each file its own".to_owned(),
            ));
        } else if let Some(first) = groups.insert(group, pipeline) {
            report.push(
                pipeline.origin.diagnostic(
                    format!("the consumer group `{group}` is used by {} too", first.origin.file().display()),
                    "two pipelines in one group would share out the partitions: give each its own `source.kafka.group`"
                        .to_owned(),
                ),
            );
        }
    }
    if report.is_empty() { Ok(()) } else { Err(report) }
}

#[cfg(test)]
mod tests;
