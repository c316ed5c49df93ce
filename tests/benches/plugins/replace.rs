//! From a plugin's new file to the first batch that it makes, in a pipeline that runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::http::get;
use weir_tests::process::free_port;
use weir_tests::{Kafka, Scratch, Spans, guest, kept_plugin, until};

use crate::median_and_most;

const TOPIC: &str = "replaced";
const PARTITIONS: i32 = 2;
const LIMIT: Duration = Duration::from_secs(120);
const START_NANOS: u64 = 1_769_731_200_000_000_000;
/// Between two records of the load, one for each partition: small batches come all the time.
const PACE: Duration = Duration::from_millis(10);

/// Where the time goes.
const STEPS: [&str; 4] = [
    "seen, compiled, configured, held against the tables",
    "tried on three batches",
    "taken in, after the commit under way",
    "all: the file's rename to the first batch",
];

pub(crate) fn measure(reloads: usize) {
    let weir = PathBuf::from(std::env::var("WEIR_BINARY").unwrap_or_else(|_| "target/release/weir".into()));
    let weir = if weir.is_absolute() { weir } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(weir) };
    let kafka = Kafka::start();
    kafka.create_topic(TOPIC, PARTITIONS);
    let python = kept_plugin(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/redact-attributes-python"));
    let python = std::fs::read(python).unwrap();
    println!("\n| replaced while records come, {reloads} times | step | p50 s | most s |\n|---|---|---|---|");
    let fresh = |number| version(number);
    replaced(&kafka, &weir, "Rust, never seen before", reloads, "", fresh);
    replaced(&kafka, &weir, "Rust, compiled before", reloads, "", |number| version(1_000_000 + number % 2));
    // Its digest is another one by bytes at its end, in a section that nobody reads.
    let before = "config = { drop = [\"url.path\"] }\n[[transform]]\nplugin = \"flatten-spans\"";
    let few = reloads.min(5);
    replaced(&kafka, &weir, "Python, never seen before", few, before, |number| marked(&python, number));
    replaced(&kafka, &weir, "Python, compiled before", few, before, |number| {
        marked(&python, number % 2 + few as u32 - 2)
    });
}

/// The guest whose rows tell its version.
fn version(number: u32) -> Vec<u8> {
    const MARK: &[u8] = b"weir-guest-version:";
    let mut component = std::fs::read(guest("spans-versioned")).unwrap();
    let at = component.windows(MARK.len()).position(|window| window == MARK).unwrap() + MARK.len();
    component[at..at + 8].copy_from_slice(format!("a{number:07}").as_bytes());
    component
}

/// A component with a custom section more: six bytes, a name of one letter and a number.
fn marked(component: &[u8], number: u32) -> Vec<u8> {
    let mut marked = component.to_vec();
    marked.extend([0, 6, 1, b'n']);
    marked.extend(number.to_le_bytes());
    marked
}

fn replaced(kafka: &Kafka, weir: &Path, name: &str, reloads: usize, more: &str, make: impl Fn(u32) -> Vec<u8>) {
    let (folder, port) = (Scratch::new("bench-replace"), free_port());
    let file = folder.join("plugin.wasm");
    std::fs::write(&file, make(0)).unwrap();
    let mut running = start(kafka, weir, &folder, port, more);
    let (stop, stopped) = mpsc::sync_channel(1);
    let steps = std::thread::scope(|scope| {
        scope.spawn(move || load(kafka, &stopped));
        until("the first rows", LIMIT, || status(port)["rows"].as_u64().filter(|rows| *rows > 0));
        let steps: Vec<[f64; 4]> = (1..=reloads).map(|n| reload(port, &file, &make(n as u32))).collect();
        stop.send(()).unwrap();
        steps
    });
    running.kill().unwrap();
    running.wait().unwrap();
    for (at, step) in STEPS.iter().enumerate() {
        let (median, most) = median_and_most(steps.iter().map(|steps| steps[at]).collect());
        println!("| {name} | {step} | {median:.2} | {most:.2} |");
    }
}

/// Seconds of each step of one replacement.
fn reload(port: u16, file: &Path, component: &[u8]) -> [f64; 4] {
    let before = status(port)["pauses"].as_u64().unwrap_or(0);
    let draft = file.with_extension("draft");
    std::fs::write(&draft, component).unwrap();
    std::fs::rename(&draft, file).unwrap();
    let began = Instant::now();
    let (mut tried, mut passed) = (None, None);
    let first = until("the first batch", LIMIT, || {
        let plugin = status(port);
        let is_tried = !plugin["trial"].is_null();
        if is_tried {
            tried.get_or_insert_with(|| began.elapsed());
        } else if tried.is_some() {
            passed.get_or_insert_with(|| began.elapsed());
        }
        assert!(plugin["last"]["result"].as_str().is_none_or(|result| result == "swapped"), "{plugin}");
        (plugin["pauses"].as_u64() == Some(before + 1)).then(|| began.elapsed())
    });
    let tried = tried.unwrap_or(first);
    let passed = passed.unwrap_or(first);
    [tried, passed - tried, first - passed, first].map(|step| step.as_secs_f64())
}

/// What the process says of its plugin, and how many rows it has made.
fn status(port: u16) -> Value {
    let answer = get(port, "/status").ok().and_then(|answer| serde_json::from_str::<Value>(&answer.body).ok());
    let Some(mut answer) = answer else { return Value::Null };
    let rows = answer["pipelines"][0]["rows_committed"].take();
    let mut plugin = answer["pipelines"][0]["plugin"].take();
    plugin["rows"] = rows;
    plugin
}

/// Records until it is told to stop.
fn load(kafka: &Kafka, stopped: &mpsc::Receiver<()>) {
    let mut made = Spans::new(1, START_NANOS, 1);
    while stopped.recv_timeout(PACE) == Err(mpsc::RecvTimeoutError::Timeout) {
        for partition in 0..PARTITIONS {
            kafka.produce(TOPIC, partition, &made.requests(1, 20));
        }
    }
}

fn start(kafka: &Kafka, weir: &Path, folder: &Scratch, port: u16, more: &str) -> Child {
    let group = folder.path().file_name().unwrap().to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let text = format!(
        "name = \"replaced\"\n[source.kafka]\nbrokers = [\"{}\"]\ntopics = [\"{TOPIC}\"]\ngroup = \"{group}\"\n\
         signal = \"traces\"\nencoding = \"otlp_json\"\nstart = \"latest\"\n[[transform]]\nplugin = \"./plugin.wasm\"\n\
         {more}\n[sink.iceberg]\ncatalog = {{ type = \"hadoop\" }}\nwarehouse = \"./lake\"\ncommit_interval = \"5s\"\n\
         [sink.iceberg.tables.spans]\nname = \"telemetry.traces\"\n[dead_letter]\ntable = \"telemetry.dead_letters\"\n\
         [admin]\nlisten = \"127.0.0.1:{port}\"\n",
        kafka.bootstrap()
    );
    std::fs::write(folder.join("pipeline.toml"), text).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new(weir);
    command.args(["--log", "info", "run"]).arg(folder.join("pipeline.toml"));
    // Nothing was compiled before but by this very process.
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().expect("weir runs")
}
