//! Merging sorted runs, each of which is read a batch at a time and not opened before its first row's turn has come.
//!
//! Runs of different times hardly overlap, so that few are open at once, however many there are. What is open is what
//! takes memory; [`overlap`] says beforehand how much that will be.

use arrow::row::Rows as Keys;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::ArrowError;

use super::content::Content;
use super::input::{Reader, Rows};
use super::runs::Run;
use super::{CompactError, Pace};
use crate::layout::{self, Column, Order, TooLarge, shrink};

/// Rows are written so many at once: few enough for the processor's caches, enough for its loops.
const CHUNK_ROWS: usize = 4096;
/// Dictionaries of different batches are joined once for so many rows.
const WINDOW_ROWS: usize = 32_768;

/// Where rows go, in order.
pub(super) type Sink<'a> = dyn FnMut(&[ArrayRef], usize) -> Result<(), CompactError> + 'a;

/// All columns of some batches.
pub(super) struct Columns(Vec<Column>);

impl Columns {
    pub(super) fn new(batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let Some(first) = batches.first() else { return Ok(Self(Vec::new())) };
        let column = |index: usize| {
            let arrays: Vec<ArrayRef> = batches.iter().map(|batch| ArrayRef::clone(batch.column(index))).collect();
            Column::new(&arrays, first.column(index).data_type())
        };
        Ok(Self((0..first.num_columns()).map(column).collect::<Result<_, _>>()?))
    }

    fn gather(&self, runs: &[layout::Run], rows: usize) -> Result<Vec<ArrayRef>, TooLarge> {
        self.0.iter().map(|column| column.gather(runs, rows)).collect()
    }
}

/// Gives the rows of runs of batches to a sink, a chunk at a time.
pub(super) fn gather_all(columns: &Columns, runs: &[layout::Run], sink: &mut Sink<'_>) -> Result<(), CompactError> {
    let mut left: Vec<layout::Run> = runs.iter().rev().copied().collect();
    let mut rows_max = CHUNK_ROWS;
    while !left.is_empty() {
        let (mut chunk, mut rows) = (Vec::new(), 0);
        while rows < rows_max
            && let Some(mut run) = left.pop()
        {
            let length = run.length.min((rows_max - rows) as u32);
            chunk.push(layout::Run { length, ..run });
            rows += length as usize;
            if length < run.length {
                (run.start, run.length) = (run.start + length, run.length - length);
                left.push(run);
            }
        }
        match columns.gather(&chunk, rows) {
            Ok(gathered) => sink(&gathered, rows)?,
            // Very long values: fewer at once.
            Err(TooLarge::Offsets) if rows > 1 => {
                left.extend(chunk.into_iter().rev());
                rows_max = rows / 2;
            }
            Err(TooLarge::Offsets) => return Err(ArrowError::OffsetOverflowError(0).into()),
            Err(TooLarge::Arrow(e)) => return Err(e.into()),
        }
    }
    Ok(())
}

/// About how many bytes a merge of these runs takes, and the runs that are open where it takes most.
pub(super) fn overlap(runs: &[Run], at_once: usize) -> (f64, Vec<usize>) {
    let mut by_first: Vec<usize> = (0..runs.len()).collect();
    by_first.sort_by(|a, b| runs[*a].first.cmp(&runs[*b].first));
    let (mut open, mut most): (Vec<usize>, (f64, Vec<usize>)) = (Vec::new(), (0.0, Vec::new()));
    for next in by_first {
        open.retain(|run| runs[*run].last >= runs[next].first);
        open.push(next);
        let cost = open.iter().map(|run| runs[*run].cost(at_once)).sum();
        if cost > most.0 {
            most = (cost, open.clone());
        }
    }
    most
}

/// What merges.
pub(super) struct Merging<'a> {
    pub(super) rows: &'a Rows,
    pub(super) order: &'a Order,
    pub(super) pace: &'a Pace,
    /// Rows of a batch.
    pub(super) at_once: usize,
}

/// A run under way.
struct Cursor {
    run: Run,
    open: Option<Open>,
}

struct Open {
    reader: Reader,
    keys: Keys,
    /// The batch's place in the window, its rows, and those that have gone.
    batch: u32,
    rows: usize,
    at: usize,
}

impl Cursor {
    fn key(&self) -> &[u8] {
        match &self.open {
            Some(open) => open.keys.row(open.at).data(),
            None => &self.run.first,
        }
    }
}

/// Rows that have been put into order and not yet gone out.
#[derive(Default)]
struct Window {
    batches: Vec<RecordBatch>,
    runs: Vec<layout::Run>,
    rows: usize,
}

impl Merging<'_> {
    /// Gives the rows of all runs to a sink, in order. Returns the content of those that are an input's.
    pub(super) fn merge(&self, runs: &[Run], sink: &mut Sink<'_>) -> Result<Content, CompactError> {
        let mut cursors: Vec<Cursor> = runs.iter().map(|run| Cursor { run: run.clone(), open: None }).collect();
        let mut content = Content::default();
        let mut window = Window::default();
        let mut heap: Vec<usize> = (0..cursors.len()).collect();
        heap.sort_by(|a, b| cursors[*a].key().cmp(cursors[*b].key()));
        while let Some(&top) = heap.first() {
            if cursors[top].open.is_none() && !self.open(&mut cursors[top], &mut window, &mut content)? {
                remove_first(&mut heap, &cursors);
                continue;
            }
            let second = [1, 2].into_iter().filter_map(|i| heap.get(i)).map(|i| cursors[*i].key()).min();
            let Some(open) = &cursors[top].open else { continue };
            let count = not_above(open, second);
            let length = count as u32;
            if count > 0 {
                window.push(layout::Run { batch: open.batch, start: open.at as u32, length });
            }
            let Some(open) = &mut cursors[top].open else { continue };
            open.at += count;
            if open.at == open.rows && !self.advance(&mut cursors[top], &mut window, &mut content)? {
                remove_first(&mut heap, &cursors);
            } else {
                sift_down(&mut heap, 0, &cursors);
            }
            if window.rows >= WINDOW_ROWS {
                window.flush(&mut cursors, sink)?;
                self.pace.rest()?;
            }
        }
        window.flush(&mut cursors, sink)?;
        Ok(content)
    }

    /// Opens a run; `false` where it has no rows.
    fn open(&self, cursor: &mut Cursor, window: &mut Window, content: &mut Content) -> Result<bool, CompactError> {
        let reader = cursor.run.input.read(self.rows, cursor.run.groups.clone(), self.at_once)?;
        let keys = self.order.keys(&RecordBatch::new_empty(reader.schema()))?;
        cursor.open = Some(Open { reader, keys, batch: 0, rows: 0, at: 0 });
        self.advance(cursor, window, content)
    }

    /// Reads a run's next batch; `false` where there is none.
    fn advance(&self, cursor: &mut Cursor, window: &mut Window, content: &mut Content) -> Result<bool, CompactError> {
        let Some(open) = &mut cursor.open else { return Ok(false) };
        let batch = loop {
            match open.reader.next().transpose()? {
                None => {
                    cursor.open = None;
                    return Ok(false);
                }
                Some(batch) if batch.num_rows() == 0 => {}
                Some(batch) => break batch,
            }
        };
        if cursor.run.is_original {
            content.add(&batch)?;
        }
        (open.keys, open.rows, open.at) = (self.order.keys(&batch)?, batch.num_rows(), 0);
        // A reader's batches share the dictionary of a whole row group; joining these once a window would cost more
        // than the rows.
        let columns = batch.columns().iter().map(shrink).collect::<Result<_, _>>()?;
        open.batch = window.batches.len() as u32;
        window.batches.push(RecordBatch::try_new(batch.schema(), columns)?);
        Ok(true)
    }
}

/// How many of a batch's rows come before the next run's first.
fn not_above(open: &Open, second: Option<&[u8]>) -> usize {
    let left = open.rows - open.at;
    let Some(second) = second else { return left };
    let is_before = |row: usize| open.keys.row(open.at + row).data() <= second;
    // One is, or its run would not be the first: then two, four, and halving between.
    let (mut low, mut step) = (1, 1);
    while low + step <= left && is_before(low + step - 1) {
        low += step;
        step *= 2;
    }
    let mut high = left.min(low + step);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(middle) { low = middle + 1 } else { high = middle }
    }
    low.min(left)
}

fn remove_first(heap: &mut Vec<usize>, cursors: &[Cursor]) {
    heap.swap_remove(0);
    sift_down(heap, 0, cursors);
}

/// Lets a cursor sink to where those below it are not before it.
fn sift_down(heap: &mut [usize], mut at: usize, cursors: &[Cursor]) {
    loop {
        let below = [2 * at + 1, 2 * at + 2].into_iter().filter(|i| *i < heap.len());
        let Some(least) = below.min_by(|a, b| cursors[heap[*a]].key().cmp(cursors[heap[*b]].key())) else { return };
        if cursors[heap[at]].key() <= cursors[heap[least]].key() {
            return;
        }
        heap.swap(at, least);
        at = least;
    }
}

impl Window {
    fn push(&mut self, run: layout::Run) {
        self.rows += run.length as usize;
        match self.runs.last_mut() {
            Some(last) if last.batch == run.batch && last.start + last.length == run.start => last.length += run.length,
            _ => self.runs.push(run),
        }
    }

    /// Gives the rows to the sink, and keeps the batches that have more.
    fn flush(&mut self, cursors: &mut [Cursor], sink: &mut Sink<'_>) -> Result<(), CompactError> {
        let mut places = vec![u32::MAX; self.batches.len()];
        let mut used = Vec::new();
        for run in &mut self.runs {
            let place = &mut places[run.batch as usize];
            if *place == u32::MAX {
                *place = used.len() as u32;
                used.push(self.batches[run.batch as usize].clone());
            }
            run.batch = *place;
        }
        let columns = Columns::new(&used)?;
        gather_all(&columns, &self.runs, sink)?;
        self.runs.clear();
        self.rows = 0;
        let batches = std::mem::take(&mut self.batches);
        for open in cursors.iter_mut().filter_map(|cursor| cursor.open.as_mut()) {
            let batch = batches[open.batch as usize].clone();
            open.batch = self.batches.len() as u32;
            self.batches.push(batch);
        }
        Ok(())
    }
}
