//! `weir table layout`.

use serde_json::json;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::CatalogError;
use weir_iceberg::survey::{Gain, Partition, Question, Survey, SurveyError, survey};

use super::{Chosen, Opened};
use crate::cli::{Failure, say};
use crate::progress::{Format, line_out};

/// Shows how a table's files lie: their sizes, how far they overlap in the table's order, what questions for one trace, one
/// service and one hour would read, by partitions, bounds and bloom filters, and what compaction would win. Only reads:
/// manifests, and footers and filters of files.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// So many partitions are shown, those with the most overlap first; JSON has all.
    #[arg(long, value_name = "N", default_value = "10")]
    partitions: usize,
}

pub(in crate::cli) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let Opened { idents, catalog, .. } = arguments.chosen.open(output).await?;
    for ident in &idents {
        let found = survey(&catalog, ident).await.map_err(|e| match e {
            SurveyError::Catalog(e @ CatalogError::NotFound(_)) => Failure::wrong(e),
            e => Failure::failed(format!("{ident}: {e}")),
        })?;
        match output {
            Format::Human => say(text(ident, &found, arguments.partitions)),
            Format::Json => {
                let mut line = serde_json::to_value(&found).map_err(Failure::failed)?;
                (line["event"], line["table"]) = (json!("layout"), json!(ident.to_string()));
                line_out(&line);
            }
        }
    }
    Ok(())
}

fn text(ident: &TableIdent, survey: &Survey, partitions_max: usize) -> String {
    let Survey { files, small, older_specs, other_orders, target_bytes, partitions, .. } = survey;
    let mut lines = vec![format!("{ident}: {} files with {} bytes, {} rows", files.count, files.bytes, files.rows)];
    if files.count == 0 {
        return lines.remove(0);
    }
    lines.push(format!(
        "  sizes      {} to {} bytes, {} in the middle; {small} are small for a target of {target_bytes}",
        files.smallest, files.largest, files.median
    ));
    lines.push(format!(
        "  layout     {} partitions; {older_specs} files of older specs, {other_orders} of another order or none",
        partitions.len()
    ));
    lines.extend(survey.questions.iter().map(|question| asked(question, files.count)));
    lines.extend(survey.gains.iter().map(|gain| gained(gain, files.count)));
    let column = survey.sorted_by.as_deref().unwrap_or("no column");
    lines.push(format!("  partitions, by how many files overlap in {column}"));
    let mut shown: Vec<&Partition> = partitions.iter().collect();
    shown.sort_by_key(|p| std::cmp::Reverse((p.overlap.map(|n| n + p.unbounded), p.files.count)));
    lines.extend(shown.iter().take(partitions_max).map(|partition| overlapping(partition)));
    if shown.len() > partitions_max {
        lines.push(format!("    and {} more", shown.len() - partitions_max));
    }
    lines.join("\n")
}

fn asked(question: &Question, all: usize) -> String {
    let Question { of, asked, planned, planned_bytes, files, bytes, .. } = question;
    format!(
        "  one {of:<7} reads {files:.1} of {all} files, {bytes:.0} bytes; by partitions and bounds alone {planned:.1} with \
         {planned_bytes:.0} (on average of {asked})"
    )
}

fn gained(gain: &Gain, all: usize) -> String {
    let Gain { strategy, files, bytes, files_after, files_left, refused } = gain;
    match refused {
        Some(why) => format!("  {strategy:<10} would do nothing: {why}"),
        None if *files == 0 => format!("  {strategy:<10} would find nothing worth it"),
        None => format!(
            "  {strategy:<10} would make {files_after} of {files} files with {bytes} bytes: {files_left} instead of {all}"
        ),
    }
}

fn overlapping(partition: &Partition) -> String {
    let Partition { name, spec_id, files, overlap, unbounded } = partition;
    let overlap = overlap.map_or_else(|| "-".to_string(), |overlap| overlap.to_string());
    let unbounded = if *unbounded > 0 { format!(", {unbounded} without bounds") } else { String::new() };
    let name = if name.is_empty() { "all" } else { name };
    format!(
        "    {overlap:>4} of {:>4} files, {:>11} bytes{unbounded}  {name} (spec {spec_id})",
        files.count, files.bytes
    )
}
