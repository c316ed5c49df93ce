//! `weir table`: the upkeep of tables. One file a subcommand.

mod compact;
mod expire;
mod orphans;

use clap::Subcommand;

use super::Failure;
use crate::progress::Format;

/// Looks after tables.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Rewrites small files as few large ones.
    Compact(compact::Arguments),
    /// Removes old snapshots, and the files that only they reach.
    Expire(expire::Arguments),
    /// Finds files that no commit took, and deletes them.
    Orphans(orphans::Arguments),
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    match arguments.command {
        Command::Compact(a) => compact::run(a, output).await,
        Command::Expire(a) => expire::run(a, output).await,
        Command::Orphans(a) => orphans::run(a, output).await,
    }
}
