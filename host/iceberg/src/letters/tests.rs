use weir_pipeline::batch::Record;
use weir_pipeline::dead_letter::{self, Letter, Postmark};
use weir_pipeline::sink::{Change, Epoch, Table};

use super::*;
use crate::fixture::{Lake, hadoop, ident};
use crate::table::{IcebergTable, TableOptions};
use crate::writer::BufferLimits;

async fn dead_letters(lake: &Lake) -> IcebergTable {
    let options = TableOptions {
        ident: ident(),
        pipeline: "p".to_string(),
        partition_by: Vec::new(),
        sort_by: Vec::new(),
        properties: BTreeMap::new(),
        location: None,
        limits: BufferLimits { bytes_max: 1 << 20, spill_dir: lake.folder.path().join("spill") },
    };
    IcebergTable::open(lake.catalog.clone(), options, &dead_letter::schema()).await.unwrap()
}

fn record(offset: i64) -> Record {
    Record { offset, timestamp_ms: Some(1), key: None, value: Some("x".into()), headers: Vec::new() }
}

async fn reject(table: &IcebergTable, epoch: u64, mark: Postmark<'_>, offsets: &[i64]) {
    let records: Vec<Record> = offsets.iter().map(|o| record(*o)).collect();
    let letters: Vec<Letter<'_>> =
        records.iter().map(|record| Letter { record, error: "bad", plugin_digest: None }).collect();
    table.write(Epoch(epoch), dead_letter::rows(&mark, &letters).unwrap()).await.unwrap();
    let files = table.close(Epoch(epoch)).await.unwrap();
    let head = table.load().await.unwrap();
    let change = Change { files, summary: BTreeMap::new(), offsets: String::new(), replayed: None, now_ms: 0 };
    table.swap(&head, &change).await.unwrap();
}

fn mark<'a>(source: &'a TopicPartition, pipeline: &'a str, topic_id: Option<&'a str>) -> Postmark<'a> {
    Postmark { pipeline, cluster_id: "c", topic_id, source, plugin_digest: "d", rejected_at_ms: 0 }
}

fn floor(offset: i64) -> LetterFloor {
    LetterFloor { cluster_id: "c".to_string(), topic_id: Some("t".to_string()), offset }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_at_or_beyond_the_floor_are_found_and_no_others() {
    let lake = hadoop().await;
    let table = dead_letters(&lake).await;
    let (zero, one, other) = (TopicPartition::new("a", 0), TopicPartition::new("a", 1), TopicPartition::new("b", 0));
    let from = BTreeMap::from([(zero.clone(), floor(10)), (one.clone(), floor(3))]);
    assert!(table.letters(&from).await.unwrap().is_empty(), "a table without snapshots has none");
    reject(&table, 1, mark(&zero, "p", Some("t")), &[9, 10, 12]).await;
    reject(&table, 2, mark(&zero, "p", Some("t")), &[12]).await;
    reject(&table, 3, mark(&one, "p", Some("t")), &[2, 3]).await;
    reject(&table, 4, mark(&other, "p", Some("t")), &[50]).await;
    // Of another pipeline; of the topic that had this name before.
    reject(&table, 5, mark(&zero, "q", Some("t")), &[11]).await;
    reject(&table, 6, mark(&zero, "p", Some("old")), &[13]).await;
    reject(&table, 7, mark(&zero, "p", None), &[14]).await;
    let found = table.letters(&from).await.unwrap();
    assert_eq!(found, [(zero.clone(), 10), (zero.clone(), 12), (one, 3)]);
    let unnamed = LetterFloor { topic_id: None, ..floor(0) };
    assert_eq!(table.letters(&BTreeMap::from([(zero.clone(), unnamed)])).await.unwrap(), [(zero, 14)]);
    assert!(table.letters(&BTreeMap::new()).await.unwrap().is_empty());
}
