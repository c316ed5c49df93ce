//! Parquet files read as rows of a table: columns found by id, text as bytes, what a file holds as a dictionary kept so.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema as FileSchema, SchemaRef};
use iceberg::spec::{Schema, TableMetadata};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{PARQUET_FIELD_ID_META_KEY, ProjectionMask};
use parquet::basic::{Encoding, EncodingMask};
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};

use super::CompactError;
use crate::schema::{Mapping, by_id, file_schema};

/// Writers end a page at so many rows at the latest, and at so many bytes: Iceberg's and Weir's defaults.
const PAGE_ROWS: f64 = 20_000.0;
const PAGE_BYTES: f64 = (1 << 20) as f64;

/// What rows are read as.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    table: Arc<Schema>,
    wanted: SchemaRef,
    coded: BTreeSet<i32>,
}

impl Rows {
    /// All columns of the table's current schema; as dictionaries those that the sample has so.
    pub(super) fn like(metadata: &TableMetadata, sample: &ParquetMetaData) -> Self {
        let (table, coded) = (Arc::clone(metadata.current_schema()), coded(sample));
        Self { wanted: file_schema(&table, &coded, None), table, coded }
    }

    /// Only the columns that the sort order looks at.
    pub(super) fn sort_columns(&self, metadata: &TableMetadata) -> Self {
        self.only(&metadata.default_sort_order().fields.iter().map(|f| f.source_id).collect())
    }

    /// Only the columns that these ids are in.
    pub(super) fn only(&self, ids: &BTreeSet<i32>) -> Self {
        let roots = self.wanted.fields().iter().filter(|field| holds(field, ids)).filter_map(|f| id_of(f));
        Self { wanted: file_schema(&self.table, &self.coded, Some(&roots.collect())), ..self.clone() }
    }

    /// The columns as a data file has them.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.wanted
    }

    /// A mapping that says what data files of these rows look like.
    pub(super) fn mapping(&self) -> Result<Mapping, CompactError> {
        by_id(&self.table, &self.wanted, &self.wanted).map_err(|e| CompactError::Refused(e.to_string()))
    }
}

fn id_of(field: &Field) -> Option<i32> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

fn holds(field: &Field, ids: &BTreeSet<i32>) -> bool {
    let inside = match field.data_type() {
        DataType::Struct(fields) => fields.iter().any(|f| holds(f, ids)),
        _ => false,
    };
    inside || id_of(field).is_some_and(|id| ids.contains(&id))
}

/// Columns whose values are in dictionaries throughout, or nearly: what repeats need not be looked up again.
fn coded(file: &ParquetMetaData) -> BTreeSet<i32> {
    let schema = file.file_metadata().schema_descr();
    let is_coded = |index: usize| {
        let chunks = file.row_groups().iter().map(|group| group.column(index));
        let size = |c: &ColumnChunkMetaData| c.num_values();
        let (coded, all) = chunks.fold((0, 0), |(coded, all), chunk| {
            (coded + if is_dictionary(chunk) { size(chunk) } else { 0 }, all + size(chunk))
        });
        coded * 2 > all
    };
    let id = |index: usize| {
        let info = schema.column(index).self_type().get_basic_info().clone();
        info.has_id().then(|| info.id())
    };
    (0..schema.num_columns()).filter(|index| is_coded(*index)).filter_map(id).collect()
}

fn is_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    let is_throughout =
        |pages: &EncodingMask| pages.is_only(Encoding::RLE_DICTIONARY) || pages.is_only(Encoding::PLAIN_DICTIONARY);
    chunk.dictionary_page_offset().is_some() && chunk.page_encoding_stats_mask().is_none_or(is_throughout)
}

/// A file on this machine, its footer read.
#[derive(Clone, Debug)]
pub(super) struct Input {
    path: PathBuf,
    /// As messages name it.
    name: Arc<str>,
    footer: Arc<ParquetMetaData>,
}

impl Input {
    /// Reads a file's footer.
    pub(super) fn open(path: &Path, name: &str) -> Result<Self, CompactError> {
        let error = |why: String| CompactError::File { location: name.to_string(), why };
        let file = File::open(path).map_err(|e| error(e.to_string()))?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let footer = ArrowReaderMetadata::load(&file, options).map_err(|e| error(e.to_string()))?;
        let has_ids = footer.schema().fields().iter().all(|field| id_of(field).is_some());
        if !has_ids {
            return Err(error("its columns have no field ids".to_string()));
        }
        Ok(Self { path: path.to_path_buf(), name: name.into(), footer: Arc::clone(footer.metadata()) })
    }

    /// Reads the page indexes too, all of which must be there.
    pub(super) fn with_pages(&self) -> Result<Self, CompactError> {
        let file = self.file()?;
        let footer = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
        let footer = footer.parse_and_finish(&file).map_err(|e| self.error(e.to_string()))?;
        Ok(Self { footer: Arc::new(footer), ..self.clone() })
    }

    pub(super) fn footer(&self) -> &ParquetMetaData {
        &self.footer
    }

    /// The file, open for reading.
    pub(super) fn file(&self) -> Result<File, CompactError> {
        File::open(&self.path).map_err(|e| self.error(e.to_string()))
    }

    /// As messages name it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with it.
    pub(super) fn error(&self, why: String) -> CompactError {
        CompactError::File { location: self.name.to_string(), why }
    }

    pub(super) fn groups(&self) -> usize {
        self.footer.row_groups().len()
    }

    /// About how many bytes the rows of some row groups are, each, decoded.
    pub(super) fn row_bytes(&self, groups: &Range<usize>) -> f64 {
        let groups = &self.footer.row_groups()[groups.clone()];
        let bytes: i64 = groups.iter().map(|g| g.total_byte_size()).sum();
        let rows: i64 = groups.iter().map(|g| g.num_rows()).sum();
        // Dictionaries and runs are smaller than what they say.
        1.5 * bytes as f64 / rows.max(1) as f64 + 64.0
    }

    /// About how many bytes of pages and dictionaries a reader of these row groups holds.
    pub(super) fn page_bytes(&self, groups: &Range<usize>) -> f64 {
        let of_group = |group: &RowGroupMetaData| {
            let share = (PAGE_ROWS / group.num_rows().max(1) as f64).min(1.0);
            let page = |c: &ColumnChunkMetaData| (c.uncompressed_size() as f64 * share).min(PAGE_BYTES);
            let dictionary = |c: &ColumnChunkMetaData| match c.dictionary_page_offset() {
                Some(_) => (c.uncompressed_size() as f64 / 2.0).min(PAGE_BYTES),
                None => 0.0,
            };
            group.columns().iter().map(|c| page(c) + dictionary(c)).sum::<f64>()
        };
        self.footer.row_groups()[groups.clone()].iter().map(of_group).fold(0.0, f64::max)
    }

    /// Reads some row groups.
    pub(super) fn read(&self, rows: &Rows, groups: Range<usize>, at_once: usize) -> Result<Reader, CompactError> {
        let error = |why: String| self.error(why);
        let file = self.file()?;
        let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let found = ArrowReaderMetadata::try_new(Arc::clone(&self.footer), plain).map_err(|e| error(e.to_string()))?;
        let hinted = hint(found.schema().fields(), &rows.coded);
        let options = ArrowReaderOptions::new().with_schema(Arc::new(FileSchema::new(hinted)));
        let footer = ArrowReaderMetadata::try_new(Arc::clone(&self.footer), options);
        let footer = footer.map_err(|e| error(e.to_string()))?;
        let wanted: BTreeSet<i32> = rows.wanted.fields().iter().filter_map(|f| id_of(f)).collect();
        let roots = footer.schema().fields().iter().enumerate();
        let roots: Vec<usize> =
            roots.filter(|(_, f)| id_of(f).is_some_and(|id| wanted.contains(&id))).map(|(i, _)| i).collect();
        let mask = ProjectionMask::roots(self.footer.file_metadata().schema_descr(), roots.iter().copied());
        let fields: Fields = roots.iter().map(|index| Arc::clone(&footer.schema().fields()[*index])).collect();
        let mapping = by_id(&rows.table, &rows.wanted, &Arc::new(FileSchema::new(fields)));
        let mapping = mapping.map_err(|e| error(e.to_string()))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer)
            .with_row_groups(groups.collect())
            .with_projection(mask)
            .with_batch_size(at_once)
            .build()
            .map_err(|e| error(e.to_string()))?;
        Ok(Reader { reader, mapping, name: Arc::clone(&self.name) })
    }
}

/// The file's columns, text and bytes of the ids in `coded` as dictionaries.
fn hint(fields: &Fields, coded: &BTreeSet<i32>) -> Fields {
    let one = |field: &FieldRef| {
        let inside = |f: &FieldRef| Arc::clone(&hint(&Fields::from(vec![Arc::clone(f)]), coded)[0]);
        let data_type = match field.data_type() {
            text @ (DataType::Utf8 | DataType::Binary) if id_of(field).is_some_and(|id| coded.contains(&id)) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(text.clone()))
            }
            DataType::Struct(fields) => DataType::Struct(hint(fields, coded)),
            DataType::List(element) => DataType::List(inside(element)),
            DataType::Map(entries, sorted) => DataType::Map(inside(entries), *sorted),
            other => other.clone(),
        };
        Arc::new(Field::clone(field).with_data_type(data_type))
    };
    fields.iter().map(one).collect()
}

/// Rows of a file, batch by batch.
pub(super) struct Reader {
    reader: ParquetRecordBatchReader,
    mapping: Mapping,
    name: Arc<str>,
}

impl Reader {
    /// The columns of its batches.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(self.mapping.rows_schema())
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, CompactError>;

    fn next(&mut self) -> Option<Self::Item> {
        let error = |why: String| CompactError::File { location: self.name.to_string(), why };
        let batch = self.reader.next()?;
        Some(
            batch
                .map_err(|e| error(e.to_string()))
                .and_then(|batch| self.mapping.apply(&batch).map_err(|e| error(e.to_string()))),
        )
    }
}
