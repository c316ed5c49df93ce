//! Reading the dead-letter table: which records of a partition are rejected already, and the letters themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use futures::TryStreamExt;
use iceberg::TableIdent;
use iceberg::expr::{Predicate, Reference};
use iceberg::spec::Datum;
use weir_pipeline::batch::TopicPartition;
use weir_pipeline::dead_letter::{self, Stored};
use weir_pipeline::error::Error;
use weir_pipeline::sink::{LetterFloor, LetterKey};

use crate::catalog::Loaded;
use crate::store::{Store, StoreError};

#[cfg(test)]
mod replays;
#[cfg(test)]
mod tests;

const COLUMNS: [&str; 5] = ["cluster_id", "topic_id", "topic", "partition", "offset"];

/// The letters of `pipeline` at or beyond `from`, for each partition named, in order and each once.
///
/// The filter goes down to manifests, files and row groups: for each topic its partitions and the lowest of the offsets.
/// What passes in spite of it is dropped here.
pub async fn at_or_beyond(
    store: &Store,
    ident: &TableIdent,
    loaded: &Loaded,
    pipeline: &str,
    from: &BTreeMap<TopicPartition, LetterFloor>,
) -> Result<Vec<LetterKey>, Error> {
    let Some(filter) = filter(pipeline, from) else { return Ok(Vec::new()) };
    if loaded.metadata.current_snapshot().is_none() {
        return Ok(Vec::new());
    }
    let batches = scan(store, ident, loaded, filter, &COLUMNS).await?;
    let mut letters = BTreeSet::new();
    for batch in &batches {
        gather(batch, from, &mut letters)
            .ok_or_else(|| Error::fatal(format!("{ident} has not the columns of a dead-letter table")))?;
    }
    Ok(letters.into_iter().collect())
}

/// Which letters are asked for. Absent: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this topic.
    pub topic: Option<String>,
    /// Of this partition.
    pub partition: Option<i32>,
    /// From the first of these offsets to the last, both of them in.
    pub offsets: Option<(i64, i64)>,
}

/// What a list of letters shows.
const LISTED: [&str; 10] = [
    "cluster_id",
    "topic_id",
    "topic",
    "partition",
    "offset",
    "timestamp",
    "error",
    "plugin_digest",
    "rejected_at",
    "replayed_at",
];

/// The letters and marks of `pipeline` that were selected, by origin and offset. Without keys, values and headers, unless
/// the whole record is asked for.
///
/// # Errors
/// Retry or fatal, as for all reading.
pub async fn read(
    store: &Store,
    ident: &TableIdent,
    loaded: &Loaded,
    pipeline: &str,
    selection: &Selection,
    is_whole: bool,
) -> Result<Vec<Stored>, Error> {
    if loaded.metadata.current_snapshot().is_none() {
        return Ok(Vec::new());
    }
    let mut filter = Reference::new("pipeline").equal_to(Datum::string(pipeline));
    if let Some(topic) = &selection.topic {
        filter = filter.and(Reference::new("topic").equal_to(Datum::string(topic)));
    }
    if let Some(partition) = selection.partition {
        filter = filter.and(Reference::new("partition").equal_to(Datum::int(partition)));
    }
    if let Some((first, last)) = selection.offsets {
        let offset = || Reference::new("offset");
        filter = filter.and(offset().greater_than_or_equal_to(Datum::long(first)));
        filter = filter.and(offset().less_than_or_equal_to(Datum::long(last)));
    }
    let mut columns = LISTED.to_vec();
    if is_whole {
        columns.extend(["key", "value", "headers"]);
    }
    let mut letters = Vec::new();
    for batch in scan(store, ident, loaded, filter, &columns).await? {
        let read =
            dead_letter::read(&batch).map_err(|e| Error::fatal(format!("{ident} holds no dead letters: {e}")))?;
        letters.extend(read);
    }
    letters.sort_by(|a, b| (&a.origin, a.record.offset).cmp(&(&b.origin, b.record.offset)));
    Ok(letters)
}

async fn scan(
    store: &Store,
    ident: &TableIdent,
    loaded: &Loaded,
    filter: Predicate,
    columns: &[&str],
) -> Result<Vec<RecordBatch>, Error> {
    let read = async {
        let runtime = iceberg::Runtime::try_current()?;
        let table = iceberg::table::Table::builder()
            .file_io(store.file_io())
            .metadata(Arc::clone(&loaded.metadata))
            .metadata_location(&loaded.location)
            .identifier(ident.clone())
            .runtime(runtime)
            .build()?;
        let columns = columns.iter().copied();
        let scan = table.scan().with_filter(filter).select(columns).with_row_selection_enabled(true).build()?;
        scan.to_arrow().await?.try_collect::<Vec<RecordBatch>>().await
    };
    read.await.map_err(|e: iceberg::Error| {
        let said = format!("cannot read the dead letters in {ident}: {e}");
        let source = std::error::Error::source(&e).and_then(|source| source.downcast_ref::<StoreError>());
        // What does not come from the store is either a request that failed, or a table that this build cannot read.
        let passing = source.map_or(e.kind() == iceberg::ErrorKind::Unexpected, StoreError::is_passing);
        if passing { Error::retry(said) } else { Error::fatal(said) }
    })
}

fn filter(pipeline: &str, from: &BTreeMap<TopicPartition, LetterFloor>) -> Option<Predicate> {
    let mut topics: BTreeMap<&str, (i64, Vec<Datum>)> = BTreeMap::new();
    for (source, floor) in from {
        let (lowest, partitions) = topics.entry(&source.topic).or_insert((floor.offset, Vec::new()));
        *lowest = floor.offset.min(*lowest);
        partitions.push(Datum::int(source.partition));
    }
    let of_topic = |(topic, (lowest, partitions)): (&str, (i64, Vec<Datum>))| {
        Reference::new("topic")
            .equal_to(Datum::string(topic))
            .and(Reference::new("partition").is_in(partitions))
            .and(Reference::new("offset").greater_than_or_equal_to(Datum::long(lowest)))
    };
    let any = topics.into_iter().map(of_topic).reduce(Predicate::or)?;
    Some(Reference::new("pipeline").equal_to(Datum::string(pipeline)).and(any))
}

fn gather(
    batch: &RecordBatch,
    from: &BTreeMap<TopicPartition, LetterFloor>,
    letters: &mut BTreeSet<LetterKey>,
) -> Option<()> {
    let text = |name: &str| {
        let column = arrow::compute::cast(batch.column_by_name(name)?, &arrow_schema::DataType::Utf8).ok()?;
        column.as_string_opt::<i32>().cloned()
    };
    let (clusters, topic_ids, topics) = (text("cluster_id")?, text("topic_id")?, text("topic")?);
    let partitions = batch.column_by_name("partition")?.as_primitive_opt::<Int32Type>()?;
    let offsets = batch.column_by_name("offset")?.as_primitive_opt::<Int64Type>()?;
    for row in 0..batch.num_rows() {
        if topics.is_null(row) || partitions.is_null(row) || offsets.is_null(row) {
            continue;
        }
        let source = TopicPartition::new(topics.value(row), partitions.value(row));
        let offset = offsets.value(row);
        // A letter of another cluster, or of a topic that has since been made anew, is of another record.
        let topic_id = (!topic_ids.is_null(row)).then(|| topic_ids.value(row));
        let counts = |floor: &LetterFloor| {
            offset >= floor.offset && clusters.value(row) == floor.cluster_id && topic_id == floor.topic_id.as_deref()
        };
        if from.get(&source).is_some_and(counts) {
            letters.insert((source, offset));
        }
    }
    Some(())
}
