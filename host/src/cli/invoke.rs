//! `weir invoke`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Schema};
use serde_json::{Value, json};
use weir_otlp::{Converter, Signal as Otlp};
use weir_pipeline::transform::{Effort, Message, Output, Stage};
use weir_query::Answer;
use weir_wasm::{Limits, Link, Setting, Signal, WasmStage, World};

use super::query::screen_width;
use super::{Failure, engine, load, plugin_path, say, show_report};
use crate::assemble::otlp_signal;
use crate::chain;
use crate::config::{PluginRef, Report};
use crate::plugins;
use crate::progress::{Format, line_out};

/// Runs a plugin, or a pipeline's whole chain, on captured files and prints the rows, the time and the memory.
///
/// A plugin that makes no rows, or needs some, is run beside the shipped flatten plugin of the signal.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A plugin's name, a .wasm file, or a pipeline's .toml file.
    plugin: String,
    /// Files that each hold the value of one Kafka record: OTLP as JSON or protobuf.
    #[arg(required = true, value_name = "SAMPLE")]
    samples: Vec<PathBuf>,
    /// What the samples hold: traces where it is not said. A pipeline's file says it itself.
    #[arg(long, value_enum)]
    signal: Option<SignalArgument>,
    /// A setting of the plugin, as KEY=VALUE; given again, the key has several values.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Calls that are timed.
    #[arg(long, default_value_t = 10, value_name = "N")]
    calls: u32,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SignalArgument {
    Traces,
    Metrics,
    Logs,
}

impl SignalArgument {
    fn both(self) -> (Signal, Otlp) {
        match self {
            Self::Traces => (Signal::Traces, Otlp::Traces),
            Self::Metrics => (Signal::Metrics, Otlp::Metrics),
            Self::Logs => (Signal::Logs, Otlp::Logs),
        }
    }
}

pub(super) fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let (mut stage, otlp) = match Path::new(&arguments.plugin).extension().is_some_and(|e| e == "toml") {
        true => chain_of_file(arguments, output)?,
        false => chain_of_plugin(arguments)?,
    };
    let values: Vec<Vec<u8>> =
        arguments.samples.iter().map(|file| value(file, otlp)).collect::<Result<_, Failure>>()?;
    let messages: Vec<Message<'_>> = (0..)
        .zip(&values)
        .map(|(offset, value)| Message { offset, timestamp_ms: None, key: None, headers: &[], value })
        .collect();
    let (given, first) = call(&mut stage, &messages)?;
    let mut fastest = first;
    for _ in 1..arguments.calls {
        fastest = fastest.min(call(&mut stage, &messages)?.1);
    }
    show_rows(&stage, &given, output)?;
    show_rejections(&given, arguments, output);
    show_usage(&stage, (first, fastest), arguments, output);
    Ok(())
}

/// A pipeline's whole chain, with its settings and limits.
fn chain_of_file(arguments: &Arguments, output: Format) -> Result<(WasmStage, Otlp), Failure> {
    if arguments.signal.is_some() || !arguments.settings.is_empty() {
        return Err(Failure::wrong("--signal and --set are for one plugin: a pipeline's file says both itself"));
    }
    let pipelines = load(&[PathBuf::from(&arguments.plugin)], output)?;
    let pipeline = pipelines.first().ok_or_else(|| Failure::wrong("the file holds no pipeline"))?;
    let stage = chain::stage(&engine()?, pipeline, &plugin_path());
    let stage = stage.map_err(|flaw| {
        let mut report = Report::default();
        report.push(*flaw);
        show_report(&report, output)
    })?;
    Ok((stage, otlp_signal(pipeline.source.signal)))
}

/// One plugin; where that alone is no chain, with the shipped plugin that makes rows of the signal.
fn chain_of_plugin(arguments: &Arguments) -> Result<(WasmStage, Otlp), Failure> {
    let (signal, otlp) = arguments.signal.unwrap_or(SignalArgument::Traces).both();
    let (engine, path) = (engine()?, plugin_path());
    let link = |reference: &PluginRef, settings| {
        let plugin = plugins::load(&engine, reference, &path).map_err(Failure::wrong)?;
        Ok::<_, Failure>(Link { plugin, settings, limits: Limits::default() })
    };
    let flatten = match signal {
        Signal::Traces => "flatten-spans",
        Signal::Metrics => "flatten-metrics",
        Signal::Logs => "flatten-logs",
    };
    let own = link(&reference(&arguments.plugin), settings(&arguments.settings)?)?;
    let maker = || link(&PluginRef::Named(flatten.to_owned()), Vec::new());
    let links = match own.plugin.world() {
        World::OtlpToOtlp => vec![own, maker()?],
        World::OtlpToArrow => vec![own],
        World::ArrowToArrow => vec![maker()?, own],
    };
    let stage = WasmStage::chain(signal, links).map_err(|broken| {
        let given = broken.given.as_ref().map(|given| format!("; {given}")).unwrap_or_default();
        Failure::wrong(format!("{broken}{given}"))
    })?;
    Ok((stage, otlp))
}

fn reference(plugin: &str) -> PluginRef {
    if plugin.contains('/') || Path::new(plugin).extension().is_some_and(|e| e == "wasm") {
        PluginRef::File(PathBuf::from(plugin))
    } else {
        PluginRef::Named(plugin.to_string())
    }
}

fn settings(given: &[String]) -> Result<Vec<Setting>, Failure> {
    let mut settings: Vec<Setting> = Vec::new();
    for text in given {
        let (key, value) =
            text.split_once('=').ok_or_else(|| Failure::wrong(format!("--set {text}: write it as KEY=VALUE")))?;
        match settings.iter_mut().find(|s| s.key == key) {
            Some(setting) => setting.values.push(value.to_string()),
            None => settings.push(Setting { key: key.to_string(), values: vec![value.to_string()] }),
        }
    }
    Ok(settings)
}

/// A sample as OTLP protobuf: JSON begins with a brace, which no OTLP protobuf does.
fn value(file: &Path, signal: Otlp) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(file).map_err(|e| Failure::wrong(format!("{}: {e}", file.display())))?;
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Ok(bytes);
    }
    let mut protobuf = Vec::new();
    Converter::new()
        .convert(signal, &bytes, &mut protobuf)
        .map_err(|e| Failure::failed(format!("{}: {e}", file.display())))?;
    Ok(protobuf)
}

fn call(stage: &mut WasmStage, messages: &[Message<'_>]) -> Result<(Output, Duration), Failure> {
    let began = Instant::now();
    let output = stage.call("sample", 0, messages, Effort::Normal).map_err(Failure::failed)?;
    Ok((output, began.elapsed()))
}

fn show_rows(stage: &WasmStage, given: &Output, output: Format) -> Result<(), Failure> {
    for (schema, table) in stage.tables().iter().zip(&given.tables) {
        let rows = plain(&table.rows)?;
        match output {
            Format::Human => {
                say(format_args!("{}: {} rows", schema.name, rows.num_rows()));
                let answer = Answer { schema: rows.schema(), batches: vec![rows] };
                say(weir_query::table(&answer, screen_width()).map_err(Failure::failed)?);
            }
            Format::Json => json_rows(&schema.name, &rows)?,
        }
    }
    Ok(())
}

fn show_rejections(given: &Output, arguments: &Arguments, output: Format) {
    for rejection in &given.rejections {
        let sample = arguments.samples[rejection.index as usize].display();
        match output {
            Format::Human => say(format_args!("rejected: {sample}: {}", rejection.reason)),
            Format::Json => line_out(&json!({ "rejected": sample.to_string(), "reason": rejection.reason })),
        }
    }
}

/// What the whole chain took, and each plugin of it.
fn show_usage(stage: &WasmStage, (first, fastest): (Duration, Duration), arguments: &Arguments, output: Format) {
    let plugins = stage.plugins();
    if output == Format::Human && plugins.len() > 1 {
        say(format_args!("the chain: first call {first:.1?}, fastest of {} {fastest:.1?}", arguments.calls));
    }
    for plugin in &plugins {
        let usage = plugin.usage();
        let cpu = usage.cpu / u32::try_from(usage.calls).unwrap_or(u32::MAX).max(1);
        match output {
            Format::Human if plugins.len() == 1 => say(format_args!(
                "{} ({}): first call {first:.1?}, fastest of {} {fastest:.1?}, peak memory {:.1} MB",
                plugin.name(),
                &plugin.digest()[..12],
                arguments.calls,
                usage.peak_memory_bytes as f64 / 1e6
            )),
            Format::Human => say(format_args!(
                "{} ({}, {}): {cpu:.1?} of CPU time a call, peak memory {:.1} MB",
                plugin.name(),
                plugin.world(),
                &plugin.digest()[..12],
                usage.peak_memory_bytes as f64 / 1e6
            )),
            Format::Json => line_out(&json!({
                "plugin": plugin.name(), "world": plugin.world().name(), "digest": plugin.digest(),
                "first_call_us": first.as_micros() as u64, "fastest_call_us": fastest.as_micros() as u64,
                "cpu_us_per_call": cpu.as_micros() as u64, "bytes_in": usage.bytes_in, "bytes_out": usage.bytes_out,
                "peak_memory_bytes": usage.peak_memory_bytes,
            })),
        }
    }
}

/// The rows as a table will hold them: values where the plugin gave numbers of a dictionary.
fn plain(rows: &RecordBatch) -> Result<RecordBatch, Failure> {
    let fields: Vec<_> = rows.schema().fields().iter().map(plain_field).collect();
    let columns: Result<Vec<_>, _> =
        rows.columns().iter().zip(&fields).map(|(column, field)| cast(column, field.data_type())).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.map_err(Failure::failed)?).map_err(Failure::failed)
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::Map(entries, sorted) => DataType::Map(plain_field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn json_rows(table: &str, rows: &RecordBatch) -> Result<(), Failure> {
    let lines = weir_query::json_lines(rows).map_err(Failure::failed)?;
    for line in lines.lines() {
        let mut row: Value = serde_json::from_str(line).map_err(Failure::failed)?;
        row["_table"] = json!(table);
        writeln!(std::io::stdout(), "{row}").map_err(Failure::failed)?;
    }
    Ok(())
}
