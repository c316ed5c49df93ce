//! `weir table show`, `snapshots`, `history` and `files`.

use serde_json::{Value, json};
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogError};
use weir_iceberg::views::{self, ViewError};

use super::{Chosen, Opened};
use crate::cli::{Failure, say};
use crate::progress::{Format, line_out};

/// What is looked at.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
}

/// What is shown of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum View {
    Show,
    Snapshots,
    History,
    Files,
}

impl View {
    fn event(self) -> &'static str {
        match self {
            Self::Show => "table",
            Self::Snapshots => "snapshot",
            Self::History => "history",
            Self::Files => "file",
        }
    }

    /// The columns of a line, but for what is shown otherwise.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Show => &[],
            Self::Snapshots => {
                &["time", "snapshot", "operation", "rows_added", "files_added", "files_removed", "rows", "files", "by"]
            }
            Self::History => &["time", "snapshot", "parent", "is_ancestor"],
            Self::Files => &["rows", "bytes", "sequence", "partition", "file"],
        }
    }

    async fn of(self, catalog: &Catalog, ident: &TableIdent) -> Result<Vec<Value>, ViewError> {
        match self {
            Self::Show => views::show(catalog, ident).await.map(|shown| vec![shown]),
            Self::Snapshots => views::snapshots(catalog, ident).await,
            Self::History => views::history(catalog, ident).await,
            Self::Files => views::files(catalog, ident).await,
        }
    }
}

pub(super) async fn run(view: View, arguments: Arguments, output: Format) -> Result<(), Failure> {
    let Opened { idents, catalog, .. } = arguments.chosen.open(output).await?;
    for ident in &idents {
        let found = view.of(&catalog, ident).await.map_err(|e| match e {
            ViewError::Catalog(e @ CatalogError::NotFound(_)) => Failure::wrong(e),
            e => Failure::failed(format!("{ident}: {e}")),
        })?;
        match output {
            Format::Json => found.into_iter().for_each(|mut line| {
                line["event"] = json!(view.event());
                line["table"] = json!(ident.to_string());
                line_out(&line);
            }),
            Format::Human if view == View::Show => found.iter().for_each(|shown| say(whole(shown))),
            Format::Human => say(table(ident, view, &found)),
        }
    }
    Ok(())
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Lines of columns below their names, numbers to the right.
fn table(ident: &TableIdent, view: View, found: &[Value]) -> String {
    let columns = view.columns();
    let cell = |line: &Value, column: &&str| match *column {
        "by" => ["pipeline", "maintenance", "engine"]
            .iter()
            .map(|k| &line[*k])
            .find(|v| !v.is_null())
            .map_or("-".to_string(), word),
        column => word(&line[column]),
    };
    let rows: Vec<Vec<String>> = found.iter().map(|line| columns.iter().map(|c| cell(line, c)).collect()).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(i, name)| rows.iter().map(|row| row[i].len()).max().unwrap_or(0).max(name.len()))
        .collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(i, (cell, width))| match i + 1 == cells.len() {
            true => cell.clone(),
            false if cell.bytes().all(|b| b.is_ascii_digit()) => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        format!("  {}", padded.collect::<Vec<_>>().join("  "))
    };
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let mut lines = vec![format!("{ident}: {} of them", found.len()), line(&names)];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}

fn whole(shown: &Value) -> String {
    let list = |key: &str| shown[key].as_array().into_iter().flatten().map(word).collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        format!(
            "{}: {} rows in {} data files with {} bytes",
            word(&shown["table"]),
            word(&shown["rows"]),
            word(&shown["data_files"]),
            word(&shown["bytes"])
        ),
        format!("  location      {}", word(&shown["location"])),
        format!("  uuid          {}", word(&shown["uuid"])),
        format!(
            "  format        version {}, {} delete files",
            word(&shown["format_version"]),
            word(&shown["delete_files"])
        ),
        format!("  updated       {}", word(&shown["updated"])),
        format!("  snapshot      {}, one of {}", word(&shown["snapshot"]), word(&shown["snapshots"])),
        format!("  partition by  {}", list("partition_by")),
        format!("  sort by       {}", list("sort_by")),
        format!("  pipelines     {}", list("pipelines")),
        "  columns".to_string(),
    ];
    for column in shown["columns"].as_array().into_iter().flatten() {
        let required = if column["required"] == true { " required" } else { "" };
        lines.push(format!(
            "    {:>4} {}: {}{required}",
            word(&column["id"]),
            word(&column["name"]),
            word(&column["type"])
        ));
    }
    lines.push("  properties".to_string());
    let properties = shown["properties"].as_object().into_iter().flatten();
    lines.extend(properties.map(|(key, value)| format!("    {key} = {}", word(value))));
    lines.join("\n")
}
