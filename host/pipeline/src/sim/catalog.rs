//! Simulated tables: versions with compare-and-swap, snapshots, expiry, rollback, commits by others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use rand::Rng;
use tokio::time::Instant;

use super::Flaw;
use super::compaction::{Replaced, Rewrite};
use super::plugin::{digests, made_by};
use super::process::Ice;
use super::world::{Shared, World};
use crate::batch::TopicPartition;
use crate::checkpoint::{self, property};
use crate::error::Error;
use crate::sink::{
    Change, Epoch, Files, Head, HeadView, LetterFloor, LetterKey, SEQUENCE_NUMBER, SNAPSHOT_ID, SnapshotView,
    SwapError, Table,
};

pub(super) const PIPELINE: &str = "p";

/// How old a file must be at the least before it is taken for an orphan, as in `weir table orphans`.
const ORPHAN_AGE: Duration = Duration::from_secs(25 * 3600);

/// Partition, offset, and the number of the row within its record; for a dead letter the number in the topic's id.
pub(super) type Row = (i32, i64, i64);

/// One table's metadata, as it is now.
#[derive(Clone, Default)]
pub(super) struct Meta {
    /// Grows with every change: what a swap compares.
    version: u64,
    sequence: i64,
    snapshots: BTreeMap<i64, SnapshotView>,
    current: Option<i64>,
    pub(super) property: Option<String>,
}

#[derive(Default)]
pub(super) struct SimTableState {
    pub(super) meta: Meta,
    /// What the table holds at each snapshot that ever was.
    rows: BTreeMap<i64, Arc<Vec<Row>>>,
    /// The property as each commit by Weir left it.
    properties: Vec<String>,
    files: u64,
    /// Files that no commit has taken so far, by their numbers, with the time when they were closed.
    loose: BTreeMap<u64, Instant>,
    /// Files that orphan removal has deleted.
    gone: BTreeSet<u64>,
    /// A commit that names a file which is not there.
    pub(super) broken: Option<u64>,
}

/// The tables that hold data, the primary first, and the dead letters last.
pub(super) struct Catalog {
    pub(super) tables: Vec<SimTableState>,
}

impl Catalog {
    pub(super) fn new(tables: usize) -> Self {
        Self { tables: (0..tables).map(|_| SimTableState::default()).collect() }
    }
}

impl SimTableState {
    /// What a reader finds.
    pub(super) fn live(&self) -> Vec<Row> {
        self.meta.current.map_or(Vec::new(), |id| self.rows[&id].to_vec())
    }

    fn ancestry(&self) -> (Vec<SnapshotView>, bool) {
        let mut found = Vec::new();
        let mut next = self.meta.current;
        while let Some(id) = next {
            let Some(snapshot) = self.meta.snapshots.get(&id) else { return (found, true) };
            next = snapshot.parent;
            found.push(snapshot.clone());
        }
        (found, false)
    }

    fn view(&self) -> HeadView {
        let (ancestry, broken_off) = self.ancestry();
        let of_pipeline = |s: &SnapshotView| s.summary.contains_key(checkpoint::PIPELINE);
        HeadView {
            uuid: "u".into(),
            offsets: self.meta.property.clone(),
            replayed: None,
            named: self.meta.snapshots.values().any(of_pipeline),
            ancestry,
            broken_off,
            others: BTreeMap::new(),
        }
    }

    fn add(&mut self, id: i64, summary: BTreeMap<String, String>, rows: &[Row]) {
        let mut all = self.live();
        all.extend(rows);
        self.meta.version += 1;
        self.meta.sequence += 1;
        let snapshot = SnapshotView { id, sequence: self.meta.sequence, parent: self.meta.current, summary };
        self.meta.snapshots.insert(id, snapshot);
        self.meta.current = Some(id);
        self.rows.insert(id, Arc::new(all));
    }

    /// A commit by somebody else: an append of nothing that matters.
    pub(super) fn foreign(&mut self, id: i64) {
        self.add(id, BTreeMap::new(), &[]);
    }

    pub(super) fn version(&self) -> u64 {
        self.meta.version
    }

    /// The newest snapshot of the pipeline in the head's history.
    pub(super) fn newest_of_pipeline(&self) -> Option<SnapshotView> {
        self.ancestry().0.into_iter().find(|s| s.summary.contains_key(checkpoint::PIPELINE))
    }

    /// A compaction's commit, if the head is still `version`.
    pub(super) fn replace(&mut self, version: u64, id: i64, rewrite: &Rewrite) -> Replaced {
        if version != self.meta.version {
            return Replaced::Moved;
        }
        let Some(rows) = rewrite.rows(&self.live()) else { return Replaced::Lost };
        let (summary, property) = rewrite.says(id, self.meta.sequence + 1);
        self.add(id, summary, &[]);
        self.rows.insert(id, Arc::new(rows));
        if property.is_some() {
            self.meta.property = property;
        }
        Replaced::Done
    }

    /// A file is there; gives its number.
    fn closed(&mut self, now: Instant) -> u64 {
        self.files += 1;
        self.loose.insert(self.files, now);
        self.files
    }

    /// What `weir table orphans --delete` does at its usual age: moves the head, then deletes what nothing names.
    pub(super) fn remove_orphans(&mut self, id: i64) {
        self.foreign(id);
        let now = Instant::now();
        let old = self.loose.extract_if(.., |_, closed| now.duration_since(*closed) > ORPHAN_AGE);
        self.gone.extend(old.map(|(file, _)| file));
    }

    /// Whether orphan removal has deleted anything.
    pub(super) fn has_removed(&self) -> bool {
        !self.gone.is_empty()
    }

    /// Keeps the newest `keep` snapshots.
    pub(super) fn expire(&mut self, keep: usize) {
        let (ancestry, _) = self.ancestry();
        let kept = ancestry.into_iter().take(keep.max(1)).map(|s| (s.id, s)).collect();
        self.meta.snapshots = kept;
        self.meta.version += 1;
    }

    /// Makes the ancestor `back` steps from the head the head. The snapshots after it stay in the metadata.
    pub(super) fn roll_back(&mut self, back: usize) {
        self.roll_back_to(self.ancestry().0[back].id);
    }

    /// Makes an ancestor of the head the head.
    pub(super) fn roll_back_to(&mut self, id: i64) {
        self.meta.current = Some(id);
        self.meta.version += 1;
    }

    /// Makes it as if the last `commits` had never come: not a rollback, which leaves a trace.
    pub(super) fn undo(&mut self, commits: usize) {
        for _ in 0..commits {
            let Some(current) = self.meta.current else { return };
            let gone = self.meta.snapshots.remove(&current).unwrap();
            self.rows.remove(&current);
            self.meta.current = gone.parent;
            self.properties.pop();
        }
        self.meta.property = self.properties.last().cloned();
        self.meta.version += 1;
    }

    /// What a change by Weir does, if the head is still `version`.
    fn swap(&mut self, version: Option<u64>, id: i64, change: &Change<SimFiles>) -> bool {
        if version.is_some_and(|v| v != self.meta.version) {
            return false;
        }
        if let Some(file) = change.files.as_ref().map(|files| files.number) {
            self.loose.remove(&file);
            self.broken = self.broken.or(self.gone.contains(&file).then_some(file));
        }
        let rows = change.files.as_ref().map_or(&[][..], |f| &f.rows[..]);
        self.add(id, change.summary.clone(), rows);
        let text = change.offsets.replace(SNAPSHOT_ID, &id.to_string());
        let text = text.replace(SEQUENCE_NUMBER, &self.meta.sequence.to_string());
        self.properties.push(text.clone());
        self.meta.property = Some(text);
        true
    }
}

#[derive(Clone, Debug)]
pub(super) struct SimFiles {
    number: u64,
    rows: Arc<Vec<Row>>,
}

impl Files for SimFiles {
    fn count(&self) -> usize {
        1
    }
    fn rows(&self) -> u64 {
        self.rows.len() as u64
    }
    fn bytes(&self) -> u64 {
        self.rows.len() as u64
    }
}

/// A process's view of one table, and its buffers.
pub(super) struct SimTable {
    pub(super) world: Shared,
    pub(super) at: usize,
    is_letters: bool,
    ice: Ice,
    pub(super) buffers: Mutex<BTreeMap<Epoch, Vec<Row>>>,
}

impl SimTable {
    pub(super) fn new(world: &Shared, at: usize, ice: &Ice) -> Self {
        let is_letters = world.lock().shape.letters() == at;
        Self { world: world.clone(), at, is_letters, ice: ice.clone(), buffers: Mutex::default() }
    }

    async fn pause(&self) {
        let time = self.world.lock().travel();
        tokio::time::sleep(time).await;
    }
}

/// What becomes of a swap besides the plain outcome.
enum Mishap {
    None,
    Dropped,
    Refused,
    AnswerLost,
    AnswerWrong,
    Late(Duration),
    Twice(Duration),
}

fn mishap(world: &mut World) -> Mishap {
    if !world.faulty {
        return Mishap::None;
    }
    match world.rng.random_range(0..100) {
        0..3 => Mishap::Dropped,
        3..5 => Mishap::Refused,
        5..9 => Mishap::AnswerLost,
        9..12 => Mishap::AnswerWrong,
        12..16 => Mishap::Late(Duration::from_millis(world.rng.random_range(1..20_000))),
        16..18 => Mishap::Twice(Duration::from_millis(world.rng.random_range(1..20_000))),
        _ => Mishap::None,
    }
}

impl Table for SimTable {
    type Metadata = u64;
    type Files = SimFiles;

    fn name(&self) -> &str {
        if self.is_letters { "letters" } else { ["data", "events"][self.at] }
    }

    async fn load(&self) -> Result<Head<u64>, Error> {
        let at = self.at;
        self.world
            .call(move |world| {
                if world.fault(0.03) {
                    return Err(Error::retry("no answer"));
                }
                let table = &world.catalog.tables[at];
                let (mut view, metadata) = (table.view(), table.meta.version);
                if world.flaw == Some(Flaw::MarkerOnCurrent) {
                    view.ancestry.truncate(1);
                    if view.ancestry.first().is_none_or(|s| !s.summary.contains_key(checkpoint::PIPELINE)) {
                        view = HeadView { uuid: view.uuid, ..HeadView::default() };
                    }
                }
                Ok(Head { view, metadata })
            })
            .await
    }

    async fn swap(&self, head: &Head<u64>, change: &Change<SimFiles>) -> Result<(), SwapError> {
        let (at, version, change, later) = (self.at, head.metadata, change.clone(), self.world.clone());
        if self.world.lock().freezes_before_swap {
            self.ice.freeze();
            tokio::task::yield_now().await;
        }
        // Stopped where it hurts most: between guard and swap, for about as long as a session. Dead letters are written
        // rarely.
        if self.world.lock().fault(if self.is_letters { 0.2 } else { 0.01 }) {
            let (ice, time) = (self.ice.clone(), self.world.lock().rng.random_range(1..30_000));
            ice.freeze();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(time)).await;
                ice.thaw();
            });
            // Nothing is sent before it wakes.
            tokio::task::yield_now().await;
        }
        let named = change.summary.get(checkpoint::PLUGINS);
        let mut rows = change.files.iter().flat_map(|files| files.rows.iter()).filter(|_| !self.is_letters);
        assert!(
            self.world.lock().flaw.is_some() || rows.all(|row| named == Some(&digests(made_by(row)))),
            "the summary names {named:?}, which has not made all rows"
        );
        assert!(change.summary[checkpoint::PIPELINE] == PIPELINE && property(PIPELINE) == "weir.p.offsets");
        self.world
            .call(move |world| {
                let id = world.rng.random_range(1..i64::MAX);
                let version = (world.flaw != Some(Flaw::CheckThenAppend)).then_some(version);
                let conflict = Err(SwapError::Conflict("the head has moved".into()));
                let unknown = Err(SwapError::Unknown("no answer".into()));
                match mishap(world) {
                    Mishap::Dropped => unknown,
                    Mishap::Refused => conflict,
                    Mishap::Late(time) => {
                        tokio::spawn(async move {
                            tokio::time::sleep(time).await;
                            later.lock().catalog.tables[at].swap(version, id, &change);
                        });
                        unknown
                    }
                    mishap => {
                        let applied = world.catalog.tables[at].swap(version, id, &change);
                        if let Mishap::Twice(time) = mishap {
                            // A snapshot of its own, where the catalog lets it pass.
                            let id = world.rng.random_range(1..i64::MAX);
                            tokio::spawn(async move {
                                tokio::time::sleep(time).await;
                                later.lock().catalog.tables[at].swap(version, id, &change);
                            });
                        }
                        match mishap {
                            Mishap::AnswerLost => unknown,
                            Mishap::AnswerWrong => conflict,
                            _ if applied => Ok(()),
                            _ => conflict,
                        }
                    }
                }
            })
            .await
    }

    async fn write(&self, epoch: Epoch, rows: RecordBatch) -> Result<(), Error> {
        self.pause().await;
        if self.world.lock().fault(0.005) {
            return Err(Error::retry("the disk is busy"));
        }
        let (partition, offset) = if self.is_letters { (4, 5) } else { (0, 1) };
        let partition = rows.column(partition).as_primitive::<Int32Type>();
        let offset = rows.column(offset).as_primitive::<Int64Type>();
        let number = |i: usize| match self.is_letters {
            true => number_of(rows.column(2).as_string::<i32>().value(i)),
            false => rows.column(2).as_primitive::<Int64Type>().value(i),
        };
        let all = (0..rows.num_rows()).map(|i| (partition.value(i), offset.value(i), number(i)));
        self.buffers.lock().unwrap().entry(epoch).or_default().extend(all);
        Ok(())
    }

    async fn close(&self, epoch: Epoch) -> Result<Option<SimFiles>, Error> {
        self.pause().await;
        if self.world.lock().fault(0.02) {
            return Err(Error::retry("the disk is full"));
        }
        let rows = self.buffers.lock().unwrap().remove(&epoch);
        Ok(rows.map(|rows| {
            let number = self.world.lock().catalog.tables[self.at].closed(Instant::now());
            SimFiles { number, rows: Arc::new(rows) }
        }))
    }

    async fn discard(&self, epoch: Epoch) {
        self.buffers.lock().unwrap().remove(&epoch);
    }

    fn committed(&self, _: &Head<u64>) {}

    async fn letters(&self, from: &BTreeMap<TopicPartition, LetterFloor>) -> Result<Vec<LetterKey>, Error> {
        let (at, from) = (self.at, from.clone());
        self.world
            .call(move |world| {
                let live = world.catalog.tables[at].live();
                let found = from.iter().flat_map(|(p, floor)| {
                    let id = floor.topic_id.as_deref().map_or(0, number_of);
                    let there = live.iter().filter(|(q, o, n)| (*q, *n) == (p.partition, id) && *o >= floor.offset);
                    there.map(|(_, o, _)| (p.clone(), *o)).collect::<Vec<_>>()
                });
                Ok(found.collect())
            })
            .await
    }

    fn buffered_bytes(&self) -> usize {
        0
    }
}

/// The number in a topic's id.
fn number_of(topic_id: &str) -> i64 {
    topic_id.trim_start_matches("id-").parse().unwrap()
}
