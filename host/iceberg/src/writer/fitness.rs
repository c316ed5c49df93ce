//! Which row groups of other files are as this table's own would be, so that they may stand in its files as they are.

use iceberg::spec::PrimitiveType;
use parquet::basic::ColumnOrder;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::EnabledStatistics;
use parquet::file::statistics::Statistics;

use super::encoding::{Encoding, Leaf};
use crate::properties::MetricsMode;

/// Writers whose statistics are to be trusted: a reader that mistrusts one by its name does not see it in a copy.
/// (parquet-mr before 1.10 wrote bounds of text, and pages, that readers pass over: PARQUET-251, PARQUET-246. Its 1.1 is
/// let through by the name, but wrote no page index.)
const WRITERS: [&str; 6] =
    ["weir ", "parquet-rs ", "parquet-mr version 1.1", "parquet-cpp-arrow version ", "DuckDB version ", "Polars"];

/// Characters of a bound that a manifest has where the table says nothing.
const USUAL_LENGTH: usize = 16;

/// Whether a file's schema and writer are such that its row groups may be copied.
pub(super) fn check_file(encoding: &Encoding, file: &ParquetMetaData) -> Result<(), &'static str> {
    let said = file.file_metadata();
    let by = said.created_by().unwrap_or_default();
    if !WRITERS.iter().any(|writer| by.starts_with(writer)) {
        return Err("its writer is not known");
    }
    let is_ordered = |column: usize| matches!(said.column_order(column), ColumnOrder::TYPE_DEFINED_ORDER(_));
    // Names, ids, types and nesting; but not the name of the whole, which means nothing.
    if said.schema_descr().root_schema().get_fields() != encoding.descriptor.root_schema().get_fields() {
        return Err("its schema is not the table's");
    }
    if !(0..encoding.leaves.len()).all(is_ordered) {
        return Err("its bounds have no order");
    }
    let mut chunks = file.row_groups().iter().flat_map(RowGroupMetaData::columns);
    match chunks.all(|chunk| chunk.offset_index_offset().is_some()) {
        true => Ok(()),
        false => Err("it has no page index"),
    }
}

/// Whether a row group of such a file is as one of this table's own would be, whatever its size.
pub(super) fn check_group(encoding: &Encoding, file: &ParquetMetaData, group: usize) -> Result<(), &'static str> {
    let said = file.row_group(group);
    if has_nothing(said) {
        return Err("it is empty");
    }
    for (column, leaf) in encoding.leaves.iter().enumerate() {
        let chunk = said.column(column);
        if std::mem::discriminant(&chunk.compression()) != std::mem::discriminant(&encoding.compression) {
            return Err("it is of another codec");
        }
        if chunk.crypto_metadata().is_some() {
            return Err("it is encrypted");
        }
        if encoding.bloom.contains(&column) && chunk.bloom_filter_offset().is_none() {
            return Err("it lacks a bloom filter");
        }
        if leaf.statistics == EnabledStatistics::Page && chunk.column_index_offset().is_none() {
            return Err("it has no bounds of the sort order's pages");
        }
        if !is_in_place(chunk) {
            return Err("its pages are not where they should be");
        }
        if !says_enough(leaf, chunk) {
            return Err("its statistics do not say enough");
        }
    }
    Ok(())
}

fn has_nothing(group: &RowGroupMetaData) -> bool {
    group.num_rows() <= 0 || group.compressed_size() <= 0
}

/// Old writers left out the dictionary's place, or wrote 0.
fn is_in_place(chunk: &ColumnChunkMetaData) -> bool {
    let data = chunk.data_page_offset();
    chunk.dictionary_page_offset().is_none_or(|dictionary| 0 < dictionary && dictionary < data) && data > 0
}

/// Whether the manifest can say of these values what it would say if they were encoded again.
fn says_enough(leaf: &Leaf, chunk: &ColumnChunkMetaData) -> bool {
    if leaf.is_repeated || leaf.statistics == EnabledStatistics::None {
        return true;
    }
    let Some(said) = chunk.statistics() else { return false };
    let is_null = said.null_count_opt() == u64::try_from(chunk.num_values()).ok();
    let has_bounds = said.min_bytes_opt().is_some() && said.max_bytes_opt().is_some() && !said.is_min_max_deprecated();
    said.null_count_opt().is_some() && (is_null || (has_bounds && is_as_long(leaf, said)))
}

/// Whether bounds that may have been cut are as long as they are wanted. No writer cuts them shorter than the usual.
fn is_as_long(leaf: &Leaf, said: &Statistics) -> bool {
    let wanted = match leaf.metrics {
        MetricsMode::Full => usize::MAX,
        MetricsMode::Truncate(length) => length,
        MetricsMode::None | MetricsMode::Counts => 0,
    };
    let length = |bound: &[u8]| match leaf.kind {
        PrimitiveType::String => bound.iter().filter(|byte| **byte & 0xc0 != 0x80).count(),
        _ => bound.len(),
    };
    let is_long = |bound: Option<&[u8]>, is_exact: bool| is_exact || bound.is_some_and(|b| length(b) >= wanted);
    wanted <= USUAL_LENGTH
        || !matches!(leaf.kind, PrimitiveType::String | PrimitiveType::Binary)
        || (is_long(said.min_bytes_opt(), said.min_is_exact()) && is_long(said.max_bytes_opt(), said.max_is_exact()))
}
