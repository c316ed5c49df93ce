use std::collections::HashSet;

use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData};
use prost::Message as _;

use super::*;
use crate::generate::{encode_json, encode_proto};

fn messages(options: Options, count: usize) -> Vec<LogsData> {
    LogGenerator::new(options).take(count).collect()
}

fn records(message: &LogsData) -> Vec<&LogRecord> {
    let scopes = message.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.flat_map(|scope| &scope.log_records).collect()
}

fn uid(record: &LogRecord) -> String {
    let found = record.attributes.iter().find(|attribute| attribute.key == "log.record.uid").unwrap();
    match found.value.clone().unwrap().value.unwrap() {
        Value::StringValue(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_encodings_hold_the_same_records_and_the_same_seed_gives_the_same_bytes() {
    let options = Options { seed: 7, ..Options::default() };
    for message in messages(options, 20) {
        assert!(LogsData::decode(encode_proto(&message).as_slice()).unwrap() == message);
        assert!(serde_json::from_slice::<LogsData>(&encode_json(&message)).unwrap() == message);
    }
    assert!(messages(options, 5) == messages(options, 5));
    assert!(messages(options, 5) != messages(Options { seed: 8, ..options }, 5));
}

#[test]
fn the_kth_message_holds_exactly_the_records_that_its_number_says() {
    let options = Options { seed: 3, items_per_message: 70, ..Options::default() };
    for (k, message) in messages(options, 50).iter().enumerate() {
        let found: HashSet<_> = records(message).into_iter().map(uid).collect();
        let id = |n: usize| format!("{:016x}", u64::from_be_bytes(item_id(3, n as u64)));
        assert_eq!(records(message).len(), 70);
        assert_eq!(found, (k * 70..(k + 1) * 70).map(id).collect());
    }
}

#[test]
fn every_record_names_a_span_that_the_same_options_give() {
    let options = Options { seed: 9, ..Options::default() };
    let traces: Vec<_> = Generator::new(options).take(60).collect();
    let scopes = traces.iter().flat_map(|message| &message.resource_spans).flat_map(|resource| &resource.scope_spans);
    let spans: HashSet<_> = scopes.flat_map(|scope| &scope.spans).map(|span| (&span.trace_id, &span.span_id)).collect();
    let logs = messages(options, 20);
    assert!(logs.iter().flat_map(records).all(|record| spans.contains(&(&record.trace_id, &record.span_id))));
}

#[test]
fn records_are_of_every_severity_and_some_are_events_with_a_body_of_their_own() {
    let messages = messages(Options::default(), 100);
    let all: Vec<_> = messages.iter().flat_map(records).collect();
    let severities: HashSet<_> = all.iter().map(|record| record.severity_number).collect();
    assert_eq!(severities, HashSet::from([5, 9, 13, 17]));
    let mut events = all.iter().filter(|record| !record.event_name.is_empty()).peekable();
    assert!(events.peek().is_some());
    let is_list = |record: &&&LogRecord| matches!(record.body, Some(AnyValue { value: Some(Value::KvlistValue(_)) }));
    assert!(events.all(|record| is_list(&record)));
}

#[test]
fn a_message_that_is_cut_keeps_its_first_records() {
    let mut message = messages(Options::default(), 1).remove(0);
    let before: Vec<_> = records(&message).into_iter().cloned().collect();
    assert_eq!(message.cut(33), 33);
    assert_eq!(records(&message).into_iter().cloned().collect::<Vec<_>>(), before[..33]);
}
