//! A table's columns, partitioning and order changed, without a file being rewritten.
//!
//! What is asked for is planned on whatever head there is ([`plan`]), and is one commit: a snapshot of no files that is
//! the first of the new schema, spec and order, so that every reader answers by them at once and a commit under way must
//! stage again. No pipeline's offsets are touched.
//!
//! Names are those that columns have before the call; `move`, partitioning and order go by those after it. Columns
//! keep their ids, and partition fields that were there before keep theirs: a file means what it meant.

use std::sync::Arc;

use iceberg::spec::{FormatVersion, TableMetadata};
use iceberg::{TableIdent, TableUpdate};

use crate::catalog::{Catalog, CatalogError};
use crate::snapshot::Shape;
use crate::table::arrangement::{self, ArrangementError};
use crate::upkeep::{self, Made, UpkeepError, What};

mod column_text;
mod columns;
mod layout;
mod outline;
mod properties;
#[cfg(test)]
mod tests;

pub use column_text::{NewColumn, parse_type, show_type};
pub use columns::Place;

/// What is to become of a table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evolution {
    /// Columns to add behind the others; all are optional.
    pub add: Vec<NewColumn>,
    /// Columns to rename: full name, and the new last part of it.
    pub rename: Vec<(String, String)>,
    /// Columns to drop.
    pub drop: Vec<String>,
    /// Columns to widen, and to what.
    pub widen: Vec<(String, iceberg::spec::Type)>,
    /// Columns that may be NULL from now on.
    pub optional: Vec<String>,
    /// Comments; an empty one takes it away.
    pub comment: Vec<(String, String)>,
    /// Columns to move.
    pub moves: Vec<(String, Place)>,
    /// The partitioning of files to come, in terms of [`arrangement::Term`]; of none where empty.
    pub partition_by: Option<Vec<String>>,
    /// The order of files to come, in terms of [`arrangement::SortTerm`]; none where empty.
    pub sort_by: Option<Vec<String>>,
}

/// Why a table stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum EvolveError {
    /// The change cannot be: no such column, a type that does not widen, a column that something needs.
    #[error("{0}")]
    Refused(String),
    /// The partitioning or order cannot be.
    #[error(transparent)]
    Arrangement(#[from] ArrangementError),
    /// It could be, and was not committed.
    #[error(transparent)]
    Commit(#[from] UpkeepError),
}

impl From<CatalogError> for EvolveError {
    fn from(e: CatalogError) -> Self {
        Self::Commit(UpkeepError::Catalog(e))
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, EvolveError> {
    Err(EvolveError::Refused(why.into()))
}

/// A table before and after.
#[derive(Clone, Debug)]
pub struct Evolved {
    /// The head that the change was made on.
    pub before: Arc<TableMetadata>,
    /// What came of it, or would; as before where all is so already.
    pub after: Arc<TableMetadata>,
    /// Whether anything differs.
    pub is_change: bool,
}

/// Says what [`evolve`] would make of the table now.
///
/// # Errors
/// As [`evolve`], but for the commit.
pub async fn plan(catalog: &Catalog, ident: &TableIdent, wanted: &Evolution) -> Result<Evolved, EvolveError> {
    let before = catalog.load(ident).await?.metadata;
    let planned = change(&before, wanted)?;
    let is_change = planned.is_some();
    let after = match planned {
        Some((_, after)) => Arc::new(after),
        None => Arc::clone(&before),
    };
    Ok(Evolved { before, after, is_change })
}

/// Changes a table, in one commit. Planned anew on each head that somebody else has moved.
///
/// # Errors
/// See [`EvolveError`].
pub async fn evolve(catalog: &Catalog, ident: &TableIdent, wanted: &Evolution) -> Result<Evolved, EvolveError> {
    let made = |head: &TableMetadata| Ok::<_, EvolveError>(change(head, wanted)?.map(|(made, _)| made));
    let (before, after) = upkeep::commit_made(catalog, ident, What::Evolve, made).await?;
    let is_change = after.is_some();
    let after = after.map_or_else(|| Arc::clone(&before.metadata), |after| after.metadata);
    Ok(Evolved { before: before.metadata, after, is_change })
}

/// The change of a head, and what it makes of it; `None` where all is so already.
fn change(head: &TableMetadata, wanted: &Evolution) -> Result<Option<(Made, TableMetadata)>, EvolveError> {
    if head.format_version() == FormatVersion::V1 {
        return refused("it has format version 1, which is not written here: an engine has to upgrade it to 2");
    }
    let schema = columns::change(head, wanted)?;
    let after = schema.as_ref().unwrap_or_else(|| head.current_schema().as_ref());
    let spec = wanted.partition_by.as_ref().map(|terms| layout::spec(head, after, terms)).transpose()?.flatten();
    let order = wanted.sort_by.as_ref().map(|terms| layout::order(head, after, terms)).transpose()?.flatten();
    if let Some(schema) = &schema {
        let kept = order.as_ref().unwrap_or_else(|| head.default_sort_order().as_ref());
        columns::check_needed(head, schema, kept)?;
    }
    let updates = schema.as_ref().map_or_else(Vec::new, |schema| properties::follow(head, schema));
    let shape = Shape { schema, spec, order };
    if shape.is_none() {
        return Ok(None);
    }
    let invalid = |e: iceberg::Error| EvolveError::Refused(e.message().to_string());
    let mut builder = shape.clone().apply(head).map_err(invalid)?;
    for update in updates.iter().cloned() {
        builder = TableUpdate::apply(update, builder).map_err(invalid)?;
    }
    let after = builder.build().map_err(invalid)?.metadata;
    Ok(Some((Made { updates, shape }, after)))
}

/// Cuts `day(timestamp), bucket(16, trace_id)` into its terms.
pub fn terms(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let cut = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    cut.map(|term| term.trim().to_string()).filter(|term| !term.is_empty()).collect()
}

/// How a table is laid out, in the words of the TOML: its partitioning and its order.
pub fn arrangement(metadata: &TableMetadata) -> (Vec<String>, Vec<String>) {
    (arrangement::partition_terms(metadata), arrangement::sort_terms(metadata))
}
