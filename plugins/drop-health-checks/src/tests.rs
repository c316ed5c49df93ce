use super::*;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as trace;
use prost::Message as _;
use weir_sdk::testing;

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn span(name: &str, attributes: Vec<KeyValue>) -> trace::Span {
    let (start_time_unix_nano, end_time_unix_nano) = (5_000, 1_505_000);
    trace::Span { name: name.to_owned(), attributes, start_time_unix_nano, end_time_unix_nano, ..Default::default() }
}

fn value(spans: Vec<trace::Span>) -> Vec<u8> {
    let resource = Some(Resource { attributes: vec![attribute("service.name", "shop")], ..Resource::default() });
    let scope_spans = vec![trace::ScopeSpans { spans, ..Default::default() }];
    trace::TracesData { resource_spans: vec![trace::ResourceSpans { resource, scope_spans, ..Default::default() }] }
        .encode_to_vec()
}

fn names(settings: &[(&str, &[&str])], spans: Vec<trace::Span>) -> Vec<String> {
    let rows = testing::run::<DropHealthChecks>(settings, testing::traces([value(spans)])).unwrap();
    rows.table("requests").column("operation_name").iter().map(ToString::to_string).collect()
}

#[test]
fn health_checks_are_known_by_name_route_and_path_and_the_rest_stays() {
    let spans = || {
        vec![
            span("GET /healthz", vec![]),
            span("GET /cart", vec![]),
            span("GET", vec![attribute("http.route", "/readyz")]),
            span("HTTP", vec![attribute("url.path", "/livez")]),
            span("/health", vec![]),
            span("GET /healthz/deep", vec![]),
        ]
    };
    assert_eq!(names(&[], spans()), ["\"GET /cart\"", "\"GET /healthz/deep\""]);
    let kept = ["\"GET /healthz\"", "\"GET\"", "\"HTTP\"", "\"/health\"", "\"GET /healthz/deep\""];
    assert_eq!(names(&[("paths", &["/cart"])], spans()), kept);
}

#[test]
fn a_span_that_stays_is_a_row_of_four_columns() {
    let rows =
        testing::run::<DropHealthChecks>(&[], testing::traces([value(vec![span("GET /cart", vec![])])])).unwrap();
    let row = r#"{"timestamp":5,"service_name":"shop","operation_name":"GET /cart","duration_ms":1.5}"#;
    assert_eq!(rows.table("requests").row(0), row);
}

#[test]
fn a_malformed_record_is_refused_and_its_rows_taken_back() {
    let good = value(vec![span("GET /cart", vec![])]);
    let mut bad = good.clone();
    bad.extend_from_slice(&[0x0a, 0x7f]);
    let rows = testing::run::<DropHealthChecks>(&[], testing::traces([good.clone(), bad, good])).unwrap();
    assert_eq!(rows.table("requests").rows_per_message, [1, 0, 1]);
    assert_eq!(rows.rejections[0].index, 1);
}
