//! `weir check`.

use std::path::PathBuf;

use serde_json::json;

use super::{Failure, engine, load, plugin_path, say, show_report};
use crate::chain;
use crate::config::{Pipeline, Report};
use crate::progress::{Format, line_out};

/// Checks pipeline files, their plugins and how these fit together, and shows every mistake with line and column.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Pipeline files. Several are also checked together, as if one process ran them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let pipelines = load(&arguments.files, output)?;
    check_chains(&pipelines, output)?;
    for pipeline in &pipelines {
        let file = pipeline.origin.file().display();
        match output {
            Format::Human => say(format_args!("{file}: right; the pipeline {}", pipeline.name)),
            Format::Json => line_out(&json!({ "file": file.to_string(), "pipeline": pipeline.name, "right": true })),
        }
    }
    Ok(())
}

/// Loads the plugins of each pipeline and asks them what they do with their settings and with each other's tables.
fn check_chains(pipelines: &[Pipeline], output: Format) -> Result<(), Failure> {
    let (engine, path) = (engine()?, plugin_path());
    let mut report = Report::default();
    for pipeline in pipelines {
        let unwanted = chain::pin_mistakes(pipeline, &path);
        if !unwanted.is_empty() {
            unwanted.into_iter().for_each(|flaw| report.push(flaw));
            continue;
        }
        match chain::stage(&engine, pipeline, &path) {
            Ok(stage) => chain::check_tables(pipeline, stage.tables())?,
            Err(flaw) => report.push(*flaw),
        }
    }
    if report.is_empty() { Ok(()) } else { Err(show_report(&report, output)) }
}
