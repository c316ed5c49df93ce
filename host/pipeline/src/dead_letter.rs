//! Dead letters: the records that a pipeline refused, as rows of an Iceberg table.
//!
//! A letter holds what is needed to find the record again, to see why it was refused, and to run it anew.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Int32Builder, Int64Builder, MapBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, TimeUnit};

use crate::batch::{Record, TopicPartition};
use crate::transform::TableSchema;

mod stored;

pub use stored::{Stored, marks, read};

/// The name of the dead letters among a pipeline's tables.
pub const TABLE: &str = "dead_letters";

/// What all letters of a batch have in common.
#[derive(Clone, Debug)]
pub struct Postmark<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The cluster's id.
    pub cluster_id: &'a str,
    /// The topic's id, where the broker has one.
    pub topic_id: Option<&'a str>,
    /// The partition.
    pub source: &'a TopicPartition,
    /// The digests of the chain, comma-separated: for records that no one plugin of it refused.
    pub plugin_digest: &'a str,
    /// When they were refused, milliseconds since 1970.
    pub rejected_at_ms: i64,
}

/// A record and why it was refused.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    /// The record, as Kafka had it.
    pub record: &'a Record,
    /// Why.
    pub error: &'a str,
    /// The digest of the plugin that refused it; `None` where it was no plugin, or is not known which.
    pub plugin_digest: Option<&'a str>,
}

fn column(name: &str, data_type: DataType, nullable: bool, doc: &str) -> Field {
    Field::new(name, data_type, nullable).with_metadata([("doc".to_string(), doc.to_string())].into())
}

fn entries() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)])
}

/// The columns of the dead-letter table. New ones are only ever added at the end, optional.
pub fn schema() -> TableSchema {
    let utc = |name, nullable, doc| {
        column(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), nullable, doc)
    };
    let headers = DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries()), false)), false);
    let columns = vec![
        column("pipeline", DataType::Utf8, false, "the pipeline that refused the record"),
        column("cluster_id", DataType::Utf8, false, "the Kafka cluster's id"),
        column("topic_id", DataType::Utf8, true, "the topic's id; NULL where the broker has none"),
        column("topic", DataType::Utf8, false, "the topic's name"),
        column("partition", DataType::Int32, false, "the partition"),
        column("offset", DataType::Int64, false, "the record's offset"),
        utc("timestamp", true, "the record's own timestamp"),
        column("key", DataType::Binary, true, "the record's key"),
        column("value", DataType::Binary, true, "the record's value, as it was in the topic"),
        column("headers", headers, true, "the record's headers; of equal names the last"),
        column("error", DataType::Utf8, false, "why it was refused"),
        column("plugin_digest", DataType::Utf8, true, "digests of the plugins that refused it, and of their settings"),
        utc("rejected_at", false, "when it was refused"),
        utc("replayed_at", true, "in the row that marks a letter as replayed, when that was; else NULL"),
    ];
    TableSchema {
        name: TABLE.to_string(),
        doc: "records that a pipeline refused".to_string(),
        schema: Arc::new(Schema::new(columns)),
    }
}

/// Makes the rows of some letters.
///
/// # Errors
/// Only where more bytes are given than 32-bit offsets can address (2 GiB in one column).
pub fn rows(mark: &Postmark<'_>, letters: &[Letter<'_>]) -> Result<RecordBatch, ArrowError> {
    let mut columns = Columns::default();
    for Letter { record, error, plugin_digest } in letters {
        columns.push(&Row {
            pipeline: mark.pipeline,
            cluster_id: mark.cluster_id,
            topic_id: mark.topic_id,
            topic: &mark.source.topic,
            partition: mark.source.partition,
            record,
            error,
            plugin_digest: Some(plugin_digest.unwrap_or(mark.plugin_digest)),
            rejected_at: mark.rejected_at_ms.saturating_mul(1000),
            replayed_at: None,
        })?;
    }
    columns.finish()
}

/// A row of the table; times in microseconds since 1970.
struct Row<'a> {
    pipeline: &'a str,
    cluster_id: &'a str,
    topic_id: Option<&'a str>,
    topic: &'a str,
    partition: i32,
    record: &'a Record,
    error: &'a str,
    plugin_digest: Option<&'a str>,
    rejected_at: i64,
    replayed_at: Option<i64>,
}

/// The columns, in the schema's order.
struct Columns {
    pipeline: StringBuilder,
    cluster_id: StringBuilder,
    topic_id: StringBuilder,
    topic: StringBuilder,
    partition: Int32Builder,
    offset: Int64Builder,
    timestamp: TimestampMicrosecondBuilder,
    key: BinaryBuilder,
    value: BinaryBuilder,
    headers: MapBuilder<StringBuilder, BinaryBuilder>,
    error: StringBuilder,
    plugin_digest: StringBuilder,
    rejected_at: TimestampMicrosecondBuilder,
    replayed_at: TimestampMicrosecondBuilder,
}

impl Default for Columns {
    fn default() -> Self {
        let utc = || TimestampMicrosecondBuilder::new().with_timezone("UTC");
        Self {
            pipeline: StringBuilder::new(),
            cluster_id: StringBuilder::new(),
            topic_id: StringBuilder::new(),
            topic: StringBuilder::new(),
            partition: Int32Builder::new(),
            offset: Int64Builder::new(),
            timestamp: utc(),
            key: BinaryBuilder::new(),
            value: BinaryBuilder::new(),
            headers: MapBuilder::new(None, StringBuilder::new(), BinaryBuilder::new()),
            error: StringBuilder::new(),
            plugin_digest: StringBuilder::new(),
            rejected_at: utc(),
            replayed_at: utc(),
        }
    }
}

impl Columns {
    fn push(&mut self, row: &Row<'_>) -> Result<(), ArrowError> {
        let record = row.record;
        self.pipeline.append_value(row.pipeline);
        self.cluster_id.append_value(row.cluster_id);
        self.topic_id.append_option(row.topic_id);
        self.topic.append_value(row.topic);
        self.partition.append_value(row.partition);
        self.offset.append_value(record.offset);
        self.timestamp.append_option(record.timestamp_ms.map(|ms| ms.saturating_mul(1000)));
        self.key.append_option(record.key.as_ref());
        self.value.append_option(record.value.as_ref());
        append_headers(&mut self.headers, record)?;
        self.error.append_value(row.error);
        self.plugin_digest.append_option(row.plugin_digest);
        self.rejected_at.append_value(row.rejected_at);
        self.replayed_at.append_option(row.replayed_at);
        Ok(())
    }

    fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let schema = schema().schema;
        let headers = self.headers.finish();
        let DataType::Map(entry, _) = schema.field(9).data_type() else { unreachable!("headers are a map") };
        let headers = arrow_array::MapArray::try_new(
            Arc::clone(entry),
            headers.offsets().clone(),
            arrow_array::StructArray::try_new(entries(), headers.entries().columns().to_vec(), None)?,
            arrow_array::Array::nulls(&headers).cloned(),
            false,
        )?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.pipeline.finish()),
            Arc::new(self.cluster_id.finish()),
            Arc::new(self.topic_id.finish()),
            Arc::new(self.topic.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
            Arc::new(self.timestamp.finish()),
            Arc::new(self.key.finish()),
            Arc::new(self.value.finish()),
            Arc::new(headers),
            Arc::new(self.error.finish()),
            Arc::new(self.plugin_digest.finish()),
            Arc::new(self.rejected_at.finish()),
            Arc::new(self.replayed_at.finish()),
        ];
        RecordBatch::try_new(schema, columns)
    }
}

/// A map has each key once: of headers with equal names the last stands.
fn append_headers(map: &mut MapBuilder<StringBuilder, BinaryBuilder>, record: &Record) -> Result<(), ArrowError> {
    for (at, (name, value)) in record.headers.iter().enumerate() {
        if record.headers[at + 1..].iter().all(|(later, _)| later != name) {
            map.keys().append_value(name);
            map.values().append_option(value.as_ref());
        }
    }
    map.append(!record.headers.is_empty())
}
