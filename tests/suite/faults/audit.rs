//! What PyIceberg finds in a table beyond the right rows.

use serde_json::Value;
use weir_tests::{Oracle, Scratch, Table};

use super::trial::Trial;
use crate::pipeline::{Catalog, Pipeline, said};

/// No data file is there twice, and every file that the head reaches exists. Where `joined`, the ranges in the summaries
/// join from the first that is kept to V, in each partition.
pub(super) fn assert_sound(table: &Table, joined: bool) {
    let flaws = Oracle::shared().python(
        Some(table),
        &format!(
            "joined = {}\n{}",
            if joined { "True" } else { "False" },
            r#"
import os
from pyiceberg.table.snapshots import ancestors_of
t = snapshot(at)
flaws = []
if t:
    path = lambda uri: uri.removeprefix("file://").removeprefix("file:")
    files = [f["file_path"] for f in t.inspect.files().to_pylist()]
    flaws += [f"{f} is there twice" for f in set(files) if files.count(f) > 1]
    manifests = [m.manifest_path for s in t.snapshots() for m in s.manifests(t.io)]
    lists = [s.manifest_list for s in t.snapshots()]
    flaws += [f"{f} does not exist" for f in files + manifests + lists if not os.path.exists(path(f))]
    ends, name = {}, None
    for s in reversed(list(ancestors_of(t.current_snapshot(), t.metadata))):
        summary = s.summary.additional_properties
        name = name or summary.get("weir.pipeline")
        for r in json.loads(summary.get("weir.ranges", "[]")):
            key = (r["topic"], r["partition"])
            if joined and key in ends and ends[key] != r["from"]:
                flaws.append(f"{key}: a range begins at {r['from']}, the one before ends at {ends[key]}")
            ends[key] = r["to"] if joined else max(r["to"], ends.get(key, 0))
    offsets = json.loads(t.metadata.properties[f"weir.{name}.offsets"]) if name else {"topics": []}
    for topic in offsets["topics"] if joined else []:
        for partition, next, *_ in topic["partitions"]:
            end = ends.get((topic["topic"], partition))
            # No range is kept of it, or it never had one.
            if end is not None and end != next:
                flaws.append(f"{topic['topic']}/{partition}: V is {next}, the ranges end at {end}")
result = flaws
"#
        ),
    );
    assert_eq!(flaws, Value::Array(Vec::new()));
}

/// The same records through the same plugin, all at once into a lake of their own, give the rows that are there.
pub(super) fn assert_same_again(trial: &Trial) {
    let pipeline = &trial.pipeline;
    let folder = Scratch::new("again");
    let again = Pipeline {
        name: pipeline.name.clone(),
        folder,
        brokers: pipeline.brokers.clone(),
        sink: "catalog = { type = \"hadoop\" }\nwarehouse = \"./lake\"".into(),
        catalog: Catalog::Hadoop,
        namespace: "telemetry".into(),
        sections: pipeline.sections.clone(),
        plugin: pipeline.plugin.clone(),
        tables: pipeline.tables.clone(),
        ..*pipeline
    };
    let output = again.run(&[]);
    assert!(output.status.success(), "{}", said(&output));
    for table in ["traces", "events"] {
        let rows = |of: &Pipeline| {
            Oracle::shared().python(
                Some(&of.table(table)),
                "import hashlib\n\
                 t = snapshot(at)\n\
                 rows = sorted(json.dumps(plain(r), sort_keys=True) for r in t.scan().to_arrow().to_pylist()) if t else []\n\
                 result = [len(rows), hashlib.sha256('\\n'.join(rows).encode()).hexdigest()]",
            )
        };
        assert_eq!(
            rows(pipeline),
            rows(&again),
            "{}: the rows of {table} the first and the second time",
            pipeline.name
        );
    }
}
