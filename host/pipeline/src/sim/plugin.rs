//! A simulated plugin behind the real worker. It takes its time, and may think otherwise of a record than another
//! process does.

use std::sync::{Arc, Mutex};

use arrow_array::{Int32Array, Int64Array, RecordBatch};

use super::catalog::Row;
use super::world::Shared;
use crate::batch::Batch;
use crate::chain::Chain;
use crate::error::Error;
use crate::run::Transformer;
use crate::transform::{Effort, Failure, Message, Output, Rejection, Stage, TableRows};
use crate::work::{Applied, Codec, Known, Worker};

pub(super) struct SimTransformer {
    world: Shared,
    worker: Mutex<Worker<SimStage, AsItIs>>,
}

impl SimTransformer {
    /// The workers of a process that run one version of the plugin.
    pub(super) fn chain(world: &Shared, id: u64, version: u64) -> Chain<Self> {
        let shape = world.lock().shape;
        // With one data table equal plugins may differ, as machines do; with two this is a contradiction.
        let taste = if shape.data_tables == 1 { id % 2 } else { version };
        let worker = Worker::new(SimStage { data_tables: shape.data_tables, taste, version }, AsItIs);
        Chain::new(digests(version), Arc::new(Self { world: world.clone(), worker: Mutex::new(worker) }))
    }
}

/// What a version of the plugin is called in the tables.
pub(super) fn digests(version: u64) -> String {
    format!("plugin-{version}")
}

impl Transformer for SimTransformer {
    async fn transform(&self, batch: Batch, known: Arc<Known>) -> Result<(Batch, Applied), Error> {
        let time = self.world.lock().travel();
        tokio::time::sleep(time).await;
        let applied = self.worker.lock().unwrap().apply(&batch, &known);
        Ok((batch, applied))
    }
}

/// The numbers of the rows of a record in each data table that there may be. They tell which version made them, and
/// versions differ in how many they make.
pub(super) fn rows_of(offset: i64, n: i64, version: u64) -> [Vec<i64>; 2] {
    let version = version as i64;
    [(n + version) % 4, (offset + n + version) % 3].map(|n| (0..n).map(|i| version * MADE_BY + i).collect())
}

/// Above the number of a record's rows.
const MADE_BY: i64 = 100;

/// The version that made a row.
pub(super) fn made_by(row: &Row) -> u64 {
    (row.2 / MADE_BY) as u64
}

struct SimStage {
    data_tables: usize,
    taste: u64,
    version: u64,
}

impl Stage for SimStage {
    fn call(&mut self, _: &str, partition: i32, messages: &[Message<'_>], _: Effort) -> Result<Output, Failure> {
        let mut rejections = Vec::new();
        let mut rows = vec![Vec::new(); self.data_tables];
        let mut counts = rows.iter().map(|_| Vec::new()).collect::<Vec<_>>();
        for (at, message) in messages.iter().enumerate() {
            let (kind, n) = std::str::from_utf8(message.value).unwrap().split_at(1);
            let is_refused = kind == "x" || kind == "f" && (message.offset as u64 + self.taste).is_multiple_of(2);
            if is_refused {
                rejections.push(Rejection { index: at as u32, reason: "no".into(), plugin: None });
            }
            let made = match is_refused {
                true => Default::default(),
                false => rows_of(message.offset, n.parse().unwrap(), self.version),
            };
            for (table, made) in made.into_iter().take(self.data_tables).enumerate() {
                counts[table].push(made.len() as u32);
                rows[table].extend(made.into_iter().map(|n| (partition, message.offset, n)));
            }
        }
        let table = |(rows, rows_per_message): (Vec<Row>, _)| TableRows { rows: columns(&rows), rows_per_message };
        Ok(Output { tables: rows.into_iter().zip(counts).map(table).collect(), rejections, repaired_strings: 0 })
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
