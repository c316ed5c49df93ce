//! How long until rows come again after a kill, and what do more processes of one group bring?
//!
//! `KILLS=20 SPANS=1000000 cargo bench -p weir-tests --bench processes` (after `cargo build --release`). Recovery: one
//! process commits twice a second while records come, is killed with SIGKILL and started at once; it is over when
//! records that came after the kill are acked. Without a name for the process, Kafka first waits for the session of the
//! dead one (6 s here); with one (`--instance-id`) it does not. Throughput: one, two and three processes, `--until-end`,
//! over the same topic of six partitions, into one table. Contention: processes that commit every two seconds to one
//! table of a REST catalog whose answers take longer and longer.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod contention;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use weir_tests::{Kafka, Oracle, Scratch, Spans, Table, until};

const PARTITIONS: i32 = 6;
const LIMIT: Duration = Duration::from_secs(120);
const START_NANOS: u64 = 1_769_731_200_000_000_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

fn main() {
    let weir = PathBuf::from(std::env::var("WEIR_BINARY").unwrap_or_else(|_| "target/release/weir".into()));
    let weir = if weir.is_absolute() { weir } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(weir) };
    let kafka = Kafka::start();
    let (kills, spans) = (number("KILLS", 20) as usize, number("SPANS", 1_000_000));
    println!("| after kill -9 | kills | p50 s | p99 s |\n|---|---|---|---|");
    for instance in [None, Some("the-one")] {
        let mut took = recoveries(&kafka, &weir, kills, instance);
        took.sort_by(f64::total_cmp);
        let what = instance.map_or("a new member", |_| "the same member (`--instance-id`)");
        println!("| {what} | {kills} | {:.2} | {:.2} |", took[took.len() / 2], took[took.len() * 99 / 100]);
    }
    throughput(&kafka, &weir, spans);
    contention::measure(&kafka, &weir);
}

/// A pipeline over a topic into a lake of its own.
struct Subject {
    folder: Scratch,
    topic: String,
    group: String,
}

impl Subject {
    fn new(kafka: &Kafka, topic: &str, group: &str, encoding: &str, interval: &str) -> Self {
        let lake = "catalog = { type = \"hadoop\" }\nwarehouse = \"./lake\"";
        Self::over(lake, kafka, topic, group, encoding, interval)
    }

    fn over(catalog: &str, kafka: &Kafka, topic: &str, group: &str, encoding: &str, interval: &str) -> Self {
        let folder = Scratch::new(group);
        let text = format!(
            "name = \"{group}\"\n[source.kafka]\nbrokers = [\"{}\"]\ntopics = [\"{topic}\"]\ngroup = \"{group}\"\n\
             signal = \"traces\"\nencoding = \"{encoding}\"\nstart = \"earliest\"\n[source.kafka.properties]\n\
             \"session.timeout.ms\" = \"6000\"\n\"heartbeat.interval.ms\" = \"500\"\n\
             [[transform]]\nplugin = \"flatten-spans\"\n[sink.iceberg]\n{catalog}\ncommit_interval = \"{interval}\"\n[sink.iceberg.tables.spans]\n\
             name = \"telemetry.traces\"\npartition_by = [\"day(timestamp)\", \"service_name\"]\n\
             sort_by = [\"timestamp\", \"service_name\"]\n[dead_letter]\ntable = \"telemetry.dead_letters\"\n",
            kafka.bootstrap()
        );
        std::fs::write(folder.join("pipeline.toml"), text).unwrap();
        Self { folder, topic: topic.into(), group: group.into() }
    }

    fn start(&self, weir: &Path, more: &[&str]) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = Command::new(weir);
        command.arg("run").args(more).arg(self.folder.join("pipeline.toml"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().expect("weir runs")
    }

    fn acked(&self, kafka: &Kafka) -> Vec<i64> {
        kafka.acked(&self.group, &self.topic).into_iter().map(Option::unwrap_or_default).collect()
    }

    fn table(&self) -> Table {
        Table::hadoop(self.folder.join("lake"), "telemetry.traces")
    }
}

fn recoveries(kafka: &Kafka, weir: &Path, kills: usize, instance: Option<&str>) -> Vec<f64> {
    let topic = if instance.is_some() { "static" } else { "dynamic" };
    kafka.create_topic(topic, PARTITIONS);
    let subject = Subject::new(kafka, topic, topic, "otlp_json", "500ms");
    let named: Vec<&str> = instance.map_or(Vec::new(), |name| vec!["--instance-id", name]);
    let mut made = Spans::new(1, START_NANOS, 1);
    let mut produce = || {
        for partition in 0..PARTITIONS {
            kafka.produce(topic, partition, &made.requests(2, 100));
        }
        kafka.end_offsets(topic)
    };
    let reach = |ends: &[i64]| {
        until("the group to catch up", LIMIT, || (subject.acked(kafka) == ends).then_some(()));
    };
    let mut running = subject.start(weir, &named);
    let mut took = Vec::new();
    for _ in 0..kills {
        reach(&produce());
        let killed = Instant::now();
        running.kill().unwrap();
        running.wait().unwrap();
        running = subject.start(weir, &named);
        let ends = produce();
        reach(&ends);
        took.push(killed.elapsed().as_secs_f64());
    }
    running.kill().unwrap();
    running.wait().unwrap();
    let (found, made) = (Oracle::shared().span_ids(&subject.table()), made.made());
    assert_eq!(found, made, "rows are lost or doubled");
    took
}

fn throughput(kafka: &Kafka, weir: &Path, spans: u64) {
    kafka.create_topic("all", PARTITIONS);
    let mut generate = Command::new(weir);
    generate.args(["generate", "--brokers", &kafka.bootstrap(), "--topic", "all", "--count", &spans.to_string()]);
    assert!(generate.stdout(Stdio::null()).status().expect("weir runs").success());
    println!("\n| processes | spans | wall s | CPU s | spans/s |\n|---|---|---|---|---|");
    for processes in 1..=3 {
        let subject = Subject::new(kafka, "all", &format!("all-{processes}"), "otlp_proto", "1s");
        let (began, cpu) = (Instant::now(), children_cpu());
        let mut running: Vec<Child> = (0..processes).map(|_| subject.start(weir, &["--until-end"])).collect();
        for weir in &mut running {
            assert!(weir.wait().unwrap().success(), "{}", subject.folder.join("log").display());
        }
        let wall = began.elapsed().as_secs_f64();
        let found = Oracle::shared().span_ids(&subject.table());
        assert_eq!((found.count, found.distinct), (spans, spans), "rows are lost or doubled");
        let rate = spans as f64 / wall;
        println!("| {processes} | {spans} | {wall:.1} | {:.1} | {rate:.0} |", children_cpu() - cpu);
    }
}

/// User and system time of the children that have ended: fields 16 and 17, in ticks of 10 ms.
fn children_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap().split_whitespace().map(|f| f.parse().unwrap_or(0.0)).collect();
    (fields[13] + fields[14]) / 100.0
}
