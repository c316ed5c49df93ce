//! What ingestion costs and how long a commit takes, with and without maintenance in the same process.
//!
//! Records come at a steady rate. The CPU time is the process's, from the moment that it holds its partitions; what
//! compaction took of it the process says itself. A commit's latency is the time from when its newest record was given
//! to Kafka's client until the process shows its offset, looked at every few milliseconds.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use weir_demo::produce::produce;
use weir_tests::http::get;
use weir_tests::process::free_port;
use weir_tests::until;

use crate::{PARTITIONS, World, median, number};

const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(10);
/// Much to do: old snapshots go after seconds, and every look finds files to compact.
const MAINTENANCE: &str = "\"history.expire.max-snapshot-age-ms\" = \"5000\"\n\
    [maintenance]\nevery = \"2s\"\ncompact = \"sort\"\nexpire = \"own\"\n";

/// What a run cost.
struct Run {
    cpu_s: f64,
    compaction_cpu_s: f64,
    /// Seconds.
    latencies: Vec<f64>,
    compactions: f64,
    expired: f64,
}

pub(crate) fn measure(world: &World, rounds: usize) {
    let (rate, seconds) = (number("RATE", 50_000), number("SECONDS", 40));
    let spans = rate * seconds;
    let mut all: [Vec<Run>; 2] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for (with, runs) in all.iter_mut().enumerate() {
            runs.push(run(world, spans, rate, with == 1, &format!("ingestion-{with}-{round}")));
        }
    }
    println!(
        "### Ingestion beside it\n\n{rate} spans/s for {seconds} s, a commit a second; {rounds} rounds, medians\n"
    );
    println!(
        "| maintenance | CPU s per million | of it compaction's | ingestion's | commit p50 ms | p99 ms | compactions | \
         snapshots expired |\n|---|---|---|---|---|---|---|---|"
    );
    for (what, runs) in ["none", "compacts (sort) and expires, every 2 s"].iter().zip(&all) {
        let million = 1e6 / spans as f64;
        let of = |value: &dyn Fn(&Run) -> f64| median(runs.iter().map(value));
        println!(
            "| {what} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {} | {} |",
            of(&|run| run.cpu_s * million),
            of(&|run| run.compaction_cpu_s * million),
            of(&|run| (run.cpu_s - run.compaction_cpu_s) * million),
            of(&|run| share(&run.latencies, 50) * 1e3),
            of(&|run| share(&run.latencies, 99) * 1e3),
            of(&|run| run.compactions),
            of(&|run| run.expired),
        );
    }
    println!();
}

fn share(values: &[f64], percent: usize) -> f64 {
    let mut all = values.to_vec();
    all.sort_by(f64::total_cmp);
    all[(all.len() * percent / 100).min(all.len() - 1)]
}

fn run(world: &World, spans: u64, rate: u64, with: bool, name: &str) -> Run {
    world.kafka.create_topic(name, PARTITIONS);
    let port = free_port();
    let more = format!("{}[admin]\nlisten = \"127.0.0.1:{port}\"\n", if with { MAINTENANCE } else { "" });
    let file = world.pipeline(name, name, &format!("./{name}"), "1s", &more);
    let log = std::fs::File::create(world.folder.join(&format!("{name}.log"))).unwrap();
    let mut command = Command::new(&world.weir);
    command.arg("run").arg(file).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut weir = command.spawn().expect("weir runs");
    until("the process to have its partitions", LIMIT, || {
        (committed(port).iter().filter(|offset| offset.is_some()).count() == PARTITIONS as usize).then_some(())
    });
    let (cpu, began) = (cpu_seconds(&weir), Instant::now());
    let order = world.order(name, spans, Some(rate));
    // The k-th message is the k/PARTITIONS-th of partition k % PARTITIONS.
    let sending = std::thread::spawn(move || {
        let mut sent: Vec<Instant> = Vec::new();
        produce(&order, |_| {
            sent.push(Instant::now());
            true
        })
        .expect("a broker that takes messages");
        sent
    });
    let mut seen: Vec<(Instant, Vec<i64>)> = vec![(began, vec![0; PARTITIONS as usize])];
    let messages = spans.div_ceil(200) as i64;
    loop {
        let offsets: Vec<i64> = committed(port).into_iter().map(Option::unwrap_or_default).collect();
        let all = offsets.iter().sum::<i64>();
        if seen.last().is_some_and(|(_, before)| *before != offsets) {
            seen.push((Instant::now(), offsets));
        }
        if all >= messages {
            break;
        }
        assert!(began.elapsed() < LIMIT * 2, "only {all} of {messages} messages are committed");
        std::thread::sleep(LOOK);
    }
    let cpu_s = cpu_seconds(&weir) - cpu;
    let sent = sending.join().expect("it sends all");
    let metrics = get(port, "/metrics").expect("metrics").body;
    // The sum of nothing would be minus zero.
    let sum = |name: &str| metrics.lines().filter(|l| l.starts_with(name)).filter_map(value).fold(0.0, |a, b| a + b);
    let run = Run {
        cpu_s,
        compaction_cpu_s: sum("weir_compaction_cpu_seconds_total"),
        latencies: latencies(&seen, &sent),
        compactions: sum("weir_compactions_total"),
        expired: sum("weir_expired_snapshots_total"),
    };
    end(&mut weir);
    assert_eq!(run.compactions > 0.0 && run.expired > 0.0, with, "maintenance that does nothing costs nothing");
    run
}

/// Of each commit, the time since its newest record was sent.
fn latencies(seen: &[(Instant, Vec<i64>)], sent: &[Instant]) -> Vec<f64> {
    let of_commit = |pair: &[(Instant, Vec<i64>)]| {
        let (at, offsets) = &pair[1];
        let moved = (0..).zip(pair[0].1.iter().zip(offsets)).filter(|(_, (before, after))| after > before);
        let newest = moved.filter_map(|(p, (_, after))| sent.get((after - 1) as usize * PARTITIONS as usize + p)).max();
        newest.map(|newest| at.duration_since(*newest).as_secs_f64())
    };
    seen.windows(2).filter_map(of_commit).collect()
}

/// The committed offset of each partition, where the process holds it.
fn committed(port: u16) -> Vec<Option<i64>> {
    let mut offsets = vec![None; PARTITIONS as usize];
    let metrics = get(port, "/metrics").map(|answer| answer.body).unwrap_or_default();
    for line in metrics.lines().filter(|line| line.starts_with("weir_committed_offset{")) {
        let partition =
            line.split("partition=\"").nth(1).and_then(|rest| rest.split('"').next()?.parse::<usize>().ok());
        if let Some(offset) = partition.and_then(|partition| offsets.get_mut(partition)) {
            *offset = value(line).map(|value| value as i64);
        }
    }
    offsets
}

fn value(line: &str) -> Option<f64> {
    line.rsplit(' ').next()?.parse().ok()
}

/// User and system time of a process: fields 14 and 15, in ticks of 10 ms.
fn cpu_seconds(process: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).expect("it runs");
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap().split_whitespace().map(|f| f.parse().unwrap_or(0.0)).collect();
    (fields[11] + fields[12]) / 100.0
}

/// Ends it as its owner would, and waits.
fn end(weir: &mut Child) {
    let _ = Command::new("kill").arg(weir.id().to_string()).status();
    assert!(weir.wait().expect("it ends").success());
}
