//! What the loop has done elsewhere while it goes on: each job is a future that ends in an event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Ports, Transformer};
use crate::batch::{Batch, Generation, TopicPartition};
use crate::chain::Chain;
use crate::clock::Clock;
use crate::commit::Pause;
use crate::dead_letter::{self, Letter, Postmark};
use crate::error::{Error, Kind};
use crate::event::{Event, Transformed};
use crate::fault::{self, Point};
use crate::holdings::{Closed, Taken};
use crate::sink::{Epoch, Table};
use crate::source::Source;
use crate::work::{Applied, Known};

/// How long to wait before the table is asked what others have done.
const OTHERS_PAUSE: Duration = Duration::from_millis(500);

pub(super) type Job<F, X> = BoxFuture<'static, Event<F, X>>;

/// Runs a batch through a worker and buffers its rows.
pub(super) fn transform<S: Source, X: Transformer, T: Table, C: Clock>(
    ports: &Ports<S, T, C>,
    chain: &Chain<X>,
    batch: Batch,
    epoch: Epoch,
    taken: &Taken,
) -> Job<T::Files, X> {
    let (ports, chain) = (ports.clone(), chain.clone());
    let (known, key, topic_id) = (Arc::clone(&taken.known), taken.key.clone(), taken.entries[0].topic_id.clone());
    async move {
        let result = async {
            let (batch, applied) = chain.transformer.transform(batch, Arc::clone(&known)).await?;
            let holdings = &ports.holdings;
            let data_tables = holdings.data_tables();
            if !holdings.accept.other_plugin {
                check_refusals(&batch, &applied, &known)?;
            }
            let mut rows: Vec<u64> = (0..data_tables).map(|t| applied.rows(t)).collect();
            let first_refusal = applied.refused.first().map(|r| (batch.records[r.record].offset, r.reason.clone()));
            let refused = applied.refused.len() as u64;
            count(&ports, &batch, &applied);
            if holdings.has_letters {
                rows.push(refused);
                if refused > 0 {
                    let mark = Postmark {
                        pipeline: &holdings.committer.pipeline,
                        cluster_id: &key.cluster_id,
                        topic_id: topic_id.as_deref(),
                        source: &batch.source,
                        plugin_digest: &chain.digests,
                        rejected_at_ms: holdings.committer.clock.now_ms(),
                    };
                    write_letters(&holdings.tables[data_tables], epoch, &mark, &batch, &applied).await?;
                }
            }
            for (table, batches) in holdings.tables.iter().zip(applied.tables) {
                for rows in batches {
                    table.write(epoch, rows).await?;
                }
            }
            let records = batch.records.len() as u64;
            Ok(Transformed { epoch, source: batch.source.clone(), records, rows, refused, first_refusal })
        };
        Event::Transformed(result.await)
    }
    .boxed()
}

/// A further data table that is ahead of the primary has the rows of a record that is refused only now: it would be in
/// a table and among the dead letters.
fn check_refusals(batch: &Batch, applied: &Applied, known: &Known) -> Result<(), Error> {
    let offset = |record: usize| batch.records[record].offset;
    match applied.refused.iter().find(|r| known.may_have_rows(offset(r.record))) {
        None => Ok(()),
        Some(refused) => Err(Error::fatal(format!(
            "record {}@{} is refused now and was not before: a process ended between the commits of two tables, and one \
             of them may hold rows of it; --accept-other-plugin makes it a dead letter all the same: {}",
            batch.source,
            offset(refused.record),
            refused.reason
        ))),
    }
}

async fn write_letters<T: Table>(
    table: &T,
    epoch: Epoch,
    mark: &Postmark<'_>,
    batch: &Batch,
    applied: &Applied,
) -> Result<(), Error> {
    let letters: Vec<Letter<'_>> = applied
        .refused
        .iter()
        .map(|r| Letter { record: &batch.records[r.record], error: &r.reason, plugin_digest: r.plugin.as_deref() })
        .collect();
    let rows = dead_letter::rows(mark, &letters).map_err(|e| {
        Error::fatal(format!("{}: dead letters of {} cannot be written: {e}", table.name(), batch.source))
    })?;
    table.write(epoch, rows).await
}

fn count<S, T, C>(ports: &Ports<S, T, C>, batch: &Batch, applied: &Applied) {
    let stats = &ports.holdings.committer.stats;
    stats.records.add(batch.records.len() as u64);
    stats.bytes.add(batch.bytes() as u64);
    stats.tombstones.add(applied.tombstones);
    stats.rejected_again.add(applied.refused_before);
    stats.rows.add((0..applied.tables.len()).map(|t| applied.rows(t)).sum());
    for refused in &applied.refused {
        stats.rejected.add(refused.kind, 1);
    }
    for failure in &applied.failures {
        stats.failures.add(failure.kind(), 1);
    }
    if applied.repaired_strings > 0 {
        stats.anomalies.add("invalid_utf8", applied.repaired_strings);
    }
}

/// Takes partitions, after a pause and after dropping epochs that will not be committed.
pub(super) fn take<S: Source, X: Transformer, T: Table, C: Clock>(
    ports: &Ports<S, T, C>,
    wanted: Vec<(TopicPartition, Generation)>,
    turn: u64,
    dropped: Vec<Epoch>,
    pause: Duration,
) -> Job<T::Files, X> {
    let ports = ports.clone();
    async move {
        for epoch in dropped {
            for table in &ports.holdings.tables {
                table.discard(epoch).await;
            }
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let partitions: Vec<TopicPartition> = wanted.iter().map(|(p, _)| p.clone()).collect();
        let taken = ports.holdings.take(&*ports.source, &partitions, turn).await;
        Event::Taken(wanted, taken)
    }
    .boxed()
}

/// Closes an epoch's files in every table.
pub(super) fn flush<S: Source, X: Transformer, T: Table, C: Clock>(
    ports: &Ports<S, T, C>,
    epoch: Epoch,
) -> Job<T::Files, X> {
    let ports = ports.clone();
    async move {
        let closes = ports.holdings.tables.iter().map(|t| t.close(epoch));
        let closed = futures::future::try_join_all(closes).await;
        Event::Flushed(closed.and_then(|files| fault::pass(Point::FilesClosed).map(|()| files).map_err(Error::retry)))
    }
    .boxed()
}

/// Commits a closed epoch, if the topics are still the ones its records came from.
pub(super) fn commit<S: Source, X: Transformer, T: Table, C: Clock>(
    ports: &Ports<S, T, C>,
    held: Vec<Taken>,
    epoch: Closed<T::Files>,
) -> Job<T::Files, X> {
    let ports = ports.clone();
    async move {
        let result = async {
            check_topics(&ports, &held).await?;
            let after = ports.holdings.commit(&held, &epoch).await?;
            fault::pass(Point::Committed).map_err(Error::fenced)?;
            Ok(after)
        };
        Event::Committed(result.await)
    }
    .boxed()
}

/// After the epoch's last fetch and before its guard: a topic that was made again meanwhile makes its offsets mean
/// something else.
async fn check_topics<S: Source, T: Table, C: Clock>(ports: &Ports<S, T, C>, held: &[Taken]) -> Result<(), Error> {
    let topics: BTreeSet<&Arc<str>> = held.iter().map(|t| &t.source.topic).collect();
    for topic in topics {
        let info = patiently(&*ports.holdings.committer.clock, "ask the cluster about a topic", || {
            ports.source.describe(topic)
        })
        .await?;
        let other = held.iter().find(|t| t.source.topic == *topic && t.entries[0].topic_id != info.topic_id);
        if let Some(taken) = other {
            return Err(Error::fatal(format!(
                "the topic {topic} was deleted and made again while it was read (its id was {}, now it is {}): the \
                 open epoch is dropped; --accept-new-topic begins the new one at its oldest record",
                taken.entries[0].topic_id.as_deref().unwrap_or("none"),
                info.topic_id.as_deref().unwrap_or("none")
            )));
        }
    }
    Ok(())
}

/// Finds where each partition of the topics ends now.
pub(super) fn ends<S: Source, X: Transformer, T: Table, C: Clock>(
    ports: &Ports<S, T, C>,
    topics: Vec<String>,
) -> Job<T::Files, X> {
    let ports = ports.clone();
    async move {
        let clock = &*ports.holdings.committer.clock;
        let result = async {
            let mut ends = BTreeMap::new();
            for topic in &topics {
                let info = patiently(clock, "ask the cluster about a topic", || ports.source.describe(topic)).await?;
                for partition in 0..info.partitions {
                    let p = TopicPartition::new(topic.as_str(), partition);
                    let extent = patiently(clock, "ask where a partition ends", || ports.source.extent(&p)).await?;
                    ends.insert(p, extent.end);
                }
            }
            Ok(ends)
        };
        Event::Ends(result.await)
    }
    .boxed()
}

/// Looks into the primary table for what became of partitions that this process does not hold.
pub(super) fn others<S: Source, X: Transformer, T: Table, C: Clock>(
    ports: &Ports<S, T, C>,
    ends: BTreeMap<TopicPartition, i64>,
) -> Job<T::Files, X> {
    let ports = ports.clone();
    async move {
        tokio::time::sleep(OTHERS_PAUSE).await;
        let (committer, table) = (&ports.holdings.committer, &ports.holdings.tables[0]);
        let result = async {
            let head = committer.load(table).await?;
            let offsets = committer.offsets_at(table.name(), &head.view)?.offsets;
            let is_done = |(p, end): (&TopicPartition, &i64)| {
                let entry = offsets.iter().find(|(k, _)| k.topic == p.topic && k.partition == p.partition);
                entry.is_some_and(|(_, entry)| entry.next >= *end)
            };
            Ok(ends.iter().all(is_done))
        };
        Event::OthersDone(result.await)
    }
    .boxed()
}

/// Asks again, with growing pauses, for as long as the answer is that the world may be better later.
async fn patiently<R, F: Future<Output = Result<R, Error>>>(
    clock: &impl Clock,
    what: &str,
    ask: impl Fn() -> F,
) -> Result<R, Error> {
    let mut pause = Pause::default();
    loop {
        match ask().await {
            Err(e) if e.kind == Kind::Retry => {
                tracing::warn!(error = %e, "cannot {what}; trying again");
                pause.wait(clock).await;
            }
            other => return other,
        }
    }
}
