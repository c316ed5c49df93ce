//! `weir invoke`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use weir_pipeline::transform::{Message, Output};
use weir_query::Answer;
use weir_wasm::WasmStage;

use super::query::screen_width;
use super::records;
use super::trial::{self, SignalArgument};
use super::{Failure, load, say};
use crate::compare::plain;
use crate::config::Signal;
use crate::progress::{Format, line_out};

/// Runs a plugin, or a pipeline's whole chain, on captured files and prints the rows, the time and the memory.
///
/// A plugin that makes no rows, or needs some, is run beside the shipped flatten plugin of the signal.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A plugin's name, a .wasm file, or a pipeline's .toml file.
    plugin: String,
    /// Files that each hold the value of one Kafka record, OTLP as JSON or protobuf; or what `weir capture` wrote.
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

pub(super) fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let (mut stage, signal) = match Path::new(&arguments.plugin).extension().is_some_and(|e| e == "toml") {
        true => chain_of_file(arguments, output)?,
        false => {
            let signal = arguments.signal.unwrap_or(SignalArgument::Traces).signal();
            (trial::chain_of(&arguments.plugin, trial::settings(&arguments.settings)?, signal)?, signal)
        }
    };
    let values = records::decoded(&records::of_files(&arguments.samples, signal)?)?;
    let messages: Vec<Message<'_>> = (0..)
        .zip(&values)
        .map(|(offset, (_, value))| Message { offset, timestamp_ms: None, key: None, headers: &[], value })
        .collect();
    let (given, first) = trial::call(&mut stage, &messages)?;
    let mut fastest = first;
    for _ in 1..arguments.calls {
        fastest = fastest.min(trial::call(&mut stage, &messages)?.1);
    }
    show_rows(&stage, &given, output)?;
    show_rejections(&given, &values, output);
    show_usage(&stage, (first, fastest), arguments, output);
    Ok(())
}

/// A pipeline's whole chain, with its settings and limits.
fn chain_of_file(arguments: &Arguments, output: Format) -> Result<(WasmStage, Signal), Failure> {
    if arguments.signal.is_some() || !arguments.settings.is_empty() {
        return Err(Failure::wrong("--signal and --set are for one plugin: a pipeline's file says both itself"));
    }
    let pipelines = load(&[PathBuf::from(&arguments.plugin)], output)?;
    let pipeline = pipelines.first().ok_or_else(|| Failure::wrong("the file holds no pipeline"))?;
    Ok((trial::chain_of_pipeline(pipeline, output)?, pipeline.source.signal))
}

fn show_rows(stage: &WasmStage, given: &Output, output: Format) -> Result<(), Failure> {
    if output == Format::Json {
        trial::json_rows(stage, given)?.iter().for_each(line_out);
        return Ok(());
    }
    for (schema, table) in stage.tables().iter().zip(&given.tables) {
        let rows = plain(&table.rows).map_err(Failure::failed)?;
        say(format_args!("{}: {} rows", schema.name, rows.num_rows()));
        let answer = Answer { schema: rows.schema(), batches: vec![rows] };
        say(weir_query::table(&answer, screen_width()).map_err(Failure::failed)?);
    }
    Ok(())
}

fn show_rejections(given: &Output, values: &[(String, Vec<u8>)], output: Format) {
    for rejection in &given.rejections {
        let sample = &values[rejection.index as usize].0;
        match output {
            Format::Human => say(format_args!("rejected: {sample}: {}", rejection.reason)),
            Format::Json => line_out(&json!({ "rejected": sample, "reason": rejection.reason })),
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
