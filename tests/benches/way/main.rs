//! What does the whole way cost, Kafka to committed Iceberg? CPU seconds a million spans, and peak memory.
//!
//! `SPANS=2000000 cargo bench -p weir-tests --bench way` (after `cargo build --release`) fills one topic for each
//! encoding, then runs each variant in turn, `ROUNDS` times: the plugin in Wasm (`weir run --until-end`), and the same
//! plugin compiled in. The oracle counts each table.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod native;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use weir_tests::{Kafka, Oracle, Scratch, Table};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const PARTITIONS: i32 = 4;

/// One way to run the pipeline.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Variant {
    encoding: &'static str,
    is_native: bool,
}

const VARIANTS: [Variant; 4] = [
    Variant { encoding: "otlp_proto", is_native: false },
    Variant { encoding: "otlp_proto", is_native: true },
    Variant { encoding: "otlp_json", is_native: false },
    Variant { encoding: "otlp_json", is_native: true },
];

/// What one run cost.
#[derive(Clone, Copy)]
struct Cost {
    cpu_s: f64,
    wall_s: f64,
    peak_mb: f64,
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some(file) = arguments.find(|a| a.ends_with(".toml")) {
        return native::run(Path::new(&file));
    }
    let (spans, rounds) = (number("SPANS", 2_000_000), number("ROUNDS", 3));
    let weir = PathBuf::from(std::env::var("WEIR_BINARY").unwrap_or_else(|_| "target/release/weir".into()));
    let weir = if weir.is_absolute() { weir } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(weir) };
    let kafka = Kafka::start();
    for encoding in ["otlp_proto", "otlp_json"] {
        kafka.create_topic(encoding, PARTITIONS);
        let mut generate = Command::new(&weir);
        generate.args(["generate", "--brokers", &kafka.bootstrap(), "--topic", encoding, "--encoding", encoding]);
        generate.args(["--count", &spans.to_string(), "--seed", "1"]);
        generate.stdout(Stdio::null());
        assert!(generate.status().expect("weir runs").success());
    }
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); VARIANTS.len()];
    for round in 0..rounds {
        for (variant, costs) in VARIANTS.iter().zip(&mut costs) {
            costs.push(measure(*variant, &weir, &kafka, spans, round));
        }
    }
    println!("{spans} spans, {rounds} rounds, medians; one process, {} cores\n", cores());
    println!("| encoding | plugin | CPU s per million | spans/s per core | wall s | peak MB |");
    println!("|---|---|---|---|---|---|");
    for (variant, costs) in VARIANTS.iter().zip(&costs) {
        let cpu = median(costs, |c| c.cpu_s) * 1e6 / spans as f64;
        println!(
            "| {} | {} | {cpu:.2} | {:.0} | {:.1} | {:.0} |",
            variant.encoding,
            if variant.is_native { "native" } else { "Wasm" },
            1e6 / cpu,
            median(costs, |c| c.wall_s),
            median(costs, |c| c.peak_mb)
        );
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut all: Vec<f64> = costs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Runs a variant once, in a process and a lake of its own.
fn measure(variant: Variant, weir: &Path, kafka: &Kafka, spans: u64, round: u64) -> Cost {
    let kind = if variant.is_native { "native" } else { "wasm" };
    let folder = Scratch::new(&format!("way-{}-{kind}-{round}", variant.encoding));
    let file = folder.join("pipeline.toml");
    let interval = std::env::var("INTERVAL").unwrap_or_else(|_| "30s".into());
    let (encoding, brokers) = (variant.encoding, kafka.bootstrap());
    let text = format!(
        "name = \"way\"\n[source.kafka]\nbrokers = [\"{brokers}\"]\ntopics = [\"{encoding}\"]\n\
         group = \"{encoding}-{kind}-{round}\"\nsignal = \"traces\"\nencoding = \"{encoding}\"\nstart = \"earliest\"\n\
         [[transform]]\nplugin = \"flatten-spans\"\n[sink.iceberg]\ncatalog = {{ type = \"hadoop\" }}\n\
         warehouse = \"./lake\"\ncommit_interval = \"{interval}\"\n[sink.iceberg.tables.spans]\n\
         name = \"telemetry.traces\"\npartition_by = [\"day(timestamp)\", \"service_name\"]\n\
         sort_by = [\"timestamp\", \"service_name\"]\nproperties = {{ \"write.parquet.compression-codec\" = \"zstd\", \
         \"write.parquet.compression-level\" = \"1\" }}\n[dead_letter]\ntable = \"telemetry.dead_letters\"\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/measure.py"));
    if variant.is_native {
        command.arg(std::env::current_exe().unwrap()).arg(&file);
    } else {
        command.arg(weir).args(["run", "--until-end"]).arg(&file);
    }
    let began = std::time::Instant::now();
    let output = command.output().expect("python3 runs");
    let wall_s = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_str(said.lines().last().unwrap()).expect("measure.py's last line");
    let found = Oracle::shared().span_ids(&Table::hadoop(folder.join("lake"), "telemetry.traces"));
    assert_eq!((found.count, found.distinct), (spans, spans), "rows are lost or doubled");
    Cost { cpu_s: figures["cpu_s"].as_f64().unwrap(), wall_s, peak_mb: figures["peak_rss_mb"].as_f64().unwrap() }
}
