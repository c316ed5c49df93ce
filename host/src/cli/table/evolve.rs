//! `weir table evolve`.

use std::path::PathBuf;

use serde_json::{Value, json};
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::CatalogError;
use weir_iceberg::evolve::{Evolution, EvolveError, NewColumn, Place, evolve, parse_type, plan, terms};
use weir_iceberg::upkeep::UpkeepError;
use weir_iceberg::views;
use weir_pipeline::dead_letter;

use super::{Chosen, Opened};
use crate::cli::{Failure, say};
use crate::config::Pipeline;
use crate::progress::{Format, line_out};

/// Changes a table's columns, partitioning and sort order in one commit, without rewriting a file. Every engine reads old
/// and new files alike. Others may write meanwhile: a running pipeline takes the change up with its next commit, fills a
/// renamed column on under its new name, and no longer writes a dropped one.
///
/// Columns are named as they are before the call; --move, --partition-by and --sort-by name them as they are after it.
/// Inside structs names have dots: attributes.host.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Arguments {
    /// A pipeline file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// One of its tables, as the catalog names it.
    #[arg(value_name = "TABLE")]
    table: String,
    /// Adds a column, which is NULL in the rows that are there: "host string comment 'which machine'". Types are Iceberg's:
    /// boolean, int, long, float, double, decimal(P, S), date, time, timestamp, timestamptz, string, uuid, fixed[N],
    /// binary, list<T>, map<K, V>, struct<NAME: T, ..>.
    #[arg(long, value_name = "COLUMN", value_parser = NewColumn::parse)]
    add: Vec<NewColumn>,
    /// Renames a column; table properties that name it follow.
    #[arg(long, value_name = "COLUMN=NAME", value_parser = pair)]
    rename: Vec<(String, String)>,
    /// Drops a column. Its values stay in the files that are there, and nobody reads them.
    #[arg(long, value_name = "COLUMN")]
    drop: Vec<String>,
    /// Widens a column: int to long, float to double, a decimal to a larger precision.
    #[arg(long, value_name = "COLUMN=TYPE", value_parser = pair)]
    widen: Vec<(String, String)>,
    /// Lets a column be NULL.
    #[arg(long, value_name = "COLUMN")]
    optional: Vec<String>,
    /// Says what a column is; nothing after the sign takes the comment away.
    #[arg(long, value_name = "COLUMN=TEXT", value_parser = pair)]
    comment: Vec<(String, String)>,
    /// Moves a column to another place: x=first, x=after:y.
    #[arg(long = "move", value_name = "COLUMN=PLACE", value_parser = movement)]
    moves: Vec<(String, Place)>,
    /// Partitions the files to come: "day(timestamp), bucket(16, trace_id)"; "" for not at all. Files that are there keep
    /// their partitions, and compaction leaves them alone.
    #[arg(long, value_name = "TERMS")]
    partition_by: Option<String>,
    /// Sorts the files to come: "service_name, timestamp desc nulls last"; "" for not at all.
    #[arg(long, value_name = "TERMS")]
    sort_by: Option<String>,
    /// Only says what the table would be.
    #[arg(long)]
    dry_run: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (column, rest) = text.split_once('=').ok_or_else(|| format!("{text:?} has no ="))?;
    Ok((column.trim().to_string(), rest.trim().to_string()))
}

fn movement(text: &str) -> Result<(String, Place), String> {
    let (column, place) = pair(text)?;
    let place = match place.split_once(':') {
        None if place.eq_ignore_ascii_case("first") => Place::First,
        Some((word, other)) if word.trim().eq_ignore_ascii_case("after") => Place::After(other.trim().to_string()),
        _ => return Err(format!("{place:?} is no place: write first or after:COLUMN")),
    };
    Ok((column, place))
}

pub(in crate::cli) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let chosen = Chosen { file: arguments.file.clone(), table: Some(arguments.table.clone()) };
    let wanted = evolution(&arguments)?;
    if wanted == Evolution::default() {
        return Err(Failure::wrong("nothing is to be changed: weir table evolve --help has what can be"));
    }
    let Opened { pipeline, idents, catalog } = chosen.open_to_change(output, arguments.dry_run).await?;
    for ident in &idents {
        check_letters(&pipeline, ident, &wanted)?;
        let done = if arguments.dry_run {
            plan(&catalog, ident, &wanted).await
        } else {
            evolve(&catalog, ident, &wanted).await
        };
        let done = done.map_err(|e| match e {
            EvolveError::Commit(UpkeepError::Catalog(e @ CatalogError::NotFound(_))) => Failure::wrong(e),
            EvolveError::Commit(e) => Failure::failed(format!("{ident}: {e}")),
            e => Failure::wrong(format!("{ident}: {e}")),
        })?;
        let (before, after) = (views::shape(&done.before), views::shape(&done.after));
        match output {
            Format::Human => say(text(ident, &before, &after, done.is_change, arguments.dry_run)),
            Format::Json => line_out(&json!({
                "event": "table_evolved", "table": ident.to_string(), "dry_run": arguments.dry_run,
                "changed": done.is_change, "before": before, "after": after,
            })),
        }
    }
    Ok(())
}

fn evolution(arguments: &Arguments) -> Result<Evolution, Failure> {
    let widen = |(column, to): &(String, String)| Ok((column.clone(), parse_type(to).map_err(Failure::Wrong)?));
    Ok(Evolution {
        add: arguments.add.clone(),
        rename: arguments.rename.clone(),
        drop: arguments.drop.clone(),
        widen: arguments.widen.iter().map(widen).collect::<Result<_, Failure>>()?,
        optional: arguments.optional.clone(),
        comment: arguments.comment.clone(),
        moves: arguments.moves.clone(),
        partition_by: arguments.partition_by.as_deref().map(terms),
        sort_by: arguments.sort_by.as_deref().map(terms),
    })
}

/// The dead letters are read again by the names of their columns.
fn check_letters(pipeline: &Pipeline, ident: &TableIdent, wanted: &Evolution) -> Result<(), Failure> {
    let is_letters = pipeline
        .dead_letter
        .as_ref()
        .is_some_and(|letters| crate::cli::subject::ident(&letters.table).is_ok_and(|letters| letters == *ident));
    let own = dead_letter::schema().schema;
    let gone = wanted.drop.iter().chain(wanted.rename.iter().map(|(from, _)| from));
    match gone.into_iter().find(|name| is_letters && own.field_with_name(name).is_ok()) {
        Some(name) => Err(Failure::wrong(format!(
            "{ident} takes dead letters, which are read again by their columns' names: {name} cannot be renamed or dropped"
        ))),
        None => Ok(()),
    }
}

fn text(ident: &TableIdent, before: &Value, after: &Value, is_change: bool, is_plan: bool) -> String {
    if !is_change {
        return format!("{ident}: it is so already");
    }
    let head = if is_plan { "would become" } else { "became" };
    let (before, after) = (lines(before), lines(after));
    let mut out = vec![format!("{ident}: {head}")];
    for line in &after {
        out.push(format!("  {} {line}", if before.contains(line) { ' ' } else { '+' }));
    }
    let gone = before.iter().filter(|line| !after.contains(line));
    out.extend(gone.map(|line| format!("  - {line}")));
    out.join("\n")
}

/// A table's columns and layout, a line each.
fn lines(shape: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let column = |column: &Value| {
        let required = if column["required"] == true { " required" } else { "" };
        let doc = column["doc"].as_str().map(|doc| format!("  -- {doc}")).unwrap_or_default();
        format!("{:>4} {}: {}{required}{doc}", text(&column["id"]), text(&column["name"]), text(&column["type"]))
    };
    let list = |key: &str| shape[key].as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ");
    let mut lines: Vec<String> = shape["columns"].as_array().into_iter().flatten().map(column).collect();
    lines.push(format!("partition by  {}", list("partition_by")));
    lines.push(format!("sort by       {}", list("sort_by")));
    lines
}
