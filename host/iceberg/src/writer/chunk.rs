//! A column chunk that is written here and not by Arrow's writer for Parquet: its levels, pages and metadata.
//!
//! The pages are those that Arrow's writer makes: version 1, the dictionary first. What is different is the work: levels
//! come as runs, values side by side are copied at once, and nothing is counted that no reader asks for.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use bytes::Bytes;
use iceberg::spec::PrimitiveType;
use parquet::basic::{BoundaryOrder, Compression, Encoding, EncodingMask, PageType};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::bounds::Bounds;
use super::codec::Codec;
use super::coded::Coded;
use super::hybrid::{Levels, width_of};
use super::metrics::{cut_lower, cut_upper, is_less};
use super::numbers::{Doubles, Longs};
use super::spans::{LeafLevels, Spans};
use super::text::Text;

/// A column chunk that grows.
pub(super) struct OwnChunk {
    column: ColumnDescPtr,
    kind: PrimitiveType,
    limits: Limits,
    values: Values,
    levels: LeafLevels,
    there: Vec<Range<usize>>,
    page: Growing,
    pages: TrackedWrite<Vec<u8>>,
    done: Vec<Done>,
    dictionary_used: bool,
    uncompressed: i64,
}

enum Values {
    Coded(Coded),
    Text(Text),
    Longs(Longs),
    Doubles(Doubles),
}

#[derive(Clone, Copy)]
struct Limits {
    compression: Compression,
    page_bytes: usize,
    page_rows: usize,
    dictionary_bytes: usize,
    statistics: EnabledStatistics,
    statistics_bytes: usize,
    index_bytes: usize,
}

/// The page that grows.
#[derive(Default)]
struct Growing {
    rows: usize,
    entries: usize,
    nulls: usize,
}

/// A page that is written.
struct Done {
    offset: usize,
    size: usize,
    rows: usize,
    entries: usize,
    nulls: usize,
    encoding: Encoding,
    bounds: Option<(Vec<u8>, Vec<u8>)>,
}

impl OwnChunk {
    /// A chunk of this column, if it is of a type and has properties such as are obeyed here.
    pub(super) fn new(
        column: &ColumnDescPtr,
        data_type: &DataType,
        kind: &PrimitiveType,
        properties: &WriterProperties,
    ) -> Result<Option<Self>> {
        let path = column.path();
        let compression = properties.compression(path);
        let statistics = properties.statistics_enabled(path);
        let filter = properties.bloom_filter_properties(path);
        let has_bounds = statistics != EnabledStatistics::None;
        let is_text = matches!(kind, PrimitiveType::String | PrimitiveType::Binary);
        let values = match data_type {
            _ if !Codec::knows(compression) => return Ok(None),
            DataType::Binary if is_text => {
                let filter = filter.map(|f| Sbbf::new_with_ndv_fpp(f.ndv, f.fpp).map(|made| (made, f.fpp)));
                Values::Text(Text::new(column.max_rep_level() > 0, has_bounds, filter.transpose()?))
            }
            _ if filter.is_some() => return Ok(None),
            DataType::Dictionary(..) if is_text => Values::Coded(Coded::new(has_bounds)),
            DataType::Float64 if *kind == PrimitiveType::Double => Values::Doubles(Doubles::default()),
            other if Longs::take(other) && is_long(kind) => Values::Longs(Longs::default()),
            _ => return Ok(None),
        };
        let limits = Limits {
            compression,
            page_bytes: properties.column_data_page_size_limit(path),
            page_rows: properties.data_page_row_count_limit(),
            dictionary_bytes: properties.column_dictionary_page_size_limit(path),
            statistics,
            statistics_bytes: properties.statistics_truncate_length().unwrap_or(usize::MAX),
            index_bytes: properties.column_index_truncate_length().unwrap_or(usize::MAX),
        };
        Ok(Some(Self {
            column: Arc::clone(column),
            kind: kind.clone(),
            limits,
            values,
            levels: LeafLevels::default(),
            there: Vec::new(),
            page: Growing::default(),
            pages: TrackedWrite::new(Vec::new()),
            done: Vec::new(),
            dictionary_used: false,
            uncompressed: 0,
        }))
    }

    /// Adds the values of some rows, at most as many as a page has.
    pub(super) fn write(
        &mut self,
        (spans, rows): (&Spans, usize),
        is_nullable: bool,
        array: &ArrayRef,
        codec: &mut Codec,
    ) -> Result<()> {
        let is_full = self.page.rows + rows > self.limits.page_rows || self.page_bytes() >= self.limits.page_bytes;
        if is_full {
            self.end_page(codec)?;
        }
        if matches!(&self.values, Values::Coded(coded) if coded.is_beyond(self.limits.dictionary_bytes)) {
            self.end_page(codec)?;
            if let Values::Coded(coded) = &mut self.values {
                coded.give_up();
            }
        }
        let before = self.levels.def.len();
        spans.leaf(is_nullable, array.nulls(), &mut self.levels, &mut self.there);
        let entries = self.levels.def.len() - before;
        self.page.rows += rows;
        self.page.entries += entries;
        self.page.nulls += entries - self.there.iter().map(Range::len).sum::<usize>();
        match &mut self.values {
            Values::Coded(coded) => coded.write(array, &self.there)?,
            Values::Text(text) => text.write(array.as_binary::<i32>(), &self.there),
            Values::Longs(longs) => longs.write(array, &self.there)?,
            Values::Doubles(doubles) => doubles.write(array, &self.there),
        }
        Ok(())
    }

    fn page_bytes(&self) -> usize {
        let values = match &self.values {
            Values::Coded(coded) => coded.page_bytes(),
            Values::Text(text) => text.page_bytes(),
            Values::Longs(longs) => longs.page_bytes(),
            Values::Doubles(doubles) => doubles.page_bytes(),
        };
        values + self.page.entries / 4
    }

    /// About how many encoded bytes there are.
    pub(super) fn bytes(&self) -> usize {
        let growing = match &self.values {
            Values::Coded(coded) => coded.bytes() + self.page.entries / 4,
            _ => self.page_bytes(),
        };
        self.pages.bytes_written() + growing
    }

    fn end_page(&mut self, codec: &mut Codec) -> Result<()> {
        let page = std::mem::take(&mut self.page);
        if page.rows == 0 {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(page.entries / 2 + self.page_bytes() + 64);
        levels(&mut self.levels.rep, self.column.max_rep_level(), &mut bytes);
        levels(&mut self.levels.def, self.column.max_def_level(), &mut bytes);
        let (encoding, bounds) = match &mut self.values {
            Values::Coded(coded) => of_bytes(coded.end_page(&mut bytes)),
            Values::Text(text) => of_bytes(text.end_page(&mut bytes)),
            Values::Longs(longs) => of_numbers(longs.end_page(&mut bytes), i64::to_le_bytes),
            Values::Doubles(doubles) => of_numbers(doubles.end_page(&mut bytes), f64::to_le_bytes),
        };
        self.dictionary_used |= encoding == Encoding::RLE_DICTIONARY;
        let data = Page::DataPage {
            buf: codec.compress(&bytes)?,
            num_values: page.entries as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let data = CompressedPage::new(data, bytes.len());
        let written = SerializedPageWriter::new(&mut self.pages).write_page(data)?;
        self.uncompressed += written.uncompressed_size as i64;
        let (offset, size) = (written.offset as usize, written.compressed_size);
        let Growing { rows, entries, nulls } = page;
        let bounds = bounds.filter(|_| self.limits.statistics != EnabledStatistics::None);
        self.done.push(Done { offset, size, rows, entries, nulls, encoding, bounds });
        Ok(())
    }

    /// Ends the chunk and puts it into a row group.
    pub(super) fn append_to_row_group<W: std::io::Write + Send>(
        mut self,
        row_group: &mut SerializedRowGroupWriter<'_, W>,
        codec: &mut Codec,
    ) -> Result<()> {
        self.end_page(codec)?;
        let mut chunk = TrackedWrite::new(Vec::new());
        if let (Values::Coded(coded), true) = (&mut self.values, self.dictionary_used) {
            let (dictionary, num_values) = coded.take_dictionary();
            let page = Page::DictionaryPage {
                buf: codec.compress(&dictionary)?,
                num_values,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            let page = CompressedPage::new(page, dictionary.len());
            let written = SerializedPageWriter::new(&mut chunk).write_page(page)?;
            self.uncompressed += written.uncompressed_size as i64;
        }
        let data_offset = chunk.bytes_written();
        let mut bytes = chunk.into_inner()?;
        let pages = std::mem::replace(&mut self.pages, TrackedWrite::new(Vec::new()));
        bytes.extend_from_slice(&pages.into_inner()?);
        let mut offsets = OffsetIndexBuilder::new();
        for page in &self.done {
            offsets.append_offset_and_size((data_offset + page.offset) as i64, page.size as i32);
            offsets.append_row_count(page.rows as i64);
        }
        let filter: Option<Sbbf> = match &mut self.values {
            Values::Text(text) => text.take_filter(),
            _ => None,
        };
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.done.iter().map(|page| page.rows as u64).sum(),
            metadata: self.metadata(bytes.len(), data_offset)?,
            bloom_filter: filter,
            column_index: self.column_index()?,
            offset_index: Some(offsets.build()),
        };
        row_group.append_column(&Bytes::from(bytes), close)
    }

    fn metadata(&self, size: usize, data_offset: usize) -> Result<ColumnChunkMetaData> {
        let mut stats: Vec<PageEncodingStats> = Vec::new();
        let mut encodings = vec![Encoding::RLE];
        if self.dictionary_used {
            let (page_type, encoding) = (PageType::DICTIONARY_PAGE, Encoding::PLAIN);
            stats.push(PageEncodingStats { page_type, encoding, count: 1 });
            encodings.push(encoding);
        }
        for page in &self.done {
            let (page_type, encoding) = (PageType::DATA_PAGE, page.encoding);
            match stats.iter_mut().find(|s| s.page_type == page_type && s.encoding == encoding) {
                Some(known) => known.count += 1,
                None => stats.push(PageEncodingStats { page_type, encoding, count: 1 }),
            }
            encodings.push(encoding);
        }
        let mut metadata = ColumnChunkMetaData::builder(Arc::clone(&self.column))
            .set_compression(self.limits.compression)
            .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
            .set_page_encoding_stats(stats)
            .set_total_compressed_size(size as i64)
            .set_total_uncompressed_size(self.uncompressed)
            .set_num_values(self.done.iter().map(|page| page.entries as i64).sum())
            .set_data_page_offset(data_offset as i64)
            .set_dictionary_page_offset(self.dictionary_used.then_some(0));
        if self.limits.statistics != EnabledStatistics::None {
            metadata = metadata.set_statistics(self.statistics());
        }
        metadata.build()
    }

    fn statistics(&self) -> Statistics {
        let nulls = Some(self.done.iter().map(|page| page.nulls as u64).sum());
        let mut both: Option<(Vec<u8>, Vec<u8>)> = None;
        for (low, high) in self.done.iter().filter_map(|page| page.bounds.as_ref()) {
            both = Some(match both {
                None => (low.clone(), high.clone()),
                Some((least, most)) => (
                    if is_less(&self.kind, low, &least) { low.clone() } else { least },
                    if is_less(&self.kind, &most, high) { high.clone() } else { most },
                ),
            });
        }
        let number = |bytes: &[u8]| bytes.try_into().unwrap_or([0; 8]);
        match &self.values {
            Values::Longs(_) => {
                let (low, high) = both.map(|(l, h)| (number(&l), number(&h))).unzip();
                let (low, high) = (low.map(i64::from_le_bytes), high.map(i64::from_le_bytes));
                Statistics::Int64(ValueStatistics::new(low, high, None, nulls, false))
            }
            Values::Doubles(_) => {
                let (low, high) = both.map(|(l, h)| (number(&l), number(&h))).unzip();
                let (low, high) = (low.map(f64::from_le_bytes), high.map(f64::from_le_bytes));
                Statistics::Double(ValueStatistics::new(low, high, None, nulls, false))
            }
            Values::Coded(_) | Values::Text(_) => {
                let most = self.limits.statistics_bytes;
                let is_cut = |v: &Vec<u8>| v.len() > most;
                let (low_is_cut, high_is_cut) = both.as_ref().map_or((false, false), |(l, h)| (is_cut(l), is_cut(h)));
                let (low, high) = both.map(|both| self.cut(both, most)).unzip();
                let (low, high) = (low.map(ByteArray::from), high.map(ByteArray::from));
                let statistics = ValueStatistics::new(low, high, None, nulls, false);
                Statistics::ByteArray(statistics.with_min_is_exact(!low_is_cut).with_max_is_exact(!high_is_cut))
            }
        }
    }

    /// Bounds of at most about so many bytes each: what is cut is no value any more, but still a bound.
    fn cut(&self, (low, high): (Vec<u8>, Vec<u8>), most: usize) -> (Vec<u8>, Vec<u8>) {
        // Text is cut between characters, of which only the first byte is not `10......`.
        let begins = |byte: &u8| byte & 0xc0 != 0x80;
        let length = |bound: &[u8]| match self.kind {
            PrimitiveType::String => {
                let end = (0..=most).rev().find(|at| bound.get(*at).is_some_and(begins)).unwrap_or(0);
                bound[..end].iter().filter(|byte| begins(byte)).count()
            }
            _ => most,
        };
        let low = if low.len() > most { cut_lower(&self.kind, &low, length(&low)).to_vec() } else { low };
        let high = match high.len() > most {
            true => cut_upper(&self.kind, high.clone(), length(&high)).unwrap_or(high),
            false => high,
        };
        (low, high)
    }

    fn column_index(&self) -> Result<Option<ColumnIndexMetaData>> {
        if self.limits.statistics != EnabledStatistics::Page {
            return Ok(None);
        }
        let mut index = ColumnIndexBuilder::new(self.column.physical_type());
        let (mut is_rising, mut is_falling) = (true, true);
        let mut last: Option<&(Vec<u8>, Vec<u8>)> = None;
        for page in &self.done {
            // A page of nothing but NaNs has no bounds and is not empty: there is no saying so.
            if page.bounds.is_none() && page.nulls < page.entries {
                return Ok(None);
            }
            if let (Some(before), Some(here)) = (last, &page.bounds) {
                let less = |a: &[u8], b: &[u8]| is_less(&self.kind, a, b);
                is_rising &= !less(&here.0, &before.0) && !less(&here.1, &before.1);
                is_falling &= !less(&before.0, &here.0) && !less(&before.1, &here.1);
            }
            last = page.bounds.as_ref().or(last);
            let is_empty = page.bounds.is_none();
            let is_text = matches!(self.values, Values::Coded(_) | Values::Text(_));
            let (low, high) = match page.bounds.clone() {
                Some(both) if is_text => self.cut(both, self.limits.index_bytes),
                both => both.unwrap_or_default(),
            };
            index.append(is_empty, low, high, page.nulls as i64);
        }
        index.set_boundary_order(match (is_rising, is_falling) {
            (true, _) => BoundaryOrder::ASCENDING,
            (false, true) => BoundaryOrder::DESCENDING,
            (false, false) => BoundaryOrder::UNORDERED,
        });
        index.build().map(Some)
    }
}

fn is_long(kind: &PrimitiveType) -> bool {
    use PrimitiveType as P;
    matches!(kind, P::Long | P::Time | P::Timestamp | P::Timestamptz | P::TimestampNs | P::TimestamptzNs)
}

type Ended = (Encoding, Option<(Vec<u8>, Vec<u8>)>);

fn of_bytes((encoding, bounds): (Encoding, Bounds)) -> Ended {
    (encoding, bounds.both().map(|(low, high)| (low.to_vec(), high.to_vec())))
}

fn of_numbers<T>((encoding, both): (Encoding, Option<(T, T)>), bytes: fn(T) -> [u8; 8]) -> Ended {
    (encoding, both.map(|(low, high)| (bytes(low).to_vec(), bytes(high).to_vec())))
}

/// Levels with their length before them; nothing where there is only one.
fn levels(levels: &mut Levels, max: i16, bytes: &mut Vec<u8>) {
    if max > 0 {
        let at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        levels.encode(width_of(max as usize), bytes);
        let length = (bytes.len() - at - 4) as u32;
        bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }
    levels.clear();
}
