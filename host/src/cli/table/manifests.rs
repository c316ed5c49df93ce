//! `weir table rewrite-manifests`.

use serde_json::json;
use weir_iceberg::catalog::CatalogError;
use weir_iceberg::manifests::{plan, rewrite};
use weir_iceberg::upkeep::UpkeepError;

use super::{Chosen, Opened};
use crate::cli::{Failure, say};
use crate::progress::{Format, line_out};

/// Merges small manifests up to the table's commit.manifest.target-size-bytes (8 MiB). Files and rows stay as they are;
/// commits do the same by themselves once there are commit.manifest.min-count-to-merge (100).
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Only says what would be done.
    #[arg(long)]
    dry_run: bool,
}

pub(in crate::cli) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let Opened { idents, catalog, .. } = arguments.chosen.open_to_change(output, arguments.dry_run).await?;
    for ident in &idents {
        let done = if arguments.dry_run { plan(&catalog, ident).await } else { rewrite(&catalog, ident).await };
        let done = done.map_err(|e| match e {
            UpkeepError::Catalog(e @ CatalogError::NotFound(_)) => Failure::wrong(e),
            e => Failure::failed(format!("{ident}: {e}")),
        })?;
        let became = if arguments.dry_run { "would become" } else { "became" };
        match output {
            Format::Human if done.after >= done.before => {
                say(format_args!("{ident}: {} manifests, none to merge", done.before));
            }
            Format::Human => say(format_args!("{ident}: {} manifests {became} {}", done.before, done.after)),
            Format::Json => line_out(&json!({
                "event": "manifests_rewritten", "table": ident.to_string(), "dry_run": arguments.dry_run,
                "before": done.before, "after": done.after,
            })),
        }
    }
    Ok(())
}
