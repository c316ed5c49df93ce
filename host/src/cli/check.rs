//! `weir check`.

use std::path::PathBuf;

use serde_json::json;

use super::{Failure, load, say};
use crate::progress::{Format, line_out};

/// Checks pipeline files and shows every mistake in them, with line and column.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Pipeline files. Several are also checked together, as if one process ran them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let pipelines = load(&arguments.files, output)?;
    for pipeline in &pipelines {
        let file = pipeline.origin.file().display();
        match output {
            Format::Human => say(format_args!("{file}: right; the pipeline {}", pipeline.name)),
            Format::Json => line_out(&json!({ "file": file.to_string(), "pipeline": pipeline.name, "right": true })),
        }
    }
    Ok(())
}
