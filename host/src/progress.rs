//! What a running pipeline shows: a line now and then, with rate and lag.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_pipeline::stats::Stats;

/// How output is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// How often a line appears: on a terminal, where it overwrites itself, and elsewhere.
const ON_TERMINAL: Duration = Duration::from_millis(500);
const ELSEWHERE: Duration = Duration::from_secs(10);

/// Shows one pipeline's progress until it is dropped.
#[derive(Debug)]
pub struct Progress {
    task: tokio::task::JoinHandle<()>,
    overwrites: bool,
}

/// The figures of one moment.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    rows: u64,
    records: u64,
}

impl Progress {
    /// Begins to show. `lag` gives how many offsets are not yet committed, where that is known.
    pub fn start(
        name: String,
        format: Format,
        stats: Arc<Stats>,
        lag: impl Fn() -> Option<i64> + Send + 'static,
    ) -> Self {
        let overwrites = format == Format::Human && std::io::stderr().is_terminal();
        let interval = if overwrites { ON_TERMINAL } else { ELSEWHERE };
        let task = tokio::spawn(async move {
            let mut before = Moment { at: Instant::now(), rows: 0, records: 0 };
            let mut ticks = tokio::time::interval(interval);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let now = Moment { at: Instant::now(), rows: stats.rows.get(), records: stats.records.get() };
                show(&name, format, overwrites, &stats, lag(), before, now);
                before = now;
            }
        });
        Self { task, overwrites }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        if self.overwrites {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn show(name: &str, format: Format, overwrites: bool, stats: &Stats, lag: Option<i64>, before: Moment, now: Moment) {
    let seconds = (now.at - before.at).as_secs_f64().max(1e-3);
    let rate = (now.rows - before.rows) as f64 / seconds;
    match format {
        Format::Json => {
            let mut line = summary(name, stats);
            line["event"] = json!("progress");
            line["rows_per_second"] = json!(rate.round());
            line["records_per_second"] = json!(((now.records - before.records) as f64 / seconds).round());
            line["lag"] = json!(lag);
            line_out(&line);
        }
        Format::Human => {
            let lag = lag.map_or_else(|| "unknown".into(), |l| l.to_string());
            let text = format!(
                "{name}: {} rows committed, {} rows/s, lag {lag} records, {} rejected",
                stats.rows_committed.total(),
                rate.round(),
                stats.rejected.get().values().sum::<u64>(),
            );
            let mut out = std::io::stderr();
            let _ = if overwrites { write!(out, "\r\x1b[K{text}") } else { writeln!(out, "{text}") };
            let _ = out.flush();
        }
    }
}

/// A pipeline's totals.
pub fn summary(name: &str, stats: &Stats) -> Value {
    json!({
        "pipeline": name,
        "records": stats.records.get(),
        "rows_committed": stats.rows_committed.total(),
        "tables": stats.rows_committed.get(),
        "commits": stats.commits.total(),
        "files": stats.files_committed.total(),
        "bytes": stats.bytes_committed.total(),
        "rejected": stats.rejected.get(),
        "anomalies": stats.anomalies.get(),
        "fences": stats.fences.get(),
        "conflicts": stats.conflicts.get(),
    })
}

/// Writes a JSON line to standard output.
pub fn line_out(line: &Value) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
