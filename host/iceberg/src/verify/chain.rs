//! The offsets from commit to commit: ranges that join, and V at their end.

use std::collections::BTreeMap;

use weir_pipeline::checkpoint::{self, COMMIT_ID, Entry, EntryKey, Offsets, PIPELINE, RANGES, ROWS};
use weir_pipeline::commit::Range;
use weir_pipeline::replay;
use weir_pipeline::sink::{HeadView, SnapshotView};

use super::Contradiction;

/// What a table is to its pipelines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The first table: every range is there, and joins the one before.
    Primary,
    /// Another one: it gets the ranges that have rows for it, and drops of them what it has already.
    Secondary,
}

/// What one pipeline's commits in a table's history say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    /// The pipeline.
    pub pipeline: String,
    /// Commits of it in the history.
    pub commits: usize,
    /// Ranges in them.
    pub ranges: usize,
    /// V.
    pub offsets: Offsets,
    /// Rows of dead letters that were replayed; V does not count them.
    pub rows_replayed: u64,
    /// The newest of them.
    pub newest: Option<i64>,
    /// Where offsets moved by an operator's leave, in words: lost records given up, a topic made again.
    pub allowed: Vec<String>,
    /// Where each partition's part of the history begins: the next offset before the oldest commit that is left.
    pub since: BTreeMap<EntryKey, i64>,
}

/// Follows a pipeline's commits from the oldest in a table's history to the newest.
///
/// # Errors
/// The first that does not join the one before, or a V that is not where the last one ends.
pub fn check(view: &HeadView, pipeline: &str, role: Role) -> Result<Chain, Contradiction> {
    let property = checkpoint::property(pipeline);
    let committed = checkpoint::property_at(view, pipeline).map_err(|c| {
        Contradiction::new(
            "offsets",
            c,
            format!("table property {property}"),
            "nobody knows which records are in the table",
        )
    })?;
    let replayed = replay::replayed_at(view, pipeline).map_err(|c| {
        let place = format!("table property {}", replay::property(pipeline));
        Contradiction::new("replayed dead letters", c, place, "a letter that is replayed now may be there twice")
    })?;
    let mut chain = Chain {
        pipeline: pipeline.to_string(),
        commits: 0,
        ranges: 0,
        offsets: committed.offsets,
        rows_replayed: replayed.rows,
        newest: None,
        allowed: Vec::new(),
        since: BTreeMap::new(),
    };
    // Nothing was before the first commit; what was before expired ones is not known.
    let mut before = (!view.broken_off).then(Offsets::new);
    let mut replayed_before = (!view.broken_off).then_some(0);
    let ours = |s: &&SnapshotView| s.summary.get(PIPELINE).map(String::as_str) == Some(pipeline);
    for snapshot in view.ancestry.iter().rev().filter(ours) {
        let commit = Commit::read(snapshot)?;
        if let Some(before) = &before {
            commit.follow(before, role, &mut chain)?;
        }
        if let Some(replayed) = commit.replayed {
            commit.check_replay(replayed_before, replayed)?;
            replayed_before = Some(replayed);
        }
        for (key, entry) in &commit.offsets {
            let range = commit.range_of(key, &commit.offsets, before.as_ref());
            chain.since.entry(key.clone()).or_insert_with(|| range.map_or(entry.next, |r| r.from.min(entry.next)));
        }
        chain.commits += 1;
        chain.ranges += commit.ranges.len();
        chain.newest = Some(snapshot.id);
        before = Some(commit.offsets);
    }
    match before.filter(|_| chain.newest.is_some()) {
        Some(last) if last != chain.offsets => Err(differs(&chain, &last, &property)),
        _ => Ok(chain),
    }
}

fn differs(chain: &Chain, last: &Offsets, property: &str) -> Contradiction {
    let newest = chain.newest.map_or_else(String::new, |id| id.to_string());
    let keys = chain.offsets.keys().chain(last.keys());
    let differing = keys.map(|key| (key, chain.offsets.get(key), last.get(key))).find(|(_, is, was)| is != was);
    let found = differing.map_or_else(String::new, |(key, is, was)| {
        format!("{} {}, but its own commit wrote {}", name(key), entry(is), entry(was))
    });
    Contradiction::new(
        "offsets",
        format!("V says of {found}"),
        format!("table property {property}, snapshot {newest}"),
        "the property was edited: the next run would begin elsewhere than the table ends",
    )
}

/// One commit as its summary tells it.
struct Commit<'a> {
    snapshot: &'a SnapshotView,
    offsets: Offsets,
    ranges: Vec<Range>,
    rows: u64,
    /// Rows of all replays of dead letters so far, where this commit is one.
    replayed: Option<u64>,
}

impl<'a> Commit<'a> {
    fn read(snapshot: &'a SnapshotView) -> Result<Self, Contradiction> {
        let broken =
            |found: String| Contradiction::new("summary", found, place(snapshot), "the snapshot's summary was edited");
        let text = |key: &str| snapshot.summary.get(key).map_or("", String::as_str);
        let offsets = checkpoint::offsets_in(snapshot).map_err(|c| broken(c.to_string()))?;
        let ranges = serde_json::from_str(text(RANGES))
            .map_err(|e| broken(format!("{RANGES} cannot be read: {e}; it holds {:?}", text(RANGES))))?;
        let rows = text(ROWS).parse().map_err(|_| broken(format!("{ROWS} is no number: {:?}", text(ROWS))))?;
        let replayed = replay::rows_in(snapshot).map_err(|c| broken(c.to_string()))?;
        Ok(Self { snapshot, offsets, ranges, rows, replayed })
    }

    /// Checks that a replay counted what it added.
    fn check_replay(&self, before: Option<u64>, after: u64) -> Result<(), Contradiction> {
        match before {
            Some(before) if before.checked_add(self.rows) != Some(after) => Err(self.refuted(
                "replayed dead letters",
                format!("the replay recorded {} rows, the count of all grew from {before} to {after}", self.rows),
                "what was replayed is not what was counted",
            )),
            _ => Ok(()),
        }
    }

    /// The range of one entry. Ranges name no cluster: of several with this topic it is the one that moved.
    fn range_of(&self, key: &EntryKey, offsets: &Offsets, before: Option<&Offsets>) -> Option<&Range> {
        let is_same = |k: &EntryKey| k.topic == key.topic && k.partition == key.partition;
        let moved = |k: &&EntryKey| before.is_some_and(|before| before.get(*k) != offsets.get(*k));
        let owner = offsets.keys().filter(|k| is_same(k)).find(moved).or_else(|| offsets.keys().find(|k| is_same(k)));
        if owner != Some(key) {
            return None;
        }
        self.ranges.iter().find(|r| *r.topic == *key.topic && r.partition == key.partition)
    }

    /// Checks that this commit continues from `before`.
    fn follow(&self, before: &Offsets, role: Role, chain: &mut Chain) -> Result<(), Contradiction> {
        if let Some((key, _)) = before.iter().find(|(key, _)| !self.offsets.contains_key(*key)) {
            return Err(self.refuted(
                "entry",
                format!("V no longer has {}", name(key)),
                "its records would be read again",
            ));
        }
        if let Some(stray) = self
            .ranges
            .iter()
            .find(|r| !self.offsets.keys().any(|k| *k.topic == *r.topic && k.partition == r.partition))
        {
            let found = format!("a range of {}/{}, of which V says nothing", stray.topic, stray.partition);
            return Err(self.refuted("entry", found, "its records would be read again"));
        }
        let mut rows = 0;
        for (key, now) in &self.offsets {
            let range = self.range_of(key, &self.offsets, Some(before));
            rows += match before.get(key) {
                None => self.begins(key, now, range)?,
                Some(was) if was.topic_id != now.topic_id => self.begins_anew(key, was, now, range, chain)?,
                Some(was) => self.advances(key, was, now, range, role, chain)?,
            };
        }
        // Replayed letters are records below V, which does not count them.
        if rows == if self.replayed.is_some() { 0 } else { self.rows } {
            return Ok(());
        }
        let found = format!("the commit recorded {} rows, its entries of V grew by {rows}", self.rows);
        Err(self.refuted("rows", found, "what the pipeline counts is not what it wrote"))
    }

    fn begins(&self, key: &EntryKey, now: &Entry, range: Option<&Range>) -> Result<u64, Contradiction> {
        if now.next == now.first && now.rows == 0 && range.is_none() {
            return Ok(0);
        }
        let found = format!("{} appears in V {}", name(key), entry(Some(now)));
        Err(self.refuted("entry", found, "an entry begins with no rows: what put them there is not in the history"))
    }

    fn begins_anew(
        &self,
        key: &EntryKey,
        was: &Entry,
        now: &Entry,
        range: Option<&Range>,
        chain: &mut Chain,
    ) -> Result<u64, Contradiction> {
        if now.next != now.first || now.rows != was.rows || range.is_some() {
            let found = format!("{} was of another topic id, and now stands {}", name(key), entry(Some(now)));
            return Err(self.refuted("entry", found, "rows of two topics cannot be told apart"));
        }
        chain.allowed.push(format!(
            "{} was made again after offset {}, and begun anew ({})",
            name(key),
            was.next,
            place(self.snapshot)
        ));
        Ok(0)
    }

    fn advances(
        &self,
        key: &EntryKey,
        was: &Entry,
        now: &Entry,
        range: Option<&Range>,
        role: Role,
        chain: &mut Chain,
    ) -> Result<u64, Contradiction> {
        let Some(range) = range else { return self.stays(key, was, now, chain) };
        let (from, to, stood) = (range.from, range.to, was.next);
        let said = format!("the range of {} is [{from}, {to}), the table stood at {stood}", name(key));
        if role == Role::Primary && from > stood {
            let means = format!("records [{stood}, {from}) were passed over: their rows are not in the table");
            return Err(self.refuted("gap", said, means));
        }
        if role == Role::Primary && from < stood {
            let means = format!("records [{from}, {}) were written twice", stood.min(to));
            return Err(self.refuted("overlap", said, means));
        }
        if to < from || now.next != to.max(stood) || now.first != was.first {
            let found = format!("{said}, and V says it now stands {}", entry(Some(now)));
            return Err(self.refuted("entry", found, "V is not where the range ends"));
        }
        now.rows.checked_sub(was.rows).ok_or_else(|| self.shrunk(key, was, now))
    }

    fn stays(&self, key: &EntryKey, was: &Entry, now: &Entry, chain: &mut Chain) -> Result<u64, Contradiction> {
        if now.rows < was.rows {
            return Err(self.shrunk(key, was, now));
        }
        if now.next == was.next && now.first == was.first {
            return Ok(now.rows - was.rows);
        }
        // A commit that does nothing else gives up records by the operator's leave.
        if !self.ranges.is_empty() || self.rows > 0 || now.rows != was.rows || now.first != was.first {
            let found = format!("{} stood {} and stands {}", name(key), entry(Some(was)), entry(Some(now)));
            return Err(self.refuted("gap", found, "no range says which records moved it"));
        }
        let (from, to) = (was.next.min(now.next), was.next.max(now.next));
        let what = if now.next > was.next { "given up" } else { "gone from a log that was cut, to be written again" };
        chain.allowed.push(format!("records [{from}, {to}) of {} were {what} ({})", name(key), place(self.snapshot)));
        Ok(0)
    }

    fn shrunk(&self, key: &EntryKey, was: &Entry, now: &Entry) -> Contradiction {
        let found = format!("V counts {} rows of {}, and {} before", now.rows, name(key), was.rows);
        self.refuted("rows", found, "rows ever committed only grow")
    }

    fn refuted(&self, check: &'static str, found: String, meaning: impl std::fmt::Display) -> Contradiction {
        Contradiction::new(check, found, place(self.snapshot), meaning)
    }
}

fn name(key: &EntryKey) -> String {
    format!("{}/{}", key.topic, key.partition)
}

fn entry(entry: Option<&Entry>) -> String {
    entry.map_or_else(
        || "nothing".to_string(),
        |e| format!("at {} with {} rows since {}, held by {:?}", e.next, e.rows, e.first, e.holder),
    )
}

fn place(snapshot: &SnapshotView) -> String {
    let commit = snapshot.summary.get(COMMIT_ID).map_or("", String::as_str);
    format!("snapshot {} (sequence number {}, commit {commit})", snapshot.id, snapshot.sequence)
}
