//! `weir table`: what tables hold, and their upkeep. One file a subcommand.

mod compact;
mod evolve;
mod expire;
mod layout;
mod manifests;
mod orphans;
mod views;

use std::path::PathBuf;

use clap::Subcommand;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::Catalog;

use super::{Failure, load, subject};
use crate::assemble::open_catalog;
use crate::config::Pipeline;
use crate::progress::Format;
use views::View;

/// Shows tables and looks after them.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Shows columns, layout, size and properties.
    Show(views::Arguments),
    /// Lists the snapshots that the metadata holds.
    Snapshots(views::Arguments),
    /// Lists what was the current snapshot when.
    History(views::Arguments),
    /// Lists the live files.
    Files(views::Arguments),
    /// Shows how files lie, and what typical questions read of them.
    Layout(layout::Arguments),
    /// Changes columns, partitioning and sort order without rewriting a file.
    Evolve(evolve::Arguments),
    /// Rewrites small files as few large ones.
    Compact(compact::Arguments),
    /// Merges small manifests.
    RewriteManifests(manifests::Arguments),
    /// Removes old snapshots, and the files that only they reach.
    Expire(expire::Arguments),
    /// Finds files that no commit took, and deletes them.
    Orphans(orphans::Arguments),
}

/// Which tables a subcommand is about.
#[derive(clap::Args, Debug)]
struct Chosen {
    /// A pipeline file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// One of its tables, as the catalog names it; all where absent.
    #[arg(value_name = "TABLE")]
    table: Option<String>,
}

/// The tables, and where they are.
struct Opened {
    pipeline: Pipeline,
    idents: Vec<TableIdent>,
    catalog: Catalog,
}

impl Chosen {
    async fn open(&self, output: Format) -> Result<Opened, Failure> {
        let mut pipelines = load(std::slice::from_ref(&self.file), output)?;
        let Some(pipeline) = pipelines.pop() else { return Err(Failure::wrong("the file holds no pipeline")) };
        let idents = subject::idents(&pipeline, self.table.as_deref())?;
        let catalog = open_catalog(&pipeline).await?;
        Ok(Opened { pipeline, idents, catalog })
    }

    /// As [`Self::open`]. Where it is not only to be told what would be done, the catalog has to show first that it
    /// refuses what it must.
    async fn open_to_change(&self, output: Format, is_trial: bool) -> Result<Opened, Failure> {
        let opened = self.open(output).await?;
        if !is_trial {
            opened.catalog.prove().await.map_err(Failure::failed)?;
            for ident in &opened.idents {
                // What cannot be loaded the command itself names.
                if opened.catalog.load(ident).await.is_ok() {
                    opened.catalog.prove_table(ident).await.map_err(Failure::failed)?;
                }
            }
        }
        Ok(opened)
    }
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    match arguments.command {
        Command::Show(a) => views::run(View::Show, a, output).await,
        Command::Snapshots(a) => views::run(View::Snapshots, a, output).await,
        Command::History(a) => views::run(View::History, a, output).await,
        Command::Files(a) => views::run(View::Files, a, output).await,
        Command::Layout(a) => layout::run(a, output).await,
        Command::Evolve(a) => evolve::run(a, output).await,
        Command::Compact(a) => compact::run(a, output).await,
        Command::RewriteManifests(a) => manifests::run(a, output).await,
        Command::Expire(a) => expire::run(a, output).await,
        Command::Orphans(a) => orphans::run(a, output).await,
    }
}
