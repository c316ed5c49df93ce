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
    /// The digests of the chain that refused the records, comma-separated.
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
        column("plugin_digest", DataType::Utf8, true, "sha256 of the plugins that refused it"),
        utc("rejected_at", false, "when it was refused"),
        utc("replayed_at", true, "when a replay put its rows into the table; NULL before"),
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
    let schema = schema().schema;
    let n = letters.len();
    let same = |text: &str| -> ArrayRef {
        let mut b = StringBuilder::new();
        (0..n).for_each(|_| b.append_value(text));
        Arc::new(b.finish())
    };
    let mut topic_id = StringBuilder::new();
    let mut partition = Int32Builder::new();
    let mut offset = Int64Builder::new();
    let mut timestamp = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let (mut key, mut value) = (BinaryBuilder::new(), BinaryBuilder::new());
    let mut headers = MapBuilder::new(None, StringBuilder::new(), BinaryBuilder::new());
    let mut error = StringBuilder::new();
    let mut rejected_at = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let mut replayed_at = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    for letter in letters {
        let record = letter.record;
        topic_id.append_option(mark.topic_id);
        partition.append_value(mark.source.partition);
        offset.append_value(record.offset);
        timestamp.append_option(record.timestamp_ms.map(|ms| ms.saturating_mul(1000)));
        key.append_option(record.key.as_ref());
        value.append_option(record.value.as_ref());
        append_headers(&mut headers, record)?;
        error.append_value(letter.error);
        rejected_at.append_value(mark.rejected_at_ms.saturating_mul(1000));
        replayed_at.append_null();
    }
    let headers = headers.finish();
    let DataType::Map(entry, _) = schema.field(9).data_type() else { unreachable!("headers are a map") };
    let headers = arrow_array::MapArray::try_new(
        Arc::clone(entry),
        headers.offsets().clone(),
        arrow_array::StructArray::try_new(entries(), headers.entries().columns().to_vec(), None)?,
        arrow_array::Array::nulls(&headers).cloned(),
        false,
    )?;
    let columns: Vec<ArrayRef> = vec![
        same(mark.pipeline),
        same(mark.cluster_id),
        Arc::new(topic_id.finish()),
        same(&mark.source.topic),
        Arc::new(partition.finish()),
        Arc::new(offset.finish()),
        Arc::new(timestamp.finish()),
        Arc::new(key.finish()),
        Arc::new(value.finish()),
        Arc::new(headers),
        Arc::new(error.finish()),
        same(mark.plugin_digest),
        Arc::new(rejected_at.finish()),
        Arc::new(replayed_at.finish()),
    ];
    RecordBatch::try_new(schema, columns)
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
