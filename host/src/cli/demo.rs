//! `weir demo`: the whole way on one machine, with nothing else installed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weir_demo::broker::Broker;
use weir_demo::generate::Options;
use weir_demo::produce::{Encoding, Order, Signal, Written, produce};
use weir_pipeline::clock::{Clock, SystemClock};
use weir_pipeline::holdings::Accept;

use super::query::answer;
use super::run::run_pipelines;
use super::{Failure, load, plugin_path, say};
use crate::assemble::{Wishes, open_catalog};
use crate::progress::Format;

const TOPIC: &str = "otel-traces-lake";
/// The embedded broker keeps five megabytes of each.
const PARTITIONS: i32 = 12;

/// The seed question: which operations are slowest?
const SLOWEST: &str = "\
SELECT service_name, operation_name, round(approx_percentile(duration_ms, 0.99), 1) AS p99_ms, count(*) AS span_count
FROM lakehouse.telemetry.traces
WHERE timestamp >= current_timestamp - INTERVAL '30' DAY
GROUP BY service_name, operation_name
ORDER BY p99_ms DESC
LIMIT 10";

/// Shows the whole way on this machine, with nothing else installed: an embedded broker, made-up traces, the
/// sandboxed plugin, an Iceberg table in a folder, and the answer to "which operations are slowest?".
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// How many spans.
    #[arg(long, default_value_t = 200_000, value_name = "N")]
    spans: u64,
    /// Where the lake and its pipeline file go; with -2, -3, ... behind it where that is there already.
    #[arg(long, default_value = "weir-demo", value_name = "FOLDER")]
    folder: PathBuf,
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let folder = fresh(&arguments.folder)?;
    let note = |text: &str| {
        if output == Format::Human {
            say(text);
        }
    };
    note(&format!("1. a Kafka-protocol broker inside this process (librdkafka's, in memory), topic {TOPIC}"));
    let broker = Broker::start(TOPIC, PARTITIONS).map_err(Failure::failed)?;
    let brokers = broker.bootstrap();
    let began = Instant::now();
    let written = fill(brokers.clone(), arguments.spans).await?;
    note(&format!(
        "2. {} spans of a made-up shop in {} messages of otlp_json, {:.0} MB, in {:.1?}",
        written.items,
        written.messages,
        written.bytes as f64 / 1e6,
        began.elapsed()
    ));
    if broker.forgotten().map_err(Failure::failed)? > 0 {
        return Err(Failure::wrong("the embedded broker keeps a few megabytes a partition: ask for fewer --spans"));
    }
    let file = folder.join("pipeline.toml");
    std::fs::write(&file, pipeline(&brokers)).map_err(|e| Failure::failed(format!("{}: {e}", file.display())))?;
    note(&format!("3. weir run --until-end {}", file.display()));
    let pipelines = load(std::slice::from_ref(&file), output)?;
    let wishes = Wishes {
        until_end: true,
        accept: Accept::default(),
        plugin_path: plugin_path(),
        instance_id: None,
        workers: None,
        shelf: None,
    };
    let began = Instant::now();
    let ended = run_pipelines(&pipelines, &wishes, output).await?;
    if let Some(why) = ended.iter().find_map(|e| e.failure.clone()) {
        return Err(Failure::Failed(why));
    }
    let committed = ended.first().and_then(|e| e.totals["rows_committed"].as_u64()).unwrap_or(0);
    note(&format!(
        "   {committed} rows through the plugin flatten-spans into {} in {:.1?}",
        folder.join("lake/telemetry/traces").display(),
        began.elapsed()
    ));
    note("4. which operations are slowest?\n");
    let Some(pipeline) = pipelines.first() else { return Err(Failure::failed("there is no pipeline")) };
    answer(open_catalog(pipeline).await?, SLOWEST, output).await?;
    note(&farther(&folder));
    Ok(())
}

/// A folder that is not there yet: an older demonstration keeps its own.
fn fresh(wanted: &Path) -> Result<PathBuf, Failure> {
    let named = |n: u32| if n == 1 { wanted.to_path_buf() } else { PathBuf::from(format!("{}-{n}", wanted.display())) };
    let mut tried = (1..1000).map(named);
    let folder = tried.find(|f| !f.exists()).ok_or_else(|| Failure::wrong("a thousand demonstrations are enough"))?;
    std::fs::create_dir_all(&folder).map_err(|e| Failure::failed(format!("{}: {e}", folder.display())))?;
    Ok(folder)
}

async fn fill(brokers: String, spans: u64) -> Result<Written, Failure> {
    let hour = Duration::from_secs(3600).as_millis() as u64;
    let now = u64::try_from(SystemClock::default().now_ms()).unwrap_or(hour);
    let options = Options { seed: 7, start_time_ns: (now - hour).saturating_mul(1_000_000), ..Options::default() };
    let order = Order {
        brokers: vec![brokers],
        topic: TOPIC.into(),
        properties: std::collections::BTreeMap::new(),
        encoding: Encoding::Json,
        signal: Signal::Traces,
        options,
        items: Some(spans),
        rate: None,
    };
    let work = tokio::task::spawn_blocking(move || produce(&order, |_| true));
    work.await.map_err(Failure::failed)?.map_err(Failure::failed)
}

fn pipeline(brokers: &str) -> String {
    format!(
        r#"# What `weir demo` ran. Point it at your own Kafka, catalog and bucket: pipelines/reference.toml has every key.
name = "traces"

[source.kafka]
brokers = ["{brokers}"]
topics = ["{TOPIC}"]
signal = "traces"
encoding = "otlp_json"
start = "earliest"

[[transform]]
plugin = "flatten-spans"

[sink.iceberg]
catalog = {{ type = "hadoop" }}
warehouse = "./lake"

[sink.iceberg.tables.spans]
name = "telemetry.traces"
partition_by = ["day(timestamp)", "service_name"]
sort_by = ["timestamp", "service_name"]

[dead_letter]
table = "telemetry.dead_letters"
"#
    )
}

fn farther(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let lake = folder.join("lake");
    format!(
        "\nThe table is an ordinary Iceberg table. To look further:\n  weir query --warehouse {} \"SELECT * FROM \
         telemetry.traces LIMIT 5\"\n  duckdb -c \"INSTALL iceberg; LOAD iceberg; SELECT service_name, count(*) FROM \
         iceberg_scan('{}') GROUP BY ALL\"\nTo read your own Kafka: edit {} and run\n  weir run {}",
        lake.display(),
        lake.join("telemetry/traces").display(),
        folder.join("pipeline.toml").display(),
        folder.join("pipeline.toml").display()
    )
}
