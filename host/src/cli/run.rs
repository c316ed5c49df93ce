//! `weir run`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use weir_pipeline::holdings::Accept;

use super::{Failure, cache_folder, engine, load, plugin_path, say, subject};
use crate::admin::{self, Observed};
use crate::assemble::{Assembled, Wishes, assemble};
use crate::config::Pipeline;
use crate::maintenance::Maintenance;
use crate::progress::{Format, line_out};
use crate::shelf::Shelf;
use crate::supervisor::{Ended, supervise};

/// Runs pipelines until they are stopped. Ctrl-C commits what is whole and leaves.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Pipeline files: one process runs them all.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// End when what the topics hold now is committed.
    #[arg(long)]
    until_end: bool,
    /// A name for this process that outlives a restart (Kafka's group.instance.id).
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
    /// Threads that run plugins; as many as there are cores where absent.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    #[command(flatten)]
    accept: AcceptArguments,
}

/// Flags that override a case in which Weir would rather stop.
#[derive(clap::Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is one flag of the command line")]
struct AcceptArguments {
    /// A table was rolled back: go on from the newest snapshot of the pipeline that is left. Refused where that would leave
    /// a hole: another table than the first one was rolled back, and the first one was not, or not as far.
    #[arg(long)]
    accept_rollback: bool,
    /// A topic was deleted and made again: begin it at its oldest record.
    #[arg(long)]
    accept_new_topic: bool,
    /// The brokers belong to another cluster than the table's offsets: begin there.
    #[arg(long)]
    accept_new_cluster: bool,
    /// Records are gone before they were read, the log ends early, or a rollback took rows that will not be made again: go
    /// on from what is there.
    #[arg(long)]
    accept_lost_records: bool,
    /// Another pipeline writes the same topic into the same table.
    #[arg(long)]
    accept_other_pipeline: bool,
    /// A table is ahead of the pipeline's first one, filled by other plugins than these: go on with these.
    #[arg(long)]
    accept_other_plugin: bool,
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let pipelines = load(&arguments.files, output)?;
    let accept = &arguments.accept;
    let wishes = Wishes {
        until_end: arguments.until_end,
        accept: Accept {
            rollback: accept.accept_rollback,
            new_topic: accept.accept_new_topic,
            new_cluster: accept.accept_new_cluster,
            lost_records: accept.accept_lost_records,
            other_pipeline: accept.accept_other_pipeline,
            other_plugin: accept.accept_other_plugin,
        },
        plugin_path: plugin_path(),
        instance_id: arguments.instance_id,
        workers: arguments.workers,
        shelf: cache_folder().map(|folder| Shelf::new(folder.join("plugins"))),
    };
    let ended = run_pipelines(&pipelines, &wishes, output).await?;
    let mut failed = false;
    for end in &ended {
        report(end, output);
        failed |= end.failure.is_some();
    }
    if failed { Err(Failure::Shown(1)) } else { Ok(()) }
}

/// Assembles pipelines, serves their admin endpoints and runs them to their end.
pub(super) async fn run_pipelines(
    pipelines: &[Pipeline],
    wishes: &Wishes,
    output: Format,
) -> Result<Vec<Ended>, Failure> {
    let engine = engine()?;
    let mut assembled: Vec<Assembled> = Vec::new();
    let mut observed: BTreeMap<SocketAddr, Vec<Arc<Observed>>> = BTreeMap::new();
    for pipeline in pipelines {
        let one = assemble(&engine, pipeline, wishes).await?;
        if let Some(admin) = &pipeline.admin {
            observed.entry(admin.listen).or_default().push(Arc::new(Observed::new(&one, admin.remote_swaps)));
        }
        assembled.push(one);
    }
    for (listen, observed) in observed {
        admin::serve(listen, observed)
            .await
            .map_err(|e| Failure::failed(format!("[admin] listen: cannot listen on {listen}: {e}")))?;
    }
    let stats = assembled.iter().map(|one| Arc::clone(&one.ports.holdings.committer.stats));
    let kept = pipelines.iter().zip(stats);
    let kept = kept.map(|(pipeline, stats)| Ok((pipeline.clone(), subject::idents(pipeline, None)?, stats)));
    let maintenance = Maintenance::start(&kept.collect::<Result<Vec<_>, Failure>>()?);
    let ended = supervise(assembled, output).await;
    maintenance.end().await;
    Ok(ended)
}

fn report(end: &Ended, output: Format) {
    match output {
        Format::Json => {
            let mut line = end.totals.clone();
            line["event"] = json!(if end.failure.is_some() { "failed" } else { "done" });
            line["message"] = json!(end.failure);
            line_out(&line);
        }
        Format::Human => {
            let n = |key: &str| end.totals[key].as_u64().unwrap_or(0);
            if let Some(why) = &end.failure {
                let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("weir: {}: {why}\n", end.name));
            }
            say(format_args!(
                "{}: {} records read, {} rows in {} files and {} commits",
                end.name,
                n("records"),
                n("rows_committed"),
                n("files"),
                n("commits")
            ));
        }
    }
}
