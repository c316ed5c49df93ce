//! `weir status`: where pipelines stand, from their tables, their topics and the process that runs them.

mod process;
mod show;

pub(super) use process::reachable;

use std::collections::BTreeMap;
use std::path::PathBuf;

use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogError};
use weir_iceberg::verify::{Role, newest, view};
use weir_pipeline::checkpoint::{self, EntryKey, Offsets};
use weir_pipeline::clock::{Clock, SystemClock};

use super::subject::{self, Seen};
use super::{Failure, load};
use crate::assemble::open_catalog;
use crate::config::Pipeline;
use crate::progress::Format;

/// Shows of each pipeline and partition what is committed, where the log ends and how far that is apart; of each table
/// its last commit; and what the process that runs it says, where its [admin] endpoint answers. Changes nothing.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Pipeline files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// One pipeline.
#[derive(Debug)]
struct Status {
    name: String,
    tables: Vec<TableStatus>,
    /// V of the first table.
    offsets: Offsets,
    /// Where the logs end, or why nobody knows.
    logs: Result<BTreeMap<EntryKey, Seen>, String>,
    /// What its process says, or why none does.
    process: Result<process::Said, String>,
    now_ms: i64,
}

/// One table of a pipeline.
#[derive(Debug)]
struct TableStatus {
    ident: TableIdent,
    /// Rows ever committed.
    rows: u64,
    /// Commits in the history that is left.
    commits: usize,
    /// The newest commit that is left: its snapshot and its time.
    newest: Option<(i64, i64)>,
    /// Whether the table is there.
    exists: bool,
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let mut contradictory = None;
    for pipeline in &load(&arguments.files, output)? {
        match status(pipeline).await {
            Ok(status) => show::status(&status, output),
            // The other pipelines are shown all the same.
            Err(Failure::Failed(why)) => contradictory = contradictory.or(Some(format!("{}: {why}", pipeline.name))),
            Err(failure) => return Err(failure),
        }
    }
    contradictory.map_or(Ok(()), |why| Err(Failure::Failed(why)))
}

async fn status(pipeline: &Pipeline) -> Result<Status, Failure> {
    let catalog = open_catalog(pipeline).await?;
    let (mut tables, mut offsets) = (Vec::new(), Offsets::new());
    for table in subject::tables(pipeline)? {
        let (status, entries) = of_table(&catalog, &table.ident, &pipeline.name).await?;
        tables.push(status);
        if table.role == Role::Primary {
            offsets = entries;
        }
    }
    let logs = if offsets.is_empty() { Ok(BTreeMap::new()) } else { subject::log_ends(pipeline, &offsets).await };
    let process = match &pipeline.admin {
        Some(admin) => process::ask(admin.listen, &pipeline.name).await,
        None => Err("the file has no [admin] section: no process can be asked".to_string()),
    };
    let now_ms = SystemClock::default().now_ms();
    Ok(Status { name: pipeline.name.clone(), tables, offsets, logs, process, now_ms })
}

async fn of_table(catalog: &Catalog, ident: &TableIdent, pipeline: &str) -> Result<(TableStatus, Offsets), Failure> {
    let mut status = TableStatus { ident: ident.clone(), rows: 0, commits: 0, newest: None, exists: false };
    let loaded = match catalog.load(ident).await {
        Ok(loaded) => loaded,
        Err(CatalogError::NotFound(_)) => return Ok((status, Offsets::new())),
        Err(e) => return Err(Failure::failed(e)),
    };
    let view = view(&loaded.metadata, pipeline);
    let committed = checkpoint::offsets_at(&view, pipeline)
        .map_err(|c| Failure::failed(format!("{ident}: {c}; `weir verify` says more")))?;
    let ours = view.ancestry.iter().filter(|s| s.summary.get(checkpoint::PIPELINE).is_some_and(|p| p == pipeline));
    status.commits = ours.count();
    status.newest = newest(&loaded.metadata, pipeline);
    status.rows = committed.offsets.values().map(|entry| entry.rows).sum();
    status.exists = true;
    Ok((status, committed.offsets))
}

#[cfg(test)]
mod tests;
