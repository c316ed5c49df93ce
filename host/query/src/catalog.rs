//! Names in a statement: which table each of them is.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::sql::TableReference;
use iceberg::table::Table;

use crate::error::QueryError;
use crate::inspect::{self, Aspect};
use crate::provider::IcebergTable;
use crate::source::{TableId, TableSource};
use crate::travel;
use crate::version::Version;

/// A table that was found, under its name in the catalog.
pub(crate) struct Found {
    pub(crate) id: TableId,
    pub(crate) table: Table,
}

/// The parts of a reference as they were written.
pub(crate) fn parts(reference: &TableReference) -> Vec<String> {
    let parts = [reference.catalog(), reference.schema(), Some(reference.table())];
    parts.into_iter().flatten().map(str::to_owned).collect()
}

/// What a name of one part or more, and a version, stand for.
///
/// # Errors
/// [`QueryError::UnknownTable`] with names that are near, [`QueryError::NoSnapshot`], [`QueryError::Unreadable`].
pub(crate) async fn provider(
    source: &dyn TableSource,
    parts: &[String],
    version: Option<&Version>,
) -> Result<Arc<dyn TableProvider>, QueryError> {
    let (parts, aspect) = without_aspect(parts)?;
    let Found { id, table } = find(source, &parts).await?;
    let name = id.to_string();
    let snapshot = match version {
        Some(version) => Some(travel::snapshot(&name, table.metadata(), version)?),
        None => None,
    };
    match aspect {
        Some(aspect) => inspect::provider(&name, &table, aspect, snapshot).await,
        None => Ok(Arc::new(IcebergTable::new(name.clone(), table, snapshot).map_err(|why| unreadable(&name, &why))?)),
    }
}

/// `traces$snapshots` is an aspect of `traces`.
fn without_aspect(parts: &[String]) -> Result<(Vec<String>, Option<Aspect>), QueryError> {
    let mut parts = parts.to_vec();
    let Some((table, aspect)) = parts.last().and_then(|last| last.rsplit_once('$')) else {
        return Ok((parts, None));
    };
    let aspect = aspect.parse::<Aspect>().map_err(|()| {
        QueryError::UnknownTable(format!(
            "a table has no ${aspect}; there are {}",
            Aspect::ALL.map(|aspect| format!("${}", aspect.name())).join(", ")
        ))
    })?;
    let table = table.to_owned();
    parts.pop();
    parts.push(table);
    Ok((parts, Some(aspect)))
}

/// The table of that name. A name of three parts begins with a catalog's name, which may be any, or is a namespace of
/// two parts; a name of one part is enough where one table only has it.
pub(crate) async fn find(source: &dyn TableSource, parts: &[String]) -> Result<Found, QueryError> {
    for id in candidates(parts) {
        if let Some(table) = load(source, &id).await? {
            return Ok(Found { id, table });
        }
    }
    let listed = source.list().await.map_err(|why| unreadable("catalog", &why))?;
    let id = nearest_listed(parts, &listed)?;
    match load(source, &id).await? {
        Some(table) => Ok(Found { id, table }),
        None => Err(QueryError::UnknownTable(format!("table {id} is gone"))),
    }
}

fn candidates(parts: &[String]) -> Vec<TableId> {
    let Some((table, namespace)) = parts.split_last() else { return Vec::new() };
    let id = |namespace: &[String]| TableId { namespace: namespace.to_vec(), table: table.clone() };
    match namespace {
        [] => Vec::new(),
        [_] => vec![id(namespace)],
        [_, rest @ ..] => vec![id(rest), id(namespace)],
    }
}

/// The one listed table that the name fits without regard to case.
fn nearest_listed(parts: &[String], listed: &[TableId]) -> Result<TableId, QueryError> {
    let wanted = parts.join(".");
    let names: Vec<String> = candidates(parts).iter().map(ToString::to_string).collect();
    let fits = |id: &&TableId| match parts {
        [table] => id.table.eq_ignore_ascii_case(table),
        _ => names.iter().any(|name| name.eq_ignore_ascii_case(&id.to_string())),
    };
    let mut fitting: Vec<&TableId> = listed.iter().filter(fits).collect();
    let exact = fitting.iter().filter(|id| Some(&id.table) == parts.last()).count();
    if exact == 1 {
        fitting.retain(|id| Some(&id.table) == parts.last());
    }
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(QueryError::UnknownTable(format!("there is no table {wanted}; {}", near(&wanted, listed)))),
        several => Err(QueryError::UnknownTable(format!(
            "{wanted} may be {}: write the namespace too",
            several.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
        ))),
    }
}

/// What to write instead.
fn near(wanted: &str, listed: &[TableId]) -> String {
    /// More names than this are a list, not a hint.
    const NAMES_MAX: usize = 5;
    let own = wanted.rsplit('.').next().unwrap_or(wanted).to_ascii_lowercase();
    let mut scored: Vec<(usize, String)> =
        listed.iter().map(|id| (strsim::osa_distance(&id.table.to_ascii_lowercase(), &own), id.to_string())).collect();
    scored.sort();
    let close: Vec<&str> = scored
        .iter()
        .filter(|(distance, _)| *distance <= own.len().div_ceil(2))
        .map(|(_, name)| name.as_str())
        .collect();
    match (close.as_slice(), scored.as_slice()) {
        ([], []) => "the catalog has no tables".into(),
        ([], all) => {
            let names: Vec<&str> = all.iter().take(NAMES_MAX).map(|(_, name)| name.as_str()).collect();
            let rest = all.len().saturating_sub(NAMES_MAX);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            format!("there are {}{more}", names.join(", "))
        }
        (close, _) => {
            format!("did you mean {}?", close.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(" or "))
        }
    }
}

async fn load(source: &dyn TableSource, id: &TableId) -> Result<Option<Table>, QueryError> {
    source.load(&id.namespace, &id.table).await.map_err(|why| unreadable(&id.to_string(), &why))
}

pub(crate) fn unreadable(table: &str, why: &dyn std::fmt::Display) -> QueryError {
    QueryError::Unreadable { table: table.to_owned(), cause: why.to_string() }
}
