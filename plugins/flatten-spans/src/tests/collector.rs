//! What a real Collector sent gives the rows that it says. Its protobuf and its JSON are of different runs; prost
//! and serde are the go-between.

use super::kit::{counters, run};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use serde_json::Value;
use std::path::Path;
use weir_sdk::testing::{Cell, Rows};

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/collector").join(name)).unwrap()
}

/// Attributes in JSON as the map that they become.
fn map(attributes: &Value) -> Cell {
    let one = |attribute: &Value| {
        let value = attribute["value"].as_object().unwrap().iter().next().unwrap();
        let text = match value {
            (kind, Value::String(text)) if kind == "stringValue" || kind == "intValue" => text.clone(),
            (kind, Value::Bool(value)) if kind == "boolValue" => value.to_string(),
            other => panic!("{other:?}"),
        };
        (Cell::from(attribute["key"].as_str().unwrap()), Cell::Text(text))
    };
    Cell::Map(attributes.as_array().into_iter().flatten().map(one).collect())
}

fn text(value: &Value) -> Cell {
    value.as_str().filter(|text| !text.is_empty()).map_or(Cell::Null, Cell::from)
}

fn nanos(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

/// Checks each row against the JSON, and gives the number of rows.
fn check(rows: &Rows, json: &Value) -> usize {
    const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let table = rows.table("spans");
    let mut row = 0;
    for resource in json["resourceSpans"].as_array().unwrap() {
        let resource_attributes = map(&resource["resource"]["attributes"]);
        for span in
            resource["scopeSpans"].as_array().unwrap().iter().flat_map(|scope| scope["spans"].as_array().unwrap())
        {
            let (start, end) = (nanos(&span["startTimeUnixNano"]), nanos(&span["endTimeUnixNano"]));
            let kind = KINDS[span["kind"].as_u64().unwrap_or(0) as usize];
            let expected = [
                ("timestamp", Cell::Int(start as i64 / 1000)),
                ("trace_id", text(&span["traceId"])),
                ("span_id", text(&span["spanId"])),
                ("parent_span_id", text(&span["parentSpanId"])),
                ("service_name", resource_attributes.get("service.name").cloned().unwrap_or(Cell::Null)),
                ("operation_name", text(&span["name"])),
                ("span_kind", Cell::from(kind)),
                ("duration_ms", Cell::Float((end - start) as f64 / 1e6)),
                ("status_code", Cell::Int(span["status"]["code"].as_i64().unwrap_or(0))),
                ("status_message", text(&span["status"]["message"])),
                ("attributes", map(&span["attributes"])),
                ("resource_attributes", resource_attributes.clone()),
                ("events", Cell::List(vec![])),
            ];
            for (column, cell) in expected {
                assert_eq!(*table.cell(row, column), cell, "{column} of row {row}");
            }
            row += 1;
        }
    }
    row
}

#[test]
fn every_span_in_a_collectors_protobuf_is_the_row_that_it_says() {
    for (name, spans) in [("traces.proto", 20), ("traces-attributes.proto", 6)] {
        let value = sample(name);
        let json = serde_json::to_value(TracesData::decode(&value[..]).unwrap()).unwrap();
        let rows = run(&[], [value]);
        assert_eq!((check(&rows, &json), rows.table("spans").len()), (spans, spans), "{name}");
        assert_eq!(counters(&rows), [], "{name}");
    }
}

#[test]
fn every_span_in_a_collectors_json_is_the_row_that_it_says() {
    for (name, spans) in [("traces.json", 20), ("traces-attributes.json", 6)] {
        let json: Value = serde_json::from_slice(&sample(name)).unwrap();
        let rows = run(&[], [serde_json::from_value::<TracesData>(json.clone()).unwrap().encode_to_vec()]);
        assert_eq!((check(&rows, &json), rows.table("spans").len()), (spans, spans), "{name}");
        assert_eq!(counters(&rows), [], "{name}");
    }
}
