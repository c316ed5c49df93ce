//! Answers that are not what they say, made of an honest one.

use crate::exports::weir::plugin::otlp_to_arrow::Output;
use crate::weir::plugin::records::Rejection;

/// Turns an honest answer into the lie that is told, if it is one.
pub fn tell(misbehave: &str, output: &mut Output) {
    let rejection = |index| Rejection { index, reason: String::new() };
    match misbehave {
        "no tables" => output.tables.clear(),
        "reject nobody" => output.rejections.push(rejection(1_000_000)),
        "reject twice" => output.rejections = vec![rejection(0), rejection(0)],
        "reject and keep" => output.rejections = vec![rejection(0)],
        "huge output" => {
            let huge = vec![7_u8; 8 << 20];
            output.tables[0].rows.buffers.extend((0..3).map(|_| huge.clone()));
        }
        "reason is no text" => {
            output.rejections = vec![rejection(0)];
            // The contract's strings are UTF-8, and nobody but the host checks.
            output.rejections[0].reason = unsafe { String::from_utf8_unchecked(vec![0xFF; 8]) };
        }
        "buffer elsewhere" => {
            // Beyond the memory that the instance has.
            let elsewhere = unsafe { Vec::from_raw_parts(0xF000_0000_usize as *mut u8, 1 << 20, 1 << 20) };
            output.tables[0].rows.buffers[4] = elsewhere;
        }
        "one buffer a thousand times" => {
            // Little memory here, a gigabyte there.
            let once = vec![7_u8; 1 << 20].leak().as_mut_ptr();
            let again = || unsafe { Vec::from_raw_parts(once, 1 << 20, 1 << 20) };
            output.tables[0].rows.buffers = (0..1000).map(|_| again()).collect();
        }
        _ => lie_in_table(misbehave, output),
    }
}

fn lie_in_table(misbehave: &str, output: &mut Output) {
    let Some(table) = output.tables.first_mut() else { return };
    let rows = &mut table.rows;
    let set = |buffer: &mut Vec<u8>, at: usize, value: i32| {
        if let Some(bytes) = buffer.get_mut(at * 4..at * 4 + 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    };
    match misbehave {
        "wrong counts" => table.rows_per_message[0] += 1,
        "counts missing" => table.rows_per_message.clear(),
        "more rows" => rows.rows += 1,
        "node missing" => drop(rows.nodes.pop()),
        "buffer missing" => drop(rows.buffers.pop()),
        "buffer too many" => rows.buffers.push(vec![]),
        "column short" => rows.nodes[1].length -= 1,
        "column huge" => rows.nodes[0].length = u32::MAX,
        "values short" => drop(rows.buffers[1].pop()),
        "offsets negative" => set(&mut rows.buffers[3], 0, -1),
        "offsets falling" => set(&mut rows.buffers[3], 1, 1 << 20),
        "offsets beyond" => rows.buffers[4].clear(),
        "null count" => rows.nodes[1].null_count += 1,
        "nulls where none may be" => {
            rows.nodes[0].null_count = rows.nodes[0].length;
            rows.buffers[0] = vec![0; 128];
        }
        "key beyond" => set(&mut rows.buffers[6], 0, 2),
        "key negative" => set(&mut rows.buffers[6], 0, -1),
        "map key beyond" => set(&mut rows.buffers[14], 0, 1),
        "map beyond" => rows.nodes[5].length = 0,
        "dictionary null" => {
            rows.nodes[3].null_count = 1;
            rows.buffers[7] = vec![1];
        }
        _ => {}
    }
}
