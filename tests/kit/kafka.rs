//! A real Apache Kafka broker: KRaft, one node.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::install::{component, kit};
use crate::process::{Process, command, free_port};
use crate::proxy::Proxy;
use crate::scratch::Scratch;
use crate::wait::until;

/// A start takes 6 to 10 seconds on two busy cores, a start after a kill 5.5.
const START_LIMIT: Duration = Duration::from_secs(120);
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// As much as the broker takes (`message.max.bytes`), which is more than a Collector's largest batch.
const MESSAGE_BYTES_MAX: &str = "33554432";
/// Records that are under way at once, so that the producer's queue never overflows.
const PRODUCE_CHUNK: usize = 1000;

/// A running broker; it ends when this is dropped, and its data with it.
#[derive(Debug)]
pub struct Kafka {
    process: Process,
    folder: Scratch,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    /// Where clients connect.
    plain: u16,
    /// Where a proxy connects.
    proxied: u16,
    /// Where clients of the proxy connect.
    proxy: u16,
    /// Where clients connect that speak TLS and give a password.
    secured: Option<u16>,
}

/// A record as it stands in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The partition that it stands in.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; none for a tombstone.
    pub value: Option<Vec<u8>>,
}

impl Kafka {
    /// Who may connect to [`Kafka::secured`], by SASL's PLAIN.
    pub const USER: &str = "weir";
    /// The password of [`Kafka::USER`].
    pub const PASSWORD: &str = "only-for-tests";

    /// Starts an empty broker with a cluster id of its own.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// As [`Kafka::start`], with one more port, for TLS and a password.
    pub fn start_secured() -> Self {
        Self::start_with(Some(free_port()))
    }

    fn start_with(secured: Option<u16>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = Scratch::new("kafka");
        let ports = Ports { plain: free_port(), proxied: free_port(), proxy: free_port(), secured };
        configure(folder.path(), &ports);
        // A cluster id is 16 bytes as 22 characters of base64.
        let cluster = format!("WeirTest{:08}{:05}A", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut format = java(Command::new("java"));
        format.args(["kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", &cluster, "--config"]);
        let output = format.arg(folder.join("server.properties")).output().expect("java runs");
        assert!(output.status.success(), "kafka's storage cannot be formatted: {output:?}");
        let process = run(folder.path(), ports.plain);
        Self { process, folder, ports }
    }

    /// The broker that the tests of one binary share: tell them apart by the names of their topics and groups.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The address that clients bootstrap from.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
    }

    /// The address for clients that speak TLS and give a password, and the file with the certificate to trust.
    ///
    /// # Panics
    /// After [`Kafka::start`]: there is none.
    pub fn secured(&self) -> (String, PathBuf) {
        let port = self.ports.secured.expect("a broker of Kafka::start_secured");
        (format!("127.0.0.1:{port}"), self.folder.join("ca.pem"))
    }

    /// A proxy in front of the broker, one at a time: who bootstraps from its port has all connections through it.
    pub fn proxy(&self) -> Proxy {
        Proxy::listen(self.ports.proxy, self.ports.proxied)
    }

    /// A client's configuration for this broker, with room for large messages.
    pub fn client(&self) -> ClientConfig {
        client(self.ports.plain)
    }

    /// Creates a topic and waits until its partitions have a leader.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic_with(name, partitions, &[]);
    }

    /// As [`Kafka::create_topic`], with properties of the topic.
    pub fn create_topic_with(&self, name: &str, partitions: i32, properties: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in properties {
            topic = topic.set(key, value);
        }
        let results = block_on(self.admin().create_topics([&topic], &AdminOptions::new()));
        let results = results.unwrap_or_else(|error| panic!("cannot create the topic {name}: {error}"));
        assert!(results.iter().all(Result::is_ok), "cannot create the topic {name}: {results:?}");
        self.wait_partitions(name, partitions);
    }

    /// Raises the number of a topic's partitions to `partitions`.
    pub fn add_partitions(&self, name: &str, partitions: i32) {
        let count = usize::try_from(partitions).expect("a number of partitions");
        let results =
            block_on(self.admin().create_partitions([&NewPartitions::new(name, count)], &AdminOptions::new()));
        assert!(matches!(&results, Ok(all) if all.iter().all(Result::is_ok)), "cannot add to {name}: {results:?}");
        self.wait_partitions(name, partitions);
    }

    /// Deletes a topic and waits until it is gone.
    pub fn delete_topic(&self, name: &str) {
        let results = block_on(self.admin().delete_topics(&[name], &AdminOptions::new()));
        assert!(matches!(&results, Ok(all) if all.iter().all(Result::is_ok)), "cannot delete {name}: {results:?}");
        until(&format!("the topic {name} to be gone"), REQUEST_LIMIT, || {
            // Asking for the topic by name could make a client wait for it: ask for all.
            let metadata = self.consumer().fetch_metadata(None, REQUEST_LIMIT).ok()?;
            metadata.topics().iter().all(|topic| topic.name() != name).then_some(())
        });
    }

    /// Removes the records of a partition before an offset, as retention does.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let mut upto = TopicPartitionList::new();
        upto.add_partition_offset(topic, partition, Offset::Offset(before)).expect("an offset");
        let deleted = block_on(self.admin().delete_records(&upto, &AdminOptions::new()));
        let deleted = deleted.unwrap_or_else(|error| panic!("cannot delete records of {topic}: {error}"));
        assert!(deleted.elements().iter().all(|element| element.error().is_ok()), "{topic}: {deleted:?}");
    }

    /// Writes values to a partition, in order; returns their offsets once the broker has all of them.
    pub fn produce<V: AsRef<[u8]>>(&self, topic: &str, partition: i32, values: &[V]) -> Range<i64> {
        let producer = self.producer();
        let mut written = Vec::with_capacity(values.len());
        for chunk in values.chunks(PRODUCE_CHUNK) {
            let record = |value| FutureRecord::<(), [u8]>::to(topic).partition(partition).payload(value);
            let sent: Vec<_> = chunk
                .iter()
                .map(|value| {
                    producer.send_result(record(value.as_ref())).unwrap_or_else(|(error, _)| panic!("{topic}: {error}"))
                })
                .collect();
            for delivery in sent {
                let delivery = block_on(delivery).expect("the producer lives");
                let delivery = delivery.unwrap_or_else(|(error, _)| panic!("not delivered to {topic}: {error}"));
                written.push(delivery.offset);
            }
        }
        written.first().map_or(0..0, |first| *first..written[written.len() - 1] + 1)
    }

    /// A producer that keeps the order, for records that need more than a value.
    pub fn producer(&self) -> FutureProducer {
        let mut config = self.client();
        config.set("enable.idempotence", "true").set("linger.ms", "5").set("compression.type", "zstd");
        config.create().expect("a producer's configuration")
    }

    /// The offset after the last record, partition by partition.
    pub fn end_offsets(&self, topic: &str) -> Vec<i64> {
        let consumer = self.consumer();
        // A broker says that it leads a new partition before it does.
        let end = |partition| {
            let what = format!("the end offset of {topic}/{partition}");
            until(&what, REQUEST_LIMIT, || Some(consumer.fetch_watermarks(topic, partition, REQUEST_LIMIT).ok()?.1))
        };
        (0..self.partitions(topic)).map(end).collect()
    }

    /// The offsets that a group has acked, partition by partition; none where it never has.
    pub fn acked(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer's configuration");
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(topic, 0, self.partitions(topic) - 1);
        let acked = consumer.committed_offsets(asked, REQUEST_LIMIT);
        let acked = acked.unwrap_or_else(|error| panic!("no acks of {group}: {error}"));
        acked.elements().iter().map(|element| element.offset().to_raw().filter(|offset| *offset >= 0)).collect()
    }

    /// Everything in a topic that a consumer sees who skips aborted transactions, partition by partition, in order.
    pub fn records(&self, topic: &str) -> Vec<Record> {
        let mut config = self.client();
        config.set("group.id", "weir-tests").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().expect("a consumer's configuration");
        let mut left = self.partitions(topic);
        let mut from = TopicPartitionList::new();
        for partition in 0..left {
            from.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&from).unwrap_or_else(|error| panic!("cannot read {topic}: {error}"));
        let mut records = Vec::new();
        while left > 0 {
            match consumer.poll(REQUEST_LIMIT) {
                Some(Ok(message)) => records.push(Record {
                    partition: message.partition(),
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                }),
                Some(Err(KafkaError::PartitionEOF(_))) => left -= 1,
                Some(Err(error)) => panic!("cannot read {topic}: {error}"),
                None => panic!("{topic} gives no more records and no end"),
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    /// Kills the broker with SIGKILL, as a crash would; its data stays.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Shuts the broker down cleanly; its data stays.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Starts the broker again, with its data and on its port, after [`Kafka::kill9`] or [`Kafka::stop`].
    pub fn restart(&mut self) {
        self.process = run(self.folder.path(), self.ports.plain);
    }

    /// Freezes the broker, as a long pause of its machine would.
    pub fn pause(&mut self) {
        self.process.signal("STOP");
    }

    /// Lets a frozen broker go on.
    pub fn resume(&mut self) {
        self.process.signal("CONT");
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("an admin client's configuration")
    }

    /// A consumer that joins no group; librdkafka wants the name of one all the same.
    fn consumer(&self) -> BaseConsumer {
        self.client().set("group.id", "weir-tests").create().expect("a consumer's configuration")
    }

    fn partitions(&self, topic: &str) -> i32 {
        let metadata = self.consumer().fetch_metadata(Some(topic), REQUEST_LIMIT);
        let metadata = metadata.unwrap_or_else(|error| panic!("no metadata of {topic}: {error}"));
        metadata.topics().first().map_or(0, |topic| i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX))
    }

    fn wait_partitions(&self, topic: &str, partitions: i32) {
        let consumer = self.consumer();
        until(&format!("leaders of {topic}"), REQUEST_LIMIT, || {
            let metadata = consumer.fetch_metadata(Some(topic), REQUEST_LIMIT).ok()?;
            let found = metadata.topics().first()?.partitions();
            let led = found.iter().filter(|partition| partition.leader() >= 0).count();
            (led == usize::try_from(partitions).ok()?).then_some(())
        });
    }
}

fn client(port: u16) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", format!("127.0.0.1:{port}"));
    config.set("message.max.bytes", MESSAGE_BYTES_MAX).set("receive.message.max.bytes", "67108864");
    // A broker that a test kills is no news.
    config.set("log.connection.close", "false").set_log_level(rdkafka::config::RDKafkaLogLevel::Critical);
    config
}

fn configure(folder: &Path, ports: &Ports) {
    let template = std::fs::read_to_string(kit().join("kafka/server.properties")).expect("kafka's template");
    let properties = template
        .replace("@DIR@", &folder.display().to_string())
        .replace("@PORT@", &ports.plain.to_string())
        .replace("@PROXIED_PORT@", &ports.proxied.to_string())
        .replace("@PROXY_PORT@", &ports.proxy.to_string())
        .replace("@CONTROLLER_PORT@", &free_port().to_string());
    let listener = ports.secured.map_or(String::new(), |port| format!(",SECURED://127.0.0.1:{port}"));
    let mut properties = properties.replace("@SECURED_LISTENER@", &listener);
    if ports.secured.is_some() {
        properties += &secure(folder);
    }
    std::fs::write(folder.join("server.properties"), properties).expect("a writable folder");
}

/// Makes the broker a key and a certificate for 127.0.0.1. Gives what its configuration needs for the secured port.
fn secure(folder: &Path) -> String {
    let (store, password) = (folder.join("key.p12"), "only-for-tests");
    let keytool = |arguments: &[&str]| {
        let mut keytool = Command::new("keytool");
        keytool.args(arguments).args(["-alias", "broker", "-storepass", password, "-keystore"]).arg(&store);
        let output = keytool.output().expect("keytool runs, which is part of a JDK");
        assert!(output.status.success(), "keytool: {output:?}");
    };
    let name = ["-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-ext", "bc=ca:true"];
    keytool(&[&["-genkeypair", "-keyalg", "EC", "-validity", "2", "-storetype", "PKCS12"], &name[..]].concat());
    keytool(&["-exportcert", "-rfc", "-file", &folder.join("ca.pem").display().to_string()]);
    let prefix = "listener.name.secured";
    let login = "org.apache.kafka.common.security.plain.PlainLoginModule";
    format!(
        "\n{prefix}.ssl.keystore.location={}\n{prefix}.ssl.keystore.password={password}\n\
         {prefix}.ssl.keystore.type=PKCS12\n{prefix}.sasl.enabled.mechanisms=PLAIN\n\
         {prefix}.plain.sasl.jaas.config={login} required user_{}=\"{}\";\n",
        store.display(),
        Kafka::USER,
        Kafka::PASSWORD
    )
}

/// The quick compiler alone nearly halves the work of a start.
fn java(mut command: Command) -> Command {
    let jars = component("kafka").join("jars/*");
    command.args(["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN", "-cp"]);
    command.arg(jars);
    command
}

fn run(folder: &Path, port: u16) -> Process {
    let mut broker = java(command("java"));
    broker.arg("kafka.Kafka").arg(folder.join("server.properties"));
    let mut process = Process::start("kafka", broker, &folder.join("broker.log"));
    let consumer: BaseConsumer = client(port).create().expect("a consumer's configuration");
    process.wait_ready(START_LIMIT, || {
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(1));
        metadata.is_ok_and(|metadata| !metadata.brokers().is_empty())
    });
    process
}
