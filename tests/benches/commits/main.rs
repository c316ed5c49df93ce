//! Does a commit grow slower with the commits before it, and what does the guard cost?
//!
//! `COMMITS=10000 cargo bench -p weir-tests --bench commits` makes so many commits (2,000) of one small file each, to a
//! `hadoop` catalog on local disk: in one table of which only the newest 100 snapshots are kept, as expiry does it, and
//! in one that keeps them all. The tables take turns. A commit is what the protocol calls one: load the head, prove the
//! entries, stage, swap. Then the guard alone, with 200 partitions. Needs nothing else.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use cpu_time::ProcessTime;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogConfig};
use weir_iceberg::expire::{Retention, expire};
use weir_iceberg::store::{S3Options, Store};
use weir_iceberg::table::{IcebergTable, TableOptions};
use weir_iceberg::writer::BufferLimits;
use weir_pipeline::checkpoint::{Entry, EntryKey, Offsets};
use weir_pipeline::clock::{Clock as _, SystemClock};
use weir_pipeline::commit::{Committer, Proposal, Range};
use weir_pipeline::sink::{Epoch, Table as _};
use weir_pipeline::stats::Stats;
use weir_pipeline::transform::TableSchema;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How many snapshots expiry leaves.
const KEPT: usize = 100;
/// How many commits a line of the table is the summary of.
const WINDOW: usize = 100;
const PARTITIONS: i32 = 200;
/// How many snapshots the table that keeps them is given at last.
const CROWD: usize = 10_000;

/// One table, and what its commits took.
struct Subject {
    what: &'static str,
    expires: bool,
    ident: TableIdent,
    table: IcebergTable,
    offsets: Offsets,
    took: Vec<(Duration, Duration)>,
}

fn main() {
    let number = |name: &str| std::env::var(name).ok().map_or(2000, |text| text.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(number("COMMITS"), number("KEPT_COMMITS")));
}

async fn run(commits: usize, kept_commits: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), S3Options::default()).unwrap();
    let catalog = Catalog::open(CatalogConfig::Hadoop, store).await.unwrap();
    let committer = Committer {
        pipeline: "bench".into(),
        clock: Arc::new(SystemClock::default()),
        stats: Arc::new(Stats::default()),
        accept_rollback: false,
    };
    let mut subjects = [
        Subject::open(&catalog, folder.path(), "the newest 100 snapshots kept", true).await,
        Subject::open(&catalog, folder.path(), "all snapshots kept", false).await,
    ];
    println!("| commits before | snapshots | p50 ms | p99 ms | CPU ms |\n|---|---|---|---|---|");
    for n in 0..commits {
        for subject in subjects.iter_mut().filter(|subject| subject.expires || n < kept_commits) {
            subject.commit(&committer, n).await;
            if subject.expires && n % KEPT == KEPT - 1 {
                let retention = Retention { age: Some(Duration::ZERO), keep: Some(KEPT) };
                expire(&catalog, &subject.ident, retention, committer.clock.now_ms()).await.unwrap();
            }
            if is_shown(n + 1, if subject.expires { commits } else { kept_commits }) {
                subject.show(n + 1);
            }
        }
    }
    let kept = &mut subjects[1];
    crowd(&folder.path().join("bench/kept/metadata"), CROWD);
    for n in 0..WINDOW {
        kept.commit(&committer, kept_commits + n).await;
    }
    kept.show(CROWD + WINDOW);
    guard(&committer, &subjects[0]).await;
}

/// Gives the newest metadata file so many snapshots, copies of its newest, which stand beside its history.
fn crowd(folder: &std::path::Path, snapshots: usize) {
    let versions = std::fs::read_dir(folder).unwrap().filter_map(|file| {
        file.unwrap().file_name().to_str()?.strip_prefix('v')?.strip_suffix(".metadata.json")?.parse::<u64>().ok()
    });
    let newest = versions.max().unwrap();
    let text = std::fs::read(folder.join(format!("v{newest}.metadata.json"))).unwrap();
    let mut metadata: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let all = metadata["snapshots"].as_array_mut().unwrap();
    let last = all.last().unwrap().clone();
    for id in (1..).take(snapshots.saturating_sub(all.len())) {
        let mut copy = last.clone();
        copy["snapshot-id"] = id.into();
        all.push(copy);
    }
    let next = newest + 1;
    std::fs::write(folder.join(format!("v{next}.metadata.json")), metadata.to_string()).unwrap();
    std::fs::write(folder.join("version-hint.text"), next.to_string()).unwrap();
}

/// The first window, then each at twice as many commits, and the last.
fn is_shown(n: usize, commits: usize) -> bool {
    n == commits || n.is_multiple_of(WINDOW) && (n / WINDOW).is_power_of_two()
}

impl Subject {
    async fn open(catalog: &Catalog, folder: &std::path::Path, what: &'static str, expires: bool) -> Self {
        let name = if expires { "expired" } else { "kept" };
        let ident = TableIdent::from_strs(["bench", name]).unwrap();
        let options = TableOptions {
            ident: ident.clone(),
            pipeline: "bench".into(),
            partition_by: Vec::new(),
            sort_by: Vec::new(),
            properties: BTreeMap::new(),
            location: None,
            limits: BufferLimits { bytes_max: 1 << 24, spill_dir: folder.join("spill") },
        };
        let schema =
            Schema::new(vec![Field::new("name", DataType::Utf8, true), Field::new("number", DataType::Int64, true)]);
        let schema = TableSchema { name: name.into(), doc: String::new(), schema: Arc::new(schema) };
        let table = IcebergTable::open(catalog.clone(), options, &schema).await.unwrap();
        let offsets = (0..PARTITIONS).map(|p| (key(p), entry(0))).collect();
        let subject = Self { what, expires, ident, table, offsets, took: Vec::new() };
        subject.table.load().await.unwrap();
        subject
    }

    async fn commit(&mut self, committer: &Committer<SystemClock>, n: usize) {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(vec!["a row"; 10])), Arc::new(Int64Array::from(vec![n as i64; 10]))];
        let schema =
            Schema::new(vec![Field::new("name", DataType::Utf8, true), Field::new("number", DataType::Int64, true)]);
        let rows = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let epoch = Epoch(n as u64 + 1);
        self.table.write(epoch, rows).await.unwrap();
        let files = self.table.close(epoch).await.unwrap();
        let proposal = Proposal {
            commit_id: committer.commit_id(),
            files,
            ranges: vec![Range { topic: "topic".into(), partition: 0, from: n as i64, to: n as i64 + 1 }],
            rows: 10,
            opened_ms: committer.clock.now_ms(),
            replayed: weir_pipeline::replay::Replayed::default(),
            chain: Some("0".repeat(64).into()),
        };
        let (wall, cpu) = (Instant::now(), ProcessTime::now());
        let before = &self.offsets;
        let done = committer
            .commit(&self.table, &proposal, |committed| {
                assert!(committed.is_empty() || committed == before);
                Ok(if committed.is_empty() { before.clone() } else { Offsets::from([(key(0), entry(n as i64 + 1))]) })
            })
            .await
            .unwrap();
        self.took.push((wall.elapsed(), cpu.elapsed()));
        self.offsets = done.offsets;
        self.table.committed(&self.table.load().await.unwrap());
    }

    fn show(&self, n: usize) {
        let window = &self.took[self.took.len().saturating_sub(WINDOW)..];
        let mut wall: Vec<f64> = window.iter().map(|(wall, _)| wall.as_secs_f64() * 1e3).collect();
        wall.sort_by(f64::total_cmp);
        let cpu = window.iter().map(|(_, cpu)| cpu.as_secs_f64() * 1e3).sum::<f64>() / window.len() as f64;
        let (p50, p99) = (wall[wall.len() / 2], wall[wall.len() * 99 / 100]);
        println!("| {n} | {} | {p50:.1} | {p99:.1} | {cpu:.1} |", self.what);
    }
}

fn key(partition: i32) -> EntryKey {
    EntryKey { cluster_id: "cluster".into(), topic: "topic".into(), partition }
}

fn entry(next: i64) -> Entry {
    Entry {
        topic_id: Some("0".repeat(22)),
        next,
        first: 0,
        rows: next.unsigned_abs(),
        holder: "a/1".into(),
        chain: None,
    }
}

/// V out of a head, and each entry compared with the one that is known.
async fn guard(committer: &Committer<SystemClock>, subject: &Subject) {
    const TIMES: u32 = 1000;
    let head = subject.table.load().await.unwrap();
    let cpu = ProcessTime::now();
    for _ in 0..TIMES {
        let committed = committer.offsets_at("bench", &head.view).unwrap();
        assert!(subject.offsets.iter().all(|(key, entry)| committed.offsets.get(key) == Some(entry)));
    }
    let each = cpu.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES);
    println!("\nThe guard takes {each:.0} us of CPU with {PARTITIONS} partitions, once a commit.");
}
