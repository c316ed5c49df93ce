//! `weir table orphans`.

use std::time::Duration;

use serde_json::json;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::CatalogError;
use weir_iceberg::orphans::{AGE_MIN, OrphanError, Survey, find, remove};
use weir_iceberg::verify::time;

use super::{Chosen, Opened};
use crate::cli::{Failure, say};
use crate::config::duration;
use crate::progress::{Format, line_out};

/// Finds files in a table's data and metadata folders that nothing in its metadata names: what epochs and commits leave
/// behind that were killed or given up. Only shows them, unless --delete is given.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Spares files that were written in this time, by the store's own clock: a commit under way may still take them.
    #[arg(long, value_name = "TIME", default_value = "3d", value_parser = duration)]
    older_than: Duration,
    /// Deletes what is found.
    #[arg(long)]
    delete: bool,
    /// Says that nothing writes to the table: --delete then also takes files that are younger than a day.
    #[arg(long, requires = "delete")]
    writers_stopped: bool,
}

pub(in crate::cli) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    if arguments.delete && arguments.older_than < AGE_MIN && !arguments.writers_stopped {
        return Err(Failure::wrong(
            "--older-than below 25h: files of that age may belong to an epoch that is still to be committed, and its \
             rows would be lost; --writers-stopped says that nothing writes to the table",
        ));
    }
    let Opened { idents, catalog, .. } = arguments.chosen.open_to_change(output, !arguments.delete).await?;
    for ident in &idents {
        let survey = if arguments.delete {
            remove(&catalog, ident, arguments.older_than).await
        } else {
            find(&catalog, ident, arguments.older_than).await
        };
        let survey = survey.map_err(|e| match e {
            OrphanError::Catalog(e @ CatalogError::NotFound(_)) => Failure::wrong(e),
            e => Failure::failed(format!("{ident}: {e}")),
        })?;
        match output {
            Format::Human => say(text(ident, &survey, arguments.delete)),
            Format::Json => lines(ident, &survey, arguments.delete),
        }
    }
    Ok(())
}

fn text(ident: &TableIdent, survey: &Survey, deleted: bool) -> String {
    let bytes: u64 = survey.orphans.iter().map(|o| o.bytes).sum();
    let mut lines = vec![format!(
        "{ident}: {} files with {bytes} bytes that nothing names{}",
        survey.orphans.len(),
        match (survey.orphans.is_empty(), deleted) {
            (true, _) => "",
            (false, true) => ", deleted",
            (false, false) => "; --delete deletes them",
        }
    )];
    lines.extend(survey.orphans.iter().map(|o| format!("  {} {} {}", time(o.modified_ms), o.bytes, o.location)));
    if survey.young > 0 {
        lines.push(format!("  {} more are too young to tell: --older-than", survey.young));
    }
    lines.extend(survey.elsewhere.iter().map(|folder| format!("  not looked into: {folder}")));
    lines.join("\n")
}

fn lines(ident: &TableIdent, survey: &Survey, deleted: bool) {
    let table = ident.to_string();
    for o in &survey.orphans {
        line_out(&json!({
            "event": "orphan", "table": table, "file": o.location, "bytes": o.bytes,
            "modified": time(o.modified_ms), "deleted": deleted,
        }));
    }
    line_out(&json!({
        "event": "orphans", "table": table, "files": survey.orphans.len(), "deleted": deleted,
        "bytes": survey.orphans.iter().map(|o| o.bytes).sum::<u64>(), "too_young": survey.young, "named": survey.named,
        "not_looked_into": survey.elsewhere,
    }));
}

#[cfg(test)]
mod tests;
