//! Rows: what each commit recorded against the files that it added, and all of them against what the table holds.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use iceberg::spec::{DataContentType, ManifestContentType, ManifestStatus, Operation, Snapshot, TableMetadata};
use weir_pipeline::checkpoint::{PIPELINE, ROWS};

use super::{Chain, Contradiction, at, at_id};
use crate::metadata;
use crate::reach::{Content, Reach};
use crate::store::Place;

/// What a table's commits added and what it holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rows {
    /// Rows ever committed by all pipelines, as V counts them, and those of replayed dead letters.
    pub committed: u64,
    /// Rows of the live data files.
    pub live: u64,
    /// Snapshots in the history that no pipeline made.
    pub foreign: Vec<Foreign>,
    /// Whether the history begins after snapshots that have expired.
    pub is_broken_off: bool,
    /// Whether there are delete files.
    pub has_deletes: bool,
}

/// A snapshot that no pipeline made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Foreign {
    /// The snapshot, in words.
    pub snapshot: String,
    /// What it says it did: `append`, `replace`, `overwrite`, `delete`.
    pub operation: String,
    /// Who says to have made it.
    pub engine: Option<String>,
    /// How many rows of live data files there are more since then; `None` where the snapshot before it has expired.
    pub grown: Option<i64>,
    /// Delete files it added.
    pub deletes: u64,
}

impl Foreign {
    /// Whether it changed which rows there are. An empty commit does not, nor does a rewrite that keeps their number.
    pub fn is_change(&self) -> bool {
        let keeps = self.operation == "replace" || self.operation == "append";
        self.deletes > 0 || self.grown != Some(0) || !keeps
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { snapshot, operation, engine, grown, deletes } = self;
        write!(f, "what {} did in {snapshot}: {operation}", engine.as_deref().unwrap_or("somebody else"))?;
        match grown {
            Some(grown) => write!(f, ", {grown:+} rows")?,
            None => write!(f, ", after snapshots that have expired")?,
        }
        if *deletes > 0 { write!(f, ", {deletes} delete files") } else { Ok(()) }
    }
}

/// What a snapshot holds.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    files: u64,
    rows: u64,
    delete_files: u64,
}

/// Counts.
///
/// # Errors
/// The first commit whose rows are not those of its files; a file that is added twice or live twice; a sum that is wrong.
pub fn check(metadata: &TableMetadata, reach: &Reach, chains: &[Chain]) -> Result<Rows, Contradiction> {
    let mut history: Vec<&Snapshot> = metadata::ancestry(metadata).collect();
    history.reverse();
    let is_broken_off = metadata::is_broken_off(metadata);
    let manifests = totals(reach);
    let mut rows = Rows { is_broken_off, ..Rows::default() };
    let of_chain = |chain: &Chain| chain.offsets.values().map(|entry| entry.rows).sum::<u64>() + chain.rows_replayed;
    rows.committed = chains.iter().map(of_chain).sum();
    let mut before = (!is_broken_off).then(Held::default);
    for snapshot in history.iter().copied() {
        check_counts(metadata, reach, &manifests, snapshot)?;
        let after = held(reach, &manifests, snapshot);
        let is_ours = snapshot.summary().additional_properties.contains_key(PIPELINE);
        if is_ours {
            check_commit(reach, snapshot, before, after)?;
        } else {
            let foreign = foreign(snapshot, before, after);
            check_rewrite(&foreign, before, after)?;
            rows.foreign.push(foreign);
        }
        before = Some(after);
    }
    let last = before.unwrap_or_default();
    (rows.live, rows.has_deletes) = (last.rows, last.delete_files > 0);
    if let Some(head) = history.last() {
        check_once(metadata, reach, &history, head)?;
    }
    let is_untouched = !rows.is_broken_off && !rows.foreign.iter().any(Foreign::is_change);
    if is_untouched && rows.live != rows.committed {
        return Err(Contradiction::new(
            "live rows",
            format!("V counts {} rows ever committed, the live files hold {}", rows.committed, rows.live),
            history.last().map_or_else(String::new, |head| at(head)),
            "rows are lost or doubled, and nobody but Weir has changed the table",
        ));
    }
    Ok(rows)
}

fn totals(reach: &Reach) -> HashMap<&str, Held> {
    let total = |content: &Content| {
        let alive = content.items.iter().filter(|item| item.is_alive());
        alive.fold(Held::default(), |mut held, item| {
            if item.content == DataContentType::Data {
                held.files += 1;
                held.rows += item.rows;
            } else {
                held.delete_files += 1;
            }
            held
        })
    };
    reach.manifests.iter().map(|(location, content)| (location.as_str(), total(content))).collect()
}

fn held(reach: &Reach, manifests: &HashMap<&str, Held>, snapshot: &Snapshot) -> Held {
    let parts = reach.of(snapshot.snapshot_id()).filter_map(|(m, _)| manifests.get(m.manifest_path.as_str()));
    parts.fold(Held::default(), |sum, part| Held {
        files: sum.files + part.files,
        rows: sum.rows + part.rows,
        delete_files: sum.delete_files + part.delete_files,
    })
}

/// A manifest holds what its list says: readers that only count believe the list.
fn check_counts(
    metadata: &TableMetadata,
    reach: &Reach,
    manifests: &HashMap<&str, Held>,
    snapshot: &Snapshot,
) -> Result<(), Contradiction> {
    for (manifest, content) in reach.of(snapshot.snapshot_id()).filter(|(m, _)| m.content == ManifestContentType::Data)
    {
        let refuted = |found: String| {
            let place = format!("{}, {}", manifest.manifest_path, at_id(metadata, snapshot.snapshot_id()));
            Contradiction::new("manifest", found, place, "readers that trust the list count wrong")
        };
        if u64::try_from(manifest.manifest_length).is_ok_and(|length| length != content.bytes) {
            let found = format!("the manifest has {} bytes, its list says {}", content.bytes, manifest.manifest_length);
            return Err(refuted(found));
        }
        let Some(Held { rows, .. }) = manifests.get(manifest.manifest_path.as_str()) else { continue };
        if let (Some(added), Some(existing)) = (manifest.added_rows_count, manifest.existing_rows_count)
            && added + existing != *rows
        {
            return Err(refuted(format!(
                "the manifest's live files hold {rows} rows, its list says {}",
                added + existing
            )));
        }
    }
    Ok(())
}

/// A commit of Weir added the rows that it recorded, and took nothing away.
fn check_commit(reach: &Reach, snapshot: &Snapshot, before: Option<Held>, after: Held) -> Result<(), Contradiction> {
    let id = snapshot.snapshot_id();
    let summary = &snapshot.summary().additional_properties;
    let number = |key: &str| summary.get(key).and_then(|v| v.parse::<u64>().ok());
    let recorded = number(ROWS).unwrap_or(0);
    let new = |content: &Content| -> Vec<u64> {
        let is_new = |i: &&crate::reach::Item| i.status == ManifestStatus::Added && i.snapshot_id == id;
        content.items.iter().filter(is_new).filter(|i| i.content == DataContentType::Data).map(|i| i.rows).collect()
    };
    let added: Vec<u64> =
        reach.of(id).filter(|(m, _)| m.added_snapshot_id == id).flat_map(|(_, content)| new(content)).collect();
    let (files, rows): (u64, u64) = (added.len() as u64, added.iter().sum());
    let refuted = |found: String| Contradiction::new("rows", found, at(snapshot), "rows are lost or doubled");
    if rows != recorded {
        return Err(refuted(format!(
            "the commit recorded {recorded} rows, the {files} files that it added hold {rows}"
        )));
    }
    if let Some(said) = number("added-records").filter(|said| *said != rows) {
        return Err(refuted(format!("the summary says added-records {said}, the {files} files added hold {rows}")));
    }
    let Some(before) = before else { return Ok(()) };
    if (after.files, after.rows) != (before.files + files, before.rows + rows) {
        return Err(refuted(format!(
            "{} files with {} rows were live before the commit, it added {files} with {rows}, and {} with {} are live \
             after it",
            before.files, before.rows, after.files, after.rows
        )));
    }
    Ok(())
}

/// A rewrite where there are no delete files keeps the number of rows, whoever made it.
fn check_rewrite(foreign: &Foreign, before: Option<Held>, after: Held) -> Result<(), Contradiction> {
    let (Some(before), "replace") = (before, foreign.operation.as_str()) else { return Ok(()) };
    if before.delete_files > 0 || before.rows == after.rows {
        return Ok(());
    }
    let who = foreign.engine.as_deref().unwrap_or("somebody else");
    Err(Contradiction::new(
        "rewrite",
        format!("a rewrite by {who} found {} rows and left {}", before.rows, after.rows),
        &foreign.snapshot,
        "rows were lost or doubled, and not by Weir",
    ))
}

fn foreign(snapshot: &Snapshot, before: Option<Held>, after: Held) -> Foreign {
    let summary = snapshot.summary();
    let get = |key: &str| summary.additional_properties.get(key).cloned();
    let spark = || get("spark.app.id").map(|_| "Spark".to_string());
    let operation = match summary.operation {
        Operation::Append => "append",
        Operation::Replace => "replace",
        Operation::Overwrite => "overwrite",
        Operation::Delete => "delete",
    };
    let difference = |before: Held| i64::try_from(after.rows).ok()?.checked_sub_unsigned(before.rows);
    Foreign {
        snapshot: at(snapshot),
        operation: operation.to_string(),
        engine: get("weir.maintenance").map(|_| "Weir".to_string()).or_else(|| get("engine-name")).or_else(spark),
        grown: before.and_then(difference),
        deletes: before.map_or(0, |before| after.delete_files.saturating_sub(before.delete_files)),
    }
}

/// No data file is live twice, and none was added twice.
fn check_once(
    metadata: &TableMetadata,
    reach: &Reach,
    history: &[&Snapshot],
    head: &Snapshot,
) -> Result<(), Contradiction> {
    let means = "its rows are in the table twice";
    let mut live: HashMap<Place, &str> = HashMap::new();
    for (manifest, content) in reach.of(head.snapshot_id()) {
        let alive = content.items.iter().filter(|i| i.is_alive() && i.content == DataContentType::Data);
        for item in alive {
            // A location that makes no sense is named when its file is looked for.
            let Ok(place) = Place::of(&item.location) else { continue };
            if let Some(other) = live.insert(place, &manifest.manifest_path) {
                let found = format!("the data file {} is referenced twice", item.location);
                let place = format!("{other} and {}, {}", manifest.manifest_path, at(head));
                return Err(Contradiction::new("twice", found, place, means));
            }
        }
    }
    let mut added: BTreeMap<&str, i64> = BTreeMap::new();
    for snapshot in history {
        let id = snapshot.snapshot_id();
        for (_, content) in reach.of(id).filter(|(m, _)| m.added_snapshot_id == id) {
            let new = content.items.iter().filter(|i| i.status == ManifestStatus::Added && i.snapshot_id == id);
            for item in new.filter(|i| i.content == DataContentType::Data) {
                if let Some(first) = added.insert(&item.location, id).filter(|first| *first != id) {
                    let found = format!("the data file {} was added twice", item.location);
                    let place = format!("{} and {}", at_id(metadata, first), at(snapshot));
                    return Err(Contradiction::new("twice", found, place, means));
                }
            }
        }
    }
    Ok(())
}
