//! A simulated Kafka: logs with holes, and a group coordinator that asks politely and evicts who does not answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Flaw;
use super::world::Shared;
use crate::batch::{Batch, Generation, Record, TopicPartition};
use crate::error::Error;
use crate::event::{Events, Held, SourceEvent};
use crate::source::{Extent, Source, Start, TopicInfo};

pub(super) const TOPIC: &str = "t";
/// Who is silent for longer is out of the group.
const SESSION: Duration = Duration::from_secs(6);

/// What a record holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content {
    Rows(i64),
    /// Every plugin refuses it.
    Poison,
    /// One process's plugin refuses it, another's does not.
    Fickle(i64),
    Tombstone,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) records: BTreeMap<i64, Content>,
    pub(super) start: i64,
    pub(super) end: i64,
}

#[derive(Default)]
struct Member {
    seen: Option<Instant>,
    owns: BTreeSet<i32>,
    asked: BTreeSet<i32>,
    news: Vec<News>,
}

enum News {
    Assign(Vec<i32>),
    Revoke(Vec<i32>),
}

pub(super) struct Broker {
    pub(super) logs: Vec<Log>,
    pub(super) topic_id: String,
    members: BTreeMap<u64, Member>,
    group: BTreeMap<i32, i64>,
}

impl Broker {
    pub(super) fn new(partitions: i32) -> Self {
        let logs = (0..partitions).map(|_| Log::default()).collect();
        Self { logs, topic_id: "id-1".into(), members: BTreeMap::new(), group: BTreeMap::new() }
    }

    fn heartbeat(&mut self, id: u64) -> Option<Vec<News>> {
        let member = self.members.get_mut(&id)?;
        member.seen = Some(Instant::now());
        Some(std::mem::take(&mut member.news))
    }

    pub(super) fn leave(&mut self, id: u64) {
        self.members.remove(&id);
    }

    fn released(&mut self, id: u64, partitions: &[i32]) {
        if let Some(member) = self.members.get_mut(&id) {
            member.owns.retain(|p| !partitions.contains(p));
            member.asked.retain(|p| !partitions.contains(p));
        }
    }

    /// One round of the coordinator: evicts the silent, asks for what should move, gives what is free.
    pub(super) fn coordinate(&mut self) {
        self.members.retain(|_, m| m.seen.is_none_or(|t| t.elapsed() < SESSION));
        let ids: Vec<u64> = self.members.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        for partition in 0..self.logs.len() as i32 {
            let target = ids[partition as usize % ids.len()];
            let owner = self.members.iter().find(|(_, m)| m.owns.contains(&partition)).map(|(id, _)| *id);
            match owner {
                Some(owner) if owner == target => {}
                Some(owner) => {
                    let member = self.members.get_mut(&owner).unwrap();
                    if member.asked.insert(partition) {
                        member.news.push(News::Revoke(vec![partition]));
                    }
                }
                None => {
                    let member = self.members.get_mut(&target).unwrap();
                    member.owns.insert(partition);
                    member.news.push(News::Assign(vec![partition]));
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Cursor {
    offset: i64,
    generation: Generation,
    paused: bool,
    /// Where records are read from, for the wrong protocol that begins at the group's offsets.
    reads_from: Option<i64>,
}

/// A member of the group.
pub(super) struct SimSource {
    pub(super) world: Shared,
    pub(super) id: u64,
    cursors: Mutex<BTreeMap<i32, Cursor>>,
}

fn name(partition: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, partition)
}

impl SimSource {
    pub(super) fn join(world: &Shared, id: u64) -> Arc<Self> {
        world.lock().broker.members.insert(id, Member { seen: Some(Instant::now()), ..Member::default() });
        Arc::new(Self { world: world.clone(), id, cursors: Mutex::default() })
    }

    /// Heartbeats, callbacks and fetches, until the process ends.
    pub(super) async fn poll(self: Arc<Self>, events: Events) {
        loop {
            let wait = self.world.lock().rng.random_range(5..120);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let news = self.world.lock().broker.heartbeat(self.id);
            match news {
                None => self.evicted(&events).await,
                Some(news) => {
                    for news in news {
                        self.tell(news, &events).await;
                    }
                }
            }
            // A full queue is back pressure; the group must not notice.
            if events.capacity() > 2
                && let Some(batch) = self.fetch()
                && events.send(SourceEvent::Fetched(batch)).await.is_err()
            {
                return;
            }
        }
    }

    async fn evicted(&self, events: &Events) {
        let mine: Vec<i32> = std::mem::take(&mut *self.cursors.lock().unwrap()).into_keys().collect();
        let _ = events.send(SourceEvent::Lost(mine.into_iter().map(name).collect())).await;
        let member = Member { seen: Some(Instant::now()), ..Member::default() };
        self.world.lock().broker.members.insert(self.id, member);
    }

    async fn tell(&self, news: News, events: &Events) {
        match news {
            News::Assign(partitions) => {
                let _ = events.send(SourceEvent::Assigned(partitions.into_iter().map(name).collect())).await;
            }
            News::Revoke(partitions) => {
                let (done, waited) = oneshot::channel();
                let names = partitions.iter().copied().map(name).collect();
                let _ = events.send(SourceEvent::Revoked(names, done)).await;
                let (world, id) = (self.world.clone(), self.id);
                self.cursors.lock().unwrap().retain(|p, _| !partitions.contains(p));
                tokio::spawn(async move {
                    let _ = waited.await;
                    world.lock().broker.released(id, &partitions);
                });
            }
        }
    }

    fn fetch(&self) -> Option<Batch> {
        let mut world = self.world.lock();
        let mut cursors = self.cursors.lock().unwrap();
        let active: Vec<i32> = cursors.iter().filter(|(_, c)| !c.paused).map(|(p, _)| *p).collect();
        if active.is_empty() {
            return None;
        }
        let partition = active[world.rng.random_range(0..active.len())];
        let cursor = cursors.get_mut(&partition)?;
        let most = world.rng.random_range(1..12);
        let log = &world.broker.logs[partition as usize];
        let found: Vec<(i64, Content)> = log
            .records
            .range(cursor.reads_from.take().unwrap_or(cursor.offset)..log.end)
            .take(most)
            .map(|(o, c)| (*o, *c))
            .collect();
        // The end of the log, or of a hole, moves the end even without records.
        let to = if found.len() < most { log.end } else { found.last()?.0 + 1 };
        let from = cursor.offset;
        if to <= from {
            return None;
        }
        let (mut claimed, mut skip) = (to, 0);
        if world.flaw == Some(Flaw::PositionAhead) && found.len() > 1 {
            // What was polled later is delivered later, but counted as read now.
            skip = world.rng.random_range(0..found.len());
            claimed = to;
        }
        let records =
            found.iter().take(found.len() - skip).map(|(offset, content)| record(*offset, *content)).collect();
        cursor.offset = to;
        let stale = world.fault(0.02);
        let generation = if stale { Generation(cursor.generation.0.saturating_sub(1)) } else { cursor.generation };
        if stale {
            cursor.offset = from;
        }
        Some(Batch { source: name(partition), generation, from, to: claimed, records, held: Held::default() })
    }
}

fn record(offset: i64, content: Content) -> Record {
    let text = match content {
        Content::Rows(n) => Some(format!("r{n}")),
        Content::Poison => Some("x".into()),
        Content::Fickle(n) => Some(format!("f{n}")),
        Content::Tombstone => None,
    };
    Record { offset, timestamp_ms: None, key: None, value: text.map(Bytes::from), headers: Vec::new() }
}

impl Source for SimSource {
    fn seek(&self, partition: &TopicPartition, offset: i64, generation: Generation) -> Result<(), Error> {
        let world = self.world.lock();
        let acked = world.broker.group.get(&partition.partition).copied();
        let reads_from = acked.filter(|_| world.flaw == Some(Flaw::GroupOffsets));
        let cursor = Cursor { offset, generation, paused: false, reads_from };
        self.cursors.lock().unwrap().insert(partition.partition, cursor);
        Ok(())
    }

    fn pause(&self, partition: &TopicPartition) {
        if let Some(cursor) = self.cursors.lock().unwrap().get_mut(&partition.partition) {
            cursor.paused = true;
        }
    }

    fn ack(&self, next: &BTreeMap<TopicPartition, i64>) {
        let mut world = self.world.lock();
        for (partition, offset) in next {
            world.broker.group.insert(partition.partition, *offset);
        }
    }

    async fn describe(&self, _: &str) -> Result<TopicInfo, Error> {
        self.world
            .call(|world| {
                if world.fault(0.02) {
                    return Err(Error::retry("no broker answers"));
                }
                let broker = &world.broker;
                let (topic_id, partitions) = (Some(broker.topic_id.clone()), broker.logs.len() as i32);
                Ok(TopicInfo { cluster_id: "c".into(), topic_id, partitions })
            })
            .await
    }

    async fn offsets(&self, _: &str, partitions: i32, start: Start) -> Result<Vec<i64>, Error> {
        self.world
            .call(move |world| {
                let of = |log: &Log| if start == Start::Latest { log.end } else { log.start };
                Ok(world.broker.logs.iter().take(partitions as usize).map(of).collect())
            })
            .await
    }

    async fn extent(&self, partition: &TopicPartition) -> Result<Extent, Error> {
        let at = partition.partition as usize;
        self.world
            .call(move |world| {
                let log = &world.broker.logs[at];
                Ok(Extent { start: log.start, end: log.end })
            })
            .await
    }

    async fn close(&self) {
        self.world.lock().broker.leave(self.id);
    }
}
