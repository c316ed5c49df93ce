//! Small manifests into few: a scan reads each of them, and so does a commit that replaces files.
//!
//! Commits merge them when they have grown many ([`crate::snapshot`]); this does it when somebody asks. Which files are
//! live stays as it is.

use iceberg::TableIdent;

use crate::catalog::Catalog;
use crate::snapshot::{self, StageError};
use crate::upkeep::{self, UpkeepError, What};

#[cfg(test)]
mod tests;

/// Manifests of a head before and after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Before.
    pub before: usize,
    /// After, or what it would be.
    pub after: usize,
}

/// Says what [`rewrite`] would do now.
///
/// # Errors
/// What cannot be read.
pub async fn plan(catalog: &Catalog, ident: &TableIdent) -> Result<Counts, UpkeepError> {
    let head = catalog.load(ident).await?;
    let counted = snapshot::manifests(&catalog.store().file_io(), &head.metadata).await;
    let (before, after) = counted.map_err(|e: StageError| UpkeepError::Refused(e.to_string()))?;
    Ok(Counts { before, after })
}

/// Merges the manifests of the table's current partition spec up to `commit.manifest.target-size-bytes` each. Commits
/// nothing where there is nothing to merge.
///
/// # Errors
/// What cannot be read, or committed.
pub async fn rewrite(catalog: &Catalog, ident: &TableIdent) -> Result<Counts, UpkeepError> {
    let planned = plan(catalog, ident).await?;
    if planned.after >= planned.before {
        return Ok(planned);
    }
    upkeep::commit(catalog, ident, What::RewriteManifests, |_| Some(Vec::new())).await?;
    let after = plan(catalog, ident).await?;
    Ok(Counts { before: planned.before, after: after.before })
}
