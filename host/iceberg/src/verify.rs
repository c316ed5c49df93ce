//! Exactly once, proved or refuted from the table alone.
//!
//! What is looked at is what every reader has: metadata, manifests, and whether the files are there. [`chain`] follows
//! the offsets from commit to commit, [`rows`] counts what each commit added, [`files`] looks for files that are named
//! twice, absent or of another size. The first two are pure functions. What cannot be said (snapshots that have expired,
//! changes by others) is in the certificate, too: it claims no more than was seen.

use std::collections::BTreeSet;
use std::fmt;

use iceberg::TableIdent;
use iceberg::spec::{FormatVersion, Snapshot, TableMetadata};
use weir_pipeline::checkpoint;
use weir_pipeline::sink::HeadView;

use crate::catalog::{Catalog, CatalogError, Loaded};
use crate::metadata;
use crate::reach::{Reach, ReachError, Unread};
use crate::store::{Store, StoreError};

pub mod chain;
pub mod files;
pub mod rows;
#[cfg(test)]
mod tests;

pub use chain::{Chain, Role};
pub use files::Presence;
pub use rows::{Foreign, Rows};

/// A contradiction is looked for again where the table has moved on meanwhile: somebody may have expired what was missing.
const LOOKS_MAX: u32 = 3;

/// What cannot be in a table that holds each row once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contradiction {
    /// Which of the checks found it, for programs.
    pub check: &'static str,
    /// What was found.
    pub found: String,
    /// Where.
    pub place: String,
    /// What it means.
    pub meaning: String,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found: {}\nwhere: {}\nmeans: {}", self.found, self.place, self.meaning)
    }
}

impl Contradiction {
    fn new(
        check: &'static str,
        found: impl fmt::Display,
        place: impl fmt::Display,
        meaning: impl fmt::Display,
    ) -> Self {
        Self { check, found: found.to_string(), place: place.to_string(), meaning: meaning.to_string() }
    }
}

/// What was proved of a table, and what could not be.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The table.
    pub table: TableIdent,
    /// The head's snapshot and its sequence number; `None` where nothing was ever committed.
    pub head: Option<(i64, i64)>,
    /// Snapshots from the head back as far as the metadata holds them.
    pub snapshots: usize,
    /// Of each pipeline that writes the table.
    pub chains: Vec<Chain>,
    /// What the commits added, and what the table holds.
    pub rows: Rows,
    /// What is there.
    pub presence: Presence,
    /// What could not be said, and why.
    pub uncovered: Vec<String>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The catalog said no.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is nothing that can be looked into.
    #[error("{0}")]
    Unreadable(String),
    /// Something cannot be as it is.
    #[error("{0}")]
    Refuted(Box<Contradiction>),
}

impl From<Contradiction> for VerifyError {
    fn from(contradiction: Contradiction) -> Self {
        Self::Refuted(Box::new(contradiction))
    }
}

impl From<ReachError> for VerifyError {
    fn from(e: ReachError) -> Self {
        match e.why {
            Unread::Missing => {
                files::missing(&e.location, &e.named_by, "the snapshots that list it cannot be read").into()
            }
            Unread::Broken(_) => Self::Unreadable(e.to_string()),
            Unread::Store(why) => Self::Store(why),
        }
    }
}

/// Looks into a table. `pipeline` is one that must be among those that write it; `role` is what the table is to them.
///
/// # Errors
/// [`VerifyError::Refuted`] with the first contradiction.
pub async fn verify(
    catalog: &Catalog,
    ident: &TableIdent,
    pipeline: Option<&str>,
    role: Role,
) -> Result<Certificate, VerifyError> {
    let mut loaded = catalog.load(ident).await?;
    for look in 1.. {
        let looked = examine(catalog.store(), ident, &loaded, pipeline, role).await;
        let Err(VerifyError::Refuted(_)) = &looked else { return looked };
        let now = catalog.load(ident).await?;
        if look == LOOKS_MAX || now.location == loaded.location {
            return looked;
        }
        loaded = now;
    }
    Err(VerifyError::Unreadable(format!("{ident} was not looked into")))
}

async fn examine(
    store: &Store,
    ident: &TableIdent,
    loaded: &Loaded,
    pipeline: Option<&str>,
    role: Role,
) -> Result<Certificate, VerifyError> {
    let metadata = &loaded.metadata;
    if metadata.format_version() == FormatVersion::V1 {
        return Err(VerifyError::Unreadable(format!(
            "{ident} has format version 1, which has no sequence numbers: no pipeline of Weir has written it"
        )));
    }
    let mut names = pipelines(metadata);
    names.extend(pipeline.map(str::to_string));
    let mut chains = Vec::new();
    for name in &names {
        chains.push(chain::check(&metadata::view(metadata, name), name, role)?);
    }
    let reach = Reach::read(store, metadata, Reach::default()).await?;
    let rows = rows::check(metadata, &reach, &chains)?;
    let presence = files::check(store, metadata, &reach).await?;
    let uncovered = uncovered(metadata, &chains, &rows);
    Ok(Certificate {
        table: ident.clone(),
        head: metadata::ancestry(metadata).next().map(|s| (s.snapshot_id(), s.sequence_number())),
        snapshots: metadata::ancestry(metadata).count(),
        chains,
        rows,
        presence,
        uncovered,
    })
}

/// The pipelines that a table's properties and snapshots name.
fn pipelines(metadata: &TableMetadata) -> BTreeSet<String> {
    let property = |key: &String| key.strip_prefix("weir.")?.strip_suffix(".offsets").map(str::to_string);
    let summary = |s: &iceberg::spec::SnapshotRef| s.summary().additional_properties.get(checkpoint::PIPELINE).cloned();
    let named = metadata.properties().keys().filter_map(property);
    named.chain(metadata.snapshots().filter_map(summary)).collect()
}

fn uncovered(metadata: &TableMetadata, chains: &[Chain], rows: &Rows) -> Vec<String> {
    let mut uncovered = Vec::new();
    if rows.is_broken_off {
        let oldest = metadata::ancestry(metadata).last().map_or_else(String::new, |s| format!(" {}", at(s)));
        uncovered.push(format!("what was before{oldest}: the snapshots have expired"));
        if chains.iter().any(|chain| chain.commits == 0) {
            uncovered.push("a pipeline whose commits have all expired: its offsets stand in the property alone".into());
        }
        if rows.live != rows.committed {
            uncovered.push(format!(
                "the difference between {} rows committed and {} rows live: it is older than the snapshots that are left",
                rows.committed, rows.live
            ));
        }
    }
    for foreign in rows.foreign.iter().filter(|foreign| foreign.is_change()) {
        uncovered.push(foreign.to_string());
    }
    if rows.has_deletes {
        uncovered.push("rows that delete files of others hide: they count as live here".into());
    }
    uncovered
}

/// A snapshot, as messages name it.
fn at(snapshot: &Snapshot) -> String {
    format!(
        "snapshot {} (sequence number {}, {})",
        snapshot.snapshot_id(),
        snapshot.sequence_number(),
        time(snapshot.timestamp_ms())
    )
}

/// As [`at`], by id.
fn at_id(metadata: &TableMetadata, id: i64) -> String {
    metadata.snapshot_by_id(id).map_or_else(|| format!("snapshot {id}"), |snapshot| at(snapshot))
}

/// A time as people and programs read it.
pub fn time(ms: i64) -> String {
    let known = chrono::DateTime::from_timestamp_millis(ms);
    known.map_or_else(|| ms.to_string(), |time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

/// What the newest commit of a pipeline in a table's history is: snapshot and time.
pub fn newest(metadata: &TableMetadata, pipeline: &str) -> Option<(i64, i64)> {
    let is_theirs =
        |s: &&Snapshot| s.summary().additional_properties.get(checkpoint::PIPELINE).is_some_and(|p| p == pipeline);
    metadata::ancestry(metadata).find(is_theirs).map(|s| (s.snapshot_id(), s.timestamp_ms()))
}

/// What the commit protocol sees of a table, for one pipeline.
pub fn view(metadata: &TableMetadata, pipeline: &str) -> HeadView {
    metadata::view(metadata, pipeline)
}
