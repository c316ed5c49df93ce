//! What a real Collector sent gives the rows that it says, from its protobuf and, by way of serde, from its JSON.

use super::kit::{counters, lens, run};
use opentelemetry_proto::tonic::metrics::v1::MetricsData;
use prost::Message;
use std::path::Path;
use weir_sdk::testing::Rows;

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/collector").join(name)).unwrap()
}

/// The rows of a sample in JSON.
fn of_json(name: &str) -> Rows {
    run(&[], [serde_json::from_slice::<MetricsData>(&sample(name)).unwrap().encode_to_vec()])
}

#[test]
fn a_collectors_gauges_and_histograms_are_rows() {
    let rows = of_json("metrics.json");
    let row = concat!(
        r#"{"timestamp":1795569715304267,"start_timestamp":null,"service_name":"telemetrygen","metric_name":"gen","#,
        r#""metric_description":null,"metric_unit":null,"value":2.0,"value_int":2,"attributes":{},"#,
        r#""resource_attributes":{"service.name":"telemetrygen"},"scope_name":null,"scope_version":null,"#,
        r#""scope_attributes":{},"flags":0,"exemplars":[]}"#,
    );
    assert_eq!(rows.table("gauge").row(2), row);
    assert_eq!((lens(&rows), counters(&rows)), ([10, 0, 0, 0, 0], vec![]));

    let rows = of_json("metrics-histogram.json");
    let row = concat!(
        r#"{"timestamp":1795569726450800,"start_timestamp":1795569726450800,"service_name":"checkout","#,
        r#""metric_name":"gen","metric_description":null,"metric_unit":null,"#,
        r#""aggregation_temporality":"CUMULATIVE","count":10,"sum":3940.0,"min":null,"max":null,"#,
        r#""bucket_counts":[0,0,1,0,0,0,3,4,1,1,0,0,0,0,0,0],"#,
        r#""explicit_bounds":[0.0,5.0,10.0,25.0,50.0,75.0,100.0,250.0,500.0,750.0,1000.0,2500.0,5000.0,7500.0,"#,
        r#"10000.0],"attributes":{"cache.hit":"true","http.request.method":"GET","#,
        r#""http.response.status_code":"200"},"resource_attributes":{"deployment.environment":"test","#,
        r#""host.name":"host-1","service.name":"checkout"},"scope_name":null,"scope_version":null,"#,
        r#""scope_attributes":{},"flags":0,"exemplars":[]}"#,
    );
    assert_eq!(rows.table("histogram").row(0), row);
    assert_eq!((lens(&rows), counters(&rows)), ([0, 0, 3, 0, 0], vec![]));
}

#[test]
fn its_protobuf_and_its_json_give_the_same_rows_but_for_what_each_run_measured() {
    let own = ["timestamp", "start_timestamp", "value", "value_int", "sum", "bucket_counts"];
    for (name, table, points) in [("metrics", "gauge", 10), ("metrics-histogram", "histogram", 3)] {
        let protobuf = run(&[], [sample(&format!("{name}.proto"))]);
        let json = of_json(&format!("{name}.json"));
        let (protobuf, json) = (protobuf.table(table), json.table(table));
        assert_eq!((protobuf.len(), json.len()), (points, points), "{name}");
        for column in protobuf.names().into_iter().filter(|column| !own.contains(column)) {
            assert_eq!(protobuf.column(column), json.column(column), "{column} of {name}");
        }
    }
}
