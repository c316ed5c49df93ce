//! What the commands that look at tables look at: a pipeline's tables, and the ends of its topics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use weir_iceberg::TableIdent;
use weir_iceberg::verify::Role;
use weir_kafka::KafkaObserver;
use weir_pipeline::checkpoint::{Entry, EntryKey, Offsets};
use weir_pipeline::holdings::Accept;
use weir_pipeline::source::{Extent, TopicInfo};

use super::{Failure, engine, plugin_path};
use crate::assemble::{Wishes, kafka_config, load_chain};
use crate::config::{Pipeline, TableName};

/// A broker that is there answers long before this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// One of a pipeline's tables.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// Its name in the catalog.
    pub(super) ident: TableIdent,
    /// What it is to the pipeline.
    pub(super) role: Role,
}

/// A pipeline's tables, the primary first.
pub(super) fn tables(pipeline: &Pipeline) -> Result<Vec<Subject>, Failure> {
    let primary = primary(pipeline)?;
    let mut subjects = Vec::new();
    for (name, table) in &pipeline.sink.tables {
        let role = if *name == primary { Role::Primary } else { Role::Secondary };
        subjects.push(Subject { ident: ident(&table.name)?, role });
    }
    subjects.sort_by_key(|subject| subject.role == Role::Secondary);
    if let Some(letters) = &pipeline.dead_letter {
        subjects.push(Subject { ident: ident(&letters.table)?, role: Role::Secondary });
    }
    Ok(subjects)
}

/// The tables of a pipeline's file, dead letters included, or the one of them that is wanted.
pub(super) fn idents(pipeline: &Pipeline, wanted: Option<&str>) -> Result<Vec<TableIdent>, Failure> {
    let mut idents: Vec<TableIdent> =
        pipeline.sink.tables.values().map(|t| ident(&t.name)).collect::<Result<_, _>>()?;
    if let Some(letters) = &pipeline.dead_letter {
        idents.push(ident(&letters.table)?);
    }
    if let Some(wanted) = wanted {
        let all: Vec<String> = idents.iter().map(ToString::to_string).collect();
        idents.retain(|ident| ident.to_string() == wanted);
        if idents.is_empty() {
            let file = pipeline.origin.file().display();
            return Err(Failure::wrong(format!("{wanted} is no table of {file}: it has {}", all.join(", "))));
        }
    }
    Ok(idents)
}

/// The plugin's name for the primary table. Of several only the plugin knows which is its first.
fn primary(pipeline: &Pipeline) -> Result<String, Failure> {
    let mut names = pipeline.sink.tables.keys();
    if let (Some(only), None) = (names.next(), names.next()) {
        return Ok(only.clone());
    }
    let wishes = Wishes {
        until_end: false,
        accept: Accept::default(),
        plugin_path: plugin_path(),
        instance_id: None,
        workers: Some(1),
        shelf: None,
    };
    let chain = load_chain(&engine()?, pipeline, &wishes)?;
    let first = chain.tables.first().map(|table| table.name.clone());
    first.ok_or_else(|| Failure::wrong(format!("{}: the plugin fills no table", pipeline.origin.file().display())))
}

/// A table of a pipeline by its name in the catalog.
pub(super) fn ident(name: &TableName) -> Result<TableIdent, Failure> {
    let parts = name.namespace().iter().map(String::as_str).chain([name.table()]);
    TableIdent::from_strs(parts).map_err(Failure::wrong)
}

/// What the brokers say of an entry's partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    /// What its log holds.
    Log(Extent),
    /// Nothing that can be held against the entry, and why.
    Other(String),
}

/// Asks the brokers about the partitions of V, without joining the pipeline's group.
///
/// # Errors
/// That no broker answers, in words.
pub(super) async fn log_ends(pipeline: &Pipeline, offsets: &Offsets) -> Result<BTreeMap<EntryKey, Seen>, String> {
    let mut config = kafka_config(&pipeline.source);
    config.answer_timeout = ANSWER_TIMEOUT;
    let observer = KafkaObserver::new(&config).map_err(|e| e.to_string())?;
    let mut seen = BTreeMap::new();
    let topics: BTreeSet<_> = offsets.keys().map(|key| key.topic.clone()).collect();
    for topic in topics {
        let entries: Vec<_> = offsets.iter().filter(|(key, _)| key.topic == topic).collect();
        let info = match observer.describe(&topic).await {
            Ok(info) => info,
            Err(e @ weir_kafka::KafkaError::UnknownTopic { .. }) => {
                seen.extend(entries.iter().map(|(key, _)| ((*key).clone(), Seen::Other(e.to_string()))));
                continue;
            }
            Err(e) => return Err(e.to_string()),
        };
        let (same, other): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(k, e)| difference(k, e, &info).is_none());
        let why = |(key, entry): &(&EntryKey, &Entry)| difference(key, entry, &info).unwrap_or_default();
        seen.extend(other.iter().map(|entry| (entry.0.clone(), Seen::Other(why(entry)))));
        let partitions: Vec<i32> = same.iter().map(|(key, _)| key.partition).collect();
        if partitions.is_empty() {
            continue;
        }
        let extents = observer.extents(&topic, &partitions).await.map_err(|e| e.to_string())?;
        seen.extend(same.into_iter().zip(extents).map(|((key, _), extent)| (key.clone(), Seen::Log(extent))));
    }
    Ok(seen)
}

/// Why the brokers' topic is not the entry's.
fn difference(key: &EntryKey, entry: &Entry, info: &TopicInfo) -> Option<String> {
    if *key.cluster_id != *info.cluster_id {
        return Some(format!(
            "the brokers belong to the cluster {}, the offsets to {}",
            info.cluster_id, key.cluster_id
        ));
    }
    if entry.topic_id != info.topic_id {
        return Some("the topic was made again since".to_string());
    }
    (key.partition >= info.partitions).then(|| format!("the topic has {} partitions now", info.partitions))
}
