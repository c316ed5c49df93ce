//! What the footer will say of row groups that are written, kept small until then.
//!
//! As the library has it, a row group of a table of spans takes some fifteen kilobytes, by an estimate. Hundreds of files
//! may be open, each with twenty of them: as a footer of its own, compressed, each takes a fraction of that.

use std::io::{self, Write};

use bytes::Bytes;
use parquet::basic::ColumnOrder;
use parquet::bloom_filter::Sbbf;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{
    FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions,
    ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::writer::TrackedWrite;
use parquet::schema::types::SchemaDescPtr;

use super::encoding::Encoding;

/// The level at which what is kept is compressed.
const LEVEL: i32 = 1;

/// The row groups of a file, in their order.
#[derive(Default)]
pub(super) struct Groups {
    /// Each as a footer, compressed, and how long that is.
    kept: Vec<(Vec<u8>, usize)>,
    rows: i64,
}

/// What the library gives of a row group that ends, its filters written already.
pub(super) struct Ended {
    pub(super) metadata: RowGroupMetaData,
    pub(super) column_indexes: Vec<Option<ColumnIndexMetaData>>,
    pub(super) offset_indexes: Vec<Option<OffsetIndexMetaData>>,
}

impl Groups {
    pub(super) fn count(&self) -> usize {
        self.kept.len()
    }

    /// Keeps one.
    pub(super) fn keep(&mut self, ended: Ended, encoding: &Encoding) -> Result<()> {
        self.rows += ended.metadata.num_rows();
        let indexes = ended.column_indexes.into_iter().map(|index| index.unwrap_or(ColumnIndexMetaData::NONE));
        let offsets = ended.offset_indexes.into_iter().collect::<Option<Vec<_>>>();
        let metadata = ParquetMetaDataBuilder::new(file_metadata(encoding, ended.metadata.num_rows()))
            .set_row_groups(vec![ended.metadata])
            .set_column_index(Some(vec![indexes.collect()]))
            .set_offset_index(offsets.map(|offsets| vec![offsets]))
            .build();
        let mut footer = Vec::new();
        ParquetMetaDataWriter::new(&mut footer, &metadata).finish()?;
        let compressed = zstd::bulk::compress(&footer, LEVEL).map_err(external)?;
        self.kept.push((compressed, footer.len()));
        Ok(())
    }

    /// The metadata of a file of all of them.
    pub(super) fn all(&self, encoding: &Encoding) -> Result<ParquetMetaData> {
        let mut builder = ParquetMetaDataBuilder::new(file_metadata(encoding, self.rows));
        let (mut indexes, mut offsets) = (Vec::new(), Vec::new());
        for (compressed, length) in &self.kept {
            let footer = Bytes::from(zstd::bulk::decompress(compressed, *length).map_err(external)?);
            let options = ParquetMetaDataOptions::new()
                .with_schema(SchemaDescPtr::clone(&encoding.descriptor))
                .with_encoding_stats_as_mask(false);
            let mut metadata = ParquetMetaDataReader::new()
                .with_metadata_options(Some(options))
                .with_page_index_policy(PageIndexPolicy::Optional)
                .parse_and_finish(&footer)?
                .into_builder();
            let nothing = || vec![ColumnIndexMetaData::NONE; encoding.leaves.len()];
            indexes.push(metadata.take_column_index().and_then(|mut all| all.pop()).unwrap_or_else(nothing));
            offsets.push(metadata.take_offset_index().and_then(|mut all| all.pop()));
            for group in metadata.take_row_groups() {
                builder = builder.add_row_group(group);
            }
        }
        let offsets = offsets.into_iter().collect::<Option<Vec<_>>>();
        Ok(builder.set_column_index(Some(indexes)).set_offset_index(offsets).build())
    }
}

/// The end of a file of so many bytes: indexes and footer.
pub(super) fn tail(metadata: &ParquetMetaData, bytes_before: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut tail = TrackedWrite::new(Tail { before: bytes_before, bytes: &mut bytes });
    // Where it stands is what its writer counts: what comes before is passed to it, and goes nowhere.
    let nothing = vec![0; bytes_before.min(1 << 20)];
    let mut left = bytes_before;
    while left > 0 {
        let some = left.min(nothing.len());
        tail.write_all(&nothing[..some])?;
        left -= some;
    }
    ParquetMetaDataWriter::new_with_tracked(tail, metadata).finish()?;
    Ok(bytes)
}

/// Passes over what comes before.
struct Tail<'a> {
    before: usize,
    bytes: &'a mut Vec<u8>,
}

impl Write for Tail<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let passed = self.before.min(bytes.len());
        self.before -= passed;
        self.bytes.extend_from_slice(&bytes[passed..]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the filters of a row group that ends, and notes in its metadata where they are.
pub(super) fn write_filters<W: Write + Send>(
    metadata: RowGroupMetaData,
    filters: Vec<Option<Sbbf>>,
    out: &mut TrackedWrite<W>,
) -> Result<RowGroupMetaData> {
    if filters.iter().all(Option::is_none) {
        return Ok(metadata);
    }
    let mut columns = Vec::with_capacity(filters.len());
    for (column, filter) in metadata.columns().iter().zip(filters) {
        columns.push(match filter {
            None => column.clone(),
            Some(filter) => {
                let start = out.bytes_written();
                filter.write(&mut *out)?;
                let length = out.bytes_written() - start;
                let builder = column.clone().into_builder().set_bloom_filter_offset(Some(start as i64));
                builder.set_bloom_filter_length(i32::try_from(length).ok()).build()?
            }
        });
    }
    metadata.into_builder().set_column_metadata(columns).build()
}

fn file_metadata(encoding: &Encoding, rows: i64) -> FileMetaData {
    let orders = encoding.descriptor.columns().iter().map(|column| {
        ColumnOrder::TYPE_DEFINED_ORDER(ColumnOrder::sort_order_for_type(
            column.logical_type_ref(),
            column.converted_type(),
            column.physical_type(),
        ))
    });
    FileMetaData::new(
        encoding.properties.writer_version().as_num(),
        rows,
        Some(encoding.properties.created_by().to_string()),
        None,
        SchemaDescPtr::clone(&encoding.descriptor),
        Some(orders.collect()),
    )
}

fn external(e: io::Error) -> ParquetError {
    ParquetError::External(e.into())
}
