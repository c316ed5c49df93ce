//! `weir query`.

use std::io::{Read, Write};
use std::path::PathBuf;

use weir_iceberg::catalog::Catalog;
use weir_query::{Engine, Limits};

use super::{Failure, load, say};
use crate::assemble::{open_catalog, open_folder};
use crate::lake::Lake;
use crate::progress::Format;

/// Runs a query over a catalog's tables. Names have one to three parts: any catalog name means the one catalog.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The statement, or several with semicolons; - reads standard input.
    sql: String,
    /// A pipeline file, whose catalog is queried.
    #[arg(long, value_name = "FILE", conflicts_with = "warehouse")]
    pipeline: Option<PathBuf>,
    /// A folder that is a hadoop catalog's warehouse.
    #[arg(long, value_name = "FOLDER", default_value = "lake")]
    warehouse: PathBuf,
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let catalog = match &arguments.pipeline {
        Some(file) => match load(std::slice::from_ref(file), output)?.first() {
            Some(pipeline) => open_catalog(pipeline).await?,
            None => return Err(Failure::wrong("the file holds no pipeline")),
        },
        None => open_folder(&arguments.warehouse).await?,
    };
    let sql = if arguments.sql == "-" { standard_input()? } else { arguments.sql };
    answer(catalog, &sql, output).await
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(Failure::failed)?;
    Ok(text)
}

/// Prints the answers of some statements.
pub(super) async fn answer(catalog: Catalog, sql: &str, output: Format) -> Result<(), Failure> {
    let engine = Engine::new(Lake::new(catalog), Limits::default()).map_err(Failure::failed)?;
    for statement in weir_query::split(sql).map_err(Failure::failed)? {
        match output {
            Format::Human => {
                let answer = engine.query(&statement).await.map_err(Failure::failed)?;
                say(weir_query::table(&answer, screen_width()).map_err(Failure::failed)?);
            }
            Format::Json => {
                let mut rows = engine.stream(&statement).await.map_err(Failure::failed)?;
                while let Some(batch) = rows.next().await.map_err(Failure::failed)? {
                    let lines = weir_query::json_lines(&batch).map_err(Failure::failed)?;
                    std::io::stdout().write_all(lines.as_bytes()).map_err(Failure::failed)?;
                }
            }
        }
    }
    Ok(())
}

/// The terminal's width, where standard output is one and says it.
pub(super) fn screen_width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok()?;
    columns.parse().ok()
}
