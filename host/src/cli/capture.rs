//! `weir capture`.

use std::fs::File;
use std::io::{BufWriter, stdout};
use std::path::PathBuf;

use serde_json::json;

use super::records::{self, Slice};
use super::{Failure, load};
use crate::progress::{Format, line_out};

/// Takes records of a pipeline's topics to a file, for `weir invoke`, `weir plugin diff` and `weir plugin bench`.
///
/// No group is joined and no offset moved: the pipeline may run meanwhile. The file is text: a line that says what it
/// holds, then a line of JSON for each record, keys, values and headers in Base64.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The pipeline file.
    file: PathBuf,
    #[command(flatten)]
    slice: Slice,
    /// Where the records go; standard output where absent.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments, output: Format) -> Result<(), Failure> {
    let pipelines = load(std::slice::from_ref(&arguments.file), output)?;
    let pipeline = pipelines.first().ok_or_else(|| Failure::wrong("the file holds no pipeline"))?;
    let capture = records::of_topics(pipeline, &arguments.slice).await?;
    let Some(to) = &arguments.to else {
        return capture.write(BufWriter::new(stdout())).map_err(Failure::failed);
    };
    let failed = |e: std::io::Error| Failure::failed(format!("{}: {e}", to.display()));
    capture.write(BufWriter::new(File::create(to).map_err(failed)?)).map_err(failed)?;
    let (count, file) = (capture.records.len(), to.display());
    match output {
        Format::Human => super::say(format_args!("{count} records in {file}")),
        Format::Json => line_out(&json!({ "records": count, "file": file.to_string() })),
    }
    Ok(())
}
