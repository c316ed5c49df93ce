//! Sorted runs: which parts of the inputs are in the table's order, and making such of those that are not.
//!
//! Nobody's word is taken for it. Of each input only the sort columns are read first, which costs little; row groups
//! that follow each other in order are one run. A writer that flushed a file in pieces has put each into order.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::content::Content;
use super::copy::Part;
use super::input::{Input, Rows};
use super::merge::{Columns, gather_all};
use super::{CompactError, Pace};
use crate::layout::Order;
use crate::writer::{self, RunWriter, Scratch, WriteTarget};

/// Rows that are not in order are put into order in pieces of about so many bytes.
const SORT_BYTES: f64 = 64e6;
/// Sort columns are read so many rows at once.
const SCAN_ROWS: usize = 8192;

/// A row's place in the order, as bytes that compare like it.
pub(super) type Key = Arc<[u8]>;

/// Rows in order, in a file.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) input: Input,
    pub(super) groups: Range<usize>,
    /// The keys of its first and its last row.
    pub(super) first: Key,
    pub(super) last: Key,
    /// Whether the rows are those of an input, and not of a run that was made here.
    pub(super) is_original: bool,
    /// The file, where it was made here.
    _made: Option<Arc<writer::Run>>,
}

impl Run {
    /// A run that was made here. Its file goes with it.
    pub(super) fn made(run: writer::Run, first: Key, last: Key) -> Result<Self, CompactError> {
        let input = Input::open(run.path(), &run.path().display().to_string())?;
        let groups = 0..input.groups();
        Ok(Self { input, groups, first, last, is_original: false, _made: Some(Arc::new(run)) })
    }

    /// About how many bytes it takes to read it, beside `at_once` rows of a batch.
    pub(super) fn cost(&self, at_once: usize) -> f64 {
        self.input.page_bytes(&self.groups) + 2.0 * at_once as f64 * self.input.row_bytes(&self.groups)
    }
}

/// What a table's rows are put into order with.
pub(super) struct Sorting<'a> {
    pub(super) rows: &'a Rows,
    pub(super) narrow: &'a Rows,
    pub(super) order: &'a Order,
    /// The order, bound to the sort columns alone.
    pub(super) narrow_order: &'a Order,
    pub(super) target: &'a WriteTarget,
    pub(super) scratch: &'a Scratch,
    pub(super) pace: &'a Pace,
}

/// The sorted runs of a part of an input. Also gives the content of rows that had to be put into order, for these have
/// been read.
pub(super) fn runs(part: &Part, sorting: &Sorting<'_>) -> Result<(Vec<Run>, Content), CompactError> {
    let (mut found, mut content): (Vec<Run>, _) = (Vec::new(), Content::default());
    let input = &part.input;
    for &group in &part.groups {
        let groups = group..group + 1;
        match scan(input, groups.clone(), sorting)? {
            Scan::Empty => {}
            Scan::Sorted(first, last) => match found.last_mut() {
                Some(run) if run.is_original && run.groups.end == group && run.last <= first => {
                    run.groups.end = groups.end;
                    run.last = last;
                }
                _ => found.push(Run { input: input.clone(), groups, first, last, is_original: true, _made: None }),
            },
            Scan::Unsorted => found.extend(sort(input, groups, sorting, &mut content)?),
        }
    }
    Ok((found, content))
}

enum Scan {
    Empty,
    Sorted(Key, Key),
    Unsorted,
}

fn scan(input: &Input, groups: Range<usize>, sorting: &Sorting<'_>) -> Result<Scan, CompactError> {
    let mut ends: Option<(Key, Key)> = None;
    for batch in input.read(sorting.narrow, groups, SCAN_ROWS)? {
        let keys = sorting.narrow_order.keys(&batch?)?;
        let count = keys.num_rows();
        if count == 0 {
            continue;
        }
        let is_sorted = (1..count).all(|row| keys.row(row - 1) <= keys.row(row));
        let (first, last) = (keys.row(0), Arc::from(keys.row(count - 1).as_ref()));
        ends = Some(match ends {
            _ if !is_sorted => return Ok(Scan::Unsorted),
            None => (Arc::from(first.as_ref()), last),
            Some((_, end)) if *end > *first.as_ref() => return Ok(Scan::Unsorted),
            Some((start, _)) => (start, last),
        });
    }
    Ok(ends.map_or(Scan::Empty, |(first, last)| Scan::Sorted(first, last)))
}

/// Puts rows into order, a piece at a time.
fn sort(
    input: &Input,
    groups: Range<usize>,
    sorting: &Sorting<'_>,
    content: &mut Content,
) -> Result<Vec<Run>, CompactError> {
    let rows_max = (SORT_BYTES / input.row_bytes(&groups)).max(1.0) as usize;
    let (mut made, mut batches, mut rows) = (Vec::new(), Vec::new(), 0);
    for batch in input.read(sorting.rows, groups, SCAN_ROWS)? {
        let batch = batch?;
        content.add(&batch)?;
        rows += batch.num_rows();
        batches.push(batch);
        if rows >= rows_max {
            made.push(sort_piece(&std::mem::take(&mut batches), sorting)?);
            rows = 0;
        }
    }
    if rows > 0 {
        made.push(sort_piece(&batches, sorting)?);
    }
    Ok(made)
}

fn sort_piece(batches: &[RecordBatch], sorting: &Sorting<'_>) -> Result<Run, CompactError> {
    sorting.pace.rest()?;
    let keys = batches.iter().map(|batch| sorting.order.keys(batch)).collect::<Result<Vec<_>, _>>()?;
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (batch, rows) in batches.iter().enumerate() {
        places.extend((0..rows.num_rows()).map(|row| (batch, row)));
    }
    places.sort_by(|a, b| keys[a.0].row(a.1).cmp(&keys[b.0].row(b.1)));
    let key = |place: Option<&(usize, usize)>| place.map_or(Arc::from([]), |p| Arc::from(keys[p.0].row(p.1).as_ref()));
    let (first, last) = (key(places.first()), key(places.last()));
    let numbers: Vec<u128> = places.into_iter().map(|(batch, row)| (batch as u128) << 32 | row as u128).collect();
    let mut run = RunWriter::new(sorting.target, sorting.scratch)?;
    let columns = Columns::new(batches)?;
    gather_all(&columns, &crate::layout::runs(&numbers), &mut |chunk, rows| Ok(run.write(chunk, rows)?))?;
    Run::made(run.close()?, first, last)
}
