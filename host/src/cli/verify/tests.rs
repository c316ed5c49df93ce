use std::collections::BTreeMap;

use weir_iceberg::verify::{Presence, Rows};
use weir_pipeline::checkpoint::{Entry, EntryKey};

use super::*;

fn key(partition: i32) -> EntryKey {
    EntryKey { cluster_id: "C1".into(), topic: "orders".into(), partition }
}

fn chain() -> Chain {
    let entry = |next: i64| Entry {
        topic_id: None,
        next,
        first: 0,
        rows: if next == 4 { 0 } else { 70 },
        holder: "h".into(),
        chain: None,
    };
    Chain {
        pipeline: "traces".into(),
        commits: 3,
        ranges: 4,
        offsets: [(key(0), entry(20)), (key(1), entry(9)), (key(2), entry(4))].into(),
        rows_replayed: 0,
        newest: Some(8),
        allowed: vec!["records [3, 5) of orders/0 were given up (snapshot 7)".into()],
        since: [(key(0), 10), (key(1), 0), (key(2), 4)].into(),
    }
}

fn certificate() -> Certificate {
    Certificate {
        table: TableIdent::from_strs(["telemetry", "traces"]).unwrap(),
        head: Some((8, 5)),
        snapshots: 4,
        chains: vec![chain()],
        rows: Rows { committed: 140, live: 140, is_broken_off: true, ..Rows::default() },
        presence: Presence { files: 6, bytes: 4321, manifests: 2, lists: 4 },
        uncovered: vec!["what was before snapshot 4: the snapshots have expired".into()],
    }
}

fn logs() -> Logs {
    BTreeMap::from([
        (key(0), Seen::Log(Extent { start: 5, end: 22 })),
        (key(1), Seen::Other("the topic was made again since".into())),
    ])
}

#[test]
fn a_certificate_says_what_it_covers_and_what_not() {
    assert_eq!(
        show::text(&certificate(), Some(&logs())),
        "\
telemetry.traces: proven at snapshot 8 (sequence number 5), 4 snapshots back
  pipeline traces: 3 commits, whose 4 ranges join and end where V stands
    orders/0: [10, 20), of the log's [5, 22), 70 rows ever
    orders/1: [0, 9), 70 rows ever
    1 partitions of which nothing was committed yet
  allowed: records [3, 5) of orders/0 were given up (snapshot 7)
  rows: 140 committed, 140 live
  files: 6 with 4321 bytes, 2 manifests and 4 manifest lists, all there and none named twice
  not covered: what was before snapshot 4: the snapshots have expired"
    );
    let value = show::value(&certificate(), Some(&logs()));
    assert_eq!((&value["event"], &value["from_the_first"]), (&"proven".into(), &false.into()));
    let partitions = &value["pipelines"][0]["partitions"];
    assert_eq!((&partitions[0]["log"]["end"], &partitions[1]["log"]), (&22.into(), &serde_json::Value::Null));
}

#[test]
fn offsets_that_the_log_does_not_hold_are_refuted() {
    let said = |start, end| beyond(&chain(), &key(0), Extent { start, end }).map(|c| c.to_string());
    assert_eq!((said(0, 20), said(20, 20)), (None, None));
    assert_eq!(
        said(0, 19).unwrap(),
        "found: V stands at 20, and the log of orders/0 ends at 19\n\
         where: pipeline traces, cluster C1\n\
         means: the log was cut or is another one: records to come would be taken for those that are in the table"
    );
    assert_eq!(
        said(25, 40).unwrap(),
        "found: V stands at 20, and the log of orders/0 begins at 25\n\
         where: pipeline traces, cluster C1\n\
         means: records [20, 25) are gone, and no row of them is in the table"
    );
}
