//! Where a pipeline stands: its entries, and what a table says of them.
//!
//! All entries of a pipeline in one table together are V. V lives in the table only, whole in the property
//! `weir.<pipeline>.offsets` and again, without the ids, in the summary of the snapshot that wrote it. [`offsets_at`]
//! is the one function that reads it, for the guard and for recovery alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sink::{HeadView, SEQUENCE_NUMBER, SNAPSHOT_ID, SnapshotView};
use crate::source::topic_id;

/// The summary key of the pipeline's name.
pub const PIPELINE: &str = "weir.pipeline";
/// The summary key of the commit's id.
pub const COMMIT_ID: &str = "weir.commit-id";
/// The summary key of V.
pub const OFFSETS: &str = "weir.offsets";
/// The summary key of the ranges that the commit added.
pub const RANGES: &str = "weir.ranges";
/// The summary key of the digests of the plugins that made the rows.
pub const PLUGINS: &str = "weir.plugins";
/// The summary key of the number of rows.
pub const ROWS: &str = "weir.rows";
/// The summary key of Weir's version.
pub const VERSION: &str = "weir.version";

/// The table property that holds V of a pipeline.
pub fn property(pipeline: &str) -> String {
    format!("weir.{pipeline}.offsets")
}

/// What an entry is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct EntryKey {
    /// The cluster's id.
    pub cluster_id: Arc<str>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
}

/// Where one partition stands in one table. Compared whole by the guard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The topic's id, where the broker has one.
    pub topic_id: Option<String>,
    /// The first offset that is not in the table.
    pub next: i64,
    /// The first offset that ever was.
    pub first: i64,
    /// Rows ever committed.
    pub rows: u64,
    /// Who may advance this entry: a process's random id and a counter, or empty for nobody yet.
    pub holder: String,
    /// In a data table that is not the primary: the digests of the plugins that moved this entry to where it stands.
    /// If the primary did not follow, its rows of the same records must come from the same plugins.
    pub chain: Option<String>,
}

/// V: the entries of one pipeline in one table.
pub type Offsets = BTreeMap<EntryKey, Entry>;

/// What a table says a pipeline has committed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Committed {
    /// The id of the commit that wrote V; empty where there was none yet.
    pub commit_id: String,
    /// V.
    pub offsets: Offsets,
}

/// The table's metadata and a pipeline's entries do not fit together.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Contradiction(pub String);

#[derive(Serialize, Deserialize)]
#[serde(expecting = "an object with version and topics")]
struct Stored {
    version: u32,
    #[serde(default)]
    commit: String,
    #[serde(default)]
    snapshot: Option<Number>,
    #[serde(default)]
    sequence: Option<Number>,
    topics: Vec<StoredTopic>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Known(i64),
    Placeholder(String),
}

impl Number {
    fn known(&self) -> Option<i64> {
        match self {
            Self::Known(n) => Some(*n),
            Self::Placeholder(_) => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredTopic {
    cluster: String,
    topic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<String>,
    /// Partition, next, first, rows, holder.
    partitions: Vec<(i32, i64, i64, u64, String)>,
}

fn store(offsets: &Offsets) -> Vec<StoredTopic> {
    let mut topics: Vec<StoredTopic> = Vec::new();
    for (key, entry) in offsets {
        let row = (key.partition, entry.next, entry.first, entry.rows, entry.holder.clone());
        match topics.iter_mut().find(|t| {
            t.cluster == *key.cluster_id && t.topic == *key.topic && t.id == entry.topic_id && t.chain == entry.chain
        }) {
            Some(topic) => topic.partitions.push(row),
            None => topics.push(StoredTopic {
                cluster: key.cluster_id.to_string(),
                topic: key.topic.to_string(),
                id: entry.topic_id.clone(),
                chain: entry.chain.clone(),
                partitions: vec![row],
            }),
        }
    }
    topics
}

fn restore(stored: &Stored) -> Offsets {
    let mut offsets = Offsets::new();
    for t in &stored.topics {
        let (cluster_id, topic): (Arc<str>, Arc<str>) = (t.cluster.as_str().into(), t.topic.as_str().into());
        for (partition, next, first, rows, holder) in &t.partitions {
            let key = EntryKey { cluster_id: cluster_id.clone(), topic: topic.clone(), partition: *partition };
            let entry = Entry {
                topic_id: t.id.as_deref().map(topic_id),
                next: *next,
                first: *first,
                rows: *rows,
                holder: holder.clone(),
                chain: t.chain.clone(),
            };
            offsets.insert(key, entry);
        }
    }
    offsets
}

fn json(stored: &Stored) -> String {
    // Numbers, strings and vectors only: there is nothing in it that JSON cannot hold.
    serde_json::to_string(stored).unwrap_or_default()
}

/// The property's value for a commit, with the placeholders that the adapter fills in.
pub fn property_value(commit_id: &str, offsets: &Offsets) -> String {
    let placeholder = |text: &str| Some(Number::Placeholder(text.trim_matches('"').to_string()));
    json(&Stored {
        version: 1,
        commit: commit_id.to_string(),
        snapshot: placeholder(SNAPSHOT_ID),
        sequence: placeholder(SEQUENCE_NUMBER),
        topics: store(offsets),
    })
}

/// V as the snapshot's summary holds it.
pub fn summary_value(offsets: &Offsets) -> String {
    json(&Stored { version: 1, commit: String::new(), snapshot: None, sequence: None, topics: store(offsets) })
}

fn parse(text: &str, what: &str) -> Result<Stored, Contradiction> {
    let stored: Stored = serde_json::from_str(text)
        .map_err(|e| Contradiction(format!("{what} cannot be read: {e}; it holds {text:?}")))?;
    if stored.version != 1 {
        return Err(Contradiction(format!("{what} is of version {}, this Weir knows 1", stored.version)));
    }
    Ok(stored)
}

fn of_pipeline<'a>(view: &'a HeadView, pipeline: &str) -> Option<&'a SnapshotView> {
    view.ancestry.iter().find(|s| s.summary.get(PIPELINE).map(String::as_str) == Some(pipeline))
}

/// Reads V of a pipeline from a table's head.
///
/// | property | newest snapshot of the pipeline in the head's ancestry | V |
/// |---|---|---|
/// | absent | none, nor one elsewhere in the metadata | nothing was ever committed |
/// | names it, and holds what its summary holds | there | the property |
/// | names one that is not in the ancestry | none, and the ancestry breaks off at a snapshot newer than the property's | the property: expiry took the snapshot |
/// | anything else | | contradiction: rolled back, or the property was removed or edited |
///
/// # Errors
/// [`Contradiction`], with what was found.
pub fn offsets_at(view: &HeadView, pipeline: &str) -> Result<Committed, Contradiction> {
    let committed = property_at(view, pipeline)?;
    if let Some(newest) = of_pipeline(view, pipeline) {
        same_as_in(newest, &committed.offsets, &property(pipeline))?;
    }
    Ok(committed)
}

/// The same, for who holds it against the commit's own summary himself.
///
/// # Errors
/// [`Contradiction`], with what was found.
pub fn property_at(view: &HeadView, pipeline: &str) -> Result<Committed, Contradiction> {
    let newest = of_pipeline(view, pipeline);
    let name = property(pipeline);
    let Some(text) = &view.offsets else {
        return match newest {
            None if !view.named => Ok(Committed::default()),
            _ => Err(Contradiction(format!(
                "the table property {name} is gone, but snapshots of the pipeline {pipeline} are there"
            ))),
        };
    };
    let stored = parse(text, &format!("the table property {name}"))?;
    let id = |n: &Option<Number>| n.as_ref().and_then(Number::known);
    let (Some(snapshot), Some(sequence)) = (id(&stored.snapshot), id(&stored.sequence)) else {
        return Err(Contradiction(format!("the table property {name} names no snapshot; it holds {text:?}")));
    };
    let committed = Committed { commit_id: stored.commit.clone(), offsets: restore(&stored) };
    match newest {
        Some(s) if s.id == snapshot && s.summary.get(COMMIT_ID) == Some(&committed.commit_id) => Ok(committed),
        Some(s) => Err(Contradiction(format!(
            "the table property {name} names snapshot {snapshot} (sequence number {sequence}), but the newest snapshot \
             of the pipeline in the table's history is {} (sequence number {}): the table was rolled back, or the \
             property was edited",
            s.id, s.sequence
        ))),
        None if view.broken_off && view.ancestry.last().is_some_and(|s| s.sequence > sequence) => Ok(committed),
        None => Err(Contradiction(format!(
            "the table property {name} names snapshot {snapshot} (sequence number {sequence}), which is not in the \
             table's history: the table was rolled back"
        ))),
    }
}

/// Both are written by one swap: where they differ, somebody has edited one of them since.
fn same_as_in(snapshot: &SnapshotView, offsets: &Offsets, name: &str) -> Result<(), Contradiction> {
    let written = offsets_in(snapshot)?;
    let keys = offsets.keys().chain(written.keys());
    let Some(key) = keys.into_iter().find(|key| offsets.get(key) != written.get(key)) else { return Ok(()) };
    let said = |offsets: &Offsets| match offsets.get(key) {
        Some(Entry { next, holder, .. }) => format!("at {next} for the holder {holder}"),
        None => "nowhere".to_owned(),
    };
    Err(Contradiction(format!(
        "the table property {name} was edited: it has {}/{} {}, the snapshot {} that it names has it {}",
        key.topic,
        key.partition,
        said(offsets),
        snapshot.id,
        said(&written)
    )))
}

/// Reads V from the newest snapshot of the pipeline in the head's ancestry, whatever the property says: what
/// `--accept-rollback` begins with.
///
/// # Errors
/// [`Contradiction`], where no snapshot of the pipeline is left.
pub fn offsets_after_rollback(view: &HeadView, pipeline: &str) -> Result<Committed, Contradiction> {
    let Some(newest) = of_pipeline(view, pipeline) else {
        return Err(Contradiction(format!(
            "no snapshot of the pipeline {pipeline} is left in the table's history: nothing says where to begin"
        )));
    };
    let commit_id = newest.summary.get(COMMIT_ID).cloned().unwrap_or_default();
    Ok(Committed { commit_id, offsets: offsets_in(newest)? })
}

/// What a rollback took from a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakenBack {
    /// V as the property, which a rollback leaves alone, has it still.
    pub before: Offsets,
    /// V of the newest snapshot that is left.
    pub after: Offsets,
}

/// What was taken from a table, if it was rolled back since the pipeline last committed to it.
pub fn taken_back(view: &HeadView, pipeline: &str) -> Option<TakenBack> {
    let stored = parse(view.offsets.as_ref()?, &property(pipeline)).ok()?;
    let newest = of_pipeline(view, pipeline)?;
    let is_newest = stored.snapshot.as_ref().and_then(Number::known) == Some(newest.id);
    let after = offsets_in(newest).ok()?;
    (!is_newest).then(|| TakenBack { before: restore(&stored), after })
}

/// V as one snapshot of a pipeline has it in its summary.
///
/// # Errors
/// [`Contradiction`], where the summary holds none.
pub fn offsets_in(snapshot: &SnapshotView) -> Result<Offsets, Contradiction> {
    let text = snapshot.summary.get(OFFSETS).map_or("", String::as_str);
    let stored = parse(text, &format!("{OFFSETS} in the summary of snapshot {}", snapshot.id))?;
    Ok(restore(&stored))
}

/// Whether a commit is in the head's ancestry.
pub fn holds_commit(view: &HeadView, commit_id: &str) -> bool {
    view.ancestry.iter().any(|s| s.summary.get(COMMIT_ID).map(String::as_str) == Some(commit_id))
}

/// The topics over which other pipelines have entries in a table, with their pipeline's name.
pub fn foreign_topics(view: &HeadView) -> Vec<(String, EntryKey)> {
    let mut found = Vec::new();
    for (name, text) in &view.others {
        if let Ok(stored) = parse(text, name) {
            found.extend(restore(&stored).into_keys().map(|k| (name.clone(), k)));
        }
    }
    found
}

#[cfg(test)]
mod tests;
