//! Writing what a buffer holds: rows to their partitions, each partition's in order, several at once.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use futures::{StreamExt, TryStreamExt};

use super::WriteError;
use super::buffer::{Buffer, Buffered};
use super::file::{ClosedFile, Place};
use super::partition::{PartitionFiles, arrow_error, gather};
use super::plan::Plan;
use crate::layout::{Column, LayoutError, Sorted, TooLarge, shrink};

/// Rows that stay in the buffer are put together again in batches of so many.
const KEPT_ROWS: usize = 16_384;

/// Rows on their way to files.
struct Work {
    plan: Arc<Plan>,
    columns: Vec<Column>,
    sorted: Sorted,
}

/// Writes rows until about `bytes_left` stay buffered. Leaves the buffer as it was in its other respects.
///
/// After an error the buffer is of no use but to be discarded.
pub(super) async fn flush(
    mut buffer: Buffer,
    bytes_left: usize,
    encoders_max: usize,
) -> (Buffer, Result<(), WriteError>) {
    let result = flush_some(&mut buffer, bytes_left, encoders_max).await;
    (buffer, result)
}

async fn flush_some(buffer: &mut Buffer, bytes_left: usize, encoders_max: usize) -> Result<(), WriteError> {
    let chosen = buffer.largest(bytes_left);
    if chosen.is_empty() {
        return Ok(());
    }
    let batches = std::mem::take(&mut buffer.batches);
    let mut rows_of = std::mem::take(&mut buffer.rows);
    buffer.rows = vec![0; rows_of.len()];
    buffer.bytes = 0;
    let plan = Arc::clone(&buffer.plan);
    let is_chosen = {
        let mut is_chosen = vec![false; rows_of.len()];
        chosen.iter().for_each(|n| is_chosen[*n as usize] = true);
        is_chosen
    };
    let (work, mut rows) = blocking(move || prepare(plan, &batches, &mut rows_of, &is_chosen)).await?;
    let work = Arc::new(work);

    let mut jobs = Vec::with_capacity(chosen.len());
    for number in chosen {
        let mut rows = std::mem::take(&mut rows[number as usize]);
        let values = buffer.partitions[number as usize].clone();
        let mut files = buffer.files.remove(&number).unwrap_or_else(|| PartitionFiles::new(values));
        let work = Arc::clone(&work);
        jobs.push(blocking(move || {
            work.sorted.sort(&mut rows);
            let written = files.write(&work.plan, &work.columns, &rows);
            Ok((number, files, written))
        }));
    }
    let mut results = futures::stream::iter(jobs).buffer_unordered(encoders_max.max(1));
    let mut outcome = Ok(());
    while let Some(result) = results.next().await {
        match result {
            Ok((number, files, written)) => {
                buffer.files.insert(number, files);
                outcome = outcome.and(written);
            }
            Err(e) => outcome = outcome.and(Err(e)),
        }
    }
    outcome?;
    let kept = blocking(move || keep(&work, rows)).await?;
    kept.into_iter().for_each(|batch| buffer.put_back(batch));
    Ok(())
}

/// Sorts out which row goes where: for each partition, its rows as numbers that sort.
fn prepare(
    plan: Arc<Plan>,
    batches: &[Buffered],
    rows_of: &mut [usize],
    is_chosen: &[bool],
) -> Result<(Work, Vec<Vec<u128>>), WriteError> {
    let records: Vec<&RecordBatch> = batches.iter().map(|b| &b.rows).collect();
    let sorted = plan.layout.sorted(&records)?;
    let column = |(index, field): (usize, &arrow_schema::FieldRef)| {
        let arrays: Vec<_> = records.iter().map(|b| Arc::clone(b.column(index))).collect();
        Column::new(&arrays, field.data_type())
    };
    let fields = plan.encoding.rows.fields();
    let columns = fields.iter().enumerate().map(column).collect::<Result<_, _>>().map_err(arrow_error)?;
    let mut rows: Vec<Vec<u128>> = rows_of.iter().map(|count| Vec::with_capacity(*count)).collect();
    let unsorted = Sorted::none();
    for (index, batch) in (0..).zip(batches) {
        for (row, number) in (0..).zip(batch.numbers()) {
            let sorted = if is_chosen[number as usize] { &sorted } else { &unsorted };
            rows[number as usize].push(sorted.number(index, row));
        }
    }
    Ok((Work { plan, columns, sorted }, rows))
}

/// Copies the rows that stay, so that the batches they came in can go.
fn keep(work: &Work, rows: Vec<Vec<u128>>) -> Result<Vec<Buffered>, WriteError> {
    let mut kept = Vec::new();
    for (number, rows) in (0..).zip(rows) {
        let mut rest = &rows[..];
        let mut at_once = KEPT_ROWS;
        while !rest.is_empty() {
            let count = rest.len().min(at_once);
            let columns = match gather(&work.columns, &rest[..count]) {
                // A batch that stays keeps no value that no row of it has: dictionaries would only ever grow.
                Ok(columns) => columns.iter().map(shrink).collect::<Result<_, _>>().map_err(arrow_error)?,
                Err(TooLarge::Offsets) if count > 1 => {
                    at_once = count / 2;
                    continue;
                }
                Err(TooLarge::Offsets) => return Err(arrow_error(arrow_schema::ArrowError::OffsetOverflowError(0))),
                Err(TooLarge::Arrow(e)) => return Err(arrow_error(e)),
            };
            let options = RecordBatchOptions::new().with_row_count(Some(count));
            let schema = Arc::clone(&work.plan.encoding.rows);
            let batch = RecordBatch::try_new_with_options(schema, columns, &options).map_err(LayoutError::Arrow)?;
            kept.push(Buffered::of_one(batch, number));
            rest = &rest[count..];
        }
    }
    Ok(kept)
}

/// Closes all files of a buffer whose rows are all in files.
pub(super) async fn close(buffer: &mut Buffer, encoders_max: usize) -> Result<Vec<ClosedFile>, WriteError> {
    let mut numbers: Vec<u32> = buffer.files.keys().copied().collect();
    numbers.sort_unstable();
    let files = numbers.into_iter().filter_map(|n| buffer.files.remove(&n).map(|f| (n, f)));
    let jobs = files.map(|(number, mut files)| {
        let plan = Arc::clone(&buffer.plan);
        blocking(move || {
            let closed = files.close(&plan);
            Ok((number, files, closed))
        })
    });
    let jobs: Vec<_> = jobs.collect();
    let mut results = futures::stream::iter(jobs).buffered(encoders_max.max(1));
    let mut outcome = Ok(Vec::new());
    while let Some((number, files, closed)) = results.try_next().await? {
        buffer.files.insert(number, files);
        outcome = outcome.and_then(|mut all: Vec<ClosedFile>| {
            all.extend(closed?);
            Ok(all)
        });
    }
    outcome
}

/// Deletes everything that a buffer has written.
pub(super) async fn delete(buffer: Buffer) {
    let made: Vec<Place> = buffer.files.values().flat_map(|f| f.made.iter().cloned()).collect();
    let deleted = blocking(move || {
        // Files are let go of first: a writer that ends may still have a last word.
        drop(buffer);
        for place in made {
            match std::fs::remove_file(&place.path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(file = %place.path.display(), error = %e, "cannot delete a file of a dropped epoch");
                }
                _ => {}
            }
        }
        Ok(())
    });
    if let Err(e) = deleted.await {
        tracing::warn!(error = %e, "files of a dropped epoch may be left");
    }
}

/// Runs work that computes or blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WriteError> + Send + 'static,
) -> Result<T, WriteError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| WriteError::Thread(e.to_string()))?
}
