use super::*;

fn assembly(offset: i64) -> Assembly {
    Assembly::new(TopicPartition::new("spans", 0), offset, Generation(3))
}

fn record(offset: i64, value: &[u8]) -> Incoming<'_> {
    Incoming { offset, timestamp_ms: Some(5), key: Some(b"k"), value: Some(value), headers: Vec::new() }
}

#[test]
fn batches_join_across_holes_and_ends() {
    let (mut assembly, now) = (assembly(10), Instant::now());
    assembly.push(record(12, b"a"), now);
    assembly.push(record(15, b"b"), now);
    let first = assembly.take().unwrap();
    assert_eq!((first.from, first.to, first.records.len()), (10, 16, 2));
    assembly.end(20, now);
    let second = assembly.take().unwrap();
    assert_eq!((second.from, second.to, second.records.len()), (16, 20, 0));
    assert_eq!(second.generation, Generation(3));
}

#[test]
fn an_end_that_moves_nothing_makes_no_batch() {
    let mut assembly = assembly(10);
    assembly.end(10, Instant::now());
    assembly.end(3, Instant::now());
    assert!(assembly.take().is_none());
    assert!(assembly.due(Duration::ZERO).is_none());
}

#[test]
fn a_record_is_kept_as_it_was() {
    let mut assembly = assembly(0);
    let headers = vec![("h".to_owned(), Some(Bytes::from_static(b"v"))), ("n".to_owned(), None)];
    let now = Instant::now();
    assembly.push(Incoming { offset: 0, timestamp_ms: None, key: None, value: None, headers: headers.clone() }, now);
    assembly
        .push(Incoming { offset: 1, timestamp_ms: Some(9), key: Some(b""), value: Some(b"xyz"), headers: vec![] }, now);
    let batch = assembly.take().unwrap();
    let expected = [
        Record { offset: 0, timestamp_ms: None, key: None, value: None, headers },
        Record {
            offset: 1,
            timestamp_ms: Some(9),
            key: Some(Bytes::new()),
            value: Some(Bytes::from_static(b"xyz")),
            headers: vec![],
        },
    ];
    assert_eq!(batch.records, expected);
}

#[test]
fn a_record_that_was_delivered_already_is_left_out() {
    let (mut assembly, now) = (assembly(10), Instant::now());
    assembly.push(record(9, b"old"), now);
    assert!(assembly.take().is_none());
    assembly.push(record(10, b"new"), now);
    assembly.push(record(10, b"again"), now);
    assert_eq!(assembly.take().unwrap().records.len(), 1);
}

#[test]
fn a_batch_is_full_by_bytes_or_by_records_but_never_empty() {
    let (mut assembly, now) = (assembly(0), Instant::now());
    let limits = BatchLimits { bytes_max: 10, records_max: 3, linger: Duration::ZERO };
    assert!(!assembly.is_full_before(1000, &limits));
    assembly.push(record(0, b"12345"), now);
    assert!(!assembly.is_full_before(4, &limits));
    assert!(assembly.is_full_before(5, &limits));
    assembly.push(record(1, b""), now);
    assembly.push(record(2, b""), now);
    assert!(assembly.is_full_before(0, &limits));
}

#[test]
fn the_clock_of_a_batch_starts_with_what_came_first() {
    let (mut assembly, now) = (assembly(0), Instant::now());
    let (linger, later) = (Duration::from_millis(5), now + Duration::from_secs(1));
    assembly.push(record(0, b"a"), now);
    assembly.push(record(1, b"b"), later);
    assert_eq!(assembly.due(linger), Some(now + linger));
    assert!(assembly.bytes() >= 4);
    assembly.take();
    assert_eq!(assembly.due(linger), None);
    assert_eq!(assembly.bytes(), 0);
}
