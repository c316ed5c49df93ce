//! A column chunk of text or bytes that come as a dictionary.
//!
//! Arrow's writer for Parquet looks each value up by its bytes, though a dictionary knows its number; for the keys of
//! attribute maps that is most of its work. Here a number becomes a number. The pages are those that writer makes:
//! version 1, a dictionary first, plain values once the dictionary is too large.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding as PageEncoding, EncodingMask, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::hybrid;
use super::metrics::{cut_lower, cut_upper};
use iceberg::spec::PrimitiveType;

/// A column chunk that grows.
pub(super) struct CodedChunk {
    column: ColumnDescPtr,
    kind: PrimitiveType,
    limits: Limits,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    /// The values that keys mean now, and the number in the chunk's dictionary of each that has one.
    values: Option<ArrayRef>,
    numbers: Vec<u32>,
    /// The dictionary page, and how many values are in it.
    dictionary: Vec<u8>,
    entries: u32,
    is_plain: bool,
    page: PageBuffer,
    pages: TrackedWrite<Vec<u8>>,
    offsets: OffsetIndexBuilder,
    locations: Vec<(u64, usize, u64)>,
    totals: Totals,
    bounds: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Clone, Copy)]
struct Limits {
    compression: Compression,
    page_bytes: usize,
    page_rows: usize,
    dictionary_bytes: usize,
    has_statistics: bool,
    statistics_bytes: usize,
}

#[derive(Default)]
struct PageBuffer {
    rep: Vec<u8>,
    def: Vec<u8>,
    keys: Vec<u32>,
    plain: Vec<u8>,
    rows: usize,
}

#[derive(Default)]
struct Totals {
    rows: u64,
    values: i64,
    nulls: u64,
    uncompressed: i64,
    coded_pages: i32,
    plain_pages: i32,
}

/// The levels of some rows of one column (Parquet's documentation, "Nested Encoding"), without those that say nothing.
#[derive(Clone, Copy)]
pub(super) struct Levels<'a> {
    pub(super) rep: &'a [u8],
    pub(super) def: &'a [u8],
    pub(super) rows: usize,
}

impl CodedChunk {
    /// A chunk of this column, if its properties are such as are obeyed here.
    pub(super) fn new(column: &ColumnDescPtr, kind: &PrimitiveType, properties: &WriterProperties) -> Option<Self> {
        let path = column.path();
        let compression = properties.compression(path);
        let compressor = match compression {
            Compression::UNCOMPRESSED => None,
            Compression::ZSTD(level) => Some(zstd::bulk::Compressor::new(level.compression_level()).ok()?),
            _ => return None,
        };
        let statistics = properties.statistics_enabled(path);
        if statistics == EnabledStatistics::Page || properties.bloom_filter_properties(path).is_some() {
            return None;
        }
        let limits = Limits {
            compression,
            page_bytes: properties.column_data_page_size_limit(path),
            page_rows: properties.data_page_row_count_limit(),
            dictionary_bytes: properties.column_dictionary_page_size_limit(path),
            has_statistics: statistics != EnabledStatistics::None,
            statistics_bytes: properties.statistics_truncate_length().unwrap_or(usize::MAX),
        };
        Some(Self {
            column: Arc::clone(column),
            kind: kind.clone(),
            limits,
            compressor,
            values: None,
            numbers: Vec::new(),
            dictionary: Vec::new(),
            entries: 0,
            is_plain: false,
            page: PageBuffer::default(),
            pages: TrackedWrite::new(Vec::new()),
            offsets: OffsetIndexBuilder::new(),
            locations: Vec::new(),
            totals: Totals::default(),
            bounds: None,
        })
    }

    /// The most rows that may be given at once.
    pub(super) fn rows_max(&self) -> usize {
        self.limits.page_rows
    }

    /// Adds rows: their levels, and the keys of those values that are there.
    pub(super) fn write(
        &mut self,
        levels: Levels<'_>,
        keys: impl Iterator<Item = i32>,
        values: &ArrayRef,
    ) -> Result<()> {
        let bytes = self.page.def.len() / 4 + self.page.keys.len() * 2 + self.page.plain.len();
        let is_full = self.page.rows + levels.rows > self.limits.page_rows || bytes >= self.limits.page_bytes;
        if is_full && self.page.rows > 0 {
            self.end_page()?;
        }
        if self.dictionary.len() >= self.limits.dictionary_bytes && !self.is_plain {
            self.end_page()?;
            self.is_plain = true;
        }
        if !self.values.as_ref().is_some_and(|known| Arc::ptr_eq(known, values)) {
            self.values = Some(Arc::clone(values));
            self.numbers.clear();
            self.numbers.resize(values.len(), u32::MAX);
        }
        self.page.rep.extend_from_slice(levels.rep);
        self.page.def.extend_from_slice(levels.def);
        self.page.rows += levels.rows;
        let values = values.as_binary::<i32>();
        let mut count = 0;
        for key in keys {
            let key = key as usize;
            count += 1;
            let number = self.numbers.get(key).copied();
            let number = match number {
                Some(u32::MAX) => self.add(key, values),
                Some(number) => number,
                None => return Err(ParquetError::General(format!("key {key} is beyond its dictionary"))),
            };
            match self.is_plain {
                false => self.page.keys.push(number),
                true => {
                    let value = values.value(key);
                    self.page.plain.extend_from_slice(&(value.len() as u32).to_le_bytes());
                    self.page.plain.extend_from_slice(value);
                }
            }
        }
        let entries = if levels.def.is_empty() { levels.rows } else { levels.def.len() };
        self.totals.nulls += (entries - count) as u64;
        self.totals.values += entries as i64;
        Ok(())
    }

    /// Meets a value for the first time.
    fn add(&mut self, key: usize, values: &BinaryArray) -> u32 {
        let value = values.value(key);
        if self.limits.has_statistics {
            match &mut self.bounds {
                None => self.bounds = Some((value.to_vec(), value.to_vec())),
                Some((low, _)) if value < &low[..] => *low = value.to_vec(),
                Some((_, high)) if value > &high[..] => *high = value.to_vec(),
                Some(_) => {}
            }
        }
        let number = self.entries;
        self.numbers[key] = number;
        if !self.is_plain {
            self.entries += 1;
            self.dictionary.extend_from_slice(&(value.len() as u32).to_le_bytes());
            self.dictionary.extend_from_slice(value);
        }
        number
    }

    /// About how many encoded bytes there are.
    pub(super) fn bytes(&self) -> usize {
        let width = hybrid::width_of(self.entries as usize) as usize;
        let page = self.page.plain.len() + self.page.keys.len() * width / 8 + self.page.def.len() / 4;
        self.pages.bytes_written() + self.dictionary.len() + page
    }

    fn end_page(&mut self) -> Result<()> {
        let page = std::mem::take(&mut self.page);
        if page.rows == 0 {
            return Ok(());
        }
        let entries = if page.def.is_empty() { page.rows } else { page.def.len() };
        let mut bytes = Vec::with_capacity(entries / 2 + page.keys.len() * 2 + page.plain.len() + 16);
        levels(&page.rep, self.column.max_rep_level(), &mut bytes);
        levels(&page.def, self.column.max_def_level(), &mut bytes);
        let encoding = if self.is_plain {
            bytes.extend_from_slice(&page.plain);
            self.totals.plain_pages += 1;
            PageEncoding::PLAIN
        } else {
            // Keys of no width would do for one value, but not for every reader.
            let width = hybrid::width_of(self.entries.saturating_sub(1) as usize).max(1);
            bytes.push(width as u8);
            hybrid::encode(&page.keys, width, &mut bytes);
            self.totals.coded_pages += 1;
            PageEncoding::RLE_DICTIONARY
        };
        let uncompressed = bytes.len();
        let data = Page::DataPage {
            buf: self.compress(bytes)?,
            num_values: entries as u32,
            encoding,
            def_level_encoding: PageEncoding::RLE,
            rep_level_encoding: PageEncoding::RLE,
            statistics: None,
        };
        let written = SerializedPageWriter::new(&mut self.pages).write_page(CompressedPage::new(data, uncompressed))?;
        self.totals.uncompressed += written.uncompressed_size as i64;
        self.locations.push((written.offset, written.compressed_size, page.rows as u64));
        self.totals.rows += page.rows as u64;
        Ok(())
    }

    fn compress(&mut self, bytes: Vec<u8>) -> Result<Bytes> {
        match &mut self.compressor {
            None => Ok(bytes.into()),
            Some(compressor) => Ok(compressor.compress(&bytes).map_err(|e| ParquetError::External(e.into()))?.into()),
        }
    }

    /// Ends the chunk and puts it into a row group.
    pub(super) fn append_to_row_group<W: std::io::Write + Send>(
        mut self,
        row_group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        self.end_page()?;
        let mut chunk = TrackedWrite::new(Vec::new());
        let mut stats = Vec::new();
        let mut encodings = vec![PageEncoding::RLE];
        let page = |page_type, encoding, count| PageEncodingStats { page_type, encoding, count };
        if self.totals.coded_pages > 0 {
            let dictionary = std::mem::take(&mut self.dictionary);
            let uncompressed = dictionary.len();
            let page_of_values = Page::DictionaryPage {
                buf: self.compress(dictionary)?,
                num_values: self.entries,
                encoding: PageEncoding::PLAIN,
                is_sorted: false,
            };
            let mut writer = SerializedPageWriter::new(&mut chunk);
            let written = writer.write_page(CompressedPage::new(page_of_values, uncompressed))?;
            self.totals.uncompressed += written.uncompressed_size as i64;
            stats.push(page(PageType::DICTIONARY_PAGE, PageEncoding::PLAIN, 1));
            stats.push(page(PageType::DATA_PAGE, PageEncoding::RLE_DICTIONARY, self.totals.coded_pages));
            encodings.extend([PageEncoding::PLAIN, PageEncoding::RLE_DICTIONARY]);
        }
        if self.totals.plain_pages > 0 {
            stats.push(page(PageType::DATA_PAGE, PageEncoding::PLAIN, self.totals.plain_pages));
            encodings.push(PageEncoding::PLAIN);
        }
        let data_offset = chunk.bytes_written();
        let mut bytes = chunk.into_inner()?;
        let statistics = self.statistics();
        bytes.extend_from_slice(&self.pages.into_inner()?);
        for (offset, size, rows) in self.locations {
            self.offsets.append_offset_and_size(data_offset as i64 + offset as i64, size as i32);
            self.offsets.append_row_count(rows as i64);
        }
        let mut metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression(self.limits.compression)
            .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
            .set_page_encoding_stats(stats)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(self.totals.uncompressed)
            .set_num_values(self.totals.values)
            .set_data_page_offset(data_offset as i64)
            .set_dictionary_page_offset((data_offset > 0).then_some(0));
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.totals.rows,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(self.offsets.build()),
        };
        row_group.append_column(&Bytes::from(bytes), close)
    }

    fn statistics(&self) -> Option<Statistics> {
        if !self.limits.has_statistics {
            return None;
        }
        let most = self.limits.statistics_bytes;
        let length = if self.kind == PrimitiveType::String { most / 4 } else { most };
        let (low, high) = self.bounds.clone().unzip();
        let is_long = |v: &Option<Vec<u8>>| v.as_ref().is_some_and(|v| v.len() > most);
        let (low_is_cut, high_is_cut) = (is_long(&low), is_long(&high));
        let low = low.map(|v| if low_is_cut { cut_lower(&self.kind, &v, length).to_vec() } else { v });
        let raised = |v: Vec<u8>| if high_is_cut { cut_upper(&self.kind, v.clone(), length).unwrap_or(v) } else { v };
        let statistics = ValueStatistics::new(
            low.map(ByteArray::from),
            high.map(raised).map(ByteArray::from),
            None,
            Some(self.totals.nulls),
            false,
        );
        Some(Statistics::ByteArray(statistics.with_min_is_exact(!low_is_cut).with_max_is_exact(!high_is_cut)))
    }
}

/// Levels with their length before them; nothing where there is only one.
fn levels(levels: &[u8], max: i16, bytes: &mut Vec<u8>) {
    if max == 0 {
        return;
    }
    let at = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    hybrid::encode(levels, hybrid::width_of(max as usize), bytes);
    let length = (bytes.len() - at - 4) as u32;
    bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
}
