use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use weir_pipeline::batch::{Batch, Generation, Record, TopicPartition};
use weir_pipeline::event::Held;
use weir_pipeline::transform::Failure;
use weir_pipeline::work::Refused;

use super::*;

fn batch() -> Batch {
    let record = |offset| Record { offset, timestamp_ms: None, key: None, value: None, headers: Vec::new() };
    Batch {
        source: TopicPartition::new("t", 0),
        generation: Generation(1),
        from: 5,
        to: 8,
        records: (5..8).map(record).collect(),
        held: Held::default(),
    }
}

fn made(rows: &[i64], refused: &[usize]) -> Applied {
    let column = Int64Array::from_iter_values(rows.iter().copied());
    let rows = RecordBatch::try_from_iter([("n", Arc::new(column) as _)]).unwrap();
    let refused =
        refused.iter().map(|record| Refused { record: *record, kind: "plugin", reason: "no".into(), plugin: None });
    Applied { tables: vec![vec![rows]], refused: refused.collect(), ..Applied::default() }
}

fn found(live: Applied, candidate: &Applied) -> Found {
    compare(&Sample { batch: batch(), known: Arc::default(), live }, candidate)
}

#[test]
fn equal_rows_and_refusals_are_alike_and_what_differs_is_named() {
    assert_eq!(found(made(&[1, 2], &[0]), &made(&[1, 2], &[0])), Found::Alike);
    let said = |found| match found {
        Found::Different(why) => why,
        other => panic!("{other:?}"),
    };
    assert!(said(found(made(&[1, 2], &[]), &made(&[1], &[]))).contains("1 rows of table 0, and 2"));
    assert!(said(found(made(&[1, 2], &[]), &made(&[1, 3], &[]))).contains("other values in table 0"));
    assert!(said(found(made(&[1], &[2]), &made(&[1], &[]))).contains("t/0@7 is taken"));
}

#[test]
fn a_refusal_or_failure_of_the_candidate_alone_is_worse_and_one_that_both_have_is_not() {
    let said = |found| match found {
        Found::Worse(why) => why,
        other => panic!("{other:?}"),
    };
    assert!(
        said(found(made(&[1], &[]), &made(&[1], &[1]))).contains("t/0@6 is refused, which the live plugin takes: no")
    );
    let failing = || Applied { failures: vec![Failure::Trap("bad".into())], ..made(&[1], &[]) };
    assert!(said(found(made(&[1], &[]), &failing())).contains("of t/0 from 5 to 8 failed: trap: bad"));
    assert_eq!(found(failing(), &failing()), Found::Alike);
}

#[test]
fn a_candidate_that_fails_is_not_called_again_for_each_record() {
    struct Failing(u32);
    impl Stage for Failing {
        fn call(&mut self, _: &str, _: i32, _: &[Message<'_>], _: Effort) -> Result<Output, Failure> {
            self.0 += 1;
            Err(Failure::Deadline("slow".into()))
        }
    }
    struct AsItIs;
    impl Codec for AsItIs {
        fn decode(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<Option<()>, String> {
            Ok(None)
        }
        fn split(&mut self, value: &[u8], _: usize) -> Result<Vec<Vec<u8>>, String> {
            Ok(vec![value.to_vec()])
        }
    }
    let mut batch = batch();
    batch.records.iter_mut().for_each(|record| record.value = Some(b"some".as_slice().into()));
    let sample = Sample { batch, known: Arc::default(), live: made(&[1], &[]) };
    let mut worker = Worker::new(Impatient { stage: Failing(0), failed: None, is_patient: false }, AsItIs);
    assert!(matches!(attempt(&mut worker, &sample), Found::Worse(_)));
    assert_eq!(worker.stage.stage.0, 1);
}
