//! A certificate for people and for programs.

use serde_json::{Value, json};
use weir_iceberg::TableIdent;
use weir_iceberg::verify::{Certificate, Chain, Contradiction};
use weir_pipeline::checkpoint::{Entry, EntryKey};

use super::Logs;
use crate::cli::say;
use crate::cli::subject::Seen;
use crate::progress::{Format, line_out};

pub(super) fn certificate(certificate: &Certificate, logs: Option<&Logs>, output: Format) {
    match output {
        Format::Human => say(text(certificate, logs)),
        Format::Json => line_out(&value(certificate, logs)),
    }
}

/// For people.
pub(super) fn text(c: &Certificate, logs: Option<&Logs>) -> String {
    let mut lines = vec![match c.head {
        Some((snapshot, sequence)) => format!(
            "{}: proven at snapshot {snapshot} (sequence number {sequence}), {} snapshots back{}",
            c.table,
            c.snapshots,
            if c.rows.is_broken_off { "" } else { " to the first" }
        ),
        None => format!("{}: proven, nothing was ever committed", c.table),
    }];
    for chain in &c.chains {
        lines.push(format!(
            "  pipeline {}: {} commits, whose {} ranges join and end where V stands",
            chain.pipeline, chain.commits, chain.ranges
        ));
        lines.extend(entries(chain, logs));
        lines.extend(chain.allowed.iter().map(|allowed| format!("  allowed: {allowed}")));
    }
    let p = &c.presence;
    lines.push(format!("  rows: {} committed, {} live", c.rows.committed, c.rows.live));
    lines.push(format!(
        "  files: {} with {} bytes, {} manifests and {} manifest lists, all there and none named twice",
        p.files, p.bytes, p.manifests, p.lists
    ));
    lines.extend(c.uncovered.iter().map(|uncovered| format!("  not covered: {uncovered}")));
    lines.join("\n")
}

fn entries(chain: &Chain, logs: Option<&Logs>) -> Vec<String> {
    let since = |key: &EntryKey, entry: &Entry| chain.since.get(key).copied().unwrap_or(entry.next);
    let is_idle = |(key, entry): &(&EntryKey, &Entry)| entry.rows == 0 && since(key, entry) == entry.next;
    let (idle, busy): (Vec<_>, Vec<_>) = chain.offsets.iter().partition(is_idle);
    let line = |(key, entry): (&EntryKey, &Entry)| {
        let log = match logs.and_then(|logs| logs.get(key)) {
            Some(Seen::Log(log)) => format!(", of the log's [{}, {})", log.start, log.end),
            _ => String::new(),
        };
        let (since, next) = (since(key, entry), entry.next);
        format!("    {}/{}: [{since}, {next}){log}, {} rows ever", key.topic, key.partition, entry.rows)
    };
    let mut lines: Vec<String> = busy.into_iter().map(line).collect();
    if !idle.is_empty() {
        lines.push(format!("    {} partitions of which nothing was committed yet", idle.len()));
    }
    lines
}

/// For programs.
pub(super) fn value(c: &Certificate, logs: Option<&Logs>) -> Value {
    let p = &c.presence;
    json!({
        "event": "proven",
        "table": c.table.to_string(),
        "snapshot": c.head.map(|(snapshot, _)| snapshot),
        "sequence_number": c.head.map(|(_, sequence)| sequence),
        "snapshots": c.snapshots,
        "from_the_first": !c.rows.is_broken_off,
        "pipelines": c.chains.iter().map(|chain| pipeline(chain, logs)).collect::<Vec<_>>(),
        "rows_committed": c.rows.committed,
        "rows_live": c.rows.live,
        "files": p.files,
        "bytes": p.bytes,
        "manifests": p.manifests,
        "manifest_lists": p.lists,
        "not_covered": c.uncovered,
    })
}

fn pipeline(chain: &Chain, logs: Option<&Logs>) -> Value {
    let partition = |(key, entry): (&EntryKey, &Entry)| {
        let log = logs.and_then(|logs| match logs.get(key) {
            Some(Seen::Log(log)) => Some(json!({ "start": log.start, "end": log.end })),
            _ => None,
        });
        json!({
            "cluster": *key.cluster_id, "topic": *key.topic, "partition": key.partition,
            "since": chain.since.get(key), "next": entry.next, "rows": entry.rows, "log": log,
        })
    };
    json!({
        "pipeline": chain.pipeline,
        "commits": chain.commits,
        "ranges": chain.ranges,
        "allowed": chain.allowed,
        "partitions": chain.offsets.iter().map(partition).collect::<Vec<_>>(),
    })
}

pub(super) fn contradiction(ident: &TableIdent, c: &Contradiction) -> Value {
    json!({
        "event": "refuted", "table": ident.to_string(),
        "check": c.check, "found": c.found, "where": c.place, "means": c.meaning,
    })
}
