//! `redact-attributes` in each language: what it costs to load, to start, to keep and to call.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cpu_time::{ProcessTime, ThreadTime};
use redact_attributes::RedactAttributes;
use weir::config::PluginRef;
use weir_demo::generate::{Generator, Options, encode_proto};
use weir_pipeline::transform::{Effort, Message, Stage};
use weir_sdk::{Batch, testing};
use weir_tests::process::command;
use weir_tests::{Scratch, Weir, component, kept_plugin};
use weir_wasm::{Engine, Limits, Link, Plugin, Setting, Signal, WasmStage};

use crate::median_and_most;

const LANGUAGES: [&str; 5] = ["Rust", "C", "Go", "JavaScript", "Python"];

/// A Collector's small request, and what a worker gives at once.
const SPANS_PER_MESSAGE: usize = 50;
const MESSAGES_PER_CALL: usize = 20;

/// Instances that are started for the median.
const STARTS: usize = 20;

/// What is done to each span: one attribute dropped; the same and another one hashed.
const DROPPING: &[(&str, &[&str])] = &[("drop", &["url.path"])];
const HASHING: &[(&str, &[&str])] = &[("drop", &["url.path"]), ("hash", &["user_agent.original"])];

/// A language's plugin, and what it took to come by it.
struct Candidate {
    plugin: Plugin,
    compiled: Duration,
    loaded: Duration,
}

pub(crate) fn measure(spans: usize, rounds: usize) {
    let scratch = Scratch::new("bench-plugins");
    let candidates: Vec<Candidate> = LANGUAGES.iter().map(|name| load(&file(name, &scratch), &scratch)).collect();
    let options = Options { seed: 1, items_per_message: SPANS_PER_MESSAGE, ..Options::default() };
    let messages = spans.div_ceil(SPANS_PER_MESSAGE * MESSAGES_PER_CALL).max(1) * MESSAGES_PER_CALL;
    let values: Vec<Vec<u8>> = Generator::new(options).take(messages).map(|traces| encode_proto(&traces)).collect();
    let spans = messages * SPANS_PER_MESSAGE;
    let tables = [DROPPING, HASHING].map(|settings| calls(&candidates, settings, &values, rounds));

    println!(
        "| plugin | component KB | compiled, CPU s | from the cache, ms | an instance started, ms | it holds MB |"
    );
    println!("|---|---|---|---|---|---|");
    for (language, candidate) in LANGUAGES.iter().zip(&candidates) {
        println!(
            "| {language} | {} | {:.2} | {:.1} | {:.2} | {:.1} |",
            candidate.plugin.size_bytes() / 1000,
            candidate.compiled.as_secs_f64(),
            candidate.loaded.as_secs_f64() * 1e3,
            started(&candidate.plugin) * 1e3,
            candidate.plugin.usage().peak_memory_bytes as f64 / 1e6,
        );
    }
    println!(
        "\n{spans} spans, {SPANS_PER_MESSAGE} a record of {} B, {MESSAGES_PER_CALL} records a call; {rounds} rounds\n",
        values.iter().map(Vec::len).sum::<usize>() / messages,
    );
    println!(
        "| plugin | dropping, ns a span | spans/s per core | times native | and hashing, ns | spans/s | times native |"
    );
    println!("|---|---|---|---|---|---|---|");
    let names = ["Rust, native"].into_iter().chain(LANGUAGES);
    for (at, name) in names.enumerate() {
        let cell = |table: &[f64]| {
            let each = table[at] / spans as f64;
            format!("{:.0} | {:.0} | {:.2}", each * 1e9, 1.0 / each, table[at] / table[0])
        };
        println!("| {name} | {} | {} |", cell(&tables[0]), cell(&tables[1]));
    }
}

/// The component of a language; Rust's is in the binary.
fn file(language: &str, scratch: &Scratch) -> PathBuf {
    let folder = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(name);
    match language {
        "Rust" => {
            let shipped = weir::plugins::bytes(&PluginRef::Named("redact-attributes".into()), &[]).unwrap();
            let file = scratch.join("redact-attributes.wasm");
            std::fs::write(&file, shipped).unwrap();
            file
        }
        "JavaScript" => kept_plugin(&folder("redact-attributes-javascript")),
        "Python" => kept_plugin(&folder("redact-attributes-python")),
        _ => {
            let name = format!("redact-attributes-{}", language.to_lowercase());
            let copy = scratch.join(&name);
            std::fs::create_dir_all(&copy).unwrap();
            for entry in std::fs::read_dir(folder(&name)).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
                }
            }
            let system = std::env::var_os("PATH").unwrap_or_default();
            let tools = std::iter::once(component("c")).chain(std::env::split_paths(&system));
            let mut weir = command(Weir::binary());
            weir.args(["plugin", "build"]).arg(&copy).env("PATH", std::env::join_paths(tools).unwrap());
            let built = weir.output().unwrap();
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            copy.join(format!("{name}.wasm"))
        }
    }
}

/// Compiles a component, then takes it from the cache, as another process would.
fn load(file: &Path, scratch: &Scratch) -> Candidate {
    let cache = || Engine::new(Some(scratch.join("compiled"))).unwrap();
    let engine = cache();
    let clock = ProcessTime::now();
    Plugin::from_file(&engine, "redact", file).unwrap();
    let compiled = clock.elapsed();
    let engine = cache();
    let clock = Instant::now();
    let plugin = Plugin::from_file(&engine, "redact", file).unwrap();
    Candidate { plugin, compiled, loaded: clock.elapsed() }
}

/// The plugin in front of one that makes rows, in the engine that compiled it.
fn chain(plugin: &Plugin, settings: &[(&str, &[&str])]) -> WasmStage {
    let setting = |(key, values): &(&str, &[&str])| Setting {
        key: (*key).to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let engine = Engine::new(None).unwrap();
    let maker = weir::plugins::load(&engine, &PluginRef::Named("flatten-spans".into()), &[]).unwrap();
    let limits = Limits { deadline: Duration::from_secs(60), ..Limits::default() };
    let first = Link { plugin: plugin.clone(), settings: settings.iter().map(setting).collect(), limits };
    WasmStage::chain(Signal::Traces, vec![first, Link { plugin: maker, settings: Vec::new(), limits }]).unwrap()
}

fn messages(values: &[Vec<u8>]) -> Vec<Message<'_>> {
    let message = |(offset, value)| Message { offset, timestamp_ms: None, key: None, headers: &[], value };
    (0..).zip(values.iter().map(Vec::as_slice)).map(message).collect()
}

/// Seconds of CPU time that an instance takes from nothing to the end of a call with an empty record.
fn started(plugin: &Plugin) -> f64 {
    let mut stage = chain(plugin, DROPPING);
    let empty = [Vec::new()];
    let start = |_| {
        let before = plugin.usage().cpu;
        stage.call("topic", 0, &messages(&empty), Effort::Fresh).unwrap();
        (plugin.usage().cpu - before).as_secs_f64()
    };
    median_and_most((0..STARTS).map(start).collect()).0
}

/// Seconds that all values take: Rust compiled in first, then each language.
fn calls(candidates: &[Candidate], settings: &[(&str, &[&str])], values: &[Vec<u8>], rounds: usize) -> Vec<f64> {
    let batches: Vec<Batch> =
        values.chunks(MESSAGES_PER_CALL).map(|call| testing::traces(call.iter().cloned())).collect();
    let mut stages: Vec<WasmStage> = candidates.iter().map(|candidate| chain(&candidate.plugin, settings)).collect();
    let mut took = vec![Vec::new(); candidates.len() + 1];
    // The first round is for warmth.
    for round in 0..=rounds {
        let clock = ThreadTime::now();
        for batch in &batches {
            drop(black_box(testing::rewrite::<RedactAttributes>(settings, batch).unwrap()));
        }
        let mut costs = vec![clock.elapsed().as_secs_f64()];
        for (candidate, stage) in candidates.iter().zip(&mut stages) {
            let before = candidate.plugin.usage().cpu;
            for call in values.chunks(MESSAGES_PER_CALL) {
                drop(black_box(stage.call("topic", 0, &messages(call), Effort::Normal).unwrap()));
            }
            costs.push((candidate.plugin.usage().cpu - before).as_secs_f64());
        }
        if round > 0 {
            took.iter_mut().zip(costs).for_each(|(took, cost)| took.push(cost));
        }
    }
    took.into_iter().map(|took| median_and_most(took).0).collect()
}
