use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use bytes::Bytes;

use super::{Applied, Codec, Known, PART_BYTES_MAX, Worker};
use crate::batch::{Batch, Generation, Record, TopicPartition};
use crate::event::Held;
use crate::transform::{Effort, Failure, Message, Output, Rejection, Stage, TableRows};

/// One row for each byte of a message, in two tables alike. What a message begins with says how it misbehaves:
/// `!` traps always, `?` traps until it is alone in a fresh instance, `-` is rejected, `+` is too large as a whole.
#[derive(Default)]
struct Fake {
    calls: usize,
}

impl Stage for Fake {
    fn call(&mut self, _: &str, _: i32, messages: &[Message<'_>], effort: Effort) -> Result<Output, Failure> {
        self.calls += 1;
        for message in messages {
            match message.value.first() {
                Some(b'!') => return Err(Failure::Trap("bad".into())),
                Some(b'?') if effort == Effort::Normal => return Err(Failure::Deadline("slow".into())),
                Some(b'+') if message.value.len() > 3 => return Err(Failure::Memory("large".into())),
                _ => {}
            }
        }
        let rejected = |m: &&Message<'_>| m.value.starts_with(b"-");
        let rows_per_message: Vec<u32> =
            messages.iter().map(|m| if rejected(&m) { 0 } else { m.value.len() as u32 }).collect();
        let offsets = messages.iter().zip(&rows_per_message).flat_map(|(m, n)| vec![m.offset; *n as usize]);
        let column = Int64Array::from_iter_values(offsets);
        let rows = RecordBatch::try_from_iter([("offset", Arc::new(column) as _)]).unwrap();
        let indices = messages.iter().enumerate().filter(|(_, m)| rejected(m));
        let rejections =
            indices.map(|(at, _)| Rejection { index: at as u32, reason: "refused".into(), plugin: None }).collect();
        let table = TableRows { rows, rows_per_message };
        Ok(Output { tables: vec![table.clone(), table], rejections, repaired_strings: 0 })
    }
}

/// Values that begin with `j` are turned into what follows; `x` cannot be decoded. A message splits into bytes.
struct Bytewise;

impl Codec for Bytewise {
    fn decode(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<Option<()>, String> {
        match value.first() {
            Some(b'j') => {
                out.extend_from_slice(&value[1..]);
                Ok(Some(()))
            }
            Some(b'x') => {
                out.extend_from_slice(b"left over");
                Err("not decodable".into())
            }
            _ => Ok(None),
        }
    }

    fn split(&mut self, value: &[u8], bytes_max: usize) -> Result<Vec<Vec<u8>>, String> {
        Ok(value.chunks(bytes_max).map(<[u8]>::to_vec).collect())
    }
}

fn apply(values: &[Option<&[u8]>], rejected: &[i64]) -> (Applied, usize) {
    apply_known(values, &Known { rejected: rejected.iter().copied().collect(), floors: Vec::new() })
}

fn apply_known(values: &[Option<&[u8]>], known: &Known) -> (Applied, usize) {
    let records = values.iter().zip(0..).map(|(value, offset)| Record {
        offset,
        timestamp_ms: None,
        key: None,
        value: value.map(Bytes::copy_from_slice),
        headers: Vec::new(),
    });
    let batch = Batch {
        source: TopicPartition::new("t", 0),
        generation: Generation(1),
        from: 0,
        to: values.len() as i64,
        records: records.collect(),
        held: Held::default(),
    };
    let mut worker = Worker::new(Fake::default(), Bytewise);
    let applied = worker.apply(&batch, known);
    (applied, worker.stage.calls)
}

fn offsets(applied: &Applied) -> Vec<i64> {
    offsets_of(applied, 0)
}

fn offsets_of(applied: &Applied, table: usize) -> Vec<i64> {
    let column = |b: &RecordBatch| b.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec();
    applied.tables[table].iter().flat_map(column).collect()
}

fn refused(applied: &Applied) -> Vec<(usize, &str)> {
    applied.refused.iter().map(|r| (r.record, r.kind)).collect()
}

#[test]
fn a_batch_without_trouble_is_one_call() {
    let (applied, calls) = apply(&[Some(b"a"), Some(b"jbc"), None, Some(b"")], &[]);
    assert_eq!((offsets(&applied), applied.tombstones, calls), (vec![0, 1, 1], 1, 1));
}

#[test]
fn the_record_that_traps_is_found_and_its_neighbours_keep_their_rows() {
    let mut values: Vec<Option<&[u8]>> = vec![Some(b"a"); 100];
    values[37] = Some(b"!");
    values[99] = Some(b"!");
    let (applied, _) = apply(&values, &[]);
    assert_eq!(refused(&applied), [(37, "trap"), (99, "trap")]);
    assert_eq!(offsets(&applied), (0..99).filter(|o| *o != 37).collect::<Vec<_>>());
}

#[test]
fn a_failure_that_does_not_repeat_in_a_fresh_instance_blames_nobody() {
    let (applied, _) = apply(&[Some(b"a"), Some(b"?b"), Some(b"c")], &[]);
    assert_eq!((refused(&applied), offsets(&applied)), (vec![], vec![0, 1, 1, 2]));
}

#[test]
fn what_the_plugin_rejects_and_what_cannot_be_decoded_is_named_by_record() {
    let (applied, calls) = apply(&[Some(b"x"), Some(b"a"), None, Some(b"-"), Some(b"jd")], &[]);
    assert_eq!(refused(&applied), [(0, "decode"), (3, "plugin")]);
    assert_eq!((offsets(&applied), calls), (vec![1, 4], 1));
}

#[test]
fn a_record_that_is_a_dead_letter_already_is_refused_without_a_call() {
    let (applied, calls) = apply(&[Some(b"!"), Some(b"a")], &[0]);
    assert_eq!((refused(&applied), applied.refused_before, offsets(&applied), calls), (vec![], 1, vec![1], 1));
}

#[test]
fn a_record_too_large_for_the_limits_is_split_until_its_parts_fit() {
    let (applied, _) = apply(&[Some(b"a"), Some(b"+bcdefgh"), Some(b"c")], &[]);
    assert_eq!((refused(&applied), offsets(&applied)), (vec![], [vec![0], vec![1; 8], vec![2]].concat()));
}

#[test]
fn a_record_of_which_one_part_is_refused_gives_no_row_at_all() {
    let (applied, _) = apply(&[Some(b"a"), Some(b"+bcd-fgh"), Some(b"c")], &[]);
    assert_eq!((refused(&applied), offsets(&applied)), (vec![(1, "plugin")], vec![0, 2]));
}

#[test]
fn a_huge_record_is_split_before_it_is_given_to_a_plugin() {
    let huge = vec![b'a'; PART_BYTES_MAX + 1];
    let (applied, calls) = apply(&[Some(b"a"), Some(&huge), Some(b"c")], &[]);
    assert_eq!((applied.rows(0), calls), (PART_BYTES_MAX as u64 + 3, 4));
}

#[test]
fn a_table_gets_no_rows_of_records_that_it_has_already_whatever_way_they_come() {
    let values: [Option<&[u8]>; 6] = [Some(b"ab"), Some(b"-"), Some(b"c"), Some(b"+bcde"), Some(b"?f"), Some(b"g")];
    let all = [0, 0, 2, 3, 3, 3, 3, 3, 4, 4, 5];
    for floor in 0..7 {
        let (applied, _) = apply_known(&values, &Known { floors: vec![i64::MIN, floor], ..Known::default() });
        assert_eq!(offsets_of(&applied, 0), all);
        assert_eq!(offsets_of(&applied, 1), all.into_iter().filter(|o| *o >= floor).collect::<Vec<_>>());
        assert_eq!(refused(&applied), [(1, "plugin")]);
    }
}
