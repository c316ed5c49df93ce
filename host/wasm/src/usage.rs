//! What a plugin has used since it was loaded.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use weir_pipeline::transform::Failure;

/// How many counters a plugin may have, as the contract says.
const COUNTERS_MAX: usize = 64;

/// A plugin's consumption over all its instances, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls of `transform`, failed ones among them.
    pub calls: u64,
    /// Calls that failed as a whole, by [`Failure::kind`].
    pub failures: BTreeMap<&'static str, u64>,
    /// CPU time of all calls, the host's own part included.
    pub cpu: Duration,
    /// The part of it in which the host checked what came out.
    pub cpu_checking: Duration,
    /// The largest memory that any instance held, in bytes.
    pub peak_memory_bytes: u64,
    /// Record values that went in, in bytes.
    pub bytes_in: u64,
    /// Column buffers that came out of calls that succeeded, in bytes.
    pub bytes_out: u64,
    /// Rows that came out of calls that succeeded.
    pub rows_out: u64,
    /// Instances made, the first one included.
    pub instances: u64,
    /// Log lines that were dropped because a call wrote too many.
    pub log_lines_dropped: u64,
    /// The plugin's own counters. A call that fails adds nothing.
    pub counters: BTreeMap<String, u64>,
}

/// Where the instances of one plugin write what they use.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    calls: AtomicU64,
    cpu_ns: AtomicU64,
    cpu_checking_ns: AtomicU64,
    peak_memory_bytes: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    rows_out: AtomicU64,
    instances: AtomicU64,
    log_lines_dropped: AtomicU64,
    counters_full: AtomicBool,
    failures: Mutex<BTreeMap<&'static str, u64>>,
    counters: Mutex<BTreeMap<String, u64>>,
}

impl Meter {
    pub(crate) fn instance(&self) {
        self.instances.fetch_add(1, Relaxed);
    }

    pub(crate) fn memory(&self, peak_bytes: usize) {
        self.peak_memory_bytes.fetch_max(peak_bytes as u64, Relaxed);
    }

    pub(crate) fn call(&self, cpu: Duration, bytes_in: u64) {
        self.calls.fetch_add(1, Relaxed);
        self.cpu_ns.fetch_add(nanoseconds(cpu), Relaxed);
        self.bytes_in.fetch_add(bytes_in, Relaxed);
    }

    pub(crate) fn checking(&self, cpu: Duration) {
        self.cpu_checking_ns.fetch_add(nanoseconds(cpu), Relaxed);
    }

    pub(crate) fn success(&self, bytes_out: u64, rows_out: u64) {
        self.bytes_out.fetch_add(bytes_out, Relaxed);
        self.rows_out.fetch_add(rows_out, Relaxed);
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        if let Ok(mut failures) = self.failures.lock() {
            *failures.entry(failure.kind()).or_default() += 1;
        }
    }

    pub(crate) fn log_lines_dropped(&self, lines: u64) {
        self.log_lines_dropped.fetch_add(lines, Relaxed);
    }

    /// Adds what a successful call counted.
    pub(crate) fn count(&self, plugin: &str, amounts: BTreeMap<String, u64>) {
        if amounts.is_empty() {
            return;
        }
        let Ok(mut counters) = self.counters.lock() else { return };
        for (name, amount) in amounts {
            if counters.len() >= COUNTERS_MAX && !counters.contains_key(&name) {
                if !self.counters_full.swap(true, Relaxed) {
                    tracing::warn!(plugin, counter = name, limit = COUNTERS_MAX, "plugin has too many counters");
                }
                continue;
            }
            let counter = counters.entry(name).or_default();
            *counter = counter.saturating_add(amount);
        }
    }

    pub(crate) fn read(&self) -> Usage {
        Usage {
            calls: self.calls.load(Relaxed),
            failures: self.failures.lock().map(|f| f.clone()).unwrap_or_default(),
            cpu: Duration::from_nanos(self.cpu_ns.load(Relaxed)),
            cpu_checking: Duration::from_nanos(self.cpu_checking_ns.load(Relaxed)),
            peak_memory_bytes: self.peak_memory_bytes.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            rows_out: self.rows_out.load(Relaxed),
            instances: self.instances.load(Relaxed),
            log_lines_dropped: self.log_lines_dropped.load(Relaxed),
            counters: self.counters.lock().map(|c| c.clone()).unwrap_or_default(),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
