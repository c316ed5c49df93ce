//! `/metrics` for Prometheus, `/healthz` and `/readyz`, `/status` for `weir status`, and `/pipelines/NAME/plugin`, which
//! takes a plugin for `weir plugin swap`.

mod swap;

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use weir_pipeline::clock::{Clock, SystemClock};
use weir_pipeline::event::Budget;
use weir_pipeline::sink::Table;
use weir_wasm::Plugin;

use crate::assemble::{Assembled, World};
use crate::reload::Desk;
use crate::{progress, recent};

/// What the endpoints read.
pub struct Observed {
    name: String,
    ports: World,
    desk: Desk,
    takes_remote_swaps: bool,
    budget: Budget,
    commit_interval_ms: i64,
    began_ms: i64,
}

impl std::fmt::Debug for Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observed").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Observed {
    /// Observes a pipeline. Plugins are taken from this machine alone unless `takes_remote_swaps`.
    pub fn new(assembled: &Assembled, takes_remote_swaps: bool) -> Self {
        Self {
            name: assembled.name.clone(),
            ports: assembled.ports.clone(),
            desk: assembled.desk.clone(),
            takes_remote_swaps,
            budget: assembled.budget.clone(),
            commit_interval_ms: i64::try_from(assembled.options.commit_interval.as_millis()).unwrap_or(i64::MAX),
            began_ms: SystemClock::default().now_ms(),
        }
    }

    /// Ready: holds partitions, or has committed.
    fn is_ready(&self) -> bool {
        let stats = &self.ports.holdings.committer.stats;
        !stats.positions().is_empty() || stats.last_commit_ms.get() > 0
    }

    /// Healthy: something moved within ten commit intervals, or nothing was there to move.
    fn is_healthy(&self) -> bool {
        let stats = &self.ports.holdings.committer.stats;
        let is_behind = self.ports.source.lag().values().any(|lag| *lag > 0);
        let since = SystemClock::default().now_ms() - stats.last_commit_ms.get().max(self.began_ms);
        !is_behind || since < self.commit_interval_ms.saturating_mul(10).max(120_000)
    }
}

/// Serves until the process ends.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn serve(listen: SocketAddr, observed: Vec<Arc<Observed>>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/pipelines/{name}/plugin", swap::route())
        .with_state(Arc::new(observed));
    tokio::spawn(async move {
        if let Err(why) = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await {
            tracing::error!(error = %why, "the admin endpoint ended");
        }
    });
    Ok(())
}

type All = State<Arc<Vec<Arc<Observed>>>>;

async fn healthz(State(all): All) -> impl IntoResponse {
    verdict(all.iter().filter(|o| !o.is_healthy()).map(|o| o.name.as_str()).collect(), "makes no progress")
}

async fn readyz(State(all): All) -> impl IntoResponse {
    verdict(all.iter().filter(|o| !o.is_ready()).map(|o| o.name.as_str()).collect(), "holds no partition yet")
}

fn verdict(bad: Vec<&str>, why: &str) -> (StatusCode, String) {
    if bad.is_empty() {
        (StatusCode::OK, "ok\n".into())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, bad.iter().map(|name| format!("{name} {why}\n")).collect())
    }
}

async fn status(State(all): All) -> impl IntoResponse {
    let pipelines: Vec<serde_json::Value> = all.iter().map(|observed| status_of(observed)).collect();
    let said = serde_json::json!({ "pipelines": pipelines, "said": recent::said() });
    ([(header::CONTENT_TYPE, "application/json")], said.to_string())
}

/// The totals of the last line of a run, and what only matters while it runs.
fn status_of(observed: &Observed) -> serde_json::Value {
    let stats = &observed.ports.holdings.committer.stats;
    let mut status = progress::summary(&observed.name, stats);
    status["retries"] = stats.retries.get().into();
    status["last_commit_ms"] = stats.last_commit_ms.get().into();
    status["assignments"] = stats.assignments.get().into();
    status["plugin"] = observed.desk.ledger.value(&stats.chain());
    status["plugin"]["swaps"] = serde_json::json!(stats.swaps.get());
    status["plugin"]["pauses"] = stats.swap_pauses.count.get().into();
    status["plugin"]["last_pause_us"] = stats.swap_pauses.last_us.get().into();
    status["partitions"] = stats.positions().keys().map(ToString::to_string).collect::<Vec<_>>().into();
    status
}

async fn metrics(State(all): All) -> impl IntoResponse {
    let mut text = Text::default();
    for observed in all.iter() {
        observe(&mut text, observed);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text.finish())
}

/// Prometheus's text format: samples are gathered by family, in the order in which families first appear.
#[derive(Default)]
struct Text {
    families: Vec<(&'static str, &'static str, &'static str, String)>,
}

impl Text {
    fn sample(&mut self, family: (&'static str, &'static str, &'static str), labels: &[(&str, &str)], value: f64) {
        let (name, kind, help) = family;
        let at = self.families.iter().position(|(n, ..)| *n == name).unwrap_or_else(|| {
            self.families.push((name, kind, help, String::new()));
            self.families.len() - 1
        });
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escaped(v))).collect();
        // Writing to a string does not fail.
        let _ = writeln!(self.families[at].3, "{name}{{{}}} {value}", labels.join(","));
    }

    fn finish(self) -> String {
        let family = |(name, kind, help, samples)| format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}");
        self.families.into_iter().map(family).collect()
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";

fn observe(text: &mut Text, observed: &Observed) {
    let stats = &observed.ports.holdings.committer.stats;
    let name = [("pipeline", observed.name.as_str())];
    let counters = [
        ("weir_records_total", "Kafka records read", &stats.records),
        ("weir_record_bytes_total", "bytes of their values", &stats.bytes),
        ("weir_tombstones_total", "records without a value", &stats.tombstones),
        ("weir_rows_total", "rows transformed", &stats.rows),
        (
            "weir_rejected_again_total",
            "rejected records that recovery found among the dead letters",
            &stats.rejected_again,
        ),
        ("weir_assignments_total", "partitions assigned by the group", &stats.assignments),
        ("weir_fences_total", "times that another process owned what this one thought its own", &stats.fences),
        ("weir_commit_conflicts_total", "commits that somebody else was before", &stats.conflicts),
        ("weir_retries_total", "catalog calls made again after an error", &stats.retries),
    ];
    for (family, help, counter) in counters {
        text.sample((family, COUNTER, help), &name, counter.get() as f64);
    }
    let labelled = [
        ("weir_rows_committed_total", "rows committed, dead letters among them", "table", &stats.rows_committed),
        ("weir_file_bytes_committed_total", "bytes of data files committed", "table", &stats.bytes_committed),
        ("weir_files_committed_total", "data files committed", "table", &stats.files_committed),
        ("weir_commits_total", "commits of epochs", "table", &stats.commits),
        ("weir_rejected_total", "records that became dead letters", "reason", &stats.rejected),
        ("weir_plugin_swaps_total", "plugins that were to take another's place", "result", &stats.swaps),
        ("weir_plugin_failures_total", "plugin calls that failed as a whole", "kind", &stats.failures),
        ("weir_anomalies_total", "what was odd in the data and read all the same", "kind", &stats.anomalies),
    ];
    for (family, help, label, counts) in labelled {
        for (value, n) in counts.get() {
            text.sample((family, COUNTER, help), &[name[0], (label, &value)], n as f64);
        }
    }
    observe_positions(text, observed);
    observe_maintenance(text, observed);
    observe_memory(text, observed);
    observe_swaps(text, observed);
    let plugins = observed.desk.ledger.plugins();
    (1..).zip(&plugins).for_each(|(step, plugin)| observe_plugin(text, &observed.name, step, plugin));
}

fn observe_maintenance(text: &mut Text, observed: &Observed) {
    let done = &observed.ports.holdings.committer.stats.maintenance;
    let families = [
        ("weir_compactions_total", "commits that replaced files", &done.compactions, 1.0),
        ("weir_compaction_files_in_total", "files that compaction replaced", &done.files_in, 1.0),
        ("weir_compaction_files_out_total", "files that it made of them", &done.files_out, 1.0),
        ("weir_compaction_bytes_in_total", "bytes of the files that compaction replaced", &done.bytes_in, 1.0),
        ("weir_compaction_bytes_out_total", "bytes of the files that it made of them", &done.bytes_out, 1.0),
        ("weir_expired_snapshots_total", "snapshots that have left", &done.expired_snapshots, 1.0),
        ("weir_expired_files_total", "data files that went with them", &done.expired_files, 1.0),
        ("weir_maintenance_orphans_total", "files left to orphan removal", &done.orphans_left, 1.0),
        ("weir_maintenance_failures_total", "work that failed or came too late", &done.failures, 1.0),
        ("weir_maintenance_seconds_total", "time that maintenance took", &done.micros, 1e-6),
        ("weir_compaction_cpu_seconds_total", "CPU time that rewriting files took", &done.cpu_micros, 1e-6),
    ];
    for (family, help, counts, unit) in families {
        for (table, n) in counts.get() {
            let labels = [("pipeline", observed.name.as_str()), ("table", &table)];
            text.sample((family, COUNTER, help), &labels, n as f64 * unit);
        }
    }
}

fn observe_swaps(text: &mut Text, observed: &Observed) {
    let (pauses, name) = (&observed.ports.holdings.committer.stats.swap_pauses, [("pipeline", observed.name.as_str())]);
    let family = ("weir_plugin_swap_pauses_total", COUNTER, "swaps whose pause was measured");
    text.sample(family, &name, pauses.count.get() as f64);
    let help = "between the last batch through the plugin before and the first through the next";
    text.sample(("weir_plugin_swap_pause_seconds_total", COUNTER, help), &name, pauses.total_us.get() as f64 / 1e6);
    let Some(shadow) = observed.desk.ledger.shadowed() else { return };
    for (result, batches) in [("alike", shadow.alike), ("different", shadow.different), ("worse", shadow.worse)] {
        let family =
            ("weir_plugin_shadow_batches_total", COUNTER, "batches that the shadow worked on beside the plugin");
        text.sample(family, &[name[0], ("result", result)], batches as f64);
    }
}

fn observe_positions(text: &mut Text, observed: &Observed) {
    let stats = &observed.ports.holdings.committer.stats;
    let last = stats.last_commit_ms.get();
    if last > 0 {
        let age = (SystemClock::default().now_ms() - last) as f64 / 1000.0;
        let family = ("weir_last_commit_age_seconds", GAUGE, "seconds since the last commit");
        text.sample(family, &[("pipeline", &observed.name)], age);
    }
    for (partition, lag) in observed.ports.source.lag() {
        let number = partition.partition.to_string();
        let labels = [("pipeline", observed.name.as_str()), ("topic", &partition.topic), ("partition", &number)];
        text.sample(("weir_lag_records", GAUGE, "offsets that are not yet committed"), &labels, lag as f64);
    }
    for (partition, position) in stats.positions() {
        let number = partition.partition.to_string();
        let labels = [("pipeline", observed.name.as_str()), ("topic", &partition.topic), ("partition", &number)];
        let family = ("weir_committed_offset", GAUGE, "the first offset that is not in the table");
        text.sample(family, &labels, position.committed as f64);
        let family = ("weir_read_offset", GAUGE, "the first offset that no worker has been given");
        text.sample(family, &labels, position.read as f64);
    }
}

fn observe_memory(text: &mut Text, observed: &Observed) {
    let name = [("pipeline", observed.name.as_str())];
    for table in &observed.ports.holdings.tables {
        let family = ("weir_buffered_bytes", GAUGE, "bytes of rows that wait for their commit");
        text.sample(family, &[name[0], ("table", table.name())], table.buffered_bytes() as f64);
    }
    let family = ("weir_in_flight_bytes", GAUGE, "bytes of records between the source and the tables");
    text.sample(family, &name, observed.budget.taken() as f64);
}

/// The figures of the plugin at this step of its chain, from 1: one plugin may be several steps.
fn observe_plugin(text: &mut Text, pipeline: &str, step: usize, plugin: &Plugin) {
    let (usage, step) = (plugin.usage(), step.to_string());
    let labels = [("pipeline", pipeline), ("plugin", plugin.name()), ("step", step.as_str())];
    let figures = [
        ("weir_plugin_calls_total", COUNTER, "calls of the plugin", usage.calls as f64),
        ("weir_plugin_cpu_seconds_total", COUNTER, "CPU time of the plugin", usage.cpu.as_secs_f64()),
        ("weir_plugin_peak_memory_bytes", GAUGE, "the largest instance so far", usage.peak_memory_bytes as f64),
        ("weir_plugin_bytes_in_total", COUNTER, "bytes given to the plugin", usage.bytes_in as f64),
        ("weir_plugin_bytes_out_total", COUNTER, "bytes that the plugin returned", usage.bytes_out as f64),
        ("weir_plugin_rows_out_total", COUNTER, "rows that the plugin returned", usage.rows_out as f64),
        ("weir_plugin_instances_total", COUNTER, "instances started", usage.instances as f64),
    ];
    for (family, kind, help, value) in figures {
        text.sample((family, kind, help), &labels, value);
    }
    for (kind, n) in &usage.failures {
        let family = ("weir_plugin_step_failures_total", COUNTER, "calls of the plugin that failed as a whole");
        text.sample(family, &[labels[0], labels[1], labels[2], ("kind", kind)], *n as f64);
    }
    for (counter, n) in &usage.counters {
        let family = ("weir_plugin_counter_total", COUNTER, "what the plugin counts itself");
        text.sample(family, &[labels[0], labels[1], labels[2], ("counter", counter)], *n as f64);
    }
}
