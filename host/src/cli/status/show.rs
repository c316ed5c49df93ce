//! A pipeline's status for people and for programs.

use serde_json::{Value, json};
use weir_iceberg::verify::time;

use super::{Seen, Status, TableStatus};
use crate::cli::say;
use crate::progress::{Format, line_out};

pub(super) fn status(status: &Status, output: Format) {
    match output {
        Format::Human => say(text(status)),
        Format::Json => line_out(&value(status)),
    }
}

/// For people.
pub(super) fn text(s: &Status) -> String {
    let mut lines = vec![s.name.clone()];
    lines.extend(s.tables.iter().map(|table| format!("  {}", of_table(table, s.now_ms))));
    if !s.offsets.is_empty() {
        lines.extend(partitions(s).into_iter().map(|line| format!("  {line}")));
    }
    if let Err(why) = &s.logs {
        lines.push(format!("  the topics' ends are not known: {why}"));
    }
    match &s.process {
        Err(why) => lines.push(format!("  {why}")),
        Ok(p) => {
            lines.push(format!(
                "  the process at {} holds {} partitions: {} commits, {} fenced, {} conflicts, {} retried",
                p.address,
                p.partitions.len(),
                p.commits,
                p.fences,
                p.conflicts,
                p.retries
            ));
            lines.extend(plugin(&p.plugin, s.now_ms).into_iter().map(|line| format!("  {line}")));
            lines.extend(p.said.iter().map(|m| format!("    {} {}: {}", time(m.at_ms), m.level, m.message)));
        }
    }
    lines.join("\n")
}

/// The live plugins, what is tried, and what last came of that.
fn plugin(said: &Value, now_ms: i64) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let mut lines = Vec::new();
    if let Some(digests) = said["digests"].as_str() {
        let names: Vec<String> = said["names"].as_array().into_iter().flatten().map(text).collect();
        lines.push(format!("plugins: {} ({digests})", names.join(", ")));
    }
    if let Some(last) = said["last"].as_object() {
        let ago = age(now_ms - last["at_ms"].as_i64().unwrap_or(now_ms));
        let reason = last["reason"].as_str().map_or(String::new(), |reason| format!(": {reason}"));
        lines.push(format!("  {ago} ago a plugin was {}{reason}", text(&last["result"]).replace('_', " ")));
    }
    if let Some(trial) = said["trial"].as_object() {
        let (batches, of) = (&trial["batches"], &trial["of"]);
        lines.push(format!("  tried on {batches} of {of} batches: {}", text(&trial["digests"])));
    }
    if let Some(shadow) = said["shadow"].as_object() {
        let last = shadow["last"].as_str().map_or(String::new(), |last| format!("; the last: {last}"));
        let (alike, different, worse) = (&shadow["alike"], &shadow["different"], &shadow["worse"]);
        lines.push(format!("  the shadow: {alike} batches alike, {different} different, {worse} worse{last}"));
    }
    lines
}

fn of_table(table: &TableStatus, now_ms: i64) -> String {
    let TableStatus { ident, rows, commits, newest, exists } = table;
    match newest {
        _ if !exists => format!("{ident}: there is no such table yet"),
        Some((snapshot, at)) => format!(
            "{ident}: {rows} rows ever, last commit {} ago (snapshot {snapshot}), {commits} commits in its history",
            age(now_ms - at)
        ),
        None if *rows > 0 => format!("{ident}: {rows} rows ever, the last commit has expired"),
        None => format!("{ident}: nothing was committed yet"),
    }
}

/// A table of partitions: numbers stand to the right.
fn partitions(s: &Status) -> Vec<String> {
    let mut rows = vec![["partition", "committed", "log end", "lag", "rows ever"].map(str::to_string)];
    let mut remarks = Vec::new();
    for (key, entry) in &s.offsets {
        let name = format!("{}/{}", key.topic, key.partition);
        let (end, lag) = match s.logs.as_ref().ok().and_then(|logs| logs.get(key)) {
            Some(Seen::Log(log)) => (log.end.to_string(), (log.end - entry.next).to_string()),
            Some(Seen::Other(why)) => {
                remarks.push(format!("{name}: {why}"));
                ("?".to_string(), "?".to_string())
            }
            None => ("?".to_string(), "?".to_string()),
        };
        rows.push([name, entry.next.to_string(), end, lag, entry.rows.to_string()]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |row: &[String; 5]| {
        let numbers: Vec<String> = (1..5).map(|i| format!("{:>1$}", row[i], widths[i])).collect();
        format!("{:<1$}  {2}", row[0], widths[0], numbers.join("  "))
    };
    rows.iter().map(line).chain(remarks).collect()
}

fn age(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// For programs.
pub(super) fn value(s: &Status) -> Value {
    let partition = |(key, entry): (&weir_pipeline::checkpoint::EntryKey, &weir_pipeline::checkpoint::Entry)| {
        let seen = s.logs.as_ref().ok().and_then(|logs| logs.get(key));
        let (end, why) = match seen {
            Some(Seen::Log(log)) => (Some(log.end), None),
            Some(Seen::Other(why)) => (None, Some(why)),
            None => (None, None),
        };
        json!({
            "cluster": *key.cluster_id, "topic": *key.topic, "partition": key.partition, "committed": entry.next,
            "rows": entry.rows, "holder": entry.holder, "log_end": end, "lag": end.map(|end| end - entry.next),
            "unknown": why,
        })
    };
    let table = |t: &TableStatus| {
        json!({
            "table": t.ident.to_string(), "exists": t.exists, "rows": t.rows, "commits": t.commits,
            "snapshot": t.newest.map(|(snapshot, _)| snapshot),
            "last_commit": t.newest.map(|(_, at)| time(at)),
            "last_commit_age_seconds": t.newest.map(|(_, at)| (s.now_ms - at) as f64 / 1000.0),
        })
    };
    let process = match &s.process {
        Err(why) => json!({ "answers": false, "why": why }),
        Ok(p) => json!({
            "answers": true, "address": p.address, "commits": p.commits, "fences": p.fences,
            "conflicts": p.conflicts, "retries": p.retries, "partitions": p.partitions, "plugin": p.plugin,
            "said": p.said,
        }),
    };
    json!({
        "event": "status",
        "pipeline": s.name,
        "tables": s.tables.iter().map(table).collect::<Vec<_>>(),
        "log_ends_unknown": s.logs.as_ref().err(),
        "partitions": s.offsets.iter().map(partition).collect::<Vec<_>>(),
        "process": process,
    })
}
