use super::*;
use opentelemetry_proto::tonic::logs::v1::LogsData;

crate::otlp::oracle::agrees_with_prost!(LogsData);

#[test]
fn a_missing_body_is_not_an_empty_one() {
    assert!(LogRecord::read(&[]).unwrap().body.is_none());
    assert!(matches!(LogRecord::read(&[0x2a, 0]).unwrap().body, Some(AnyValue::Empty)));
}

#[test]
fn a_body_in_pieces_is_put_together() {
    // LogRecord { body: [1], body: [2] }: an array of both.
    let array = |number: u8| [0x2a, 6, 0x2a, 4, 0x0a, 2, 0x18, number];
    let record = [array(1), array(2)].concat();
    assert_eq!(LogRecord::read(&record).unwrap_err().fault, Fault::Split);
    let value = wrap(1, &wrap(2, &wrap(2, &record)));
    let body = read_merged(&value).unwrap().resource_logs[0].scope_logs[0].log_records[0].body.clone();
    let expected = LogsData::decode(&value[..]).unwrap().resource_logs[0].scope_logs[0].log_records[0].body.clone();
    assert_eq!(body, expected);
}
