//! The rows of some files into other files, counted and hashed before and after.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::ArrayRef;
use cpu_time::ThreadTime;
use futures::{StreamExt, TryStreamExt};
use iceberg::spec::TableMetadata;
use object_store::ObjectStoreExt;
use tokio::io::AsyncWriteExt;

use super::content::Content;
use super::copy::{Copied, Division, Part, copy};
use super::input::{Input, Rows};
use super::merge::{Merging, overlap};
use super::runs::{Run, Sorting, runs};
use super::select::Group;
use super::{CompactError, Pace, Strategy};
use crate::layout::Order;
use crate::store::Store;
use crate::writer::{self, Rewriting, Rewritten, RunWriter, Scratch, WriteTarget, make_durable};

/// Files fetched at once.
const FETCHES: usize = 4;
/// Rows read at once of each file that is open.
const BATCH_ROWS: usize = 2048;
/// Rows read at once where only one file is open.
const ALONE_ROWS: usize = 8192;

/// What a rewrite needs.
#[derive(Clone, Debug)]
pub(super) struct Workshop {
    pub(super) store: Store,
    pub(super) metadata: Arc<TableMetadata>,
    pub(super) scratch: Scratch,
    pub(super) strategy: Strategy,
    pub(super) memory_bytes: f64,
    pub(super) pace: Pace,
}

/// A group whose rows are in new files, durable and in no commit.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) group: Group,
    pub(super) files: Vec<Rewritten>,
    pub(super) copied: Share,
    /// When its oldest file may have been made, milliseconds since 1970.
    pub(super) since_ms: i64,
}

/// What of a group was copied as it is.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Share {
    /// Files of which all was.
    pub(super) files: usize,
    /// Bytes of row groups, of others too.
    pub(super) bytes: u64,
}

/// What was read for new files, and what they are compared with.
struct Before {
    copied: Vec<Copied>,
    /// Of what was not copied.
    content: Content,
}

impl Workshop {
    /// Rewrites a group, and adds the CPU time that its rows took. On error nothing of it is left.
    pub(super) async fn rewrite(&self, group: Group, cpu: &mut Duration) -> Result<Ready, CompactError> {
        let since_ms = chrono::Utc::now().timestamp_millis();
        let fetches: Vec<_> = group.files.iter().map(|live| self.fetch(live.file.file_path())).collect();
        let paths: Vec<Fetched> = futures::stream::iter(fetches).buffered(FETCHES).try_collect().await?;
        let (workshop, work) = (self.clone(), group.clone());
        let timed = tokio::task::spawn_blocking(move || {
            let clock = ThreadTime::now();
            let made = workshop.work(&work, &paths);
            (made, clock.elapsed())
        });
        let (made, took) = timed.await.map_err(|e| CompactError::Refused(format!("a thread ended by itself: {e}")))?;
        *cpu += took;
        let (files, copied) = made?;
        if let Err(e) = make_durable(&self.store, &files).await {
            for file in &files {
                let _ = self.store.delete(file.data_file().file_path()).await;
            }
            return Err(e.into());
        }
        Ok(Ready { group, files, copied, since_ms })
    }

    /// Brings a file onto this machine, if it is elsewhere.
    async fn fetch(&self, location: &str) -> Result<Fetched, CompactError> {
        if let Some(path) = self.store.local_path(location) {
            return Ok(Fetched { path, _copy: None });
        }
        let error = |why: String| CompactError::File { location: location.to_string(), why };
        let path = self.scratch.path()?;
        let copy = Some(writer::Run::of(path.clone()));
        let (objects, key) = self.store.object(location)?;
        let mut bytes = objects.get(&key).await.map_err(|e| error(e.to_string()))?.into_stream();
        let mut file = tokio::fs::File::create(&path).await.map_err(|e| error(e.to_string()))?;
        while let Some(part) = bytes.try_next().await.map_err(|e| error(e.to_string()))? {
            file.write_all(&part).await.map_err(|e| error(e.to_string()))?;
        }
        file.flush().await.map_err(|e| error(e.to_string()))?;
        Ok(Fetched { path, _copy: copy })
    }

    fn work(&self, group: &Group, fetched: &[Fetched]) -> Result<(Vec<Rewritten>, Share), CompactError> {
        let inputs = open(group, fetched)?;
        let Some(sample) = inputs.iter().max_by_key(|input| input.footer().file_metadata().num_rows()) else {
            return Ok(Default::default());
        };
        let rows = Rows::like(&self.metadata, sample.footer());
        let target = WriteTarget { metadata: Arc::clone(&self.metadata), mapping: rows.mapping()? };
        let is_sorted = !self.metadata.default_sort_order().is_unsorted();
        let mut out = Rewriting::new(&self.store, &target, &self.scratch, group.partition.clone(), is_sorted)?;
        let file_bytes = if group.outputs > 1 { group.bytes() / group.outputs as u64 } else { u64::MAX };
        let division = Division::new(&inputs, &out, self.strategy, file_bytes);
        let made = self.fill(group, &division, &rows, &target, &mut out).and_then(|before| {
            let files = out.close()?;
            self.compare(group, &before, &files, &rows)?;
            Ok((files, division.share()))
        });
        if made.is_err() {
            let paths = out.made();
            drop(out);
            // What stays is an orphan, for nothing names it.
            paths.iter().for_each(|path| drop(std::fs::remove_file(path)));
        }
        made
    }

    /// Copies what is to be copied, then writes the rows of what is not. Either may fill files of its own, if there are
    /// several.
    fn fill(
        &self,
        group: &Group,
        division: &Division,
        rows: &Rows,
        target: &WriteTarget,
        out: &mut Rewriting,
    ) -> Result<Before, CompactError> {
        let (of_copies, of_others) = division.outputs(group.outputs);
        let bytes_max = division.copied.iter().map(Part::bytes).sum::<u64>().div_ceil(of_copies.max(1) as u64);
        let mut in_file = 0;
        let mut is_full = |more: u64| {
            let is_full = in_file > 0 && in_file + more / 2 >= bytes_max;
            in_file = if is_full { more } else { in_file + more };
            is_full
        };
        let mut copied = Vec::new();
        for part in &division.copied {
            copied.extend(copy(part, rows, out, &self.pace, &mut is_full)?);
        }
        if of_copies > 0 && of_others > 0 {
            out.end_file()?;
        }
        let content = match &division.encoded[..] {
            [] => Content::default(),
            parts => self.write(parts, of_others, rows, target, out)?,
        };
        Ok(Before { copied, content })
    }

    /// Writes all rows, those of one output after those of the other, and gives the content of what was read.
    fn write(
        &self,
        parts: &[Part],
        outputs: usize,
        rows: &Rows,
        target: &WriteTarget,
        out: &mut Rewriting,
    ) -> Result<Content, CompactError> {
        let all = parts.iter().map(Part::rows).sum::<u64>();
        let a_file = usize::try_from(all.div_ceil(outputs.max(1) as u64)).unwrap_or(usize::MAX).max(1);
        let mut in_file = 0;
        let mut sink = |columns: &[ArrayRef], count: usize| {
            let mut from = 0;
            while from < count {
                if in_file >= a_file {
                    out.end_file()?;
                    in_file = 0;
                }
                let some = (count - from).min(a_file - in_file);
                let part: Vec<ArrayRef> = columns.iter().map(|column| column.slice(from, some)).collect();
                (in_file, from) = (in_file + some, from + some);
                out.write(&part, some, a_file - in_file)?;
            }
            Ok(())
        };
        let Some(order) = Order::new(&self.metadata, rows.schema(), target.mapping.rows_schema())? else {
            let mut content = Content::default();
            for (part, groups) in parts.iter().flat_map(|part| part.ranges().map(move |groups| (part, groups))) {
                for batch in part.input.read(rows, groups, ALONE_ROWS)? {
                    let batch = batch?;
                    content.add(&batch)?;
                    sink(batch.columns(), batch.num_rows())?;
                    self.pace.rest()?;
                }
            }
            return Ok(content);
        };
        let narrow = rows.sort_columns(&self.metadata);
        let narrow_order = Order::new(&self.metadata, narrow.schema(), narrow.mapping()?.rows_schema())?;
        let Some(narrow_order) = narrow_order else { return Ok(Content::default()) };
        let (scratch, pace) = (&self.scratch, &self.pace);
        let (order, narrow_order) = (&order, &narrow_order);
        let sorting = Sorting { rows, narrow: &narrow, order, narrow_order, target, scratch, pace };
        let (mut sorted, mut content) = (Vec::new(), Content::default());
        for part in parts {
            let (found, read) = runs(part, &sorting)?;
            sorted.extend(found);
            content = [content, read].into_iter().sum();
        }
        let merged = self.merge(sorted, &sorting, &mut sink)?;
        Ok([content, merged].into_iter().sum())
    }

    /// Merges runs, some of them beforehand where all together would take too much memory.
    fn merge(
        &self,
        mut runs: Vec<Run>,
        sorting: &Sorting<'_>,
        sink: &mut super::merge::Sink<'_>,
    ) -> Result<Content, CompactError> {
        let merging = Merging { rows: sorting.rows, order: sorting.order, pace: sorting.pace, at_once: BATCH_ROWS };
        let mut content = Content::default();
        loop {
            let (cost, mut open) = overlap(&runs, BATCH_ROWS);
            if cost <= self.memory_bytes || open.len() < 3 {
                let merged = merging.merge(&runs, sink)?;
                return Ok([content, merged].into_iter().sum());
            }
            // The smallest of those that would be open together, as many as there is room for.
            open.sort_by(|a, b| runs[*a].cost(BATCH_ROWS).total_cmp(&runs[*b].cost(BATCH_ROWS)));
            let mut room = self.memory_bytes;
            let fits = open.iter().take_while(|run| {
                room -= runs[**run].cost(BATCH_ROWS);
                room >= 0.0
            });
            let count = fits.count().max(2);
            open.truncate(count);
            open.sort_unstable();
            let some: Vec<Run> = open.iter().rev().map(|run| runs.remove(*run)).collect();
            let mut made = RunWriter::new(sorting.target, sorting.scratch)?;
            let merged = merging.merge(&some, &mut |columns, count| Ok(made.write(columns, count)?))?;
            content = [content, merged].into_iter().sum();
            let first = some.iter().map(|run| &run.first).min().cloned().unwrap_or_default();
            let last = some.iter().map(|run| &run.last).max().cloned().unwrap_or_default();
            runs.push(Run::made(made.close()?, first, last)?);
        }
    }

    /// Reads what was written, and compares it with what was read: rows by their values, copies by their bytes.
    fn compare(&self, group: &Group, before: &Before, files: &[Rewritten], rows: &Rows) -> Result<(), CompactError> {
        let (mut copied, mut after) = (before.copied.iter(), Content::default());
        for file in files {
            let input = Input::open(file.path(), file.data_file().file_path())?;
            let copies = file.copies();
            let groups = (0..input.groups()).filter(|group| !copies.contains(group)).collect();
            let written = Part { input, groups };
            if !copies.is_empty() {
                let whole = written.input.with_pages()?;
                for (group, source) in copies.iter().zip(copied.by_ref()) {
                    source.compare(&whole, *group)?;
                    self.pace.rest()?;
                }
            }
            for groups in written.ranges() {
                for batch in written.input.read(rows, groups, ALONE_ROWS)? {
                    after.add(&batch?)?;
                    self.pace.rest()?;
                }
            }
        }
        let of_copies: u64 = before.copied.iter().map(Copied::rows).sum();
        let (read, written) = (before.content.rows + of_copies, after.rows + of_copies);
        let is_said = files.iter().map(|file| file.data_file().record_count()).sum::<u64>() == group.rows();
        if before.content == after && read == group.rows() && is_said && copied.next().is_none() {
            return Ok(());
        }
        Err(CompactError::Refused(format!(
            "{}: they were said to hold {} rows, {read} were read and {written} written{}: a mistake of Weir's or a \
             broken disk; nothing was changed",
            group.name(),
            group.rows(),
            if read == written && before.content.hash != after.hash { ", with other values" } else { "" }
        )))
    }
}

/// A file on this machine.
struct Fetched {
    path: PathBuf,
    /// Where it is a copy, which goes with this.
    _copy: Option<writer::Run>,
}

/// Opens the inputs, and compares them with what the table says of them.
fn open(group: &Group, fetched: &[Fetched]) -> Result<Vec<Input>, CompactError> {
    let one = |(live, fetched): (&super::held::Live, &Fetched)| {
        let location = live.file.file_path();
        let input = Input::open(&fetched.path, location)?;
        let rows = u64::try_from(input.footer().file_metadata().num_rows()).unwrap_or(0);
        if rows != live.file.record_count() {
            let why = format!("it holds {rows} rows, and the table says {}", live.file.record_count());
            return Err(CompactError::File { location: location.to_string(), why });
        }
        Ok(input)
    };
    group.files.iter().zip(fetched).map(one).collect()
}
