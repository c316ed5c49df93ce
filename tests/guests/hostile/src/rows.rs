//! The honest answer, whose layout the lies know.
//!
//! | buffer | column |
//! |---|---|
//! | 0, 1 | `offset`, int64 |
//! | 2, 3, 4 | `text`, utf8, nullable: the value; null where it is empty |
//! | 5, 6 | `kind`, dictionary: `even` or `odd`, by the offset |
//! | 7, 8, 9 | its values |
//! | 10, 11 | `tags`, a map; one entry a row |
//! | 12 | its entries |
//! | 13, 14, 15, 16, 17 | their keys, a dictionary of one value, `key` |
//! | 18, 19, 20 | their values, utf8 |

use crate::exports::weir::plugin::otlp_to_arrow::Output;
use crate::weir::plugin::columns::{Node, RecordBatch, TableRows};
use crate::weir::plugin::records::{Batch, Rejection};

fn le32(values: impl IntoIterator<Item = i32>) -> Vec<u8> {
    values.into_iter().flat_map(i32::to_le_bytes).collect()
}

/// One row a message. A message `reject` is rejected.
pub fn honest(batch: &Batch) -> Output {
    let kept: Vec<_> = batch.messages.iter().filter(|m| m.value != b"reject").collect();
    let rows = kept.len() as i32;
    let mut validity = vec![0_u8; kept.len().div_ceil(8)];
    let mut ends = vec![0];
    let mut text = Vec::new();
    for (i, message) in kept.iter().enumerate() {
        if !message.value.is_empty() {
            validity[i / 8] |= 1 << (i % 8);
        }
        text.extend_from_slice(&message.value);
        ends.push(text.len() as i32);
    }
    let nulls = kept.iter().filter(|m| m.value.is_empty()).count() as u32;
    let node = |length: i32, null_count| Node { length: length as u32, null_count };
    let rejections = batch
        .messages
        .iter()
        .enumerate()
        .filter(|(_, m)| m.value == b"reject")
        .map(|(i, _)| Rejection { index: i as u32, reason: "it says so".to_owned() });
    let rows_batch = RecordBatch {
        rows: rows as u32,
        nodes: vec![
            node(rows, 0),
            node(rows, nulls),
            node(rows, 0),
            node(2, 0),
            node(rows, 0),
            node(rows, 0),
            node(rows, 0),
            node(1, 0),
            node(rows, 0),
        ],
        buffers: vec![
            vec![],
            kept.iter().flat_map(|m| m.offset.to_le_bytes()).collect(),
            validity,
            le32(ends.iter().copied()),
            text.clone(),
            vec![],
            le32(kept.iter().map(|m| (m.offset % 2) as i32)),
            vec![],
            le32([0, 4, 7]),
            b"evenodd".to_vec(),
            vec![],
            le32(0..=rows),
            vec![],
            vec![],
            le32((0..rows).map(|_| 0)),
            vec![],
            le32([0, 3]),
            b"key".to_vec(),
            vec![],
            le32(ends),
            text,
        ],
    };
    Output {
        tables: vec![TableRows {
            rows: rows_batch,
            rows_per_message: batch.messages.iter().map(|m| u32::from(m.value != b"reject")).collect(),
        }],
        rejections: rejections.collect(),
    }
}
