//! `weir plugin diff`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_wasm::WasmStage;

use super::super::records::{self, Slice};
use super::super::trial::{self, SignalArgument};
use super::super::{Failure, load, say};
use crate::codec::OtlpCodec;
use crate::compare::{self, Comparison, Difference, Side};
use crate::config::{Pipeline, Signal};
use crate::progress::{Format, line_out};
use crate::workers::STACK_BYTES;

/// Shows what two plugins make of the same records: other schemas, rows, values, refusals.
///
/// Exit code 0 where nothing differs, 1 where something does. Nothing is written, no group is joined, no offset moved.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A plugin's name, a .wasm file, or a pipeline's .toml file, whose whole chain it is then.
    old: String,
    /// What is held against it.
    new: String,
    /// Files that each hold the value of one Kafka record, OTLP as JSON or protobuf; or what `weir capture` wrote.
    #[arg(value_name = "SAMPLE", required_unless_present = "topic_of")]
    samples: Vec<PathBuf>,
    /// A pipeline's file: the records are those of its topics, and plugins stand in its chain, with its settings.
    #[arg(long, value_name = "FILE", conflicts_with = "samples")]
    topic_of: Option<PathBuf>,
    /// The plugin of that chain whose place they take; the one of their name, or the only one, where absent.
    #[arg(long, value_name = "NAME", requires = "topic_of")]
    plugin: Option<String>,
    #[command(flatten)]
    slice: Slice,
    /// What samples hold: traces where it is not said.
    #[arg(long, value_enum)]
    signal: Option<SignalArgument>,
    /// A setting of both plugins, as KEY=VALUE; given again, the key has several values.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

pub(super) async fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let around = match &arguments.topic_of {
        Some(file) => load(std::slice::from_ref(file), output)?.into_iter().next(),
        None => None,
    };
    let capture = match &around {
        Some(pipeline) => records::of_topics(pipeline, &arguments.slice).await?,
        None => records::of_files(&arguments.samples, arguments.signal.map_or(Signal::Traces, SignalArgument::signal))?,
    };
    let side = |which: &str| {
        let stage = stage(which, arguments, around.as_ref(), capture.signal, output)?;
        let tables = stage.tables().to_vec();
        Ok::<Side<WasmStage, OtlpCodec>, Failure>(Side::new(stage, records::codec(&capture), tables))
    };
    let (mut old, mut new) = (side(&arguments.old)?, side(&arguments.new)?);
    // Guests run on the stack of who calls them.
    let (found, old, new) = std::thread::scope(|scope| {
        let compare = || compare::compare(&mut old, &mut new, &capture.records).map(|found| (found, old, new));
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, compare);
        thread.map_err(Failure::failed)?.join().map_err(|_| Failure::failed("it panicked"))?.map_err(Failure::failed)
    })?;
    let cost = |side: &Side<WasmStage, OtlpCodec>| {
        side.stage().plugins().iter().map(|plugin| plugin.usage().cpu).sum::<std::time::Duration>()
    };
    let costs = (cost(&old).as_secs_f64(), cost(&new).as_secs_f64());
    match output {
        Format::Human => show(&found, costs),
        Format::Json => line_out(&value(&found, costs)),
    }
    if found.is_alike() { Ok(()) } else { Err(Failure::Shown(1)) }
}

fn stage(
    which: &str,
    arguments: &Arguments,
    around: Option<&Pipeline>,
    signal: Signal,
    output: Format,
) -> Result<WasmStage, Failure> {
    if Path::new(which).extension().is_some_and(|extension| extension == "toml") {
        let pipelines = load(&[PathBuf::from(which)], output)?;
        let pipeline = pipelines.first().ok_or_else(|| Failure::wrong(format!("{which} holds no pipeline")))?;
        return trial::chain_of_pipeline(pipeline, output);
    }
    let settings = trial::settings(&arguments.settings)?;
    let Some(around) = around else { return trial::chain_of(which, settings, signal) };
    if !settings.is_empty() {
        return Err(Failure::wrong("--set is for samples: with --topic-of the settings are the pipeline's"));
    }
    trial::chain_of_pipeline(&instead(around, which, arguments.plugin.as_deref())?, output)
}

/// The pipeline with another plugin in one place of its chain.
fn instead(pipeline: &Pipeline, plugin: &str, place: Option<&str>) -> Result<Pipeline, Failure> {
    let reference = trial::reference(plugin);
    let wanted = place.map_or_else(|| reference.name(), str::to_owned);
    let mut pipeline = pipeline.clone();
    let names: Vec<String> = pipeline.transforms.iter().map(|t| t.plugin.name()).collect();
    let at = match (names.iter().position(|name| *name == wanted), &names[..]) {
        (Some(at), _) => at,
        (None, [_]) if place.is_none() => 0,
        _ => {
            return Err(Failure::wrong(format!(
                "{wanted} is none of the pipeline's plugins ({}): --plugin says whose place it takes",
                names.join(", ")
            )));
        }
    };
    pipeline.transforms[at].plugin = reference;
    // It is only looked at: the pin is for what goes live.
    pipeline.transforms[at].pin = pipeline.transforms[at].pin.lifted();
    pipeline.require_pinned = false;
    Ok(pipeline)
}

fn show(found: &Comparison, (old, new): (f64, f64)) {
    for line in &found.schema {
        say(format_args!("schema    {line}"));
    }
    for (name, table) in &found.tables {
        say(format_args!("rows      {name}: {} -> {}, {} compared", table.rows.0, table.rows.1, table.compared));
        told(&format!("rows      {name}: records with another number of rows"), &table.other_rows);
        for (column, difference) in &table.columns {
            told(&format!("values    {name}.{column}: rows with another value"), difference);
        }
    }
    told("refused   records that only NEW refuses", &found.refused);
    told("taken     records that only OLD refuses", &found.taken);
    told("reason    records that both refuse, for another reason", &found.other_reason);
    say(format_args!("cost      {old:.3} s -> {new:.3} s of CPU time for {} records", found.records));
    if found.is_alike() {
        say("alike");
    }
}

fn told(what: &str, difference: &Difference) {
    if difference.count > 0 {
        say(format_args!("{what}: {}; the first: {}", difference.count, difference.first));
    }
}

fn value(found: &Comparison, (old, new): (f64, f64)) -> Value {
    let difference = |d: &Difference| json!({ "count": d.count, "first": (d.count > 0).then_some(&d.first) });
    let tables = found.tables.iter().map(|(name, table)| {
        let columns = table.columns.iter().map(|(column, d)| (column.clone(), difference(d)));
        let columns: serde_json::Map<String, Value> = columns.collect();
        let value = json!({
            "rows_old": table.rows.0, "rows_new": table.rows.1, "rows_compared": table.compared,
            "other_rows": difference(&table.other_rows), "columns": columns,
        });
        (name.clone(), value)
    });
    json!({
        "alike": found.is_alike(), "records": found.records, "schema": found.schema,
        "tables": tables.collect::<serde_json::Map<String, Value>>(),
        "refused": difference(&found.refused), "taken": difference(&found.taken),
        "other_reason": difference(&found.other_reason), "cpu_s_old": old, "cpu_s_new": new,
    })
}
