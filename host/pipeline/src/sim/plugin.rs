//! A simulated plugin behind the real worker. It takes its time, and may think otherwise of a record than another
//! process does.

use std::sync::{Arc, Mutex};

use arrow_array::{Int32Array, Int64Array, RecordBatch};

use super::catalog::Row;
use super::world::Shared;
use crate::batch::Batch;
use crate::error::Error;
use crate::run::Transformer;
use crate::transform::{Effort, Failure, Message, Output, Rejection, Stage, TableRows};
use crate::work::{Applied, Codec, Known, Worker};

pub(super) struct SimTransformer {
    world: Shared,
    worker: Mutex<Worker<SimStage, AsItIs>>,
}

impl SimTransformer {
    pub(super) fn new(world: &Shared, id: u64) -> Self {
        let shape = world.lock().shape;
        // With one data table equal plugins may differ, as machines do; with two this is a contradiction.
        let taste = if shape.data_tables == 1 { id % 2 } else { id % shape.plugins };
        let worker = Worker::new(SimStage { data_tables: shape.data_tables, taste }, AsItIs);
        Self { world: world.clone(), worker: Mutex::new(worker) }
    }
}

impl Transformer for SimTransformer {
    async fn transform(&self, batch: Batch, known: Arc<Known>) -> Result<(Batch, Applied), Error> {
        let time = self.world.lock().travel();
        tokio::time::sleep(time).await;
        let applied = self.worker.lock().unwrap().apply(&batch, &known);
        Ok((batch, applied))
    }
}

/// Rows of a record in each data table that there may be.
pub(super) fn rows_of(offset: i64, n: i64) -> [i64; 2] {
    [n, (offset + n) % 3]
}

struct SimStage {
    data_tables: usize,
    taste: u64,
}

impl Stage for SimStage {
    fn call(&mut self, _: &str, partition: i32, messages: &[Message<'_>], _: Effort) -> Result<Output, Failure> {
        let mut rejections = Vec::new();
        let mut counts = vec![Vec::new(); self.data_tables];
        for (at, message) in messages.iter().enumerate() {
            let (kind, n) = std::str::from_utf8(message.value).unwrap().split_at(1);
            let is_refused = kind == "x" || kind == "f" && (message.offset as u64 + self.taste).is_multiple_of(2);
            if is_refused {
                rejections.push(Rejection { index: at as u32, reason: "no".into(), plugin: None });
            }
            let rows = if is_refused { [0, 0] } else { rows_of(message.offset, n.parse().unwrap()) };
            counts.iter_mut().zip(rows).for_each(|(counts, rows)| counts.push(rows as u32));
        }
        let table = |rows_per_message: Vec<u32>| {
            let of = |(m, n): (&Message<'_>, &u32)| {
                (0..i64::from(*n)).map(|n| (partition, m.offset, n)).collect::<Vec<Row>>()
            };
            let rows: Vec<Row> = messages.iter().zip(&rows_per_message).flat_map(of).collect();
            TableRows { rows: columns(&rows), rows_per_message }
        };
        Ok(Output { tables: counts.into_iter().map(table).collect(), rejections, repaired_strings: 0 })
    }
}

fn columns(rows: &[Row]) -> RecordBatch {
    let partition = Int32Array::from_iter_values(rows.iter().map(|r| r.0));
    let offset = Int64Array::from_iter_values(rows.iter().map(|r| r.1));
    let n = Int64Array::from_iter_values(rows.iter().map(|r| r.2));
    RecordBatch::try_from_iter([
        ("partition", Arc::new(partition) as _),
        ("offset", Arc::new(offset) as _),
        ("n", Arc::new(n) as _),
    ])
    .unwrap()
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
