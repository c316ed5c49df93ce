//! Row groups copied as they are: no value of them is decoded.
//!
//! What is copied is such as this table's own files have ([`Rewriting::check_file`]), and neither so small that a reader
//! would rather have it beside others nor so large that it cannot leave out any of it. Of each chunk its pages are read
//! through before, and its bytes hashed before and after.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageReader};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use super::content;
use super::input::{Input, Rows};
use super::rewrite::Share;
use super::{CompactError, Pace, Strategy};
use crate::writer::{self, ChunkBytes, CopiedChunk, CopiedGroup, Rewriting};

/// A row group below this share of the size at which one ends is put together with others.
const SMALL: usize = 8;
/// Above this multiple of it, it is cut.
const LARGE: usize = 4;
/// NaNs are counted so many rows at once.
const SCAN_ROWS: usize = 8192;

/// Some row groups of an input.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) input: Input,
    pub(super) groups: Vec<usize>,
}

/// What becomes of the row groups of some inputs.
#[derive(Debug, Default)]
pub(super) struct Division {
    /// Those that are copied, of one input after those of the other.
    pub(super) copied: Vec<Part>,
    /// Those that are read and encoded again.
    pub(super) encoded: Vec<Part>,
}

impl Part {
    pub(super) fn rows(&self) -> u64 {
        self.sum(|group| self.input.footer().row_group(group).num_rows())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.sum(|group| self.input.footer().row_group(group).compressed_size())
    }

    /// Those of them that follow each other, together.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let parts = self.groups.chunk_by(|a, b| a + 1 == *b);
        parts.filter_map(|part| Some(*part.first()?..part.last()? + 1))
    }

    fn sum(&self, of: impl Fn(usize) -> i64) -> u64 {
        self.groups.iter().map(|group| u64::try_from(of(*group)).unwrap_or(0)).sum()
    }
}

impl Division {
    /// Divides inputs whose rows go into `out`, into files of about `file_bytes`.
    pub(super) fn new(inputs: &[Input], out: &Rewriting, strategy: Strategy, file_bytes: u64) -> Self {
        let fate = |input: &Input, group: usize| match strategy {
            // All of it is put into order.
            Strategy::Sort => Fate::Encoded,
            Strategy::Binpack => fate(input, group, out, file_bytes),
        };
        let fates = inputs.iter().map(|input| (0..input.groups()).map(|group| fate(input, group)).collect());
        let mut fates: Vec<Vec<Fate>> = fates.collect();
        let mut others: Vec<&mut Fate> = fates.iter_mut().flatten().filter(|fate| **fate != Fate::Copied).collect();
        // One that is small and has nothing to be put together with.
        if let [alone] = &mut others[..]
            && **alone == Fate::Small
        {
            **alone = Fate::Copied;
        }
        let mut division = Self::default();
        for (input, fates) in inputs.iter().zip(fates) {
            let (copied, encoded) = (0..input.groups()).partition(|group| fates[*group] == Fate::Copied);
            let part = |groups: Vec<usize>| (!groups.is_empty()).then(|| Part { input: input.clone(), groups });
            division.copied.extend(part(copied));
            division.encoded.extend(part(encoded));
        }
        division
    }

    /// How many of the new files are for what is copied, and how many for the rest. What has none joins the others'.
    pub(super) fn outputs(&self, outputs: usize) -> (usize, usize) {
        let bytes = |parts: &[Part]| parts.iter().map(Part::bytes).sum::<u64>() as f64;
        let (copied, encoded) = (bytes(&self.copied), bytes(&self.encoded));
        let of_copies = (outputs as f64 * copied / (copied + encoded).max(1.0)).round() as usize;
        (of_copies.min(outputs), outputs.saturating_sub(of_copies))
    }

    /// How much is copied.
    pub(super) fn share(&self) -> Share {
        let is_whole = |part: &&Part| part.groups.len() == part.input.groups();
        Share { files: self.copied.iter().filter(is_whole).count(), bytes: self.copied.iter().map(Part::bytes).sum() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Copied,
    /// Would be copied, if it were larger.
    Small,
    Encoded,
}

fn fate(input: &Input, group: usize, out: &Rewriting, file_bytes: u64) -> Fate {
    let footer = input.footer();
    if let Err(why) = out.check_file(footer).and_then(|()| out.check_group(footer, group)) {
        tracing::debug!(file = input.name(), group, why, "a row group is encoded again");
        return Fate::Encoded;
    }
    let (bytes_max, rows_max) = out.group_max();
    let count = |n: i64| usize::try_from(n).unwrap_or(0);
    let (bytes, rows) = (count(footer.row_group(group).compressed_size()), count(footer.row_group(group).num_rows()));
    // A file ends between row groups, about where it should.
    let is_a_file = bytes as u64 > file_bytes / 2;
    if is_a_file
        || bytes > bytes_max.saturating_mul(LARGE)
        || rows_max.is_some_and(|most| rows > most.saturating_mul(LARGE))
    {
        return Fate::Encoded;
    }
    match bytes >= bytes_max / SMALL || rows_max.is_some_and(|most| rows >= most / SMALL) {
        true => Fate::Copied,
        false => Fate::Small,
    }
}

/// A row group that was copied, and what its copy must be.
#[derive(Debug)]
pub(super) struct Copied {
    input: Input,
    group: usize,
    chunks: Vec<Sums>,
}

/// Hashes of a column chunk's bytes, and of its bloom filter's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sums {
    bytes: u64,
    filter: Option<u64>,
}

/// Copies the row groups of a part, and says what was copied. `full` is asked before each whether its file is, for so
/// many bytes more.
pub(super) fn copy(
    part: &Part,
    rows: &Rows,
    out: &mut Rewriting,
    pace: &Pace,
    mut full: impl FnMut(u64) -> bool,
) -> Result<Vec<Copied>, CompactError> {
    let input = part.input.with_pages()?;
    let file = input.file()?;
    let mut all = Vec::with_capacity(part.groups.len());
    for &group in &part.groups {
        let said = input.footer().row_group(group);
        if full(u64::try_from(said.compressed_size()).unwrap_or(0)) {
            out.end_file()?;
        }
        let count = u64::try_from(said.num_rows()).unwrap_or(0);
        let copied = CopiedGroup { rows: count, nans: nans(&input, group, rows, &out.floats())? };
        let filtered: Vec<bool> = (0..said.num_columns()).map(|column| out.has_bloom(column)).collect();
        let mut chunks = Vec::with_capacity(filtered.len());
        out.copy(&copied, |column| {
            let (chunk, sums) = read(&input, &file, (group, column), filtered[column]).map_err(|e| input.error(e))?;
            chunks.push(sums);
            Ok::<_, CompactError>(chunk)
        })?;
        all.push(Copied { input: input.clone(), group, chunks });
        pace.rest()?;
    }
    Ok(all)
}

/// NaNs of each of these columns.
fn nans(input: &Input, group: usize, rows: &Rows, floats: &[i32]) -> Result<Vec<u64>, CompactError> {
    let mut counts = vec![0; floats.len()];
    if floats.is_empty() {
        return Ok(counts);
    }
    let only = rows.only(&floats.iter().copied().collect::<BTreeSet<i32>>());
    for batch in input.read(&only, group..group + 1, SCAN_ROWS)? {
        let batch = batch?;
        counts.iter_mut().zip(batch.columns()).for_each(|(count, column)| *count += writer::count_nans(column));
    }
    Ok(counts)
}

/// Reads a column chunk and goes through its pages.
fn read(
    input: &Input,
    file: &File,
    (group, column): (usize, usize),
    has_filter: bool,
) -> Result<(CopiedChunk, Sums), String> {
    let footer = input.footer();
    let rows = footer.row_group(group).num_rows();
    let metadata = footer.row_group(group).column(column).clone();
    let bytes = chunk_bytes(file, &metadata)?;
    let broken = |why: String| format!("column {} of row group {group}: {why}", metadata.column_path().string());
    check_pages(&bytes, &metadata, rows).map_err(broken)?;
    let bloom_filter = if has_filter { filter(file, &metadata)? } else { None };
    let sums =
        Sums { bytes: content::bytes(bytes.bytes()), filter: bloom_filter.as_ref().map(filter_sum).transpose()? };
    let close = ColumnCloseResult {
        bytes_written: bytes.bytes().len() as u64,
        rows_written: u64::try_from(rows).unwrap_or(0),
        bloom_filter,
        column_index: column_index(footer, group, column).cloned(),
        offset_index: offset_index(footer, group, column).cloned(),
        metadata,
    };
    Ok((CopiedChunk { bytes, close }, sums))
}

fn chunk_bytes(file: &File, chunk: &ColumnChunkMetaData) -> Result<ChunkBytes, String> {
    let (start, length) = chunk.byte_range();
    let mut bytes = vec![0; usize::try_from(length).map_err(|e| e.to_string())?];
    file.read_exact_at(&mut bytes, start).map_err(|e| format!("column {}: {e}", chunk.column_path().string()))?;
    Ok(ChunkBytes::new(start, Bytes::from(bytes)))
}

/// Whether each page is where it should be, can be decompressed to the size that it says, and all have as many values as
/// the footer says.
fn check_pages(bytes: &ChunkBytes, chunk: &ColumnChunkMetaData, rows: i64) -> Result<(), String> {
    let rows = usize::try_from(rows).unwrap_or(0);
    let mut pages = SerializedPageReader::new(Arc::new(bytes.clone()), chunk, rows, None).map_err(|e| e.to_string())?;
    let mut found = 0;
    while let Some(page) = pages.get_next_page().map_err(|e| e.to_string())? {
        match page {
            Page::DataPage { num_values, .. } | Page::DataPageV2 { num_values, .. } => found += i64::from(num_values),
            Page::DictionaryPage { .. } => {}
        }
    }
    match found == chunk.num_values() {
        true => Ok(()),
        false => Err(format!("its pages hold {found} values, and the footer says {}", chunk.num_values())),
    }
}

fn filter(file: &File, chunk: &ColumnChunkMetaData) -> Result<Option<Sbbf>, String> {
    Sbbf::read_from_column_chunk(chunk, file)
        .map_err(|e| format!("filter of column {}: {e}", chunk.column_path().string()))
}

fn filter_sum(filter: &Sbbf) -> Result<u64, String> {
    let mut bytes = Vec::new();
    filter.write(&mut bytes).map_err(|e| e.to_string())?;
    Ok(content::bytes(&bytes))
}

fn column_index(footer: &ParquetMetaData, group: usize, column: usize) -> Option<&ColumnIndexMetaData> {
    let index = footer.column_index()?.get(group)?.get(column)?;
    Some(index).filter(|index| !matches!(index, ColumnIndexMetaData::NONE))
}

fn offset_index(footer: &ParquetMetaData, group: usize, column: usize) -> Option<&OffsetIndexMetaData> {
    footer.offset_index()?.get(group)?.get(column)
}

impl Copied {
    /// Its rows.
    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.input.footer().row_group(self.group).num_rows()).unwrap_or(0)
    }

    /// Reads the copy, row group `group` of a file, and compares it with what was copied.
    pub(super) fn compare(&self, copy: &Input, group: usize) -> Result<(), CompactError> {
        let file = copy.file()?;
        let differs = |why: String| {
            CompactError::Refused(format!(
                "the copy of row group {} of {}: {why}: a mistake of Weir's or a broken disk; nothing was changed",
                self.group,
                self.input.name()
            ))
        };
        let (ours, theirs) = (copy.footer().row_group(group), self.input.footer().row_group(self.group));
        if ours.num_rows() != theirs.num_rows() || ours.num_columns() != theirs.num_columns() {
            return Err(differs("it has other rows or columns".to_string()));
        }
        for (column, wanted) in self.chunks.iter().enumerate() {
            let (our, their) = (ours.column(column), theirs.column(column));
            let bytes = chunk_bytes(&file, our).map_err(differs)?;
            let filter = if wanted.filter.is_some() { filter(&file, our).map_err(differs)? } else { None };
            let filter = filter.as_ref().map(filter_sum).transpose().map_err(differs)?;
            if (Sums { bytes: content::bytes(bytes.bytes()), filter }) != *wanted {
                return Err(differs(format!("other bytes in column {}", our.column_path().string())));
            }
            let is_said = says_the_same(our, their)
                && column_index(copy.footer(), group, column) == column_index(self.input.footer(), self.group, column)
                && pages(copy.footer(), group, column) == pages(self.input.footer(), self.group, column);
            if !is_said {
                return Err(differs(format!(
                    "its footer says something else of column {}",
                    our.column_path().string()
                )));
            }
        }
        Ok(())
    }
}

/// Whether two footers say the same of a chunk, but for where it is.
fn says_the_same(a: &ColumnChunkMetaData, b: &ColumnChunkMetaData) -> bool {
    let dictionary = |c: &ColumnChunkMetaData| c.dictionary_page_offset().map(|at| c.data_page_offset() - at);
    a.num_values() == b.num_values()
        && a.statistics() == b.statistics()
        && a.compression() == b.compression()
        && a.encodings_mask() == b.encodings_mask()
        && a.uncompressed_size() == b.uncompressed_size()
        && a.column_descr() == b.column_descr()
        && dictionary(a) == dictionary(b)
}

/// Where a chunk's pages are in it, their sizes and first rows.
fn pages(footer: &ParquetMetaData, group: usize, column: usize) -> Option<Vec<(i64, i32, i64)>> {
    let start = i64::try_from(footer.row_group(group).column(column).byte_range().0).ok()?;
    let locations = offset_index(footer, group, column)?.page_locations().iter();
    Some(locations.map(|page| (page.offset - start, page.compressed_page_size, page.first_row_index)).collect())
}
