//! `weir table compact`.

use clap::ValueEnum;
use serde_json::json;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::CatalogError;
use weir_iceberg::compact::{CompactError, Compaction, Options, Pace, Strategy, compact, plan};

use super::{Chosen, Opened};
use crate::cli::{Failure, say};
use crate::config::bytes;
use crate::progress::{Format, line_out};

/// Rewrites small files as few large ones, and files that are too large as several. No row changes: rows are counted,
/// and hashed before and after, by their values where they are encoded again, by their bytes where row groups are copied.
/// Others may write meanwhile, and pipelines are not disturbed. The options' names are those of Iceberg's procedure
/// rewrite_data_files.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// binpack: files that came after each other become one. Row groups that are as the table wants them are copied as
    /// they are, a tenth of the work; small ones are put together in order. sort: all of a partition are put into order
    /// and cut, so that no two overlap.
    #[arg(long, value_enum, default_value = "binpack")]
    strategy: Kind,
    /// Files are to have this size [default: the table's write.target-file-size-bytes]. Those from 0.75 to 1.8 times of
    /// it stay as they are.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    target_file_size_bytes: Option<u64>,
    /// Fewer small files of a partition are left alone, unless they make more than one of the wanted size.
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    min_input_files: u32,
    /// So much of a partition is rewritten at once; a remote table's files need as much local disk.
    #[arg(long, value_name = "SIZE", default_value = "10GiB", value_parser = bytes)]
    max_file_group_size_bytes: u64,
    /// Rewrites files of the right size too.
    #[arg(long)]
    rewrite_all: bool,
    /// Only says what would be done.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum Kind {
    Binpack,
    Sort,
}

pub(in crate::cli) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let Opened { pipeline, idents, catalog } = arguments.chosen.open_to_change(output, arguments.dry_run).await?;
    let options = Options {
        strategy: match arguments.strategy {
            Kind::Binpack => Strategy::Binpack,
            Kind::Sort => Strategy::Sort,
        },
        target_file_bytes: arguments.target_file_size_bytes,
        input_files_min: arguments.min_input_files as usize,
        group_bytes_max: arguments.max_file_group_size_bytes,
        rewrite_all: arguments.rewrite_all,
        scratch: pipeline.buffer.path.clone().unwrap_or_else(std::env::temp_dir),
        ..Options::default()
    };
    let mut is_whole = true;
    for ident in &idents {
        let done = if arguments.dry_run {
            plan(&catalog, ident, &options).await
        } else {
            compact(&catalog, ident, &options, Pace::default()).await
        };
        let done = done.map_err(|e| match e {
            CompactError::Catalog(e @ CatalogError::NotFound(_)) => Failure::wrong(e),
            e => Failure::failed(format!("{ident}: {e}")),
        })?;
        is_whole &= done.failed.is_empty() && done.given_up.is_empty();
        match output {
            Format::Human => say(text(ident, &done, arguments.dry_run)),
            Format::Json => line_out(&line(ident, &done, arguments.dry_run)),
        }
    }
    if is_whole { Ok(()) } else { Err(Failure::Shown(1)) }
}

fn text(ident: &TableIdent, done: &Compaction, is_plan: bool) -> String {
    let Compaction { files_before, bytes_before, files_after, bytes_after, rows, untouched, .. } = done;
    let mut lines = vec![match (done.groups, is_plan) {
        (0, _) if !(done.failed.is_empty() && done.given_up.is_empty()) => {
            format!("{ident}: no files were rewritten, {untouched} stay")
        }
        (0, _) => format!("{ident}: no files are worth rewriting, {untouched} stay"),
        (_, true) => format!(
            "{ident}: {files_before} files with {bytes_before} bytes would become about {files_after}; {untouched} stay"
        ),
        (_, false) => format!(
            "{ident}: {files_before} files with {bytes_before} bytes became {files_after} with {bytes_after}, {rows} \
             rows the same before and after; {untouched} stay"
        ),
    }];
    if done.groups > 0 && !is_plan {
        lines.push(format!(
            "  {} bytes of row groups were copied as they are, {} of the files whole; the rest was encoded again",
            done.bytes_copied, done.files_copied
        ));
    }
    if done.older_specs > 0 {
        lines.push(format!("  {} files of older partition specs stay as they are", done.older_specs));
    }
    lines.extend(done.given_up.iter().map(|why| format!("  given up: {why}")));
    lines.extend(done.failed.iter().map(|why| format!("  not rewritten: {why}")));
    if done.left > 0 {
        lines.push(format!("  {} files of a commit that came to nothing are left for `weir table orphans`", done.left));
    }
    lines.join("\n")
}

pub(super) fn line(ident: &TableIdent, done: &Compaction, is_plan: bool) -> serde_json::Value {
    json!({
        "event": "compacted", "table": ident.to_string(), "dry_run": is_plan, "groups": done.groups,
        "files_before": done.files_before, "bytes_before": done.bytes_before, "files_after": done.files_after,
        "bytes_after": done.bytes_after, "files_copied": done.files_copied, "bytes_copied": done.bytes_copied,
        "files_encoded": done.files_before - done.files_copied, "rows": done.rows, "untouched": done.untouched,
        "older_specs": done.older_specs, "snapshots": done.commits, "given_up": done.given_up, "failed": done.failed,
        "left": done.left, "cpu_seconds": done.cpu.as_secs_f64(),
    })
}
