use weir_pipeline::checkpoint::Entry;
use weir_pipeline::source::Extent;

use super::process::{Message, Said};
use super::*;

const NOW: i64 = 1_700_000_000_000;

fn key(partition: i32) -> EntryKey {
    EntryKey { cluster_id: "C1".into(), topic: "orders".into(), partition }
}

fn status() -> Status {
    let table = |name, newest, rows| TableStatus {
        ident: TableIdent::from_strs(["telemetry", name]).unwrap(),
        rows,
        commits: 9,
        newest,
        exists: true,
    };
    let entry =
        |next| Entry { topic_id: None, next, first: 0, rows: 5 * next as u64, holder: "p.1".into(), chain: None };
    let message = Message { at_ms: NOW, level: "warn".into(), message: "cannot load the table".into() };
    Status {
        name: "traces".into(),
        tables: vec![table("traces", Some((77, NOW - 12_500)), 6170), table("dead_letters", None, 0)],
        offsets: [(key(0), entry(1234)), (key(10), entry(0)), (key(11), entry(7))].into(),
        logs: Ok([
            (key(0), Seen::Log(Extent { start: 0, end: 1300 })),
            (key(10), Seen::Log(Extent { start: 0, end: 0 })),
            (key(11), Seen::Other("the topic was made again since".into())),
        ]
        .into()),
        process: Ok(Said {
            address: "127.0.0.1:9464".into(),
            pipeline: "traces".into(),
            commits: 4,
            fences: 1,
            conflicts: 2,
            retries: 3,
            partitions: vec!["orders/0".into()],
            plugin: serde_json::json!({
                "digests": "ab+cd", "names": ["flatten-spans"],
                "last": { "at_ms": NOW - 3000, "result": "rolled_back", "reason": "it fails" },
                "trial": { "digests": "ef+cd", "batches": 1, "of": 3 },
                "shadow": { "alike": 7, "different": 1, "worse": 0, "last": "other values" },
            }),
            said: vec![message],
        }),
        now_ms: NOW,
    }
}

#[test]
fn a_pipeline_is_shown_with_lag_ages_and_what_its_process_says() {
    assert_eq!(
        show::text(&status()),
        "\
traces
  telemetry.traces: 6170 rows ever, last commit 12 s ago (snapshot 77), 9 commits in its history
  telemetry.dead_letters: nothing was committed yet
  partition  committed  log end  lag  rows ever
  orders/0        1234     1300   66       6170
  orders/10          0        0    0          0
  orders/11          7        ?    ?         35
  orders/11: the topic was made again since
  the process at 127.0.0.1:9464 holds 1 partitions: 4 commits, 1 fenced, 2 conflicts, 3 retried
  plugins: flatten-spans (ab+cd)
    3 s ago a plugin was rolled back: it fails
    tried on 1 of 3 batches: ef+cd
    the shadow: 7 batches alike, 1 different, 0 worse; the last: other values
    2023-11-14T22:13:20.000Z warn: cannot load the table"
    );
    let value = show::value(&status());
    assert_eq!(
        (&value["partitions"][0]["lag"], &value["partitions"][2]["lag"]),
        (&66.into(), &serde_json::Value::Null)
    );
    assert_eq!(value["tables"][0]["last_commit_age_seconds"], 12.5);
    assert_eq!(value["process"]["said"][0]["level"], "warn");
}

#[test]
fn what_cannot_be_asked_is_said_and_the_rest_is_shown() {
    let mut status = status();
    status.logs = Err("no broker of [localhost:9092] answers within 5s".into());
    status.process = Err("no process answers at 127.0.0.1:9464: connection refused".into());
    let text = show::text(&status);
    assert!(text.contains("orders/0        1234        ?    ?       6170"), "{text}");
    assert!(
        text.contains("\n  the topics' ends are not known: no broker of [localhost:9092] answers within 5s\n"),
        "{text}"
    );
    assert!(text.ends_with("\n  no process answers at 127.0.0.1:9464: connection refused"), "{text}");
    let value = show::value(&status);
    assert_eq!(value["log_ends_unknown"], "no broker of [localhost:9092] answers within 5s");
    assert_eq!(value["process"]["answers"], false);
}
