//! `weir dead-letters`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use chrono::{DateTime, SecondsFormat};
use clap::Subcommand;
use serde_json::{Value, json};
use weir_iceberg::letters::Selection;
use weir_pipeline::batch::Record;
use weir_pipeline::holdings::Accept;
use weir_pipeline::replay::{Origin, Outcome};

use super::{Failure, engine, load, plugin_path, say};
use crate::assemble::Wishes;
use crate::config::Pipeline;
use crate::letters::{self, Listed};
use crate::progress::{Format, line_out};

/// Bytes of a value that `show` prints.
const SHOWN_BYTES_MAX: usize = 4096;

/// Lists, shows and replays the records that a pipeline refused.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Lists letters: where each record stands, why it was refused, and whether it was replayed.
    List {
        #[command(flatten)]
        letters: Letters,
        /// Those that were replayed too.
        #[arg(long)]
        all: bool,
    },
    /// Shows letters whole: key, headers and value.
    Show {
        #[command(flatten)]
        letters: Letters,
    },
    /// Gives letters to the pipeline's present plugin, and commits the rows of those that pass; each once, however often
    /// this is run. The pipeline itself may run meanwhile.
    Replay {
        #[command(flatten)]
        letters: Letters,
        /// Only say what would pass.
        #[arg(long)]
        dry_run: bool,
        /// A table was rolled back: letters whose replay is gone with it are replayed anew.
        #[arg(long)]
        accept_rollback: bool,
    },
}

/// Which letters.
#[derive(clap::Args, Debug)]
struct Letters {
    /// The pipeline file.
    file: PathBuf,
    /// Those of this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Those of this partition.
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// The one at this offset.
    #[arg(long, value_name = "N", allow_negative_numbers = false)]
    offset: Option<i64>,
}

impl Letters {
    fn selection(&self) -> Selection {
        let offsets = self.offset.map(|offset| (offset, offset));
        Selection { topic: self.topic.clone(), partition: self.partition, offsets }
    }

    fn pipeline(&self, output: Format) -> Result<Pipeline, Failure> {
        let mut pipelines = load(std::slice::from_ref(&self.file), output)?;
        pipelines.pop().ok_or_else(|| Failure::wrong("the file holds no pipeline"))
    }
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    match arguments.command {
        Command::List { letters, all } => {
            let mut listed = letters::list(&letters.pipeline(output)?, &letters.selection(), false).await?;
            let replayed = listed.iter().filter(|l| l.replayed_at.is_some()).count();
            let count = listed.len();
            listed.retain(|l| all || l.replayed_at.is_none());
            listed.iter().for_each(|l| list(l, output));
            if output == Format::Human {
                say(format_args!("{count} letters, {replayed} of them replayed"));
            }
            Ok(())
        }
        Command::Show { letters } => {
            let listed = letters::list(&letters.pipeline(output)?, &letters.selection(), true).await?;
            if listed.is_empty() {
                return Err(Failure::failed("there is no such letter"));
            }
            listed.iter().for_each(|l| show(l, output));
            Ok(())
        }
        Command::Replay { letters, dry_run, accept_rollback } => {
            let accept = Accept { rollback: accept_rollback, ..Accept::default() };
            replay(&letters, dry_run, accept, output).await
        }
    }
}

async fn replay(letters: &Letters, is_trial: bool, accept: Accept, output: Format) -> Result<(), Failure> {
    let pipeline = letters.pipeline(output)?;
    let wishes = Wishes {
        until_end: true,
        accept,
        plugin_path: plugin_path(),
        instance_id: None,
        workers: Some(1),
        shelf: None,
    };
    let (mut replayed, mut rows, mut refused, mut left) = (0, 0, 0, 0);
    let told = |origin: &Origin, outcome: Outcome| {
        replayed += outcome.replayed.len();
        rows += outcome.rows;
        refused += outcome.refused.len();
        left += outcome.left.len();
        for (what, letters) in [("refused again", &outcome.refused), ("left", &outcome.left)] {
            letters.iter().for_each(|(offset, why)| tell(origin, *offset, what, why, output));
        }
    };
    letters::replay(&engine()?, &pipeline, &wishes, &letters.selection(), is_trial, told).await?;
    match output {
        Format::Human => {
            let would = if is_trial { " would be" } else { "" };
            say(format_args!("{replayed} letters{would} replayed, {rows} rows; {refused} refused again, {left} left"));
        }
        Format::Json => line_out(&json!({
            "event": "replayed", "dry_run": is_trial, "letters": replayed, "rows": rows, "refused": refused,
            "left": left,
        })),
    }
    Ok(())
}

fn tell(origin: &Origin, offset: i64, what: &str, why: &str, output: Format) {
    let (topic, partition) = (&origin.key.topic, origin.key.partition);
    match output {
        Format::Human => say(format_args!("{topic}/{partition} offset {offset}: {what}: {}", plain(why))),
        Format::Json => line_out(&json!({
            "event": what.replace(' ', "_"), "topic": &**topic, "partition": partition, "offset": offset, "reason": why,
        })),
    }
}

fn list(listed: &Listed, output: Format) {
    let letter = &listed.letter;
    let key = &letter.origin.key;
    match output {
        Format::Json => line_out(&json(listed)),
        Format::Human => {
            let replayed = listed.replayed_at.map_or(String::new(), |at| format!("  [replayed {}]", time(at)));
            say(format_args!(
                "{}  {}/{} offset {}: {}{replayed}",
                time(letter.rejected_at),
                key.topic,
                key.partition,
                letter.record.offset,
                plain(&letter.error)
            ));
        }
    }
}

fn show(listed: &Listed, output: Format) {
    let record = &listed.letter.record;
    if output == Format::Json {
        let mut value = json(listed);
        let text = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map(|b| String::from_utf8_lossy(b).into_owned());
        let headers: BTreeMap<&str, Option<String>> =
            record.headers.iter().map(|(k, v)| (k.as_str(), text(v))).collect();
        value["key"] = json!(text(&record.key));
        value["headers"] = json!(headers);
        value["value_base64"] = json!(record.value.as_ref().map(|v| BASE64_STANDARD.encode(v)));
        return line_out(&value);
    }
    list(listed, output);
    if let Some(digest) = &listed.letter.plugin_digest {
        say(format_args!("  plugins {digest}"));
    }
    headers(record);
    match &record.value {
        None => say("  no value"),
        Some(value) => {
            say(format_args!("  value, {} bytes:", value.len()));
            say(printable(&value[..value.len().min(SHOWN_BYTES_MAX)]));
        }
    }
}

fn headers(record: &Record) {
    let part = |name: &str, bytes: &Option<bytes::Bytes>| {
        let shown = bytes.as_ref().map_or("null".to_string(), |b| printable(b).trim_start().to_string());
        say(format_args!("  {name}: {shown}"));
    };
    if record.key.is_some() {
        part("key", &record.key);
    }
    record.headers.iter().for_each(|(name, value)| part(&format!("header {name}"), value));
}

/// A reason, which may quote a record, without what a terminal would obey.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Text as it is, without what a terminal would obey; other bytes as hex with the text beside it.
fn printable(bytes: &[u8]) -> String {
    let is_plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(is_plain) => format!("  {text}"),
        _ => {
            let line = |(at, bytes): (usize, &[u8])| {
                let hex: String = bytes.iter().map(|b| format!("{b:02x} ")).collect();
                let text: String = bytes.iter().map(|b| if b.is_ascii_graphic() { *b as char } else { '.' }).collect();
                format!("  {:08x}  {hex:48} {text}", at * 16)
            };
            bytes.chunks(16).enumerate().map(line).collect::<Vec<_>>().join("\n")
        }
    }
}

fn json(listed: &Listed) -> Value {
    let letter = &listed.letter;
    let key = &letter.origin.key;
    json!({
        "cluster_id": &*key.cluster_id, "topic_id": letter.origin.topic_id, "topic": &*key.topic,
        "partition": key.partition, "offset": letter.record.offset,
        "timestamp": letter.record.timestamp_ms.map(|ms| time(ms.saturating_mul(1000))), "error": letter.error,
        "plugin_digest": letter.plugin_digest, "rejected_at": time(letter.rejected_at),
        "replayed_at": listed.replayed_at.map(time),
    })
}

fn time(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros);
    time.map_or_else(|| format!("{micros} us"), |t| t.to_rfc3339_opts(SecondsFormat::Millis, true))
}
