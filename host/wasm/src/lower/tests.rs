use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_select::take::take_record_batch;

use super::*;
use crate::bindings::columns::RecordBatchResult;
use crate::columns;
use crate::columns::tests::every_type;

/// What a guest that gives back what it is given would give.
fn through(batch: &RecordBatch) -> RecordBatch {
    let lowered = Lowered::new(batch.num_rows(), batch.columns().iter());
    let slices = lowered.slices();
    let given = lowered.batch(&slices);
    let buffers = given.buffers.iter().map(|buffer| buffer.to_vec()).collect();
    let back = RecordBatchResult { rows: given.rows, nodes: given.nodes.to_vec(), buffers };
    columns::record_batch(&batch.schema(), back, &mut 0).expect("what is lowered holds")
}

#[test]
fn every_type_comes_back_as_it_was() {
    for rows in [0, 1, 7, 8, 9, 1000] {
        let batch = every_type(rows);
        assert_eq!(through(&batch), batch);
    }
}

#[test]
fn a_part_of_a_batch_comes_back_as_that_part() {
    let batch = every_type(100);
    for (from, len) in [(0, 50), (1, 99), (8, 8), (13, 60), (100, 0)] {
        let part = batch.slice(from, len);
        assert_eq!(through(&part), part, "{len} rows from {from}");
    }
}

#[test]
fn rows_that_were_selected_come_back() {
    let batch = every_type(100);
    let rows = arrow_array::UInt32Array::from_iter_values((0..100).filter(|row| row % 7 == 3));
    let selected = take_record_batch(&batch, &rows).unwrap();
    assert_eq!(through(&selected), selected);
    assert_eq!(Arc::clone(through(&selected).column(0)).len(), 14);
}

#[test]
fn no_column_is_no_node_and_no_buffer() {
    let lowered = Lowered::new(5, [].into_iter());
    let given = lowered.batch(&[]);
    assert_eq!((given.rows, given.nodes.len(), given.buffers.len(), lowered.bytes()), (5, 0, 0, 0));
}
