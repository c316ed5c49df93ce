use rdkafka::Message;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::BaseRecord;
use rdkafka::topic_partition_list::Offset;

use super::*;

const PARTITIONS: i32 = 8;
const PATIENCE: Duration = Duration::from_secs(30);

/// Text that compresses about as well as spans do.
fn text(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = Vec::with_capacity(bytes + 64);
    while out.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let line =
            format!("service.name=checkout;http.route=/cart/{{id}};status={};id={:016x};", state % 7, state >> 8);
        out.extend_from_slice(line.as_bytes());
    }
    out
}

#[test]
fn what_a_demonstration_produces_is_all_there_afterwards() {
    // 200,000 spans of 550 bytes, a hundred a record.
    const RECORDS: u64 = 2_000;
    let broker = Broker::start("spans", PARTITIONS).unwrap();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("compression.type", "zstd")
        .set("enable.idempotence", "true")
        .set("queue.buffering.max.kbytes", "1000000")
        .create()
        .unwrap();
    for i in 0..RECORDS {
        let (partition, value) = ((i % PARTITIONS as u64) as i32, text(i, 55_000));
        let record = BaseRecord::<(), [u8]>::to("spans").partition(partition).payload(&value);
        producer.send(record).map_err(|(e, _)| e).unwrap();
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).unwrap();
    assert_eq!(broker.forgotten().unwrap(), 0);

    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("isolation.level", "read_committed")
        .set("group.id", "check")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset("spans", partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    for _ in 0..RECORDS {
        let message = consumer.poll(PATIENCE).expect("a record in time").unwrap();
        let seed = message.offset() as u64 * PARTITIONS as u64 + message.partition() as u64;
        assert!(message.payload() == Some(&text(seed, 55_000)[..]), "another record at {seed}");
    }
}

#[test]
fn forgetting_is_told() {
    let broker = Broker::start("spans", 1).unwrap();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", broker.bootstrap()).set("linger.ms", "0").create().unwrap();
    for _ in 0..8 {
        let value = vec![7; 900_000];
        producer.send(BaseRecord::<(), [u8]>::to("spans").partition(0).payload(&value)).map_err(|(e, _)| e).unwrap();
        producer.flush(PATIENCE).unwrap();
    }
    assert!(broker.forgotten().unwrap() > 0);
}
