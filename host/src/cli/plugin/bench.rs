//! `weir plugin bench`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpu_time::{ProcessTime, ThreadTime};
use serde_json::json;
use weir_iceberg::table::IcebergTable;
use weir_pipeline::batch::{Batch, Generation, Record, TopicPartition};
use weir_pipeline::event::Held;
use weir_pipeline::sink::{Epoch, Table};
use weir_pipeline::transform::TableSchema;
use weir_pipeline::work::{Applied, Codec, Known, Worker};
use weir_wasm::{Plugin, WasmStage};

use super::super::records;
use super::super::trial::{self, SignalArgument};
use super::super::{Failure, load, say};
use crate::assemble::{open_folder, open_tables};
use crate::capture::Capture;
use crate::codec::OtlpCodec;
use crate::config::{Pipeline, Signal};
use crate::progress::{Format, line_out};
use crate::workers::STACK_BYTES;

/// A batch is about as large as those that a pipeline reads.
const BATCH_BYTES: usize = 1 << 20;

/// Measures what a plugin costs, and which part of the pipeline that is.
///
/// Records are decoded, go through the plugin, or the whole chain, in its sandbox, and are written as Parquet to a
/// temporary folder; CPU time, medians of the rounds. What Kafka's client takes is not in it.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// A plugin's name, a .wasm file, or a pipeline's .toml file, whose whole chain is measured then.
    plugin: String,
    /// Files that each hold the value of one Kafka record, OTLP as JSON or protobuf; or what `weir capture` wrote.
    /// Made-up records where there are none.
    #[arg(value_name = "SAMPLE")]
    samples: Vec<PathBuf>,
    /// What samples hold, or what is made up: traces where it is not said. A pipeline's file says it itself.
    #[arg(long, value_enum)]
    signal: Option<SignalArgument>,
    /// A setting of the plugin, as KEY=VALUE; given again, the key has several values.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Spans, log records or data points of a round, at least: what is given is repeated, or made up.
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    items: u64,
    /// How often all of it is done.
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: u32,
}

/// CPU time of one round.
#[derive(Clone, Debug, Default)]
struct Round {
    decode: Duration,
    /// Each plugin's, and the part of it in which the host checked.
    plugins: Vec<(Duration, Duration)>,
    write: Duration,
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) async fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let given = Path::new(&arguments.plugin);
    let pipeline = match given.extension().is_some_and(|extension| extension == "toml") {
        true => load(&[given.to_owned()], output)?.into_iter().next(),
        false => None,
    };
    let signal = pipeline.as_ref().map(|p| p.source.signal);
    let signal = signal.or(arguments.signal.map(SignalArgument::signal)).unwrap_or(Signal::Traces);
    let capture = match arguments.samples.is_empty() {
        true => records::made_up(signal, arguments.items),
        false => records::of_files(&arguments.samples, signal)?,
    };
    let stage = match &pipeline {
        Some(pipeline) => trial::chain_of_pipeline(pipeline, output)?,
        None => trial::chain_of(&arguments.plugin, trial::settings(&arguments.settings)?, capture.signal)?,
    };
    let items = items(&capture)?;
    if items == 0 {
        return Err(Failure::wrong("the records hold no span, log record or data point that flatten can read"));
    }
    let times = usize::try_from(arguments.items.div_ceil(items)).unwrap_or(1).max(1);
    let folder = Scratch(std::env::temp_dir().join(format!("weir-bench-{}", std::process::id())));
    let tables = tables(&folder.0, pipeline, stage.tables(), output).await?;
    let plugins: Vec<Plugin> = stage.plugins().into_iter().cloned().collect();
    let mut worker = Worker::new(stage, records::codec(&capture));
    let mut rounds = Vec::new();
    for number in 1..=arguments.rounds.max(1) {
        let (round, back) = round(worker, &capture, times, &tables, Epoch(u64::from(number))).await?;
        worker = back;
        rounds.push(round);
    }
    let of = Measured { items: items * times as u64, bytes: times * bytes(&capture), capture: &capture };
    show(&of, &plugins, &rounds, output);
    Ok(())
}

/// Spans, log records or data points: the rows that the shipped plugin makes of them.
fn items(capture: &Capture) -> Result<u64, Failure> {
    let stage = trial::chain_of(trial::flatten(capture.signal), Vec::new(), capture.signal)?;
    let mut worker = Worker::new(stage, records::codec(capture));
    let on_thread = || {
        let applied = batches(&capture.records).map(|batch| worker.apply(&batch, &Known::default()));
        applied.map(|applied| (0..applied.tables.len()).map(|table| applied.rows(table)).sum::<u64>()).sum()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, on_thread);
        thread.map_err(Failure::failed)?.join().map_err(|_| Failure::failed("it panicked"))
    })
}

fn bytes(capture: &Capture) -> usize {
    capture.records.iter().map(|(_, record)| record.bytes()).sum()
}

/// Tables in a folder, laid out as the pipeline says, or as the pipelines that come with Weir do.
async fn tables(
    folder: &Path,
    pipeline: Option<Pipeline>,
    schemas: &[TableSchema],
    output: Format,
) -> Result<Vec<IcebergTable>, Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("{}: {e}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut pipeline = match pipeline {
        Some(pipeline) => pipeline,
        None => {
            let file = folder.join("pipeline.toml");
            std::fs::write(&file, text(schemas)).map_err(failed)?;
            let loaded = load(&[file], output)?.into_iter().next();
            loaded.ok_or_else(|| Failure::failed("its own pipeline cannot be read"))?
        }
    };
    pipeline.dead_letter = None;
    let catalog = open_folder(folder).await?;
    Ok(open_tables(&catalog, &pipeline, schemas).await?)
}

fn text(schemas: &[TableSchema]) -> String {
    let mut text = String::from(
        "name = \"bench\"\n[source.kafka]\nbrokers = [\"127.0.0.1:1\"]\ntopics = [\"bench\"]\nsignal = \"traces\"\n\
         encoding = \"otlp_proto\"\n[[transform]]\nplugin = \"flatten-spans\"\n[sink.iceberg]\n\
         catalog = { type = \"hadoop\" }\nwarehouse = \"./lake\"\n",
    );
    for table in schemas {
        let name = &table.name;
        let _ = write!(text, "[sink.iceberg.tables.{name:?}]\nname = \"bench.{name}\"\n");
        if ["timestamp", "service_name"].iter().all(|column| table.schema.field_with_name(column).is_ok()) {
            text.push_str("partition_by = [\"day(timestamp)\", \"service_name\"]\n");
            text.push_str("sort_by = [\"timestamp\", \"service_name\"]\n");
        }
    }
    text
}

async fn round(
    mut worker: Worker<WasmStage, OtlpCodec>,
    capture: &Capture,
    times: usize,
    tables: &[IcebergTable],
    epoch: Epoch,
) -> Result<(Round, Worker<WasmStage, OtlpCodec>), Failure> {
    let mut round = Round::default();
    let (before, clock, mut elsewhere) = (usage(&worker.stage), ProcessTime::now(), Duration::ZERO);
    for _ in 0..times {
        for batch in batches(&capture.records) {
            let (applied, spent, back) = apply(worker, batch).await?;
            worker = back;
            round.decode += spent.decode;
            elsewhere += spent.all;
            for (table, batches) in tables.iter().zip(applied.tables) {
                for rows in batches {
                    table.write(epoch, rows).await.map_err(Failure::failed)?;
                }
            }
        }
    }
    for table in tables {
        table.close(epoch).await.map_err(Failure::failed)?;
    }
    // Files are encoded on threads of their own, also while a plugin works: what is not the plugins' thread is theirs.
    round.write = clock.elapsed().saturating_sub(elsewhere);
    let used = usage(&worker.stage).into_iter().zip(before);
    round.plugins = used.map(|((cpu, checking), was)| (cpu - was.0, checking - was.1)).collect();
    Ok((round, worker))
}

/// CPU time of the thread on which a batch was worked on.
struct Spent {
    decode: Duration,
    all: Duration,
}

/// One batch on a thread with a guest's stack; decoding is measured by decoding once more.
async fn apply(
    mut worker: Worker<WasmStage, OtlpCodec>,
    batch: Batch,
) -> Result<(Applied, Spent, Worker<WasmStage, OtlpCodec>), Failure> {
    let (done, given) = tokio::sync::oneshot::channel();
    let work = move || {
        let mut out = Vec::new();
        let clock = ThreadTime::now();
        for record in &batch.records {
            out.clear();
            if let Some(value) = &record.value {
                let _ = worker.codec.decode(value, &mut out);
            }
        }
        let decode = clock.elapsed();
        let applied = worker.apply(&batch, &Known::default());
        let _ = done.send((applied, Spent { decode, all: clock.elapsed() }, worker));
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).map_err(Failure::failed)?;
    given.await.map_err(|_| Failure::failed("it panicked"))
}

fn usage(stage: &WasmStage) -> Vec<(Duration, Duration)> {
    stage.plugins().iter().map(|plugin| plugin.usage()).map(|usage| (usage.cpu, usage.cpu_checking)).collect()
}

/// Records as a source hands them over.
fn batches(records: &[(TopicPartition, Record)]) -> impl Iterator<Item = Batch> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let (place, first) = rest.first()?;
        let mut bytes = 0;
        let mut fits = |(at, record): &(TopicPartition, Record)| {
            bytes += record.bytes();
            at == place && bytes <= BATCH_BYTES
        };
        let (batch, after) = rest.split_at(rest.iter().take_while(|record| fits(record)).count().max(1));
        rest = after;
        let records: Vec<Record> = batch.iter().map(|(_, record)| record.clone()).collect();
        let (from, to) = (first.offset, records.last().map_or(first.offset, |record| record.offset) + 1);
        Some(Batch {
            source: place.clone(),
            generation: Generation::default(),
            from,
            to,
            records,
            held: Held::default(),
        })
    })
}

/// What the rounds were about.
struct Measured<'a> {
    items: u64,
    bytes: usize,
    capture: &'a Capture,
}

fn show(of: &Measured<'_>, plugins: &[Plugin], rounds: &[Round], output: Format) {
    let median = |pick: &dyn Fn(&Round) -> Duration| {
        let mut all: Vec<Duration> = rounds.iter().map(pick).collect();
        all.sort();
        all[all.len() / 2].as_secs_f64() * 1e9 / of.items as f64
    };
    let mut steps = vec![("decode".to_owned(), median(&|round| round.decode), 0.0)];
    for (at, plugin) in plugins.iter().enumerate() {
        let (all, checking) = (median(&|round| round.plugins[at].0), median(&|round| round.plugins[at].1));
        steps.push((plugin.name().to_owned(), all, checking));
    }
    steps.push(("write".to_owned(), median(&|round| round.write), 0.0));
    let sum: f64 = steps.iter().map(|(_, ns, _)| ns).sum();
    let kind = match of.capture.signal {
        Signal::Traces => "spans",
        Signal::Logs => "log records",
        Signal::Metrics => "data points",
    };
    if output == Format::Json {
        let steps = steps.iter().map(|(name, ns, checking)| {
            json!({ "step": name, "ns_per_item": ns, "checked_by_host_ns": checking, "items_per_s": 1e9 / ns, "share": ns / sum })
        });
        let steps: Vec<_> = steps.collect();
        return line_out(&json!({ "items": of.items, "bytes": of.bytes, "rounds": rounds.len(), "steps": steps }));
    }
    say(format_args!(
        "{} {kind}, {:.1} MB of {}, a round; CPU time, medians of {} rounds",
        of.items,
        of.bytes as f64 / 1e6,
        of.capture.encoding.name(),
        rounds.len()
    ));
    say(format_args!("{:<24} {:>12} {:>18} {:>7}", "step", "ns an item", "items/s per core", "share"));
    for (name, ns, checking) in &steps {
        say(format_args!("{name:<24} {ns:>12.0} {:>18.0} {:>5.1} %", 1e9 / ns, 100.0 * ns / sum));
        if *checking > 0.0 {
            say(format_args!("{:<24} {checking:>12.0}", "  checked by the host"));
        }
    }
    for plugin in plugins {
        say(format_args!("{}: peak memory {:.1} MB", plugin.name(), plugin.usage().peak_memory_bytes as f64 / 1e6));
    }
}
