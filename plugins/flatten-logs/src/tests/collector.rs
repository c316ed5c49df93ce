//! What a real Collector sent gives the rows that it says, from its protobuf and, by way of serde, from its JSON.

use super::kit::{counters, run};
use opentelemetry_proto::tonic::logs::v1::LogsData;
use prost::Message;
use std::path::Path;
use weir_sdk::testing::Rows;

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/collector").join(name)).unwrap()
}

/// The rows of a sample in JSON.
fn of_json(name: &str) -> Rows {
    run(&[], [serde_json::from_slice::<LogsData>(&sample(name)).unwrap().encode_to_vec()])
}

#[test]
fn a_collectors_logs_are_rows() {
    let rows = of_json("logs-attributes.json");
    let row = concat!(
        r#"{"timestamp":1795569726313308,"observed_timestamp":null,"#,
        r#""trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174","service_name":"checkout","#,
        r#""severity_number":17,"severity_text":"Error","body":"the message","event_name":null,"#,
        r#""attributes":{"app":"server","http.request.method":"GET","http.response.status_code":"200","#,
        r#""cache.hit":"true"},"resource_attributes":{"deployment.environment":"test","host.name":"host-1","#,
        r#""service.name":"checkout"},"scope_name":null,"scope_version":null,"scope_attributes":{},"flags":0,"#,
        r#""dropped_attributes_count":1,"time_unix_nano":1795569726313308462,"observed_time_unix_nano":0}"#,
    );
    assert_eq!(rows.table("logs").row(0), row);
    assert_eq!((rows.table("logs").len(), counters(&rows)), (3, vec![]));
}

#[test]
fn its_protobuf_and_its_json_give_the_same_rows_but_for_the_times_of_each_run() {
    let own = ["timestamp", "time_unix_nano"];
    for (name, records) in [("logs", 10), ("logs-attributes", 3)] {
        let protobuf = run(&[], [sample(&format!("{name}.proto"))]);
        let json = of_json(&format!("{name}.json"));
        let (protobuf, json) = (protobuf.table("logs"), json.table("logs"));
        assert_eq!((protobuf.len(), json.len()), (records, records), "{name}");
        for column in protobuf.names().into_iter().filter(|column| !own.contains(column)) {
            assert_eq!(protobuf.column(column), json.column(column), "{column} of {name}");
        }
    }
}
