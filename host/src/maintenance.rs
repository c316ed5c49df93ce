//! Compaction and expiry inside a running process: `[maintenance]`.
//!
//! One table at a time in the whole process, after a pause of the pipeline's own; rewriting sleeps most of the time on a
//! thread of its own. It shares nothing with ingestion but the machine and the catalog, in which it is one more writer:
//! a commit of either that finds the head moved stages again. What fails is logged and tried again the next time.
//!
//! Of several processes of one pipeline, that one works which has the first partition of its first topic: the others
//! would rewrite the same files for nothing. While the group is on the move it may be two or none; of two, one gives up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::Catalog;
use weir_iceberg::compact::{self, CompactError, Options, Pace, Strategy};
use weir_iceberg::expire::{Retention, expire};
use weir_iceberg::metadata::may_delete;
use weir_iceberg::table::MADE_BY;
use weir_pipeline::clock::{Clock, SystemClock};
use weir_pipeline::stats::Stats;

use crate::assemble::{Refusal, open_catalog};
use crate::config::{Compaction, Expiry, Pipeline};

/// What reading may take beside ingestion: little is open at once where files come one after the other.
const MEMORY_BYTES: usize = 64 << 20;
/// How long the end of the process waits for a commit under way. One that is torn leaves orphans, no more.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// Of the period, so much is drawn by lot: processes that were started together do not work at once.
const JITTER: f64 = 0.2;

/// The maintenance of a process's pipelines, until it is ended.
#[derive(Debug)]
pub struct Maintenance {
    turn: Arc<Semaphore>,
    tasks: Vec<(Pace, JoinHandle<()>)>,
}

impl Maintenance {
    /// Starts it for the pipelines that want any, with the tables of each, and where it is counted.
    pub fn start(pipelines: &[(Pipeline, Vec<TableIdent>, Arc<Stats>)]) -> Self {
        let turn = Arc::new(Semaphore::new(1));
        let wanted = pipelines.iter().filter(|(pipeline, ..)| {
            pipeline.maintenance.compact.is_some() || pipeline.maintenance.expire != Expiry::Off
        });
        let task = |(pipeline, idents, stats): &(Pipeline, Vec<TableIdent>, Arc<Stats>)| {
            let pace = Pace::new(f64::from(pipeline.maintenance.cpu.get()) / 100.0);
            let (pipeline, idents, stats) = (pipeline.clone(), idents.clone(), Arc::clone(stats));
            let work = Work { pipeline, idents, stats, pace: pace.clone() };
            (pace, tokio::spawn(work.run(Arc::clone(&turn))))
        };
        let tasks = wanted.map(task).collect();
        Self { turn, tasks }
    }

    /// Ends it: what is being rewritten is dropped, a commit under way is waited for.
    pub async fn end(self) {
        for (pace, _) in &self.tasks {
            pace.end();
        }
        // Who is at work has the turn.
        if tokio::time::timeout(END_TIMEOUT, self.turn.acquire()).await.is_err() {
            tracing::warn!("maintenance was under way and did not end in time: it may leave orphans");
        }
        self.tasks.iter().for_each(|(_, task)| task.abort());
    }
}

struct Work {
    pipeline: Pipeline,
    idents: Vec<TableIdent>,
    stats: Arc<Stats>,
    pace: Pace,
}

impl Work {
    async fn run(self, turn: Arc<Semaphore>) {
        let clock = SystemClock::default();
        loop {
            let every = self.pipeline.maintenance.every;
            tokio::time::sleep(every.mul_f64(1.0 - JITTER / 2.0 + JITTER * clock.jitter())).await;
            if !self.is_ours() {
                continue;
            }
            let Ok(_turn) = turn.acquire().await else { return };
            match open_catalog(&self.pipeline).await {
                Ok(catalog) => self.all(&catalog, &clock).await,
                Err(Refusal::Wrong(why) | Refusal::Failed(why)) => {
                    tracing::warn!(pipeline = self.pipeline.name, error = why, "maintenance cannot reach the catalog");
                }
            }
            if self.pace.has_ended() {
                return;
            }
        }
    }

    /// Whether this process has the partition whose holder looks after the tables.
    fn is_ours(&self) -> bool {
        let first = self.pipeline.source.topics.first();
        self.stats.positions().keys().any(|held| held.partition == 0 && first.is_some_and(|t| **t == *held.topic))
    }

    async fn all(&self, catalog: &Catalog, clock: &SystemClock) {
        for ident in &self.idents {
            if self.pace.has_ended() {
                return;
            }
            let (table, began) = (ident.to_string(), Instant::now());
            if let Some(way) = self.pipeline.maintenance.compact {
                self.compact(catalog, ident, way, &table).await;
            }
            if !self.pace.has_ended() && self.may_expire(catalog, ident).await {
                match expire(catalog, ident, Retention::default(), clock.now_ms()).await {
                    Ok(done) if done.snapshots.is_empty() => {}
                    Ok(done) => {
                        let (snapshots, files) = (done.snapshots.len(), done.data_files);
                        tracing::info!(table, snapshots, files, "old snapshots have left");
                        self.stats.maintenance.expired_snapshots.add(&table, snapshots as u64);
                        self.stats.maintenance.expired_files.add(&table, files as u64);
                        self.stats.maintenance.orphans_left.add(&table, done.left.len() as u64);
                    }
                    Err(e) => {
                        self.stats.maintenance.failures.add(&table, 1);
                        tracing::warn!(table, error = %e, "snapshots do not expire");
                    }
                }
            }
            let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.stats.maintenance.micros.add(&table, micros);
        }
    }

    async fn compact(&self, catalog: &Catalog, ident: &TableIdent, way: Compaction, table: &str) {
        let is_sorted = match catalog.load(ident).await {
            Ok(loaded) => !loaded.metadata.default_sort_order().is_unsorted(),
            Err(e) => return tracing::warn!(table, error = %e, "a table is not compacted"),
        };
        let options = Options {
            // Dead letters have no order; there is but one word for all tables.
            strategy: if way == Compaction::Sort && is_sorted { Strategy::Sort } else { Strategy::Binpack },
            memory_bytes: MEMORY_BYTES,
            scratch: self.pipeline.buffer.path.clone().unwrap_or_else(std::env::temp_dir),
            ..Options::default()
        };
        match compact::compact(catalog, ident, &options, self.pace.clone()).await {
            Ok(done) => {
                self.count(table, &done);
                for why in done.failed.iter().chain(&done.given_up) {
                    tracing::warn!(table, why, "files are not compacted");
                }
                if done.groups > 0 {
                    let (before, after, copied) = (done.files_before, done.files_after, done.files_copied);
                    tracing::info!(table, before, after, copied, rows = done.rows, "a table was compacted");
                }
            }
            Err(CompactError::Stopped) => {}
            Err(e) => {
                self.stats.maintenance.failures.add(table, 1);
                tracing::warn!(table, error = %e, "a table is not compacted");
            }
        }
    }

    fn count(&self, table: &str, done: &compact::Compaction) {
        let counted = &self.stats.maintenance;
        for (counter, n) in [
            (&counted.compactions, done.commits.len() as u64),
            (&counted.files_in, done.files_before as u64),
            (&counted.files_out, done.files_after as u64),
            (&counted.bytes_in, done.bytes_before),
            (&counted.bytes_out, done.bytes_after),
            (&counted.orphans_left, done.left as u64),
            (&counted.cpu_micros, u64::try_from(done.cpu.as_micros()).unwrap_or(u64::MAX)),
            (&counted.failures, (done.failed.len() + done.given_up.len()) as u64),
        ] {
            counter.add(table, n);
        }
    }

    /// Whether the table's old snapshots may go: others may count on those of a table that the pipeline only writes to.
    async fn may_expire(&self, catalog: &Catalog, ident: &TableIdent) -> bool {
        match self.pipeline.maintenance.expire {
            Expiry::Off => false,
            Expiry::All => true,
            Expiry::Own => match catalog.load(ident).await {
                Ok(loaded) => {
                    loaded.metadata.properties().get(MADE_BY) == Some(&self.pipeline.name)
                        && may_delete(&loaded.metadata).is_ok()
                }
                Err(e) => {
                    tracing::warn!(table = %ident, error = %e, "snapshots do not expire");
                    false
                }
            },
        }
    }
}
