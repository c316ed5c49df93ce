//! The real components that the other tests stand on: each starts, answers, and survives what tests do to it.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use weir_tests::{
    Collector, Kafka, Network, Oracle, Postgres, Proxy, Rest, S3, Scratch, Spans, Spark, Table, http, until,
};

const LIMIT: Duration = Duration::from_secs(60);

/// An OTLP/JSON request of one span.
fn request(span_id: &str) -> String {
    let start = 1_769_731_200_123_456_789_u64;
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"spans": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": span_id, "name": "buy",
            "kind": 2, "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1_500_000).to_string()}]}],
    }]})
    .to_string()
}

#[test]
fn kafka_keeps_its_records_through_kill_9() {
    let mut kafka = Kafka::start();
    kafka.create_topic("survives", 2);
    assert_eq!(kafka.produce("survives", 1, &["a", "b"]), 0..2);
    kafka.kill9();
    kafka.restart();
    assert_eq!(kafka.produce("survives", 1, &["c"]), 2..3);
    assert_eq!(kafka.end_offsets("survives"), [0, 3]);
    let values: Vec<_> = kafka.records("survives").into_iter().map(|record| record.value.unwrap()).collect();
    assert_eq!(values, [b"a", b"b", b"c"]);
    assert_eq!(kafka.acked("nobody", "survives"), [None, None]);
    kafka.delete_records("survives", 1, 2);
    assert_eq!(kafka.records("survives").iter().map(|record| record.offset).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_topic_made_again_is_empty() {
    let kafka = Kafka::shared();
    kafka.create_topic("again", 1);
    kafka.produce("again", 0, &["old"]);
    kafka.delete_topic("again");
    kafka.create_topic("again", 1);
    assert_eq!(kafka.end_offsets("again"), [0]);
    kafka.add_partitions("again", 3);
    assert_eq!(kafka.end_offsets("again"), [0, 0, 0]);
}

#[test]
fn kafka_takes_messages_of_many_megabytes() {
    let kafka = Kafka::shared();
    kafka.create_topic("large", 1);
    kafka.produce("large", 0, &[vec![7; 9_000_000]]);
    assert_eq!(kafka.records("large")[0].value.as_deref().map(<[u8]>::len), Some(9_000_000));
}

#[test]
fn the_collector_writes_what_it_is_sent_in_both_encodings() {
    let kafka = Kafka::shared();
    for encoding in ["otlp_json", "otlp_proto"] {
        let topic = format!("collected-{encoding}");
        kafka.create_topic(&topic, 1);
        let collector = Collector::start(kafka, &topic, encoding);
        for span_id in ["eee19b7ec3c1b174", "eee19b7ec3c1b175"] {
            collector.send_json("traces", &request(span_id));
        }
        collector.stop();
        let values: Vec<Vec<u8>> = kafka.records(&topic).into_iter().filter_map(|record| record.value).collect();
        let ids = values.iter().flat_map(|value| match serde_json::from_slice::<Value>(value) {
            Ok(json) => json_span_ids(&json),
            Err(_) => proto_span_ids(value),
        });
        let ids: BTreeSet<String> = ids.collect();
        assert_eq!(ids, BTreeSet::from(["eee19b7ec3c1b174".into(), "eee19b7ec3c1b175".into()]), "{encoding}");
    }
}

fn json_span_ids(request: &Value) -> Vec<String> {
    let inner = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let scopes = inner(request, "resourceSpans").into_iter().flat_map(|resource| inner(&resource, "scopeSpans"));
    let spans = scopes.flat_map(|scope| inner(&scope, "spans"));
    spans.map(|span| span["spanId"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The test's span ids, found as bytes: enough to see that the message is the protobuf of them.
fn proto_span_ids(request: &[u8]) -> Vec<String> {
    let prefix = [0x12, 8, 0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1];
    let found = request.windows(prefix.len() + 1).filter(|window| window.starts_with(&prefix));
    found.map(|window| window[2..].iter().map(|byte| format!("{byte:02x}")).collect()).collect()
}

#[test]
fn a_rest_catalog_over_s3_takes_and_gives_rows() {
    let s3 = S3::start();
    s3.create_bucket("lake");
    let mut rest = Rest::start_on_s3(&s3, "s3://lake/warehouse");
    let table = Table::rest(&rest.uri(), "telemetry.small").with(s3.pyiceberg());
    make_small(&table);
    rest.kill9();
    rest.restart();
    check_small(&table);
    let config = http::get(rest.port(), "/v1/config").unwrap();
    assert_eq!(config.status, 200);
    let uri = rest.uri();
    let rows = Oracle::shared().duckdb(&format!(
        "{}; ATTACH '' AS rest_lake (TYPE iceberg, ENDPOINT '{uri}', AUTHORIZATION_TYPE 'none');
         SELECT id, name FROM rest_lake.telemetry.small ORDER BY id",
        s3.duckdb_secret("lake")
    ));
    assert_eq!(rows, [[json!(1), json!("a")], [json!(2), json!("b")]]);
}

#[test]
fn s3_keeps_its_objects_through_kill_9_and_refuses_a_second_creation() {
    let mut s3 = S3::start();
    s3.create_bucket("objects");
    let put = |s3: &S3, body: &str| {
        let code = format!(
            "client = boto3.client('s3', endpoint_url='{}', region_name='us-east-1', aws_access_key_id='weir',
                aws_secret_access_key='weir-secret')
try:
    result = client.put_object(Bucket='objects', Key='k', Body=b'{body}', IfNoneMatch='*')['ResponseMetadata']['HTTPStatusCode']
except Exception as error:
    result = error.response['ResponseMetadata']['HTTPStatusCode']",
            s3.endpoint()
        );
        Oracle::shared().python(None, &code)
    };
    assert_eq!(put(&s3, "first"), 200);
    s3.kill9();
    s3.restart();
    assert_eq!(put(&s3, "second"), 412);
}

#[test]
fn a_sql_catalog_in_postgres_survives_kill_9() {
    let mut postgres = Postgres::start();
    let warehouse = Scratch::new("warehouse");
    let place = format!("file://{}", warehouse.path().display());
    let table = Table::sql("lakehouse", &postgres.sqlalchemy_url(), &place, "telemetry.small");
    make_small(&table);
    postgres.kill9();
    postgres.restart();
    check_small(&table);
    assert_eq!(postgres.sql("SELECT catalog_name, table_name FROM iceberg_tables"), "lakehouse|small\n");
}

#[test]
fn tables_that_spark_made_are_read_by_duckdb_and_pyiceberg() {
    let folder = Scratch::new("lake");
    let spark = Spark::shared().hadoop(folder.path());
    spark.create_traces_table("telemetry.traces");
    let table = Table::hadoop(folder.path(), "telemetry.traces");
    let oracle = Oracle::shared();
    assert_eq!(oracle.count(&table), None, "no snapshot yet");
    spark.sql(
        "INSERT INTO lakehouse.telemetry.traces (timestamp, span_id, service_name, attributes) VALUES
         (TIMESTAMP '2026-01-30 00:00:00.123456', '000000000000000a', 'shop', map('k', 'v')),
         (TIMESTAMP '2026-01-31 00:00:00', '0000000000000006', NULL, NULL)",
    );
    assert_eq!(oracle.count(&table), Some(2));
    let ids = oracle.span_ids(&table);
    assert_eq!((ids.count, ids.distinct, ids.xor), (2, 2, 0xc));
    let mut rows = oracle.rows(&table, &["timestamp", "service_name", "attributes"]);
    rows.sort_by_key(|row| row["timestamp"].to_string());
    assert_eq!(
        rows,
        [
            json!({"timestamp": "2026-01-30T00:00:00.123456Z", "service_name": "shop", "attributes": {"k": "v"}}),
            json!({"timestamp": "2026-01-31T00:00:00.000000Z", "service_name": null, "attributes": null}),
        ]
    );
    assert_eq!(oracle.files(&table).len(), 2, "one for each partition");
    assert_eq!(oracle.metadata(&table)["format-version"], 2);
    let scan = format!("iceberg_scan('{}')", folder.join("telemetry/traces").display());
    assert_eq!(oracle.duckdb(&format!("SELECT count(*) FROM {scan}")), [[json!(2)]]);
    let seen = spark.sql("SELECT timestamp FROM lakehouse.telemetry.traces ORDER BY timestamp LIMIT 1");
    assert_eq!(seen, [json!({"timestamp": "2026-01-30T00:00:00.123456Z"})]);
}

#[test]
fn spark_and_pyiceberg_share_a_sql_catalog_and_sessions_are_apart() {
    let folder = Scratch::new("sql-lake");
    let database = folder.join("catalog.db");
    let spark = Spark::shared().sqlite("lakehouse", &database, folder.path());
    spark.create_traces_table("telemetry.traces");
    let uri = format!("sqlite:///{}", database.display());
    let table = Table::sql("lakehouse", &uri, &format!("file://{}", folder.path().display()), "telemetry.traces");
    let oracle = Oracle::shared();
    oracle.append(&table, &[json!({"span_id": "0a", "timestamp": "2026-01-30T00:00:00Z", "attributes": {"k": "v"}})]);
    assert_eq!(spark.sql("SELECT span_id FROM lakehouse.telemetry.traces"), [json!({"span_id": "0a"})]);
    let other = Scratch::new("other-lake");
    let apart = Spark::shared().hadoop(other.path()).try_sql("SELECT * FROM lakehouse.telemetry.traces");
    assert!(apart.unwrap_err().contains("TABLE_OR_VIEW_NOT_FOUND"));
}

#[test]
fn what_a_test_started_ends_with_it() {
    let s3 = S3::start();
    let port: u16 = s3.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    drop(s3);
    until("the port to be free", LIMIT, || std::net::TcpListener::bind(("127.0.0.1", port)).ok());
}

#[test]
fn a_network_can_be_cut_and_can_lose_answers() {
    let rest = Rest::start();
    let proxy = Proxy::start(rest.port());
    let config = |port| http::get(port, "/v1/config").is_ok_and(|answer| answer.status == 200);
    let create = |name: &str| {
        let body = json!({"namespace": [name], "properties": {}}).to_string();
        http::post(proxy.port(), "/v1/namespaces", "application/json", body.as_bytes())
    };
    assert!(config(proxy.port()));
    proxy.set(Network::Cut);
    assert!(create("cut").is_err());
    proxy.set(Network::AnswersLost);
    assert!(create("lost").is_err());
    proxy.set(Network::Healthy);
    assert!(config(proxy.port()));
    let exists = |name| http::get(rest.port(), &format!("/v1/namespaces/{name}")).unwrap().status == 200;
    until("the request without an answer to have happened", LIMIT, || exists("lost").then_some(()));
    assert!(!exists("cut"));
}

#[test]
fn kafka_behind_a_proxy_is_reached_through_it_only() {
    let kafka = Kafka::start();
    kafka.create_topic("proxied", 1);
    let proxy = kafka.proxy();
    let mut config = kafka.client();
    config.set("bootstrap.servers", format!("127.0.0.1:{}", proxy.port())).set("message.timeout.ms", "1000");
    let producer: FutureProducer = config.create().unwrap();
    let produce = || {
        let record = FutureRecord::<(), _>::to("proxied").payload("a");
        futures::executor::block_on(producer.send_result(record).unwrap()).unwrap().is_ok()
    };
    assert!(produce());
    proxy.set(Network::Cut);
    assert!(!produce());
    assert_eq!(kafka.end_offsets("proxied"), [1]);
    proxy.set(Network::Healthy);
    until("the producer to come back", LIMIT, || produce().then_some(()));
}

#[test]
fn made_up_spans_have_the_ids_that_their_maker_says() {
    let mut spans = Spans::new(7, 1_769_731_200_000_000_000, 1);
    let requests = spans.requests(3, 45);
    let ids: Vec<String> =
        requests.iter().flat_map(|request| json_span_ids(&serde_json::from_str(request).unwrap())).collect();
    let numbers: BTreeSet<u64> = ids.iter().map(|id| u64::from_str_radix(id, 16).unwrap()).collect();
    let made = spans.made();
    assert_eq!((made.count, made.distinct), (135, 135));
    assert_eq!(numbers.len(), 135);
    assert_eq!(numbers.iter().fold(0, |xor, id| xor ^ id), made.xor);
}

/// Makes a table of two rows by PyIceberg.
fn make_small(table: &Table) {
    let made = Oracle::shared().python(
        Some(table),
        "rows = pa.table({'id': pa.array([1], pa.int64()), 'name': ['a']})
catalog(at).create_namespace('telemetry')
catalog(at).create_table(at['table'], schema=rows.schema).append(rows)
result = load(at).location()",
    );
    assert!(made.is_string(), "{made}");
    Oracle::shared().append(table, &[json!({"id": 2, "name": "b"})]);
}

fn check_small(table: &Table) {
    let mut rows = Oracle::shared().rows(table, &[]);
    rows.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(rows, [json!({"id": 1, "name": "a"}), json!({"id": 2, "name": "b"})]);
}
