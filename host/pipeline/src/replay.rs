//! Replay of dead letters: which records of before have come into a table after all.
//!
//! A letter is a record below V, so V cannot tell whether it was replayed. Each table therefore carries a second
//! state, in the property `weir.<pipeline>.replayed` and whole in the summary of the snapshot that wrote it: the offsets
//! that were replayed into it. It changes in the swap that adds their rows, and a swap refuses offsets that are in it
//! already; so a letter comes once, however often it is replayed, by however many, killed wherever.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{COMMIT_ID, Contradiction, EntryKey, PIPELINE};
use crate::sink::{HeadView, SnapshotView};

mod pass;
#[cfg(test)]
mod tests;

pub use pass::{Outcome, Replayer};

/// The summary key of the replayed offsets.
pub const REPLAYED: &str = "weir.replayed";

/// The table property that holds the replayed offsets of a pipeline.
pub fn property(pipeline: &str) -> String {
    format!("weir.{pipeline}.replayed")
}

/// One partition of one topic: of a topic that was made again, the offsets mean other records.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Origin {
    /// Cluster, topic and partition.
    pub key: EntryKey,
    /// The topic's id, where the broker has one.
    pub topic_id: Option<String>,
}

/// Replayed offsets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replayed {
    /// Rows that replays have added.
    pub rows: u64,
    /// For each partition the ranges `[from, to)`, in order, apart from each other.
    ranges: BTreeMap<Origin, Vec<(i64, i64)>>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    commit: String,
    rows: u64,
    topics: Vec<StoredTopic>,
}

#[derive(Serialize, Deserialize)]
struct StoredTopic {
    cluster: String,
    topic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    partitions: Vec<(i32, Vec<(i64, i64)>)>,
}

impl Replayed {
    /// Whether nothing was replayed.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether a record was.
    pub fn holds(&self, origin: &Origin, offset: i64) -> bool {
        self.ranges.get(origin).is_some_and(|ranges| {
            let after = ranges.partition_point(|(from, _)| *from <= offset);
            after > 0 && offset < ranges[after - 1].1
        })
    }

    /// Notes a record.
    pub fn add(&mut self, origin: &Origin, offset: i64) {
        if self.holds(origin, offset) {
            return;
        }
        let end = offset.saturating_add(1);
        let ranges = self.ranges.entry(origin.clone()).or_default();
        let at = ranges.partition_point(|(from, _)| *from <= offset);
        let joins_left = at > 0 && ranges[at - 1].1 == offset;
        let joins_right = ranges.get(at).is_some_and(|(from, _)| *from == end);
        match (joins_left, joins_right) {
            (true, true) => ranges[at - 1].1 = ranges.remove(at).1,
            (true, false) => ranges[at - 1].1 = end,
            (false, true) => ranges[at].0 = offset,
            (false, false) => ranges.insert(at, (offset, end)),
        }
    }

    /// The first record that both hold.
    pub fn common(&self, other: &Self) -> Option<(Origin, i64)> {
        other.ranges.iter().find_map(|(origin, ranges)| {
            let mine = self.ranges.get(origin)?;
            let shared = |(from, to): &(i64, i64)| {
                mine.iter().find(|(start, end)| start < to && from < end).map(|(start, _)| *start.max(from))
            };
            ranges.iter().find_map(shared).map(|offset| (origin.clone(), offset))
        })
    }

    /// Adds what another holds, which this one does not.
    pub fn extend(&mut self, other: &Self) {
        self.rows += other.rows;
        for (origin, added) in &other.ranges {
            let ranges = self.ranges.entry(origin.clone()).or_default();
            ranges.extend(added);
            ranges.sort_unstable();
            let mut joined: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
            for range in ranges.drain(..) {
                match joined.last_mut() {
                    Some(last) if last.1 >= range.0 => last.1 = last.1.max(range.1),
                    _ => joined.push(range),
                }
            }
            *ranges = joined;
        }
    }

    /// As property and summary hold it.
    pub fn value(&self, commit_id: &str) -> String {
        let mut topics: Vec<StoredTopic> = Vec::new();
        for (Origin { key, topic_id }, ranges) in &self.ranges {
            let same =
                |t: &&mut StoredTopic| t.cluster == *key.cluster_id && t.topic == *key.topic && t.id == *topic_id;
            match topics.iter_mut().find(same) {
                Some(topic) => topic.partitions.push((key.partition, ranges.clone())),
                None => topics.push(StoredTopic {
                    cluster: key.cluster_id.to_string(),
                    topic: key.topic.to_string(),
                    id: topic_id.clone(),
                    partitions: vec![(key.partition, ranges.clone())],
                }),
            }
        }
        let stored = Stored { version: 1, commit: commit_id.to_string(), rows: self.rows, topics };
        // Numbers, strings and vectors only: there is nothing in it that JSON cannot hold.
        serde_json::to_string(&stored).unwrap_or_default()
    }
}

/// Reads what was replayed into a table. As with V, the property counts if the snapshot that wrote it is the newest of
/// its kind in the head's ancestry, or expired from it.
///
/// # Errors
/// [`Contradiction`]: the property was edited or removed, or the table rolled back.
pub fn replayed_at(view: &HeadView, pipeline: &str) -> Result<Replayed, Contradiction> {
    let newest = newest(view, pipeline);
    let name = property(pipeline);
    let Some(text) = &view.replayed else {
        return match newest {
            None => Ok(Replayed::default()),
            Some(s) => Err(Contradiction(format!(
                "the table property {name} is gone, but snapshot {} has replayed dead letters",
                s.id
            ))),
        };
    };
    let stored: Stored = serde_json::from_str(text)
        .map_err(|e| Contradiction(format!("the table property {name} cannot be read: {e}; it holds {text:?}")))?;
    if stored.version != 1 {
        let version = stored.version;
        return Err(Contradiction(format!("the table property {name} is of version {version}, this Weir knows 1")));
    }
    match newest {
        Some(s) if s.summary.get(COMMIT_ID) == Some(&stored.commit) => {}
        None if view.broken_off => {}
        _ => {
            return Err(Contradiction(format!(
                "the table property {name} names the commit {}, which is not the newest replay in the table's history: \
                 the table was rolled back, or the property was edited",
                stored.commit
            )));
        }
    }
    Ok(restore(&stored))
}

/// What was replayed by the newest replay that is left in the head's ancestry, whatever the property says: what
/// `--accept-rollback` goes on with.
///
/// # Errors
/// [`Contradiction`]: its summary cannot be read.
pub fn replayed_after_rollback(view: &HeadView, pipeline: &str) -> Result<Replayed, Contradiction> {
    newest(view, pipeline).map_or_else(|| Ok(Replayed::default()), |s| Ok(restore(&in_summary(s)?)))
}

/// The newest replay of a pipeline in the head's ancestry.
fn newest<'a>(view: &'a HeadView, pipeline: &str) -> Option<&'a SnapshotView> {
    let is_ours = |s: &&SnapshotView| s.summary.get(PIPELINE).map(String::as_str) == Some(pipeline);
    view.ancestry.iter().filter(is_ours).find(|s| s.summary.contains_key(REPLAYED))
}

fn in_summary(snapshot: &SnapshotView) -> Result<Stored, Contradiction> {
    let text = snapshot.summary.get(REPLAYED).map_or("", String::as_str);
    serde_json::from_str(text)
        .map_err(|e| Contradiction(format!("{REPLAYED} of snapshot {} cannot be read: {e}", snapshot.id)))
}

/// Rows of all replays up to a snapshot, where it is of one.
///
/// # Errors
/// [`Contradiction`]: the summary cannot be read.
pub fn rows_in(snapshot: &SnapshotView) -> Result<Option<u64>, Contradiction> {
    match snapshot.summary.contains_key(REPLAYED) {
        true => in_summary(snapshot).map(|stored| Some(stored.rows)),
        false => Ok(None),
    }
}

fn restore(stored: &Stored) -> Replayed {
    let mut replayed = Replayed { rows: stored.rows, ranges: BTreeMap::new() };
    for t in &stored.topics {
        let (cluster_id, topic): (Arc<str>, Arc<str>) = (t.cluster.as_str().into(), t.topic.as_str().into());
        for (partition, ranges) in &t.partitions {
            let key = EntryKey { cluster_id: cluster_id.clone(), topic: topic.clone(), partition: *partition };
            replayed.ranges.insert(Origin { key, topic_id: t.id.clone() }, ranges.clone());
        }
    }
    replayed
}
