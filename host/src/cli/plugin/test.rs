//! `weir plugin test`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use weir_pipeline::transform::Message;
use weir_wasm::Usage;

use super::super::trial::{self, SignalArgument};
use super::super::{Failure, records, say};
use super::build;
use super::stubs::Stubs;
use crate::progress::{Format, line_out};

/// Runs a plugin's golden cases in the sandbox.
///
/// A case is a folder below `cases`: `traces.json`, `logs.json` or `metrics.json` (or .proto) holds the value of one
/// Kafka record, `expected.jsonl` the rows and refusals that must come of it, a line each. A file `settings` has
/// settings, KEY=VALUE on a line each. Plugins that make no rows, or need some, run beside the shipped flatten plugin.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The plugin's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// A component that is built already; without it the folder's is built first.
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// Write what comes out to expected.jsonl instead of comparing.
    #[arg(long)]
    accept: bool,
}

/// What a case gave.
struct Given {
    lines: Vec<Value>,
    took: Duration,
    usage: Usage,
}

pub(super) fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let component = match &arguments.plugin {
        Some(file) => file.clone(),
        None => build::build(&arguments.folder, Stubs::Linked)?,
    };
    let cases = cases(&arguments.folder.join("cases"))?;
    let mut failed = 0;
    for case in &cases {
        let given = call(&component, case)?;
        let expected = case.join("expected.jsonl");
        if arguments.accept {
            let text: String = given.lines.iter().map(|line| format!("{line}\n")).collect();
            std::fs::write(&expected, text).map_err(|e| Failure::failed(format!("{}: {e}", expected.display())))?;
        }
        let difference = difference(&expected, &given.lines)?;
        failed += usize::from(difference.is_some());
        show(case, &given, difference.as_deref(), output);
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::failed(format!(
            "{failed} of {} cases gave something else; --accept makes it the expected",
            cases.len()
        ))),
    }
}

fn cases(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|e| Failure::wrong(format!("{}: {e}", folder.display())))?;
    let mut cases: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|path| path.is_dir()).collect();
    cases.sort();
    if cases.is_empty() {
        return Err(Failure::wrong(format!(
            "{} has no case: a folder with traces.json in it is one",
            folder.display()
        )));
    }
    Ok(cases)
}

/// A case's record, and what its name says that it holds.
fn record(case: &Path) -> Result<(PathBuf, SignalArgument), Failure> {
    let signals =
        [("traces", SignalArgument::Traces), ("logs", SignalArgument::Logs), ("metrics", SignalArgument::Metrics)];
    let files = signals.iter().flat_map(|(name, signal)| {
        ["json", "proto"].map(|extension| (case.join(format!("{name}.{extension}")), *signal))
    });
    files.into_iter().find(|(file, _)| file.is_file()).ok_or_else(|| {
        Failure::wrong(format!("{} has no traces.json, logs.json or metrics.json (or .proto)", case.display()))
    })
}

fn call(component: &Path, case: &Path) -> Result<Given, Failure> {
    let (file, signal) = record(case)?;
    let signal = signal.signal();
    let settings = std::fs::read_to_string(case.join("settings")).unwrap_or_default();
    let settings: Vec<String> = settings.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    let path = std::path::absolute(component).unwrap_or_else(|_| component.to_owned());
    let mut stage = trial::chain_of(&path.display().to_string(), trial::settings(&settings)?, signal)?;
    let values = records::decoded(&records::of_files(&[file], signal)?)?;
    let messages: Vec<Message<'_>> = (0..)
        .zip(&values)
        .map(|(offset, (_, value))| Message { offset, timestamp_ms: None, key: None, headers: &[], value })
        .collect();
    let (output, took) = trial::call(&mut stage, &messages)?;
    let mut lines = trial::json_rows(&stage, &output)?;
    lines.extend(output.rejections.iter().map(|rejection| json!({ "_refused": rejection.reason })));
    let name = build::name_of(component);
    let plugin = stage.plugins().into_iter().find(|plugin| plugin.name() == name).map(weir_wasm::Plugin::usage);
    Ok(Given { lines, took, usage: plugin.unwrap_or_default() })
}

/// The first line that is not as expected.
fn difference(expected: &Path, given: &[Value]) -> Result<Option<String>, Failure> {
    let text = std::fs::read_to_string(expected)
        .map_err(|e| Failure::failed(format!("{}: {e}; --accept writes it", expected.display())))?;
    let mut wanted = Vec::new();
    for (at, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let line = serde_json::from_str::<Value>(line);
        wanted.push(line.map_err(|e| Failure::failed(format!("{}:{at}: {e}", expected.display())))?);
    }
    let differs = (0..wanted.len().max(given.len())).find(|at| wanted.get(*at) != given.get(*at));
    let shown = |line: Option<&Value>| line.map_or_else(|| "nothing".to_owned(), Value::to_string);
    Ok(differs.map(|at| {
        format!("line {}: expected {}\n        got      {}", at + 1, shown(wanted.get(at)), shown(given.get(at)))
    }))
}

fn show(case: &Path, given: &Given, difference: Option<&str>, output: Format) {
    let name = build::name_of(case);
    let Usage { bytes_in, bytes_out, peak_memory_bytes, .. } = given.usage;
    match output {
        Format::Json => line_out(&json!({
            "case": name, "passed": difference.is_none(), "difference": difference, "lines": given.lines.len(),
            "took_us": given.took.as_micros() as u64, "bytes_in": bytes_in, "bytes_out": bytes_out,
            "peak_memory_bytes": peak_memory_bytes,
        })),
        Format::Human => {
            let verdict = if difference.is_none() { "ok" } else { "FAILED" };
            say(format_args!(
                "{verdict:<7} {name}: {} lines in {:.1?}, {bytes_in} bytes in, {bytes_out} bytes out, {:.1} MB of memory",
                given.lines.len(),
                given.took,
                peak_memory_bytes as f64 / 1e6
            ));
            if let Some(difference) = difference {
                say(format_args!("        {difference}"));
            }
        }
    }
}
