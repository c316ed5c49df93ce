//! A table's metadata as tables: `"traces$snapshots"`, `$history`, `$files`, `$refs`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Int64Builder, MapBuilder, RecordBatch, StringBuilder, TimestampMillisecondBuilder,
};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use iceberg::spec::{
    DataContentType, DataFile, Literal, PartitionSpec, SnapshotRef, SnapshotReference, SnapshotRetention, Type,
};
use iceberg::table::Table;

use crate::catalog::unreadable;
use crate::error::QueryError;

/// What can be asked of a table besides its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Aspect {
    Snapshots,
    History,
    Files,
    Refs,
}

impl Aspect {
    pub(crate) const ALL: [Aspect; 4] = [Aspect::Snapshots, Aspect::History, Aspect::Files, Aspect::Refs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Aspect::Snapshots => "snapshots",
            Aspect::History => "history",
            Aspect::Files => "files",
            Aspect::Refs => "refs",
        }
    }
}

impl FromStr for Aspect {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|aspect| aspect.name() == text).ok_or(())
    }
}

/// The aspect's rows, worked out now.
///
/// # Errors
/// [`QueryError::Unreadable`] where a manifest cannot be read.
pub(crate) async fn provider(
    name: &str,
    table: &Table,
    aspect: Aspect,
    snapshot: Option<i64>,
) -> Result<Arc<dyn TableProvider>, QueryError> {
    let columns = match aspect {
        Aspect::Snapshots => snapshots(table),
        Aspect::History => history(table),
        Aspect::Refs => refs(name, table)?,
        Aspect::Files => files(name, table, snapshot).await?,
    };
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|why| unreadable(name, &why))?;
    let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(|why| unreadable(name, &why))?;
    Ok(Arc::new(table))
}

type Columns = Vec<(&'static str, ArrayRef)>;

fn times() -> TimestampMillisecondBuilder {
    TimestampMillisecondBuilder::new().with_timezone("+00:00")
}

fn snapshots(table: &Table) -> Columns {
    let (mut committed, mut ids, mut parents) = (times(), Int64Builder::new(), Int64Builder::new());
    let (mut operations, mut lists) = (StringBuilder::new(), StringBuilder::new());
    let mut summaries = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    let mut all: Vec<&SnapshotRef> = table.metadata().snapshots().collect();
    all.sort_by_key(|snapshot| (snapshot.sequence_number(), snapshot.timestamp_ms()));
    for snapshot in all {
        committed.append_value(snapshot.timestamp_ms());
        ids.append_value(snapshot.snapshot_id());
        parents.append_option(snapshot.parent_snapshot_id());
        operations.append_value(snapshot.summary().operation.as_str());
        lists.append_value(snapshot.manifest_list());
        let mut entries: Vec<_> = snapshot.summary().additional_properties.iter().collect();
        entries.sort();
        for (key, value) in entries {
            summaries.keys().append_value(key);
            summaries.values().append_value(value);
        }
        // Keys and values grow together just above.
        let _ = summaries.append(true);
    }
    vec![
        ("committed_at", Arc::new(committed.finish())),
        ("snapshot_id", Arc::new(ids.finish())),
        ("parent_id", Arc::new(parents.finish())),
        ("operation", Arc::new(operations.finish())),
        ("manifest_list", Arc::new(lists.finish())),
        ("summary", Arc::new(summaries.finish())),
    ]
}

fn history(table: &Table) -> Columns {
    let metadata = table.metadata();
    let mut ancestors = Vec::new();
    let mut next = metadata.current_snapshot();
    while let Some(snapshot) = next {
        ancestors.push(snapshot.snapshot_id());
        next = snapshot.parent_snapshot_id().and_then(|parent| metadata.snapshot_by_id(parent));
    }
    let (mut made, mut ids) = (times(), Int64Builder::new());
    let (mut parents, mut current) = (Int64Builder::new(), BooleanBuilder::new());
    for entry in metadata.history() {
        made.append_value(entry.timestamp_ms);
        ids.append_value(entry.snapshot_id);
        parents.append_option(metadata.snapshot_by_id(entry.snapshot_id).and_then(|found| found.parent_snapshot_id()));
        current.append_value(ancestors.contains(&entry.snapshot_id));
    }
    vec![
        ("made_current_at", Arc::new(made.finish())),
        ("snapshot_id", Arc::new(ids.finish())),
        ("parent_id", Arc::new(parents.finish())),
        ("is_current_ancestor", Arc::new(current.finish())),
    ]
}

/// The crate shows branches and tags in the metadata's JSON only.
fn refs(name: &str, table: &Table) -> Result<Columns, QueryError> {
    let json = serde_json::to_value(table.metadata()).map_err(|why| unreadable(name, &why))?;
    let refs: BTreeMap<String, SnapshotReference> = match json.get("refs") {
        Some(refs) => serde_json::from_value(refs.clone()).map_err(|why| unreadable(name, &why))?,
        None => BTreeMap::new(),
    };
    let (mut names, mut kinds, mut ids) = (StringBuilder::new(), StringBuilder::new(), Int64Builder::new());
    for (name, reference) in refs {
        names.append_value(name);
        kinds.append_value(match reference.retention {
            SnapshotRetention::Branch { .. } => "BRANCH",
            SnapshotRetention::Tag { .. } => "TAG",
        });
        ids.append_value(reference.snapshot_id);
    }
    Ok(vec![
        ("name", Arc::new(names.finish())),
        ("type", Arc::new(kinds.finish())),
        ("snapshot_id", Arc::new(ids.finish())),
    ])
}

/// The files of a snapshot, those with deletes too.
async fn files(name: &str, table: &Table, snapshot: Option<i64>) -> Result<Columns, QueryError> {
    let metadata = table.metadata();
    let snapshot = match snapshot {
        Some(id) => metadata.snapshot_by_id(id),
        None => metadata.current_snapshot(),
    };
    let mut rows = FileRows::default();
    if let Some(snapshot) = snapshot {
        let list = table.manifest_list_reader(snapshot).load().await.map_err(|why| unreadable(name, &why))?;
        for manifest in list.entries() {
            let spec = metadata.partition_spec_by_id(manifest.partition_spec_id);
            let manifest = manifest.load_manifest(table.file_io()).await.map_err(|why| unreadable(name, &why))?;
            for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
                let partition = spec.map(|spec| partition(spec, table, entry.data_file())).unwrap_or_default();
                rows.append(entry.data_file(), &partition);
            }
        }
    }
    Ok(rows.finish())
}

#[derive(Default)]
struct FileRows {
    contents: StringBuilder,
    paths: StringBuilder,
    formats: StringBuilder,
    partitions: StringBuilder,
    counts: Int64Builder,
    bytes: Int64Builder,
    orders: Int64Builder,
}

impl FileRows {
    fn append(&mut self, file: &DataFile, partition: &str) {
        self.contents.append_value(match file.content_type() {
            DataContentType::Data => "data",
            DataContentType::PositionDeletes => "position-deletes",
            DataContentType::EqualityDeletes => "equality-deletes",
        });
        self.paths.append_value(file.file_path());
        self.formats.append_value(file.file_format().to_string());
        self.partitions.append_value(partition);
        self.counts.append_option(i64::try_from(file.record_count()).ok());
        self.bytes.append_option(i64::try_from(file.file_size_in_bytes()).ok());
        self.orders.append_option(file.sort_order_id().map(i64::from));
    }

    fn finish(mut self) -> Columns {
        vec![
            ("content", Arc::new(self.contents.finish())),
            ("file_path", Arc::new(self.paths.finish())),
            ("file_format", Arc::new(self.formats.finish())),
            ("partition", Arc::new(self.partitions.finish())),
            ("record_count", Arc::new(self.counts.finish())),
            ("file_size_in_bytes", Arc::new(self.bytes.finish())),
            ("sort_order_id", Arc::new(self.orders.finish())),
        ]
    }
}

/// `field=value` for each partition field, as Iceberg writes values in JSON; empty where there are none.
fn partition(spec: &PartitionSpec, table: &Table, file: &DataFile) -> String {
    let Ok(kinds) = spec.partition_type(table.metadata().current_schema()) else { return String::new() };
    let values = spec.fields().iter().zip(kinds.fields()).zip(file.partition().iter());
    let show = |value: Option<&Literal>, kind: &Type| match value {
        Some(value) => match value.clone().try_into_json(kind) {
            Ok(serde_json::Value::String(text)) => text,
            Ok(other) => other.to_string(),
            Err(_) => "?".to_owned(),
        },
        None => "null".to_owned(),
    };
    let shown = values.map(|((field, kind), value)| format!("{}={}", field.name, show(value, &kind.field_type)));
    shown.collect::<Vec<_>>().join("/")
}
