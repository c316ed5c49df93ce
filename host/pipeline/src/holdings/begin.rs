//! Where a topic that a table does not know yet begins, and when it is not begun at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Holdings, begin_entry, entry_key};
use crate::checkpoint::{Entry, EntryKey, Offsets, foreign_topics};
use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::sink::{HeadView, Table};
use crate::source::{Source, TopicInfo};

impl<T: Table, C: Clock> Holdings<T, C> {
    /// Makes sure that every partition of a topic has an entry in the primary: `start` decides once for the whole
    /// topic, a partition added later begins at 0, and what stands in a secondary beats both.
    pub(super) async fn begin<S: Source>(&self, source: &S, topic: &Arc<str>, info: &TopicInfo) -> Result<(), Error> {
        loop {
            let head = self.committer.load(&self.tables[0]).await?;
            let offsets = self.committer.offsets_at(self.tables[0].name(), &head.view)?.offsets;
            self.check_topic(&offsets, topic, info)?;
            if !self.accept.other_pipeline {
                self.check_strangers(self.tables[0].name(), &head.view, topic, info)?;
            }
            let all: Vec<EntryKey> = (0..info.partitions).map(|p| entry_key(info, topic, p)).collect();
            let absent: Vec<&EntryKey> = all.iter().filter(|k| !offsets.contains_key(*k)).collect();
            if absent.is_empty() {
                return Ok(());
            }
            let begun = absent.len() < all.len();
            let mut first =
                if begun { vec![0; all.len()] } else { source.offsets(topic, info.partitions, self.start).await? };
            self.prefer_secondaries(&all, &mut first).await?;
            let new: BTreeMap<EntryKey, Entry> =
                absent.iter().map(|k| ((*k).clone(), begin_entry(info, first[k.partition as usize]))).collect();
            let done = self
                .committer
                .commit(&self.tables[0], &self.empty(), |offsets| {
                    if new.keys().any(|k| offsets.contains_key(k)) {
                        return Err(Error::fenced("another process began the topic first"));
                    }
                    Ok(new.clone())
                })
                .await;
            match done {
                // Read it back: what counts is what stands there.
                Ok(_) => continue,
                Err(e) if e.kind == Kind::Fenced => continue,
                Err(e) => return Err(e),
            }
        }
    }

    /// Where tables differ, the lowest: what the others have beyond it they do not take twice.
    async fn prefer_secondaries(&self, all: &[EntryKey], first: &mut [i64]) -> Result<(), Error> {
        let mut lowest: BTreeMap<&EntryKey, i64> = BTreeMap::new();
        for table in &self.tables[1..] {
            let head = self.committer.load(table).await?;
            let offsets = self.committer.offsets_at(table.name(), &head.view)?.offsets;
            for (key, entry) in all.iter().filter_map(|key| Some((key, offsets.get(key)?))) {
                lowest.entry(key).and_modify(|n| *n = entry.next.min(*n)).or_insert(entry.next);
            }
        }
        for (key, first) in all.iter().zip(first.iter_mut()) {
            *first = lowest.get(key).copied().unwrap_or(*first);
        }
        Ok(())
    }

    fn check_topic(&self, offsets: &Offsets, topic: &str, info: &TopicInfo) -> Result<(), Error> {
        let table = self.tables[0].name();
        for (key, entry) in offsets.iter().filter(|(k, _)| *k.topic == *topic) {
            if *key.cluster_id != *info.cluster_id && !self.accept.new_cluster {
                return Err(Error::fatal(format!(
                    "{table} holds offsets of the topic {topic} from the cluster {}, but the brokers belong to the \
                     cluster {}: offsets of one mean nothing in the other; --accept-new-cluster begins anew there",
                    key.cluster_id, info.cluster_id
                )));
            }
            if *key.cluster_id == *info.cluster_id && entry.topic_id != info.topic_id && !self.accept.new_topic {
                let id = |id: &Option<String>| id.clone().unwrap_or_else(|| "none".into());
                return Err(Error::fatal(format!(
                    "the topic {topic} was deleted and made again: {table} holds offsets of the topic id {}, the \
                     cluster's is {}; --accept-new-topic begins it anew at its oldest record",
                    id(&entry.topic_id),
                    id(&info.topic_id)
                )));
            }
        }
        Ok(())
    }

    /// Another pipeline over the same topic in the same data table doubles rows. Dead letters carry their pipeline.
    pub(super) fn check_strangers(
        &self,
        table: &str,
        view: &HeadView,
        topic: &str,
        info: &TopicInfo,
    ) -> Result<(), Error> {
        match foreign_topics(view).into_iter().find(|(_, k)| *k.topic == *topic && *k.cluster_id == *info.cluster_id) {
            None => Ok(()),
            Some((other, _)) => Err(Error::fatal(format!(
                "{table} is already filled from the topic {topic} by the pipeline {other}: its rows would stand there \
                 twice; --accept-other-pipeline allows it"
            ))),
        }
    }
}
