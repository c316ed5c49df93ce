//! One Parquet file that grows by row groups.
//!
//! Between row groups it holds their metadata and nothing else: no rows, no pages, no file descriptor. Hundreds of them
//! may be open.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Struct};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedRowGroupWriter, TrackedWrite};
use weir_pipeline::fault::{self, Point};

use super::WriteError;
use super::codec::Codec;
use super::encoding::Encoding;
use super::groups::{self, Ended, Groups};
use super::leaves::{self, Chunk};
use super::metrics::Metrics;

mod copying;

pub(crate) use copying::{ChunkBytes, CopiedChunk, CopiedGroup};

/// Where a file is, and where it belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// Its location in the table.
    pub(super) location: String,
    /// Its path on this machine.
    pub(super) path: PathBuf,
    /// Whether it is to be uploaded.
    pub(super) is_remote: bool,
}

/// How a file begins (Parquet's documentation, "File format").
const MAGIC: &[u8] = b"PAR1";

/// A file that takes row groups.
pub(super) struct GrowingFile {
    place: Place,
    encoding: Arc<Encoding>,
    out: TrackedWrite<Appender>,
    group: Option<Group>,
    groups: Groups,
    /// Those that were copied, by number.
    copies: Vec<usize>,
    rows: u64,
    nans: Vec<u64>,
    /// What the last row group came to, of what it was estimated at: estimates know little of compression.
    shrinkage: f64,
}

struct Group {
    chunks: Vec<Chunk>,
    codec: Codec,
    rows: usize,
}

/// A closed file, durable once it is uploaded, or at once.
#[derive(Clone, Debug)]
pub(super) struct ClosedFile {
    pub(super) place: Place,
    pub(super) data_file: DataFile,
    /// The row groups that were copied, by number.
    pub(super) copies: Vec<usize>,
}

impl GrowingFile {
    /// Makes the file.
    pub(super) fn create(place: Place, encoding: &Arc<Encoding>) -> Result<Self, WriteError> {
        let file = OpenOptions::new().append(true).create_new(true).open(&place.path);
        let file = file.map_err(|source| WriteError::Io { doing: "create", path: place.path.clone(), source })?;
        let appender = Appender { path: place.path.clone(), file: Some(file) };
        let mut out = TrackedWrite::new(appender);
        out.write_all(MAGIC).map_err(|source| WriteError::Io { doing: "write", path: place.path.clone(), source })?;
        Ok(Self {
            nans: vec![0; encoding.floats.len()],
            encoding: Arc::clone(encoding),
            place,
            out,
            group: None,
            groups: Groups::default(),
            copies: Vec::new(),
            rows: 0,
            shrinkage: 1.0,
        })
    }

    /// Adds rows to the row group that is growing.
    pub(super) fn write(&mut self, columns: &[ArrayRef], rows: usize) -> Result<(), WriteError> {
        let error = |e| parquet_error(&self.place, e);
        if self.group.is_none() {
            let chunks = Chunk::all(&self.encoding, self.groups.count()).map_err(error)?;
            let codec = self.encoding.codecs.take().map_err(error)?;
            self.group = Some(Group { chunks, codec, rows: 0 });
        }
        let Some(group) = &mut self.group else { return Ok(()) };
        let page_rows = self.encoding.properties.data_page_row_count_limit();
        let mut chunks = &mut group.chunks[..];
        for (field, column) in self.encoding.rows.fields().iter().zip(columns) {
            chunks = leaves::write(field, column, chunks, page_rows, &mut group.codec).map_err(error)?;
        }
        group.rows += rows;
        self.rows += rows as u64;
        for (nans, (index, _)) in self.nans.iter_mut().zip(&self.encoding.floats) {
            *nans += count_nans(&columns[*index]);
        }
        Ok(())
    }

    /// Rows in the row group that is growing.
    pub(super) fn group_rows(&self) -> usize {
        self.group.as_ref().map_or(0, |g| g.rows)
    }

    /// About how many encoded bytes the row group that is growing has.
    pub(super) fn group_bytes(&self) -> usize {
        self.group.as_ref().map_or(0, |g| g.chunks.iter().map(Chunk::bytes).sum())
    }

    /// Bytes of ended row groups.
    pub(super) fn bytes(&self) -> u64 {
        self.out.bytes_written() as u64
    }

    /// About how many bytes the file would have if the row group ended now.
    pub(super) fn bytes_expected(&self) -> u64 {
        self.bytes() + (self.group_bytes() as f64 * self.shrinkage) as u64
    }

    /// Ends the row group, if one is growing, and lets go of everything but its metadata.
    pub(super) fn end_group(&mut self) -> Result<(), WriteError> {
        let (before, estimate) = (self.bytes(), self.group_bytes());
        let Some(group) = self.group.take() else { return Ok(()) };
        let Group { chunks, mut codec, .. } = group;
        let place = self.place.clone();
        self.add_group(
            |group| chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(group, &mut codec)),
            |e| e,
        )
        .map_err(|e| parquet_error(&place, e))?;
        self.encoding.codecs.give_back(codec);
        self.let_go()?;
        self.shrinkage = ((self.bytes() - before) as f64 / estimate.max(1) as f64).clamp(0.01, 1.0);
        Ok(())
    }

    /// Closes the file descriptor, until there is more to append.
    fn let_go(&mut self) -> Result<(), WriteError> {
        let io = |source| WriteError::Io { doing: "write", path: self.place.path.clone(), source };
        self.out.flush().map_err(io)?;
        self.out.inner_mut().file = None;
        Ok(())
    }

    /// Adds a row group whose columns `fill` appends.
    fn add_group<E>(
        &mut self,
        fill: impl FnOnce(&mut SerializedRowGroupWriter<'_, Appender>) -> Result<(), E>,
        error: impl Fn(ParquetError) -> E,
    ) -> Result<(), E> {
        let Encoding { descriptor, properties, .. } = &*self.encoding;
        let ordinal = i16::try_from(self.groups.count());
        let ordinal = ordinal.map_err(|_| error(ParquetError::General("a file of 32768 row groups".to_string())))?;
        let mut ended = None;
        let on_close = |out: &mut TrackedWrite<Appender>, metadata, filters, column_indexes, offset_indexes| {
            let metadata = groups::write_filters(metadata, filters, out)?;
            ended = Some(Ended { metadata, column_indexes, offset_indexes });
            Ok(())
        };
        let (descriptor, properties) = (Arc::clone(descriptor), Arc::clone(properties));
        let on_close = Some(Box::new(on_close) as Box<_>);
        let mut group = SerializedRowGroupWriter::new(descriptor, properties, &mut self.out, ordinal, on_close);
        fill(&mut group)?;
        group.close().map_err(&error)?;
        ended.map_or(Ok(()), |ended| self.groups.keep(ended, &self.encoding)).map_err(error)
    }

    /// Writes the footer and makes the file durable, but for the folder that names it.
    pub(super) fn close(
        mut self,
        partition: &Struct,
        spec_id: i32,
        sort_order_id: Option<i32>,
    ) -> Result<ClosedFile, WriteError> {
        self.end_group()?;
        let place = self.place;
        let error = |e| parquet_error(&place, e);
        let footer = self.groups.all(&self.encoding).map_err(error)?;
        let tail = groups::tail(&footer, self.out.bytes_written()).map_err(error)?;
        let io = |source| WriteError::Io { doing: "sync", path: place.path.clone(), source };
        self.out.write_all(&tail).and_then(|()| self.out.flush()).map_err(io)?;
        if !place.is_remote {
            self.out.inner_mut().open().and_then(|f| f.sync_all()).map_err(io)?;
        }
        let metrics = Metrics::of(&footer, &self.encoding);
        let nans = self.encoding.floats.iter().zip(&self.nans);
        let counted = nans.filter(|((_, id), _)| metrics.value_counts.contains_key(id));
        let mut builder = DataFileBuilder::default();
        builder
            .content(DataContentType::Data)
            .file_path(place.location.clone())
            .file_format(DataFileFormat::Parquet)
            .partition(partition.clone())
            .partition_spec_id(spec_id)
            .record_count(self.rows)
            .file_size_in_bytes(self.out.bytes_written() as u64)
            .nan_value_counts(counted.map(|((_, id), nans)| (*id, *nans)).collect())
            .column_sizes(metrics.column_sizes)
            .value_counts(metrics.value_counts)
            .null_value_counts(metrics.null_counts)
            .lower_bounds(metrics.lower_bounds)
            .upper_bounds(metrics.upper_bounds)
            .split_offsets(Some(metrics.split_offsets));
        // What was copied is in order, or not, by itself.
        if let Some(id) = sort_order_id.filter(|_| self.copies.is_empty()) {
            builder.sort_order_id(id);
        }
        let data_file = builder
            .build()
            .map_err(|e| WriteError::Describe { location: place.location.clone(), reason: e.to_string() })?;
        Ok(ClosedFile { place, data_file, copies: self.copies })
    }
}

fn parquet_error(place: &Place, source: parquet::errors::ParquetError) -> WriteError {
    WriteError::Parquet { location: place.path.display().to_string(), source }
}

/// How many values of a column are NaN.
pub(crate) fn count_nans(column: &ArrayRef) -> u64 {
    let nans = match column.data_type() {
        DataType::Float32 => column.as_primitive::<Float32Type>().iter().flatten().filter(|v| v.is_nan()).count(),
        DataType::Float64 => column.as_primitive::<Float64Type>().iter().flatten().filter(|v| v.is_nan()).count(),
        _ => 0,
    };
    nans as u64
}

/// Appends to a file, which it opens when there is something to append. It never makes one: what was deleted stays so.
struct Appender {
    path: PathBuf,
    file: Option<File>,
}

impl Appender {
    fn open(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new().append(true).open(&self.path)?,
        };
        Ok(self.file.insert(file))
    }
}

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        fault::pass(Point::Writing).map_err(|why| io::Error::new(io::ErrorKind::StorageFull, why))?;
        self.open()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
