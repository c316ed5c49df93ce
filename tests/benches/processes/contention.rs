//! How many processes does a catalog bear whose answers take a while?

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::{Kafka, Oracle, Proxy, Rest, Spans, Table, until};

use super::{LIMIT, PARTITIONS, START_NANOS, Subject};

/// Processes commit this often.
const INTERVAL: Duration = Duration::from_secs(2);
/// And for so long.
const RUNS: Duration = Duration::from_secs(30);

pub(super) fn measure(kafka: &Kafka, weir: &Path) {
    println!(
        "\nA commit of each process every {INTERVAL:?} for {RUNS:?}, data and dead letters, to one table of a REST \
         catalog\n\n| an answer takes ms longer | processes | commits | conflicts | conflicts a commit |\n\
         |---|---|---|---|---|"
    );
    let rest = Rest::start();
    for delay_ms in [0, 50, 200] {
        for processes in [1, 3, 6] {
            let proxy = Proxy::start(rest.port());
            proxy.delay(Duration::from_millis(delay_ms));
            let (commits, conflicts) = contend(kafka, weir, &proxy, processes, &format!("c{delay_ms}p{processes}"));
            let each = conflicts as f64 / commits.max(1) as f64;
            println!("| {delay_ms} | {processes} | {commits} | {conflicts} | {each:.2} |");
        }
    }
}

fn contend(kafka: &Kafka, weir: &Path, proxy: &Proxy, processes: usize, name: &str) -> (u64, u64) {
    kafka.create_topic(name, PARTITIONS);
    let uri = format!("http://127.0.0.1:{}", proxy.port());
    let catalog = format!("catalog = {{ type = \"rest\", uri = \"{uri}\" }}");
    let interval = format!("{}s", INTERVAL.as_secs());
    let subject = Subject::over(&catalog, kafka, name, name, "otlp_json", &interval);
    let file = subject.folder.join("pipeline.toml");
    // The server is one for all of them.
    let text = std::fs::read_to_string(&file).unwrap().replace("\"telemetry.", &format!("\"{name}."));
    std::fs::write(&file, text).unwrap();
    let mut running: Vec<_> = (0..processes).map(|_| subject.start(weir, &["--output", "json"])).collect();
    let mut made = Spans::new(1, START_NANOS, 1);
    let mut produce = || {
        for partition in 0..PARTITIONS {
            kafka.produce(name, partition, &made.requests(1, 20));
        }
        kafka.end_offsets(name)
    };
    let reach = |ends: &[i64]| until("the group to catch up", LIMIT, || (subject.acked(kafka) == ends).then_some(()));
    // Once all of them have their partitions.
    reach(&produce());
    let began = Instant::now();
    while began.elapsed() < RUNS {
        produce();
        std::thread::sleep(INTERVAL / 4);
    }
    reach(&produce());
    for weir in &mut running {
        // SIGTERM: each says what it did when it leaves.
        let _ = std::process::Command::new("kill").arg(weir.id().to_string()).status();
        weir.wait().unwrap();
    }
    let found = Oracle::shared().span_ids(&Table::rest(&uri, &format!("{name}.traces")));
    assert_eq!(found, made.made(), "rows are lost or doubled");
    let log = std::fs::read_to_string(subject.folder.join("log")).unwrap();
    let ended = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ended: Vec<Value> = ended.filter(|line| line["event"] == "done").collect();
    let sum = |key: &str| ended.iter().filter_map(|line| line[key].as_u64()).sum();
    (sum("commits"), sum("conflicts"))
}
