//! A compaction beside the pipeline: it reads a head, takes its time, and replaces what it has read on whatever head
//! there is then, late or twice where requests are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::time::sleep;

use super::Flaw;
use super::catalog::{PIPELINE, Row, SimTableState};
use super::world::Shared;
use crate::checkpoint::{self, COMMIT_ID, OFFSETS};

/// Attempts on moved heads.
const ATTEMPTS_MAX: usize = 8;

/// What was read, and goes into other files.
#[derive(Clone)]
pub(super) struct Rewrite {
    rows: Arc<Vec<Row>>,
    /// For the wrong protocol: V of the head that was read, in the property and in a summary.
    stale: Option<(String, BTreeMap<String, String>)>,
}

/// Compacts a table.
pub(super) async fn compact(world: Shared, at: usize) {
    let read = world.call(move |world| {
        let carries_v = world.flaw == Some(Flaw::ReplaceCarriesV);
        Rewrite::of(&world.catalog.tables[at], carries_v)
    });
    let rewrite = read.await;
    let time = world.lock().rng.random_range(1..8_000);
    sleep(Duration::from_millis(time)).await;
    for _ in 0..ATTEMPTS_MAX {
        let version = world.call(move |world| world.catalog.tables[at].version()).await;
        let (rewrite, later) = (rewrite.clone(), world.clone());
        let replaced = world.call(move |world| {
            let id = world.rng.random_range(1..i64::MAX);
            if world.fault(0.1) {
                let time = Duration::from_millis(world.rng.random_range(1..20_000));
                tokio::spawn(async move {
                    sleep(time).await;
                    later.lock().catalog.tables[at].replace(version, id, &rewrite);
                });
                // Nobody knows; it looks for its snapshot, which is not there yet, and goes on.
                return Replaced::Moved;
            }
            world.catalog.tables[at].replace(version, id, &rewrite)
        });
        if replaced.await != Replaced::Moved {
            return;
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Replaced {
    Done,
    /// The head is another.
    Moved,
    /// Something that was to go is not there.
    Lost,
}

impl Rewrite {
    fn of(table: &SimTableState, carries_v: bool) -> Self {
        let stale = table.meta.property.clone().filter(|_| carries_v).and_then(|property| {
            let head = table.newest_of_pipeline()?;
            Some((property, head.summary))
        });
        Self { rows: Arc::new(table.live()), stale }
    }

    /// The rows of a head with what was read in other files; `None` where some of it is gone.
    pub(super) fn rows(&self, live: &[Row]) -> Option<Vec<Row>> {
        let mut left: BTreeMap<Row, usize> = BTreeMap::new();
        live.iter().for_each(|row| *left.entry(*row).or_default() += 1);
        for row in &*self.rows {
            let count = left.get_mut(row).filter(|count| **count > 0)?;
            *count -= 1;
        }
        let others = left.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count));
        Some(self.rows.iter().copied().chain(others).collect())
    }

    /// What the snapshot and the property say: nothing of any pipeline, but for the wrong protocol.
    pub(super) fn says(&self, id: i64, sequence: i64) -> (BTreeMap<String, String>, Option<String>) {
        let Some((property, summary)) = &self.stale else { return (BTreeMap::new(), None) };
        let mut stored: serde_json::Value = serde_json::from_str(property).unwrap();
        let commit = format!("compaction-{id}");
        (stored["snapshot"], stored["sequence"], stored["commit"]) =
            (id.into(), sequence.into(), commit.clone().into());
        let said = [(checkpoint::PIPELINE, PIPELINE.to_string()), (COMMIT_ID, commit)];
        let mut says: BTreeMap<_, _> = said.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        says.extend(summary.get(OFFSETS).map(|v| (OFFSETS.to_string(), v.clone())));
        (says, Some(stored.to_string()))
    }
}
