//! Replays of dead letters into real tables, stopped everywhere.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::{DataType, Field, Schema};
use weir_pipeline::batch::{Batch, Record};
use weir_pipeline::checkpoint::{Entry, EntryKey};
use weir_pipeline::clock::SystemClock;
use weir_pipeline::commit::{Committer, Proposal};
use weir_pipeline::dead_letter::{Letter, Postmark};
use weir_pipeline::replay::{Origin, Outcome, Replayed, Replayer};
use weir_pipeline::sink::{Change, Epoch, Head, SwapError, Table};
use weir_pipeline::transform::TableSchema;
use weir_pipeline::work::{Applied, Refused};

use super::*;
use crate::fixture::{Lake, hadoop};
use crate::table::{IcebergTable, TableOptions};
use crate::writer::{BufferLimits, Written};

/// V of the test's one partition.
const NEXT: i64 = 100;
/// The record that no plugin takes.
const HOPELESS: i64 = 13;

/// A table of which the process dies at one of its swaps: before it, or after.
struct Mortal {
    table: IcebergTable,
    swaps_left: std::sync::Arc<AtomicUsize>,
    dies_after: bool,
}

impl Table for Mortal {
    type Metadata = Loaded;
    type Files = Written;

    fn name(&self) -> &str {
        self.table.name()
    }

    async fn load(&self) -> Result<Head<Loaded>, Error> {
        self.table.load().await
    }

    async fn swap(&self, head: &Head<Loaded>, change: &Change<Written>) -> Result<(), SwapError> {
        let dies = self.swaps_left.fetch_sub(1, Ordering::Relaxed) == 1;
        if dies && !self.dies_after {
            return Err(SwapError::Fatal("killed before the swap".into()));
        }
        self.table.swap(head, change).await?;
        if dies { Err(SwapError::Fatal("killed after the swap".into())) } else { Ok(()) }
    }

    async fn write(&self, epoch: Epoch, rows: RecordBatch) -> Result<(), Error> {
        self.table.write(epoch, rows).await
    }

    async fn close(&self, epoch: Epoch) -> Result<Option<Written>, Error> {
        self.table.close(epoch).await
    }

    async fn discard(&self, epoch: Epoch) {
        self.table.discard(epoch).await;
    }

    fn committed(&self, head: &Head<Loaded>) {
        self.table.committed(head);
    }

    async fn letters(&self, from: &BTreeMap<TopicPartition, LetterFloor>) -> Result<Vec<LetterKey>, Error> {
        self.table.letters(from).await
    }

    fn buffered_bytes(&self) -> usize {
        self.table.buffered_bytes()
    }
}

fn origin() -> Origin {
    let key = EntryKey { cluster_id: "c".into(), topic: "t".into(), partition: 0 };
    Origin { key, topic_id: Some("id".to_string()) }
}

fn named(name: &str) -> TableIdent {
    TableIdent::from_strs(["telemetry", name]).unwrap()
}

async fn open(lake: &Lake, name: &str) -> IcebergTable {
    let columns = Schema::new(vec![Field::new("offset", DataType::Int64, false)]);
    let data = TableSchema { name: name.to_string(), doc: String::new(), schema: Arc::new(columns) };
    let schema = if name == "letters" { dead_letter::schema() } else { data };
    let options = TableOptions {
        ident: named(name),
        pipeline: "p".to_string(),
        partition_by: Vec::new(),
        sort_by: Vec::new(),
        properties: BTreeMap::new(),
        location: None,
        limits: BufferLimits { bytes_max: 1 << 20, spill_dir: lake.folder.path().join("spill") },
    };
    IcebergTable::open(lake.catalog.clone(), options, &schema).await.unwrap()
}

async fn replayer(lake: &Lake, swaps_left: usize, dies_after: bool) -> Replayer<Mortal, SystemClock> {
    let swaps_left = std::sync::Arc::new(AtomicUsize::new(swaps_left));
    let mut tables = Vec::new();
    for name in ["primary", "second", "letters"] {
        let swaps_left = std::sync::Arc::clone(&swaps_left);
        tables.push(Mortal { table: open(lake, name).await, swaps_left, dies_after });
    }
    let committer = Committer {
        pipeline: "p".to_string(),
        clock: Arc::new(SystemClock::default()),
        stats: Arc::default(),
        accept_rollback: false,
    };
    Replayer::new(tables, committer, "d".into())
}

/// Tables that stand at [`NEXT`], and letters of some offsets.
async fn lake(offsets: &[i64]) -> (Lake, Vec<Stored>) {
    let lake = hadoop().await;
    let replayer = replayer(&lake, usize::MAX, false).await;
    let record = |offset: &i64| Record {
        offset: *offset,
        timestamp_ms: None,
        key: None,
        value: Some("x".into()),
        headers: Vec::new(),
    };
    let records: Vec<Record> = offsets.iter().map(record).collect();
    let letters: Vec<Letter<'_>> =
        records.iter().map(|record| Letter { record, error: "bad", plugin_digest: None }).collect();
    let source = TopicPartition::new("t", 0);
    let mark = Postmark {
        pipeline: "p",
        cluster_id: "c",
        topic_id: Some("id"),
        source: &source,
        plugin_digest: "d",
        rejected_at_ms: 1,
    };
    for table in &replayer.tables {
        let is_letters = table.name().ends_with("letters");
        if is_letters {
            table.write(Epoch(0), dead_letter::rows(&mark, &letters).unwrap()).await.unwrap();
        }
        let files = table.close(Epoch(0)).await.unwrap();
        let entry =
            Entry { topic_id: Some("id".into()), next: NEXT, first: 0, rows: 0, holder: "h".into(), chain: None };
        let commit_id = replayer.committer.commit_id();
        let opened_ms = i64::MAX;
        let proposal = Proposal {
            commit_id,
            files,
            ranges: Vec::new(),
            rows: 0,
            opened_ms,
            replayed: Replayed::default(),
            chain: None,
        };
        let decide = |_: &_| Ok(BTreeMap::from([(origin().key, entry.clone())]));
        replayer.committer.commit(table, &proposal, decide).await.unwrap();
    }
    let stored = stored(&lake).await;
    (lake, stored)
}

async fn stored(lake: &Lake) -> Vec<Stored> {
    let (ident, selection) = (named("letters"), Selection::default());
    let loaded = lake.catalog.load(&ident).await.unwrap();
    read(&lake.store, &ident, &loaded, "p", &selection, true).await.unwrap()
}

/// The plugin: a row for each record but one.
fn apply(batch: &Batch) -> Applied {
    let (good, bad): (Vec<_>, Vec<_>) = batch.records.iter().enumerate().partition(|(_, r)| r.offset != HOPELESS);
    let offsets: ArrayRef = Arc::new(Int64Array::from_iter_values(good.iter().map(|(_, r)| r.offset)));
    let rows = RecordBatch::try_from_iter([("offset", offsets)]).unwrap();
    let refuse = |(record, _): (usize, &Record)| Refused {
        record,
        kind: "plugin",
        reason: "hopeless".to_string(),
        plugin: None,
    };
    let refused = bad.into_iter().map(refuse).collect();
    Applied { tables: vec![vec![rows.clone()], vec![rows]], refused, ..Applied::default() }
}

async fn offsets_in(lake: &Lake, name: &str) -> Vec<i64> {
    let ident = named(name);
    let loaded = lake.catalog.load(&ident).await.unwrap();
    let batches = scan(&lake.store, &ident, &loaded, Predicate::AlwaysTrue, &["offset"]).await.unwrap();
    let mut offsets: Vec<i64> =
        batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    offsets.sort_unstable();
    offsets
}

async fn marked(lake: &Lake) -> Vec<i64> {
    stored(lake).await.iter().filter(|l| l.replayed_at.is_some()).map(|l| l.record.offset).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_comes_once_wherever_its_replay_is_killed() {
    for dies_after in [false, true] {
        for swaps in 1..=3 {
            let (lake, letters) = lake(&[3, 4, 9]).await;
            let killed = replayer(&lake, swaps, dies_after).await.pass(&origin(), &letters, false, apply).await;
            assert!(killed.is_err_and(|e| e.to_string().contains("killed")), "swap {swaps}, after it: {dies_after}");
            for _ in 0..2 {
                let again = replayer(&lake, usize::MAX, false).await;
                again.pass(&origin(), &letters, false, apply).await.unwrap();
            }
            let there = [offsets_in(&lake, "primary").await, offsets_in(&lake, "second").await, marked(&lake).await];
            assert_eq!(there, [[3, 4, 9]; 3], "swap {swaps}, after it: {dies_after}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_replay_at_once_add_each_letter_once() {
    let offsets: Vec<i64> = (0..20).collect();
    let (lake, letters) = lake(&offsets).await;
    let (one, two) = (replayer(&lake, usize::MAX, false).await, replayer(&lake, usize::MAX, false).await);
    let of = origin();
    let (left, right) = (&letters[..15], &letters[5..]);
    let (one, two) = tokio::join!(one.pass(&of, left, false, apply), two.pass(&of, right, false, apply));
    let both: BTreeSet<i64> = [one.unwrap(), two.unwrap()]
        .iter()
        .flat_map(|o| o.replayed.union(&o.before).copied().collect::<Vec<_>>())
        .collect();
    let good: Vec<i64> = offsets.into_iter().filter(|o| *o != HOPELESS).collect();
    assert_eq!(both.into_iter().collect::<Vec<_>>(), good);
    for table in ["primary", "second"] {
        assert_eq!(offsets_in(&lake, table).await, good, "{table}");
    }
    assert_eq!(marked(&lake).await, good);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_again_what_is_not_settled_and_a_trial_change_nothing() {
    let (lake, letters) = lake(&[3, HOPELESS, NEXT, NEXT + 1]).await;
    let replayer = replayer(&lake, usize::MAX, false).await;
    let trial = replayer.pass(&origin(), &letters, true, apply).await.unwrap();
    assert_eq!(trial.replayed, BTreeSet::from([3]));
    assert!(offsets_in(&lake, "primary").await.is_empty() && marked(&lake).await.is_empty());
    let outcome = replayer.pass(&origin(), &letters, false, apply).await.unwrap();
    assert_eq!(outcome.replayed, BTreeSet::from([3]));
    assert_eq!(outcome.rows, 2);
    assert_eq!(outcome.refused, BTreeMap::from([(HOPELESS, "hopeless".to_string())]));
    assert_eq!(outcome.left.into_keys().collect::<Vec<_>>(), [NEXT, NEXT + 1]);
    let before = Outcome { before: BTreeSet::from([3]), ..Outcome::default() };
    let again = replayer.pass(&origin(), &letters[..1], false, apply).await.unwrap();
    assert_eq!(again, before);
    assert_eq!((offsets_in(&lake, "primary").await, marked(&lake).await), (vec![3], vec![3]));
    let other = Origin { topic_id: Some("made again".to_string()), ..origin() };
    let strange = replayer.pass(&other, &letters[..1], false, apply).await.unwrap();
    assert_eq!(strange.left.len(), 1, "offsets of another topic of that name mean other records");
}
