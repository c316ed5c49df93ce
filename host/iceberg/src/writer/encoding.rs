//! How a table's files are encoded: schema, codecs, dictionaries, statistics, column by column.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, SchemaRef};
use iceberg::spec::{PrimitiveType, TableMetadata, Type};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding as PageEncoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterPropertiesPtr};
use parquet::schema::types::{ColumnDescriptor, SchemaDescPtr};

use super::WriteError;
use super::chunk::OwnChunk;
use super::codec::Codecs;
use super::general::General;
use crate::properties::{Bloom, MetricsMode, WriteProperties};
use crate::schema::Mapping;

/// Everything that files of one target have in common.
#[derive(Debug)]
pub(super) struct Encoding {
    /// The file's schema as Parquet has it.
    pub(super) descriptor: SchemaDescPtr,
    /// The writers of what is not written here.
    pub(super) general: General,
    /// The columns of the rows that come: text is bytes.
    pub(super) rows: SchemaRef,
    /// What Parquet's writer obeys.
    pub(super) properties: WriterPropertiesPtr,
    /// The columns as Parquet counts them.
    pub(super) leaves: Vec<Leaf>,
    /// Columns that may hold NaN: index in the rows, and id.
    pub(super) floats: Vec<(usize, i32)>,
    pub(super) codecs: Codecs,
    /// A row group ends here, whichever comes first.
    pub(super) row_group_bytes: usize,
    pub(super) row_group_rows: Option<usize>,
    /// The codec of every column.
    pub(super) compression: Compression,
    /// The columns that have bloom filters, as Parquet counts them.
    pub(super) bloom: HashSet<usize>,
    /// A file ends here.
    pub(super) file_bytes: u64,
}

/// A column as Parquet counts them: one without columns inside.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) id: i32,
    pub(super) kind: PrimitiveType,
    /// Of the rows that come.
    pub(super) data_type: DataType,
    pub(super) metrics: MetricsMode,
    /// Inside a list or a map.
    pub(super) is_repeated: bool,
    /// What its footer says of its values.
    pub(super) statistics: EnabledStatistics,
}

impl Encoding {
    pub(super) fn new(
        metadata: &TableMetadata,
        mapping: &Mapping,
        wanted: &WriteProperties,
    ) -> Result<Self, WriteError> {
        let file = mapping.schema();
        let parquet_error = |source| WriteError::Parquet { location: metadata.location().to_string(), source };
        let parquet = ArrowSchemaConverter::new().schema_root("table").convert(file).map_err(parquet_error)?;
        let (mut data_types, mut rows_types) = (Vec::new(), Vec::new());
        file.fields().iter().for_each(|f| leaf_types(f, &mut data_types));
        mapping.rows_schema().fields().iter().for_each(|f| leaf_types(f, &mut rows_types));
        let schema = metadata.current_schema();
        let sorted: HashSet<i32> = metadata.default_sort_order().fields.iter().map(|f| f.source_id).collect();
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_string())
            .set_compression(wanted.compression)
            .set_data_page_size_limit(wanted.page_bytes)
            .set_data_page_row_count_limit(wanted.page_rows)
            .set_dictionary_page_size_limit(wanted.dictionary_bytes)
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(None)
            .set_column_index_truncate_length(Some(64));
        let (mut leaves, mut filtered) = (Vec::with_capacity(data_types.len()), HashSet::new());
        let types = data_types.iter().zip(rows_types);
        for (position, (column, (data_type, rows_type))) in parquet.columns().iter().zip(types).enumerate() {
            let info = column.self_type().get_basic_info();
            let id = if info.has_id() { info.id() } else { -1 };
            let name = schema.name_by_field_id(id).unwrap_or_default();
            let kind = match schema.field_by_id(id).map(|f| &*f.field_type) {
                Some(Type::Primitive(p)) => p.clone(),
                _ => PrimitiveType::Binary,
            };
            let is_repeated = column.max_rep_level() > 0;
            let metrics = wanted.metrics(name, position);
            let statistics = match metrics {
                _ if is_repeated => EnabledStatistics::None,
                _ if sorted.contains(&id) => EnabledStatistics::Page,
                MetricsMode::None => EnabledStatistics::None,
                _ => EnabledStatistics::Chunk,
            };
            let bloom = wanted.bloom.get(name);
            filtered.extend(bloom.map(|_| position));
            properties = encode_column(properties, column, data_type, statistics, bloom.map(|b| (*b, wanted)));
            leaves.push(Leaf { id, kind, data_type: rows_type, metrics, is_repeated, statistics });
        }
        let properties = Arc::new(properties.set_statistics_truncate_length(statistics_length(&leaves)).build());
        let is_own = leaves.iter().enumerate().map(|(index, leaf): (usize, &Leaf)| {
            OwnChunk::new(&parquet.column(index), &leaf.data_type, &leaf.kind, &properties).map(|own| own.is_some())
        });
        let is_own = is_own.collect::<Result<Vec<_>, _>>().map_err(parquet_error)?;
        let floats = file.fields().iter().enumerate().filter(|(_, f)| f.data_type().is_floating());
        let float_id = |index: usize| schema.as_struct().fields().get(index).map(|f| (index, f.id));
        Ok(Self {
            general: General::new(&parquet, mapping.rows_schema(), &is_own, &properties).map_err(parquet_error)?,
            descriptor: Arc::new(parquet),
            rows: Arc::clone(mapping.rows_schema()),
            properties,
            floats: floats.filter_map(|(index, _)| float_id(index)).collect(),
            leaves,
            codecs: Codecs::new(wanted.compression),
            row_group_bytes: wanted.row_group_bytes,
            row_group_rows: wanted.row_group_rows,
            compression: wanted.compression,
            bloom: filtered,
            file_bytes: wanted.target_file_bytes,
        })
    }
}

fn encode_column(
    properties: WriterPropertiesBuilder,
    column: &ColumnDescriptor,
    data_type: &DataType,
    statistics: EnabledStatistics,
    bloom: Option<(Bloom, &WriteProperties)>,
) -> WriterPropertiesBuilder {
    let path = column.path().clone();
    let mut properties = properties.set_column_statistics_enabled(path.clone(), statistics);
    properties = match data_type {
        // What repeats, the plugin gives as a dictionary; what it does not, is not looked up again and again.
        DataType::Dictionary(..) | DataType::Int32 | DataType::Date32 => {
            properties.set_column_dictionary_enabled(path.clone(), true)
        }
        DataType::Int64 | DataType::Timestamp(..) | DataType::Time64(_) => {
            properties.set_column_encoding(path.clone(), PageEncoding::DELTA_BINARY_PACKED)
        }
        _ => properties,
    };
    match bloom {
        None => properties,
        Some((bloom, wanted)) => properties
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), bloom.false_positives)
            .set_column_bloom_filter_ndv(path, distinct_max(wanted.bloom_bytes_max, bloom.false_positives)),
    }
}

/// How many distinct values a filter of so many bytes holds at this share of false positives. (A split block filter sets
/// eight bits a value; its size is a power of two.)
fn distinct_max(bytes_max: usize, false_positives: f64) -> u64 {
    let bytes = if bytes_max.is_power_of_two() { bytes_max } else { bytes_max.next_power_of_two() / 2 };
    let a_value = -8.0 / (1.0 - false_positives.powf(1.0 / 8.0)).ln();
    ((bytes * 8) as f64 / a_value).floor().max(1.0) as u64
}

/// Bytes of a text's bound that the footer keeps: enough for the manifest's, and no more, or a long text would be there
/// twice a row group. A character has four bytes at most.
fn statistics_length(leaves: &[Leaf]) -> Option<usize> {
    let mut lengths = leaves.iter().filter(|l| !l.is_repeated).map(|l| match l.metrics {
        MetricsMode::Full => None,
        MetricsMode::Truncate(n) => Some(n.saturating_mul(4)),
        MetricsMode::None | MetricsMode::Counts => Some(64),
    });
    lengths.try_fold(64, |longest: usize, length| Some(longest.max(length?)))
}

fn leaf_types(field: &Field, leaves: &mut Vec<DataType>) {
    match field.data_type() {
        DataType::List(inside) | DataType::Map(inside, _) => leaf_types(inside, leaves),
        DataType::Struct(fields) => fields.iter().for_each(|f| leaf_types(f, leaves)),
        leaf => leaves.push(leaf.clone()),
    }
}
