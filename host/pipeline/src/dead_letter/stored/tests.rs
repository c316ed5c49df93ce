use bytes::Bytes;

use super::{Stored, marks, read};
use crate::batch::{Record, TopicPartition};
use crate::checkpoint::EntryKey;
use crate::dead_letter::{Letter, Postmark, rows};
use crate::replay::Origin;

fn records() -> [Record; 2] {
    let whole = Record {
        offset: 7,
        timestamp_ms: Some(1_700_000_000_123),
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::from_static(b"\xff\x00")),
        headers: vec![("a".into(), Some(Bytes::from_static(b"1"))), ("b".into(), None)],
    };
    let bare = Record { offset: 9, timestamp_ms: None, key: None, value: None, headers: Vec::new() };
    [whole, bare]
}

fn written() -> arrow_array::RecordBatch {
    let source = TopicPartition::new("t", 3);
    let mark = Postmark {
        pipeline: "p",
        cluster_id: "c",
        topic_id: Some("id"),
        source: &source,
        plugin_digest: "d",
        rejected_at_ms: 5,
    };
    let records = records();
    let letters: Vec<_> = records.iter().map(|record| Letter { record, error: "why", plugin_digest: None }).collect();
    rows(&mark, &letters).unwrap()
}

#[test]
fn a_letter_is_read_as_it_was_written() {
    let read = read(&written()).unwrap();
    let key = EntryKey { cluster_id: "c".into(), topic: "t".into(), partition: 3 };
    let expected = records().map(|record| Stored {
        origin: Origin { key: key.clone(), topic_id: Some("id".into()) },
        record,
        error: "why".into(),
        plugin_digest: Some("d".into()),
        rejected_at: 5000,
        replayed_at: None,
    });
    assert_eq!(read, expected);
}

#[test]
fn a_mark_names_the_record_and_does_not_hold_it_once_more() {
    let letters = read(&written()).unwrap();
    let marks = read(&marks("p", &letters.iter().collect::<Vec<_>>(), 6).unwrap()).unwrap();
    for (mark, letter) in marks.iter().zip(&letters) {
        assert_eq!((&mark.origin, mark.record.offset), (&letter.origin, letter.record.offset));
        assert_eq!((mark.replayed_at, mark.rejected_at), (Some(6000), 5000));
        assert_eq!((&mark.record.key, &mark.record.value, mark.record.headers.len()), (&None, &None, 0));
    }
}

#[test]
fn some_columns_are_enough() {
    let batch = written();
    let named = ["cluster_id", "topic_id", "topic", "partition", "offset", "error", "plugin_digest", "replayed_at"];
    let indices: Vec<usize> = named.iter().map(|name| batch.schema().index_of(name).unwrap()).collect();
    let letters = read(&batch.project(&indices).unwrap()).unwrap();
    assert_eq!(letters[0].record.offset, 7);
    assert_eq!(letters[0].record.value, None);
    let said = read(&batch.project(&indices[1..]).unwrap()).unwrap_err().to_string();
    assert!(said.contains("cluster_id"), "{said}");
}
