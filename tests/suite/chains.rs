//! Chains of plugins: what each of them does arrives, each row once; what one refuses is in no table.

use std::collections::BTreeMap;

use serde_json::Value;
use weir_tests::{Kafka, Oracle, Spans, Weir};

use crate::pipeline::{LIMIT, Pipeline, START_NANOS, refused, said};

/// Removes one attribute and hashes two before the rows, one of them the resource's; after them flags the slow spans
/// and renames a column.
const CHAIN: &str = "plugin = \"redact-attributes\"\n\
                     config = { drop = [\"client.address\"], hash = [\"user_agent.original\", \"host.name\"] }\n\
                     [[transform]]\nplugin = \"flatten-spans\"\n\
                     [[transform]]\nplugin = \"flag-slow-spans\"\nconfig = { slower_than_ms = 450 }\n\
                     [[transform]]\nplugin = \"keep-columns\"\n\
                     config = { drop = [\"status_message\"], rename = [\"operation_name=name\"] }";

/// sha256 of "Mozilla/5.0 (X11; Linux x86_64)".
fn agent() -> String {
    let hash = "import hashlib\nresult = hashlib.sha256(b'Mozilla/5.0 (X11; Linux x86_64)').hexdigest()";
    Oracle::shared().python(None, hash).as_str().expect("a text").to_owned()
}

#[test]
fn what_four_plugins_do_arrives_and_each_span_is_there_once() {
    let mut pipeline = Pipeline::new("chain", 2);
    pipeline.plugin = CHAIN.into();
    let made = pipeline.produce(1, 40, 50);
    pipeline.run_well();
    let oracle = Oracle::shared();
    assert_eq!(oracle.span_ids(&pipeline.traces()), made);
    assert_eq!(oracle.count(&pipeline.dead_letters()), Some(0));
    let agent = agent();
    let rows = oracle.rows(&pipeline.traces(), &[]);
    for row in &rows {
        let columns = row.as_object().expect("a row");
        assert!(!columns.contains_key("status_message") && !columns.contains_key("operation_name"));
        assert!(row["name"].as_str().is_some_and(|name| name.starts_with("GET /api/v1/")), "{row}");
        assert_eq!(row["is_slow"].as_bool(), row["duration_ms"].as_f64().map(|ms| ms > 450.0));
        let attributes = row["attributes"].as_object().expect("attributes");
        assert!(!attributes.contains_key("client.address"), "{row}");
        assert_eq!(attributes["user_agent.original"], agent.as_str());
        assert_eq!(attributes["http.request.method"], "GET");
        let host = row["resource_attributes"]["host.name"].as_str().expect("a host");
        assert!(host.len() == 64 && host.bytes().all(|b| b.is_ascii_hexdigit()), "{host}");
    }
    let slow = rows.iter().filter(|row| row["is_slow"] == true).count();
    assert!(slow > 0 && slow < rows.len());
    let scan = format!("iceberg_scan('{}')", pipeline.lake().join("telemetry/traces").display());
    let counted = oracle.duckdb(&format!("SELECT count(*) FILTER (is_slow), count(DISTINCT span_id) FROM {scan}"));
    assert_eq!(counted, [[Value::from(slow), Value::from(made.count)]]);
    let verified = Weir::output(&["verify", pipeline.file().as_str()]);
    assert!(verified.status.success(), "{}", said(&verified));
}

/// The digests of the chain that made the table's rows, in its order.
fn digests(pipeline: &Pipeline) -> Vec<String> {
    let metadata = Oracle::shared().metadata(&pipeline.traces());
    let snapshots = metadata["snapshots"].as_array().expect("snapshots");
    let named = snapshots.iter().rev().find_map(|snapshot| snapshot["summary"]["weir.plugins"].as_str());
    named.expect("a commit names its plugins").split(',').map(str::to_owned).collect()
}

#[test]
fn a_record_that_one_plugin_refuses_is_one_dead_letter_that_names_it_and_in_no_table() {
    let mut pipeline = Pipeline::new("chain-letters", 1);
    pipeline.plugin = CHAIN.into();
    pipeline.encoding = "otlp_proto";
    let good = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/collector/traces.proto")).unwrap();
    // A span whose kind is a text: the first plugin does not look at it, the second does.
    let odd: &[u8] = &[0x0a, 0x06, 0x12, 0x04, 0x12, 0x02, 0x32, 0x00];
    let for_the_second = [&good[..], odd].concat();
    let for_the_first = good[..good.len() - 7].to_vec();
    let values = [good.clone(), for_the_second, for_the_first, Vec::new(), good];
    Kafka::shared().produce("chain-letters", 0, &values);
    pipeline.run_well();
    let letters = Oracle::shared().rows(&pipeline.dead_letters(), &["offset", "error", "plugin_digest"]);
    let letters: BTreeMap<i64, &Value> = letters.iter().map(|l| (l["offset"].as_i64().expect("a number"), l)).collect();
    assert_eq!(letters.keys().collect::<Vec<_>>(), [&1, &2]);
    let digests = digests(&pipeline);
    assert_eq!(digests.len(), 4);
    for (offset, name, digest) in
        [(1, "plugin flatten-spans: ", &digests[1]), (2, "plugin redact-attributes: ", &digests[0])]
    {
        let letter = letters[&offset];
        assert!(letter["error"].as_str().is_some_and(|error| error.starts_with(name)), "{letter}");
        assert_eq!(letter["plugin_digest"], digest.as_str());
    }
    let spans = Oracle::shared().span_ids(&pipeline.traces());
    assert_eq!(spans.count, 2 * spans.distinct, "the good records twice, nothing of the others");
}

#[test]
fn a_chain_survives_kill_9_with_each_span_once() {
    let mut pipeline = Pipeline::new("chain-killed", 2);
    pipeline.plugin = CHAIN.into();
    let mut made = Spans::new(7, START_NANOS, 1);
    for round in 0..3 {
        let values = made.requests(30, 40);
        Kafka::shared().produce("chain-killed", round % 2, &values);
        // Asked first: the oracle may take longer to start than the pipeline to commit everything.
        let before = Oracle::shared().span_ids(&pipeline.traces()).count;
        let mut weir = pipeline.start();
        weir.wait(LIMIT, || Oracle::shared().span_ids(&pipeline.traces()).count > before);
        weir.kill9();
    }
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made.made());
}

/// Where the `n`th `[[transform]]` stands: `file:line:1`.
fn place(pipeline: &Pipeline, n: usize) -> String {
    let text = std::fs::read_to_string(pipeline.file()).expect("the file");
    let line = text.lines().enumerate().filter(|(_, line)| *line == "[[transform]]").nth(n).expect("a section").0;
    format!("pipeline.toml:{}:1", line + 1)
}

#[test]
fn a_chain_that_does_not_fit_is_refused_at_its_section_with_both_schemas() {
    let mut pipeline = Pipeline::new("chain-misfits", 1);
    let chain = |plugins: &[&str]| plugins.join("\n[[transform]]\n");
    let (redact, flatten) =
        ("plugin = \"redact-attributes\"\nconfig = { drop = [\"a\"] }", "plugin = \"flatten-spans\"");
    let (flag, keep) = ("plugin = \"flag-slow-spans\"", "plugin = \"keep-columns\"\nconfig = { drop = [\"color\"] }");
    let order = "the order is: any number of otlp-to-otlp plugins, one otlp-to-arrow";
    let cases: [(&[&str], usize, [&str; 2]); 7] = [
        (
            &[flatten, redact],
            1,
            ["redact-attributes (otlp-to-otlp) works on OTLP, and flatten-spans has made rows", order],
        ),
        (&[redact], 0, ["nothing makes rows of the OTLP: the chain ends with redact-attributes", order]),
        (
            &[redact, flag],
            1,
            ["flag-slow-spans (arrow-to-arrow) works on rows, and nothing before it makes any", order],
        ),
        (
            &[flatten, flatten],
            1,
            ["flatten-spans (otlp-to-arrow) makes rows of OTLP, and flatten-spans has done so", order],
        ),
        (
            &[redact, flatten, keep],
            2,
            [
                "there is no column in table `spans`, named `color`",
                "help: flatten-spans gives spans(timestamp timestamp-utc",
            ],
        ),
        (
            &["plugin = \"drop-health-checks\"", flag],
            1,
            ["there is no table `spans` (there are: requests)", "help: drop-health-checks gives requests(timestamp"],
        ),
        (&[flatten, "plugin = \"flag-slow-span\""], 1, ["there is no plugin flag-slow-span", "flag-slow-spans"]),
    ];
    for (plugins, at, says) in cases {
        pipeline.plugin = chain(plugins);
        let place = place(&pipeline, at);
        let all = [says[0], says[1], place.as_str()];
        refused(&Weir::output(&["check", pipeline.file().as_str()]), 2, &all);
        refused(&pipeline.run(&[]), 2, &all);
    }
    // What the last plugin gives is what the tables of the file must be.
    pipeline.plugin = chain(&[flatten, flag]);
    pipeline.tables = vec![("requests", "telemetry.requests")];
    refused(
        &Weir::output(&["check", pipeline.file().as_str()]),
        2,
        &["[sink.iceberg.tables.requests]", "it fills spans"],
    );
}
