use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use super::*;
use crate::bindings::columns::{Node, RecordBatchResult};

fn tables() -> Vec<TableSchema> {
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, false)]));
    vec![TableSchema { name: "t".to_owned(), doc: String::new(), schema }]
}

fn answer(rows: u32, rows_per_message: Vec<u32>, rejected: &[u32]) -> GuestOutput {
    let buffers = vec![vec![], vec![0; 4 * rows as usize]];
    let rows = RecordBatchResult { rows, nodes: vec![Node { length: rows, null_count: 0 }], buffers };
    let rejection = |index: &u32| GuestRejection { index: *index, reason: "ü".repeat(1000) };
    GuestOutput {
        tables: vec![GuestRows { rows, rows_per_message }],
        rejections: rejected.iter().map(rejection).collect(),
    }
}

#[test]
fn an_answer_that_holds_is_counted() {
    let answer = check(&tables(), 3, answer(5, vec![2, 0, 3], &[1])).unwrap();
    assert_eq!((answer.rows, answer.bytes), (5, 20));
    assert_eq!(answer.output.tables[0].rows.num_rows(), 5);
    assert_eq!(answer.output.rejections[0].reason.len(), REASON_BYTES_MAX);
}

#[test]
fn a_call_may_give_no_rows_at_all() {
    let answer = check(&tables(), 2, answer(0, vec![0, 0], &[0, 1])).unwrap();
    assert_eq!(answer.output.tables[0].rows.num_rows(), 0);
}

#[test]
fn rows_are_of_messages_that_are_there_and_not_rejected() {
    let says = |answer| check(&tables(), 2, answer).map(|_| ()).unwrap_err();
    assert!(says(answer(1, vec![1], &[])).contains("counted rows of 1 messages"));
    assert!(says(answer(1, vec![1, 1], &[])).contains("add up to 2"));
    assert!(says(answer(0, vec![u32::MAX, 1], &[])).contains("add up to 4294967296"), "the sum does not wrap");
    assert!(says(answer(1, vec![1, 0], &[0])).contains("message 0 is rejected and has rows"));
    assert!(says(answer(1, vec![1, 0], &[2])).contains("rejected message 2 of 2"));
    assert!(says(answer(0, vec![0, 0], &[1, 0])).contains("rejected message 0 after message 1"));
}
