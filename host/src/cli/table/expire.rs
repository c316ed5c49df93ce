//! `weir table expire`.

use std::time::Duration;

use serde_json::json;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::CatalogError;
use weir_iceberg::expire::{ExpireError, Expiry, Retention, expire, plan};
use weir_iceberg::verify::time;
use weir_pipeline::clock::{Clock, SystemClock};

use super::{Chosen, Opened};
use crate::cli::{Failure, say};
use crate::config::duration;
use crate::progress::{Format, line_out};

/// Removes old snapshots from tables, then deletes the files that only they reached. Branches and tags stay with what they
/// hold, and so do the offsets of pipelines. Others may write meanwhile.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Snapshots of this age go [default: the table's history.expire.max-snapshot-age-ms, or 5d].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    older_than: Option<Duration>,
    /// So many of each branch stay, however old [default: the table's history.expire.min-snapshots-to-keep, or 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Only says what would go.
    #[arg(long)]
    dry_run: bool,
}

pub(in crate::cli) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let Opened { idents, catalog, .. } = arguments.chosen.open_to_change(output, arguments.dry_run).await?;
    let retention = Retention { age: arguments.older_than, keep: arguments.keep.map(|n| n as usize) };
    for ident in &idents {
        let now_ms = SystemClock::default().now_ms();
        let expiry = if arguments.dry_run {
            plan(&catalog, ident, retention, now_ms).await
        } else {
            expire(&catalog, ident, retention, now_ms).await
        };
        let expiry = expiry.map_err(|e| match e {
            ExpireError::Catalog(e @ CatalogError::NotFound(_)) => Failure::wrong(e),
            e => Failure::failed(format!("{ident}: {e}")),
        })?;
        match output {
            Format::Human => say(text(ident, &expiry, arguments.dry_run)),
            Format::Json => line_out(&json!({
                "event": "expired", "table": ident.to_string(), "dry_run": arguments.dry_run,
                "snapshots": expiry.snapshots.len(), "kept": expiry.kept, "data_files": expiry.data_files,
                "data_bytes": expiry.data_bytes, "manifests": expiry.manifests, "left": expiry.left,
            })),
        }
    }
    Ok(())
}

fn text(ident: &TableIdent, expiry: &Expiry, is_plan: bool) -> String {
    let would = if is_plan { "would go" } else { "gone" };
    let (count, kept) = (expiry.snapshots.len(), expiry.kept);
    let Some((oldest, newest)) = expiry.snapshots.first().zip(expiry.snapshots.last()) else {
        return format!("{ident}: no snapshot is old enough, {kept} stay");
    };
    let mut lines = vec![
        format!("{ident}: {count} snapshots {would}, of {} to {}; {kept} stay", time(oldest.1), time(newest.1)),
        format!(
            "  {} data files with {} bytes and {} manifests and lists that nothing else reaches {would}",
            expiry.data_files, expiry.data_bytes, expiry.manifests
        ),
    ];
    lines.extend(expiry.left.iter().map(|why| format!("  left for `weir table orphans`: {why}")));
    lines.join("\n")
}
