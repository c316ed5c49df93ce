//! What `transform` gave back, checked as a whole and turned into the core's form.

use weir_pipeline::transform::{Output, Rejection, TableRows, TableSchema};

use crate::bindings::columns::TableRows as GuestRows;
use crate::bindings::otlp_to_arrow::Output as GuestOutput;
use crate::bindings::records::Rejection as GuestRejection;
use crate::columns;
use crate::voice::cut;

/// The longest reason of a rejection, in bytes: it becomes a value in the table of dead letters.
pub(crate) const REASON_BYTES_MAX: usize = 1 << 10;

/// An answer that holds, and its size.
pub(crate) struct Answer {
    pub(crate) output: Output,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
}

/// Checks an answer to a call with so many messages.
///
/// # Errors
/// Names the table, the column and what is wrong.
pub(crate) fn check(tables: &[TableSchema], messages: usize, guest: GuestOutput) -> Result<Answer, String> {
    if guest.tables.len() != tables.len() {
        return Err(format!("it gave {} tables, and configure named {}", guest.tables.len(), tables.len()));
    }
    let rejections = check_rejections(messages, guest.rejections)?;
    let mut answer = Answer { output: Output { rejections, ..Output::default() }, bytes: 0, rows: 0 };
    for (table, rows) in tables.iter().zip(guest.tables) {
        let in_table = |e: String| format!("table {}: {e}", table.name);
        check_counts(messages, &answer.output.rejections, &rows).map_err(in_table)?;
        answer.bytes += rows.rows.buffers.iter().map(|b| b.len() as u64).sum::<u64>();
        answer.rows += u64::from(rows.rows.rows);
        let batch =
            columns::record_batch(&table.schema, rows.rows, &mut answer.output.repaired_strings).map_err(in_table)?;
        answer.output.tables.push(TableRows { rows: batch, rows_per_message: rows.rows_per_message });
    }
    Ok(answer)
}

fn check_rejections(messages: usize, guest: Vec<GuestRejection>) -> Result<Vec<Rejection>, String> {
    let mut rejections: Vec<Rejection> = Vec::with_capacity(guest.len().min(messages));
    for GuestRejection { index, mut reason } in guest {
        if index as usize >= messages {
            return Err(format!("it rejected message {index} of {messages}"));
        }
        if let Some(before) = rejections.last().filter(|before| before.index >= index) {
            return Err(format!("it rejected message {index} after message {}", before.index));
        }
        reason.truncate(cut(&reason, REASON_BYTES_MAX).len());
        rejections.push(Rejection { index, reason, plugin: None });
    }
    Ok(rejections)
}

fn check_counts(messages: usize, rejections: &[Rejection], table: &GuestRows) -> Result<(), String> {
    let counts = &table.rows_per_message;
    if counts.len() != messages {
        return Err(format!("it counted rows of {} messages, and there were {messages}", counts.len()));
    }
    let sum: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    if sum != u64::from(table.rows.rows) {
        return Err(format!("the messages' rows add up to {sum}, and there are {}", table.rows.rows));
    }
    match rejections.iter().find(|r| counts.get(r.index as usize).is_some_and(|count| *count != 0)) {
        Some(r) => Err(format!("message {} is rejected and has rows", r.index)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
