//! Against librdkafka's mock cluster, which speaks Kafka's protocol on a port of this machine.

use std::collections::BTreeSet;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::sync::mpsc;
use tokio::time::timeout;
use weir_pipeline::batch::Batch;
use weir_pipeline::error::Kind;
use weir_pipeline::event::SourceEvent;

use super::*;
use crate::config::BatchLimits;

const TOPIC: &str = "spans";

/// Longer than anything here takes; what runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Cluster {
    producer: BaseProducer,
}

impl Cluster {
    fn start(partitions: i32) -> Self {
        let producer: BaseProducer =
            ClientConfig::new().set("test.mock.num.brokers", "1").set("linger.ms", "0").create().unwrap();
        crate::ffi::mock::prepare(producer.client());
        producer.client().mock_cluster().unwrap().create_topic(TOPIC, partitions, 1).unwrap();
        Self { producer }
    }

    fn produce(&self, partition: i32, values: impl IntoIterator<Item = Vec<u8>>) {
        for value in values {
            let record = BaseRecord::<(), [u8]>::to(TOPIC).partition(partition).payload(&value);
            self.producer.send(record).map_err(|(e, _)| e).unwrap();
            self.producer.poll(Duration::ZERO);
        }
        self.producer.flush(PATIENCE).unwrap();
    }

    fn config(&self) -> KafkaConfig {
        let brokers = self.producer.client().mock_cluster().unwrap().bootstrap_servers();
        let mut config = KafkaConfig::new(vec![brokers], vec![TOPIC.into()], "weir");
        config.batch = BatchLimits { linger: Duration::from_millis(5), ..BatchLimits::default() };
        config.properties.insert("heartbeat.interval.ms".into(), "100".into());
        config.properties.insert("session.timeout.ms".into(), "6000".into());
        config
    }

    fn member(&self) -> Member {
        self.member_with(self.config(), Budget::new(64 << 20))
    }

    fn member_with(&self, config: KafkaConfig, budget: Budget) -> Member {
        let (events, inbox) = mpsc::channel(64);
        Member { source: KafkaSource::connect(config, events, budget).unwrap(), inbox }
    }
}

struct Member {
    source: KafkaSource,
    inbox: mpsc::Receiver<SourceEvent>,
}

impl Member {
    async fn next(&mut self) -> SourceEvent {
        timeout(PATIENCE, self.inbox.recv()).await.expect("an event in time").expect("the thread is alive")
    }

    async fn assigned(&mut self) -> BTreeSet<i32> {
        match self.next().await {
            SourceEvent::Assigned(partitions) => partitions.iter().map(|p| p.partition).collect(),
            other => panic!("expected an assignment: {other:?}"),
        }
    }

    async fn fetched(&mut self) -> Batch {
        match self.next().await {
            SourceEvent::Fetched(batch) => batch,
            other => panic!("expected a batch: {other:?}"),
        }
    }

    async fn failed(&mut self) -> Error {
        loop {
            match self.next().await {
                SourceEvent::Failed(e) => return e,
                SourceEvent::Fetched(_) | SourceEvent::Assigned(_) => {}
                other => panic!("expected a failure: {other:?}"),
            }
        }
    }

    fn seek(&self, partition: i32, offset: i64, generation: u64) {
        self.source.seek(&at(partition), offset, Generation(generation)).unwrap();
    }

    /// Everything of one partition up to `end`, checked to join.
    async fn read(&mut self, partition: i32, from: i64, end: i64, generation: u64) -> Vec<Vec<u8>> {
        let (mut next, mut values) = (from, Vec::new());
        while next < end {
            let batch = self.fetched().await;
            assert_eq!(batch.source, at(partition));
            assert_eq!((batch.from, batch.generation), (next, Generation(generation)));
            next = batch.to;
            values.extend(batch.records.into_iter().map(|r| r.value.unwrap().to_vec()));
        }
        assert_eq!(next, end);
        values
    }

    /// Nothing comes for a while: there is no condition to wait for.
    async fn assert_silent(&mut self) {
        let event = timeout(Duration::from_millis(300), self.inbox.recv()).await;
        assert!(event.is_err(), "{event:?}");
    }
}

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, partition)
}

fn numbers(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|i| i.to_string().into_bytes()).collect()
}

#[tokio::test]
async fn a_partition_is_silent_until_it_is_sought_and_then_joins_up_to_its_end() {
    let cluster = Cluster::start(1);
    cluster.produce(0, numbers(1000));
    let mut member = cluster.member();
    assert_eq!(member.assigned().await, [0].into());
    member.assert_silent().await;
    member.seek(0, 10, 1);
    assert_eq!(member.read(0, 10, 1000, 1).await, numbers(1000)[10..]);
    cluster.produce(0, numbers(5));
    assert_eq!(member.read(0, 1000, 1005, 1).await, numbers(5));
    member.source.close().await;
}

#[tokio::test]
async fn a_seek_delivers_again_under_its_own_generation_and_nothing_else() {
    let cluster = Cluster::start(1);
    cluster.produce(0, numbers(2000));
    let mut config = cluster.config();
    config.batch.records_max = 10;
    let mut member = cluster.member_with(config, Budget::new(64 << 20));
    member.assigned().await;
    member.seek(0, 0, 1);
    member.fetched().await;
    for (offset, generation) in [(1500, 2), (20, 3), (0, 4)] {
        member.seek(0, offset, generation);
        let first = loop {
            let batch = member.fetched().await;
            if batch.generation == Generation(generation) {
                break batch;
            }
            // It was in the queue when the seek was ordered.
            assert_eq!(batch.generation, Generation(generation - 1));
        };
        assert_eq!((first.from, first.records[0].offset), (offset, offset));
        assert_eq!(first.records[0].value.as_deref(), Some(offset.to_string().as_bytes()));
        member.read(0, first.to, 2000, generation).await;
    }
    member.source.close().await;
}

#[tokio::test]
async fn a_paused_partition_goes_on_where_it_is_sought() {
    let cluster = Cluster::start(1);
    cluster.produce(0, numbers(10));
    let mut member = cluster.member();
    member.assigned().await;
    member.seek(0, 0, 1);
    member.read(0, 0, 10, 1).await;
    member.source.pause(&at(0));
    member.assert_silent().await;
    cluster.produce(0, numbers(10));
    member.assert_silent().await;
    member.seek(0, 4, 2);
    assert_eq!(member.read(0, 4, 20, 2).await.len(), 16);
    member.source.close().await;
}

#[tokio::test]
async fn a_spent_budget_stops_delivery_but_not_membership_and_loses_nothing() {
    let cluster = Cluster::start(1);
    cluster.produce(0, (0..400).map(|i| vec![i as u8; 10_000]));
    let mut config = cluster.config();
    config.batch.bytes_max = 50_000;
    config.properties.insert("max.poll.interval.ms".into(), "6000".into());
    config.revoke_timeout = Duration::from_secs(5);
    let budget = Budget::new(200_000);
    let mut member = cluster.member_with(config, budget.clone());
    member.assigned().await;
    member.seek(0, 0, 1);
    let mut kept = Vec::new();
    while let Ok(event) = timeout(Duration::from_secs(1), member.inbox.recv()).await {
        match event.unwrap() {
            SourceEvent::Fetched(batch) => kept.push(batch),
            other => panic!("{other:?}"),
        }
    }
    let taken: usize = kept.iter().map(Batch::bytes).sum();
    assert!(taken > 100_000 && taken <= 200_000 && budget.taken() >= taken, "{taken}");
    // Longer than the session and the time between polls: a member that did not go on would be put out of the group.
    assert!(timeout(Duration::from_secs(7), member.inbox.recv()).await.is_err());
    let next = kept.last().unwrap().to;
    drop(kept);
    assert_eq!(member.read(0, next, 400, 1).await.len(), 400 - next as usize);
    member.source.close().await;
    assert_eq!(budget.taken(), 0);
}

#[tokio::test]
async fn a_record_larger_than_the_budget_passes_alone() {
    let cluster = Cluster::start(1);
    let large = vec![7; 300_000];
    cluster.produce(0, [b"a".to_vec(), large.clone(), b"b".to_vec()]);
    let mut member = cluster.member_with(cluster.config(), Budget::new(100_000));
    member.assigned().await;
    member.seek(0, 0, 1);
    assert_eq!(member.read(0, 0, 3, 1).await, [b"a".to_vec(), large, b"b".to_vec()]);
    member.source.close().await;
}

#[tokio::test]
async fn a_full_queue_holds_back_batches_but_no_rebalance() {
    let cluster = Cluster::start(2);
    cluster.produce(0, numbers(500));
    cluster.produce(1, numbers(500));
    let mut config = cluster.config();
    config.batch.records_max = 10;
    config.revoke_timeout = Duration::from_millis(200);
    let (events, inbox) = mpsc::channel(1);
    let source = KafkaSource::connect(config, events, Budget::new(64 << 20)).unwrap();
    let mut first = Member { source, inbox };
    assert_eq!(first.assigned().await, [0, 1].into());
    first.seek(0, 0, 1);
    first.seek(1, 0, 1);
    // From here on the first member's loop hangs. The group goes on all the same.
    let mut second = cluster.member();
    let taken = second.assigned().await;
    assert_eq!(taken.len(), 1);
    // What was in the queue, then the news, before any other batch.
    let mut event = first.next().await;
    if matches!(event, SourceEvent::Fetched(_)) {
        event = first.next().await;
    }
    assert!(matches!(&event, SourceEvent::Revoked(gone, _) if taken.contains(&gone[0].partition)), "{event:?}");
    let event = first.next().await;
    assert!(matches!(&event, SourceEvent::Lost(gone) if taken.contains(&gone[0].partition)), "{event:?}");
    let kept = first.fetched().await;
    assert!(!taken.contains(&kept.source.partition));
}

#[tokio::test]
async fn a_revocation_waits_for_the_loop_and_what_is_kept_goes_on() {
    let cluster = Cluster::start(2);
    let mut first = cluster.member();
    assert_eq!(first.assigned().await, [0, 1].into());
    first.seek(0, 0, 1);
    first.seek(1, 0, 1);
    let mut second = cluster.member();
    let (gone, done) = match first.next().await {
        SourceEvent::Revoked(gone, done) => (gone, done),
        other => panic!("{other:?}"),
    };
    assert_eq!(gone.len(), 1);
    let kept = 1 - gone[0].partition;
    second.assert_silent().await;
    cluster.produce(gone[0].partition, numbers(3));
    first.assert_silent().await;
    done.send(()).unwrap();
    assert_eq!(second.assigned().await, [gone[0].partition].into());
    second.seek(gone[0].partition, 0, 1);
    assert_eq!(second.read(gone[0].partition, 0, 3, 1).await, numbers(3));
    cluster.produce(kept, numbers(4));
    assert_eq!(first.read(kept, 0, 4, 1).await, numbers(4));

    // And back: a partition that was given away is read again, from a seek on.
    second.source.close().await;
    assert_eq!(first.assigned().await, [gone[0].partition].into());
    first.assert_silent().await;
    first.seek(gone[0].partition, 1, 2);
    assert_eq!(first.read(gone[0].partition, 1, 3, 2).await, numbers(3)[1..]);
    first.source.close().await;
}

#[tokio::test]
async fn a_revocation_that_takes_too_long_is_a_loss() {
    let cluster = Cluster::start(2);
    let mut config = cluster.config();
    config.revoke_timeout = Duration::from_millis(200);
    let mut first = cluster.member_with(config, Budget::new(1 << 20));
    first.assigned().await;
    let mut second = cluster.member();
    let (gone, _done) = match first.next().await {
        SourceEvent::Revoked(gone, done) => (gone, done),
        other => panic!("{other:?}"),
    };
    match first.next().await {
        SourceEvent::Lost(lost) => assert_eq!(lost, gone),
        other => panic!("{other:?}"),
    }
    assert_eq!(second.assigned().await, [gone[0].partition].into());
}

#[tokio::test]
async fn a_topic_is_described_by_what_tells_it_from_another_of_its_name() {
    let cluster = Cluster::start(3);
    let member = cluster.member();
    let info = member.source.describe(TOPIC).await.unwrap();
    assert_eq!(info.partitions, 3);
    assert!(!info.cluster_id.is_empty());
    assert!(info.topic_id.as_ref().is_some_and(|id| id.len() == 22), "{info:?}");
    assert_eq!(member.source.describe(TOPIC).await.unwrap(), info);
    let error = member.source.describe("nothing").await.unwrap_err();
    assert_eq!(error.kind, Kind::Fatal);
    assert!(error.message.starts_with("there is no topic \"nothing\""), "{error}");
}

#[tokio::test]
async fn offsets_are_those_of_the_log() {
    let cluster = Cluster::start(2);
    cluster.produce(1, numbers(7));
    let member = cluster.member();
    assert_eq!(member.source.offsets(TOPIC, 2, Start::Earliest).await.unwrap(), [0, 0]);
    assert_eq!(member.source.offsets(TOPIC, 2, Start::Latest).await.unwrap(), [0, 7]);
    // The mock cluster knows no times: none is as new.
    assert_eq!(member.source.offsets(TOPIC, 2, Start::Time(1_000)).await.unwrap(), [0, 7]);
    assert_eq!(member.source.extent(&at(1)).await.unwrap(), Extent { start: 0, end: 7 });
}

#[tokio::test]
async fn an_offset_beyond_the_log_stops_the_pipeline() {
    let cluster = Cluster::start(1);
    cluster.produce(0, numbers(3));
    let mut member = cluster.member();
    member.assigned().await;
    member.seek(0, 50, 1);
    let error = member.failed().await;
    assert_eq!(error.kind, Kind::Fatal);
    assert!(error.message.starts_with("spans/0 holds nothing at offset 50"), "{error}");
}

#[tokio::test]
async fn a_topic_that_is_not_there_stops_the_pipeline() {
    let cluster = Cluster::start(1);
    let mut config = cluster.config();
    config.topics.push("spins".into());
    let mut member = cluster.member_with(config, Budget::new(1 << 20));
    let error = member.failed().await;
    assert_eq!(error.kind, Kind::Fatal);
    assert!(error.message.starts_with("there is no topic \"spins\""), "{error}");
}

#[tokio::test]
async fn nobody_answering_is_said_with_the_addresses_and_the_cause() {
    let mut config = KafkaConfig::new(vec!["127.0.0.1:1".into()], vec![TOPIC.into()], "weir");
    config.answer_timeout = Duration::from_secs(1);
    let (events, _inbox) = mpsc::channel(8);
    let source = KafkaSource::connect(config, events, Budget::new(1)).unwrap();
    let error = source.describe(TOPIC).await.unwrap_err();
    assert_eq!(error.kind, Kind::Retry);
    assert!(error.message.starts_with("no broker of [127.0.0.1:1] answers within 1s: "), "{error}");
    assert!(error.message.contains("refused"), "{error}");
    source.close().await;
}

#[tokio::test]
async fn the_lag_is_what_is_not_acked_yet() {
    let cluster = Cluster::start(1);
    cluster.produce(0, numbers(10));
    let mut member = cluster.member();
    member.assigned().await;
    assert!(member.source.lag().is_empty());
    member.seek(0, 2, 1);
    member.read(0, 2, 10, 1).await;
    assert_eq!(member.source.lag(), [(at(0), 8)].into());
    member.source.ack(&[(at(0), 7), (at(5), 1)].into());
    assert_eq!(member.source.lag(), [(at(0), 3)].into());
    member.source.close().await;
}

#[tokio::test]
async fn closing_ends_also_with_a_partition_that_was_never_sought() {
    let cluster = Cluster::start(2);
    let mut member = cluster.member();
    member.assigned().await;
    member.seek(1, 0, 1);
    timeout(Duration::from_secs(5), member.source.close()).await.unwrap();
    assert!(*member.source.shared.closed().borrow());
    let error = member.source.describe(TOPIC).await.unwrap_err();
    assert_eq!(error.message, "the Kafka client cannot go on: it is closed");
}

#[tokio::test]
async fn a_source_leaves_when_the_loop_is_gone() {
    let cluster = Cluster::start(1);
    let mut first = cluster.member();
    first.assigned().await;
    drop(first.inbox);
    let mut second = cluster.member();
    assert_eq!(second.assigned().await, [0].into());
}

#[tokio::test]
async fn an_observer_sees_where_a_topic_ends_and_joins_no_group() {
    let cluster = Cluster::start(2);
    cluster.produce(1, numbers(10));
    let mut member = cluster.member();
    assert_eq!(member.assigned().await, [0, 1].into());
    let observer = crate::KafkaObserver::new(&cluster.config()).unwrap();
    let info = observer.describe(TOPIC).await.unwrap();
    assert_eq!(info, member.source.describe(TOPIC).await.unwrap());
    let extents = observer.extents(TOPIC, &[1, 0]).await.unwrap();
    assert_eq!(extents.iter().map(|e| (e.start, e.end)).collect::<Vec<_>>(), [(0, 10), (0, 0)]);
    // Had it joined, the member would have been told to give a partition back.
    member.seek(1, 0, 1);
    member.read(1, 0, 10, 1).await;
    let unknown = observer.describe("spins").await.unwrap_err();
    assert!(unknown.to_string().starts_with("there is no topic \"spins\""), "{unknown}");
    let mut nobody = KafkaConfig::new(vec!["127.0.0.1:1".into()], vec![TOPIC.into()], "weir");
    nobody.answer_timeout = Duration::from_secs(1);
    let silence = crate::KafkaObserver::new(&nobody).unwrap().describe(TOPIC).await.unwrap_err().to_string();
    assert!(silence.starts_with("no broker of [127.0.0.1:1] answers within 1s: "), "{silence}");
    assert!(silence.contains("refused"), "{silence}");
    member.source.close().await;
}

#[tokio::test]
async fn a_slice_is_the_newest_of_each_partition_and_disturbs_no_member() {
    let cluster = Cluster::start(3);
    cluster.produce(0, numbers(3));
    cluster.produce(1, numbers(10));
    let mut member = cluster.member();
    assert_eq!(member.assigned().await, [0, 1, 2].into());
    let observer = crate::KafkaObserver::new(&cluster.config()).unwrap();
    let places = async |since, records_max| {
        let records = observer.slice(TOPIC, since, records_max).await.unwrap();
        records.iter().map(|(place, record)| (place.partition, record.offset)).collect::<Vec<_>>()
    };
    let newest = [(0, 0), (0, 1), (0, 2), (1, 5), (1, 6), (1, 7), (1, 8), (1, 9)];
    assert_eq!(places(crate::Since::Newest, 8).await, newest);
    assert_eq!(places(crate::Since::Earliest, 2).await, [(0, 0), (1, 0)]);
    assert_eq!(places(crate::Since::Newest, 1000).await.len(), 13);
    let empty = observer.slice(TOPIC, crate::Since::Time(i64::MAX >> 8), 10).await.unwrap();
    assert_eq!(empty, []);
    // Had it joined, or moved the group's offsets, the member would hear of it.
    member.seek(1, 0, 1);
    member.read(1, 0, 10, 1).await;
    member.source.close().await;
}
