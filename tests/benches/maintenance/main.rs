//! What does it cost that tables are looked after, and what does it bring? CPU time of process trees, and bytes.
//!
//! `ROWS=2000000 ROUNDS=3 cargo bench -p weir-tests --bench maintenance` (after `cargo build --release`) makes a table of
//! so many spans in the small files of many commits, then: compacts copies of it by Weir and by Spark in turn; asks for
//! traces, services and hours before, after, and in the table that the Spark job makes of the same topic; ingests with
//! and without maintenance in the process; writes files with and without bloom filters. `NO_SPARK=1` leaves Spark out,
//! `ONLY=compaction,questions,ingestion,filter` is what is measured. `COMPACT=target/release/examples/compact` compacts by
//! that example of weir-iceberg, where `weir` itself is no release build: it then only makes the table.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod compaction;
mod filter;
mod ingestion;
mod questions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use weir_demo::generate::Options;
use weir_demo::produce::{Encoding, Order, Signal, produce};
use weir_tests::{Kafka, Oracle, Scratch, Table, component};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// 2026-01-30.
const FIRST_DAY_NANOS: u64 = 1_769_731_200_000_000_000;
/// Two million spans are eleven hours: one of them is a part of the whole.
const SPANS_PER_SECOND: u64 = 50;
const PARTITIONS: i32 = 4;
const TOPIC: &str = "otel-traces-lake";
const TABLE: &str = "telemetry.traces";
/// What compaction aims at: the table that the Spark job makes has it as its own.
const TARGET_BYTES: u64 = 128 << 20;

fn main() {
    let only = std::env::var("ONLY").unwrap_or_else(|_| "compaction,questions,ingestion,filter".into());
    let wants = |part: &str| only.split(',').any(|wanted| wanted == part);
    let (rows, rounds) = (number("ROWS", 2_000_000), number("ROUNDS", 3).max(1) as usize);
    let world = World::new(rows);
    if wants("compaction") || wants("questions") {
        world.fill();
    }
    if wants("compaction") {
        compaction::measure(&world, rounds);
    }
    if wants("questions") {
        questions::measure(&world);
    }
    if wants("ingestion") {
        ingestion::measure(&world, rounds);
    }
    if wants("filter") {
        filter::measure(rounds * 3);
    }
}

/// Where everything is.
struct World {
    kafka: Kafka,
    folder: Scratch,
    weir: PathBuf,
    rows: u64,
    with_spark: bool,
}

impl World {
    fn new(rows: u64) -> Self {
        let weir = PathBuf::from(std::env::var("WEIR_BINARY").unwrap_or_else(|_| "target/release/weir".into()));
        let weir = if weir.is_absolute() { weir } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(weir) };
        let with_spark = std::env::var_os("NO_SPARK").is_none();
        Self { kafka: Kafka::start(), folder: Scratch::new("maintenance"), weir, rows, with_spark }
    }

    /// What the topic is filled with.
    fn order(&self, topic: &str, items: u64, rate: Option<u64>) -> Order {
        Order {
            brokers: vec![self.kafka.bootstrap()],
            topic: topic.into(),
            properties: BTreeMap::new(),
            encoding: Encoding::Json,
            signal: Signal::Traces,
            options: Options {
                seed: 1,
                start_time_ns: FIRST_DAY_NANOS,
                spans_per_second: SPANS_PER_SECOND,
                ..Options::default()
            },
            items: Some(items),
            rate,
        }
    }

    /// Makes the table of many commits that is never changed.
    fn fill(&self) {
        self.kafka.create_topic(TOPIC, PARTITIONS);
        produce(&self.order(TOPIC, self.rows, None), |_| true).expect("a broker that takes messages");
        let file = self.pipeline("fill", TOPIC, "./lake", "500ms", "");
        let filled = Command::new(&self.weir).args(["run", "--until-end"]).arg(file).output().expect("weir runs");
        assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
        self.assert_whole(&self.lake());
        copy(&self.lake(), &self.folder.join("kept"));
    }

    fn lake(&self) -> PathBuf {
        self.folder.join("lake")
    }

    /// Puts the table of many commits back where its metadata says that it is.
    fn restore(&self) {
        std::fs::remove_dir_all(self.lake()).unwrap();
        copy(&self.folder.join("kept"), &self.lake());
    }

    fn assert_whole(&self, lake: &Path) {
        let found = Oracle::shared().span_ids(&Table::hadoop(lake, TABLE));
        assert_eq!((found.count, found.distinct), (self.rows, self.rows), "rows are lost or doubled");
    }

    /// Writes a pipeline's file into a lake, with more of the table's properties, then more sections. Gives its path.
    fn pipeline(&self, name: &str, topic: &str, lake: &str, interval: &str, more: &str) -> PathBuf {
        let file = self.folder.join(&format!("{name}.toml"));
        let text = format!(
            "name = \"{name}\"\n[source.kafka]\nbrokers = [\"{}\"]\ntopics = [\"{topic}\"]\nsignal = \"traces\"\n\
             encoding = \"otlp_json\"\nstart = \"earliest\"\n[[transform]]\nplugin = \"flatten-spans\"\n[sink.iceberg]\n\
             catalog = {{ type = \"hadoop\" }}\nwarehouse = \"{lake}\"\ncommit_interval = \"{interval}\"\n\
             [sink.iceberg.tables.spans]\nname = \"{TABLE}\"\npartition_by = [\"day(timestamp)\", \"service_name\"]\n\
             sort_by = [\"timestamp\", \"service_name\"]\n[sink.iceberg.tables.spans.properties]\n\
             \"write.parquet.compression-codec\" = \"zstd\"\n\"write.parquet.compression-level\" = \"1\"\n\
             \"write.target-file-size-bytes\" = \"{TARGET_BYTES}\"\n{more}[dead_letter]\n\
             table = \"telemetry.dead_letters\"\n",
            self.kafka.bootstrap()
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Runs a script of this folder or another with Spark's Python. Gives what it cost and its last line of JSON.
    fn spark(&self, script: &str, arguments: &[(&str, &str)]) -> (Cost, Value) {
        let spark = component("spark");
        let mut command = Command::new(spark.join("venv/bin/python"));
        command.arg(benches().join(script)).arg("--jars").arg(spark.join("jars"));
        arguments.iter().for_each(|(name, value)| {
            command.args([name, value]);
        });
        measured(&command)
    }
}

fn benches() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches")
}

/// A folder with everything in it. (Metadata names files by their paths: a copy is read only where the first one was.)
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.is_ok_and(|status| status.success()), "cp -a {} {}", from.display(), to.display());
}

/// What a tree of processes cost.
#[derive(Clone, Copy, Debug)]
struct Cost {
    cpu_s: f64,
    wall_s: f64,
    peak_mb: f64,
}

/// Runs a command to its good end. Gives what it cost, and the last line of JSON that it wrote itself.
fn measured(command: &Command) -> (Cost, Value) {
    let mut measure = Command::new("python3");
    measure.arg(benches().join("measure.py")).arg(command.get_program()).args(command.get_args());
    let output = measure.output().expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let mut lines = said.lines().rev().map(|line| serde_json::from_str::<Value>(line).unwrap_or_default());
    let figures = lines.next().unwrap_or_default();
    let figure = |key: &str| figures[key].as_f64().expect("measure.py's last line");
    let cost = Cost { cpu_s: figure("cpu_s"), wall_s: figure("wall_s"), peak_mb: figure("peak_rss_mb") };
    (cost, lines.next().unwrap_or_default())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
