use std::collections::{HashMap, HashSet};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use prost::Message as _;

use super::*;

fn messages(seed: u16, count: usize) -> Vec<TracesData> {
    Generator::new(Options { seed, ..Options::default() }).take(count).collect()
}

/// All spans with the name of their service.
fn spans(messages: &[TracesData]) -> Vec<(&str, &Span)> {
    let entries = messages.iter().flat_map(|message| &message.resource_spans);
    entries
        .flat_map(|entry| {
            let resource = entry.resource.as_ref().unwrap();
            let service = text(&resource.attributes, "service.name").unwrap();
            entry.scope_spans.iter().flat_map(|scope| &scope.spans).map(move |span| (service, span))
        })
        .collect()
}

fn text<'a>(attributes: &'a [opentelemetry_proto::tonic::common::v1::KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let bytes = |seed| messages(seed, 5).iter().flat_map(encode_proto).collect::<Vec<_>>();
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}

#[test]
fn both_encodings_hold_the_same_spans() {
    for message in messages(1, 20) {
        assert_eq!(TracesData::decode(encode_proto(&message).as_slice()).unwrap(), message);
        assert_eq!(serde_json::from_slice::<TracesData>(&encode_json(&message)).unwrap(), message);
    }
}

#[test]
fn json_is_written_as_the_collector_writes_it() {
    let json = String::from_utf8(encode_json(&messages(0, 1)[0])).unwrap();
    let id = item_id(0, 0).map(|byte| format!("{byte:02x}")).concat();
    assert!(json.contains(&format!("\"spanId\":\"{id}\"")));
    assert!(json.contains("\"startTimeUnixNano\":\"179349120"));
    assert!(json.contains("\"kind\":2,"));
    assert!(json.contains("{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"200\"}}"));
    assert!(json.contains("\"status\":{}"));
    assert!(!json.contains("null") && !json.contains("[]"));
}

#[test]
fn the_kth_message_holds_exactly_the_spans_that_its_number_says() {
    let options = Options { seed: 3, items_per_message: 70, ..Options::default() };
    for (k, message) in Generator::new(options).take(50).enumerate() {
        let message = [message];
        let found: Vec<_> = spans(&message).iter().map(|(_, span)| span.span_id.clone()).collect();
        let wanted: HashSet<_> = (k * 70..(k + 1) * 70).map(|n| item_id(3, n as u64).to_vec()).collect();
        assert_eq!(found.len(), 70);
        assert_eq!(found.into_iter().collect::<HashSet<_>>(), wanted);
    }
}

#[test]
fn no_two_spans_of_any_run_share_an_id() {
    let mut seen = HashSet::new();
    for seed in [0, 1, 2, 255, 256, u16::MAX] {
        assert!((0..10_000).all(|n| seen.insert(item_id(seed, n))));
    }
    assert!(!seen.contains(&[0; 8]));
}

#[test]
fn a_message_holds_several_services_pods() {
    assert!(messages(0, 10).iter().all(|message| message.resource_spans.len() > 5));
}

#[test]
fn every_span_lies_within_its_parent_and_in_its_trace() {
    let messages = messages(5, 100);
    let spans = spans(&messages);
    let by_id: HashMap<_, _> = spans.iter().map(|(service, span)| (&span.span_id, (*service, *span))).collect();
    let mut roots = 0;
    for (service, span) in &spans {
        assert!(span.start_time_unix_nano < span.end_time_unix_nano);
        if span.parent_span_id.is_empty() {
            roots += 1;
            assert_eq!(*service, "frontend");
            continue;
        }
        let (parent_service, parent) = by_id[&span.parent_span_id];
        assert_eq!(span.trace_id, parent.trace_id);
        assert!(span.start_time_unix_nano >= parent.start_time_unix_nano);
        if span.name == "orders process" {
            assert_eq!(span.links[0].span_id, parent.span_id);
        } else {
            assert!(
                span.end_time_unix_nano <= parent.end_time_unix_nano || parent.name == "orders publish",
                "{}",
                span.name
            );
        }
        assert_eq!(*service == parent_service, span.flags == 0x101, "{}", span.name);
    }
    let traces: HashSet<_> = spans.iter().map(|(_, span)| &span.trace_id).collect();
    assert_eq!(traces.len(), roots);
}

#[test]
fn spans_are_as_large_and_as_rich_as_real_ones() {
    let messages = messages(0, 100);
    let spans = spans(&messages);
    let bytes: usize = messages.iter().map(|message| encode_proto(message).len()).sum();
    let attributes: usize = spans.iter().map(|(_, span)| span.attributes.len()).sum();
    let (size, width) = (bytes / spans.len(), attributes as f64 / spans.len() as f64);
    assert!((500..600).contains(&size), "{size} bytes a span");
    assert!((9.0..12.0).contains(&width), "{width} attributes a span");
    let services: HashSet<_> = spans.iter().map(|(service, _)| service).collect();
    assert_eq!(services.len(), 12);
}

#[test]
fn the_checkout_is_the_slowest_page_and_the_bank_is_why() {
    let messages = messages(0, 400);
    let mut durations: HashMap<_, Vec<u64>> = HashMap::new();
    for (service, span) in spans(&messages) {
        let duration = span.end_time_unix_nano - span.start_time_unix_nano;
        durations.entry((service, span.name.as_str())).or_default().push(duration);
    }
    let mut medians: Vec<_> = durations
        .into_iter()
        .map(|(operation, mut durations)| {
            durations.sort_unstable();
            (durations[durations.len() / 2] / 1_000_000, operation)
        })
        .collect();
    medians.sort_unstable_by(|left, right| right.cmp(left));
    let slowest = |service: &str| medians.iter().find(|(_, (of, _))| *of == service).unwrap();
    assert_eq!(slowest("frontend").1.1, "POST /api/checkout");
    assert_eq!(medians[0].1, ("frontend", "POST /api/checkout"));
    assert!((600..1_000).contains(&medians[0].0), "{medians:?}");
    assert_eq!(slowest("product-catalog").1.1, "shop.ProductCatalogService/SearchProducts");
    let bank = medians.iter().find(|(_, operation)| operation.1 == "POST bank.example").unwrap().0;
    assert!((350..500).contains(&bank), "{bank} ms");
}

#[test]
fn some_spans_fail_and_say_why() {
    let messages = messages(0, 200);
    let spans = spans(&messages);
    let failed: Vec<_> = spans.iter().filter(|(_, span)| span.status.as_ref().unwrap().code == 2).collect();
    let permille = failed.len() * 1_000 / spans.len();
    assert!((3..40).contains(&permille), "{permille} of 1000 fail");
    assert!(failed.iter().all(|(_, span)| !span.status.as_ref().unwrap().message.is_empty()));
    let exceptions = failed.iter().flat_map(|(_, span)| &span.events);
    let mut count = 0;
    for event in exceptions {
        count += 1;
        assert_eq!(event.name, "exception");
        assert!(text(&event.attributes, "exception.stacktrace").unwrap().contains("at "));
    }
    assert!(count > 10);
}

#[test]
fn time_goes_on_as_fast_as_asked() {
    let options = Options { spans_per_second: 10_000, ..Options::default() };
    let messages: Vec<_> = Generator::new(options).take(500).collect();
    let last = spans(&messages).iter().map(|(_, span)| span.start_time_unix_nano).max().unwrap();
    let seconds = (last - options.start_time_ns) as f64 / 1e9;
    assert!((9.5..13.0).contains(&seconds), "{seconds} s for 100,000 spans");
}
