//! `weir plugin`.

mod bench;
mod build;
mod diff;
mod inspect;
mod language;
mod new;
mod stubs;
mod swap;
mod templates;
mod test;

use clap::Subcommand;

use super::Failure;
use crate::progress::Format;

/// Makes, builds, tests, measures, compares, shows and swaps plugins.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Makes a folder with a plugin that works, to be changed.
    New(new::Arguments),
    /// Builds the plugin of a folder with its language's own tools, and checks the component.
    Build(build::Arguments),
    /// Runs a plugin's golden cases in the sandbox: `cases/NAME/traces.json` (or .proto; logs, metrics) in,
    /// `cases/NAME/expected.jsonl` out.
    Test(test::Arguments),
    /// Measures what a plugin costs, and which part of the pipeline that is.
    Bench(bench::Arguments),
    /// Shows what two plugins make of the same records: other schemas, rows, values, refusals.
    Diff(diff::Arguments),
    /// Shows what a plugin is: its world, imports, stubs, tables, size, and the line that pins it.
    Inspect(inspect::Arguments),
    /// Gives a running pipeline another plugin, without stopping it. It lasts until the process ends or a file changes.
    Swap(swap::Arguments),
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    match arguments.command {
        Command::New(a) => new::run(&a),
        Command::Build(a) => build::run(&a, output),
        Command::Test(a) => test::run(&a, output),
        Command::Bench(a) => bench::run(&a, output).await,
        Command::Diff(a) => diff::run(&a, output).await,
        Command::Inspect(a) => inspect::run(&a, output),
        Command::Swap(a) => swap::run(a, output).await,
    }
}
