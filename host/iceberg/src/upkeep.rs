//! Commits that serve a table's upkeep: a snapshot of no files, and what else is to change with it.
//!
//! They touch no pipeline's offsets. The snapshot makes the head move, so that a commit under way must stage again.

use std::time::Duration;

use iceberg::spec::{FormatVersion, TableMetadata};
use iceberg::{TableIdent, TableUpdate};
use weir_pipeline::checkpoint;
use weir_pipeline::sink::SwapError;

use crate::catalog::{Catalog, CatalogError, Loaded};
use crate::metadata;
use crate::snapshot::{self, Operation, Shape, StageError};

/// Attempts, while others commit.
const ATTEMPTS_MAX: u32 = 20;
/// The pause after the first that failed; each is longer by as much.
const PAUSE: Duration = Duration::from_millis(50);
/// The summary key of such a commit.
pub(crate) const MAINTENANCE: &str = "weir.maintenance";

/// What such a commit is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// It removes snapshots.
    Expire,
    /// It moves the head before files are deleted.
    Orphans,
    /// It merges manifests.
    RewriteManifests,
    /// It changes schema, partitioning or order.
    Evolve,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Expire => "expire",
            Self::Orphans => "orphans",
            Self::RewriteManifests => "rewrite-manifests",
            Self::Evolve => "evolve",
        }
    }
}

/// Why it did not come about.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The catalog said no.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The table cannot be written.
    #[error("{0}")]
    Refused(String),
    /// Others came first each time, or nobody answered.
    #[error("{0}")]
    Commit(String),
}

/// What such a commit changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    /// Anything but schema, spec and order.
    pub(crate) updates: Vec<TableUpdate>,
    /// These.
    pub(crate) shape: Shape,
}

/// Commits on whatever head there is, with what `changes` makes of it beside; nothing, and gives that head, where it
/// makes `None`. Tells the head that it was made on, and the one after it.
///
/// # Errors
/// See [`UpkeepError`].
pub(crate) async fn commit(
    catalog: &Catalog,
    ident: &TableIdent,
    what: What,
    changes: impl Fn(&TableMetadata) -> Option<Vec<TableUpdate>>,
) -> Result<(Loaded, Option<Loaded>), UpkeepError> {
    let made = |head: &TableMetadata| Ok(changes(head).map(|updates| Made { updates, ..Made::default() }));
    commit_made(catalog, ident, what, made).await
}

/// As [`commit`], with changes of schema, spec and order, and changes that may be refused on the head at hand.
///
/// # Errors
/// See [`UpkeepError`], and what `changes` says.
pub(crate) async fn commit_made<E: From<UpkeepError>>(
    catalog: &Catalog,
    ident: &TableIdent,
    what: What,
    changes: impl Fn(&TableMetadata) -> Result<Option<Made>, E>,
) -> Result<(Loaded, Option<Loaded>), E> {
    let mut last = String::new();
    // What was sent, and the head it was for.
    let mut sent: Vec<(i64, Loaded)> = Vec::new();
    for attempt in 0..ATTEMPTS_MAX {
        tokio::time::sleep(PAUSE * attempt).await;
        let loaded = catalog.load(ident).await.map_err(UpkeepError::from)?;
        // One whose answer was lost may be there.
        let is_there = |id: i64| metadata::ancestry(&loaded.metadata).any(|snapshot| snapshot.snapshot_id() == id);
        if let Some(at) = sent.iter().position(|(id, _)| is_there(*id)) {
            return Ok((sent.swap_remove(at).1, Some(loaded)));
        }
        if loaded.metadata.format_version() == FormatVersion::V1 {
            let why = format!("{ident} has format version 1, which is not written here");
            return Err(UpkeepError::Refused(why).into());
        }
        let Some(Made { updates: changes, shape }) = changes(&loaded.metadata)? else { return Ok((loaded, None)) };
        let summary = [(MAINTENANCE, what.name()), (checkpoint::VERSION, env!("CARGO_PKG_VERSION"))];
        let operation = Operation {
            merges_manifests: what == What::RewriteManifests,
            shape,
            spec_id: loaded.metadata.default_partition_spec_id(),
            summary: summary.into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            now_ms: chrono::Utc::now().timestamp_millis(),
            ..Operation::default()
        };
        let staged = match snapshot::stage(&catalog.store().file_io(), &loaded.metadata, operation).await {
            Ok(staged) => staged,
            Err(StageError::Passing(why)) => {
                last = why;
                continue;
            }
            Err(e) => return Err(UpkeepError::Commit(e.to_string()).into()),
        };
        let updates = staged.updates.into_iter().chain(changes).collect();
        match catalog.replace(ident, &loaded, staged.requirements, updates).await {
            Ok(moved) => return Ok((loaded, Some(moved))),
            Err(SwapError::Conflict(why) | SwapError::Unknown(why)) => last = why,
            Err(e) => return Err(UpkeepError::Commit(e.to_string()).into()),
        }
        sent.push((staged.snapshot_id, loaded));
    }
    Err(UpkeepError::Commit(format!("{ATTEMPTS_MAX} attempts, the last: {last}")).into())
}
