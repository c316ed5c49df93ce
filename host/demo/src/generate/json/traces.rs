//! Traces.

use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};

use super::{Json, document, entry, key_value, resource, scope};

/// A message of traces.
pub(in crate::generate) fn encode(message: &TracesData) -> Vec<u8> {
    document("resourceSpans", &message.resource_spans, resource_spans)
}

fn resource_spans(json: &mut Json, of: &ResourceSpans) {
    let head = |json: &mut Json| resource(json, of.resource.as_ref());
    entry(json, ("resource", head), ("scopeSpans", &of.scope_spans), scope_spans, &of.schema_url);
}

fn scope_spans(json: &mut Json, of: &ScopeSpans) {
    let head = |json: &mut Json| scope(json, of.scope.as_ref());
    entry(json, ("scope", head), ("spans", &of.spans), span, &of.schema_url);
}

fn span(json: &mut Json, span: &Span) {
    json.id("traceId", &span.trace_id);
    json.id("spanId", &span.span_id);
    json.string("traceState", &span.trace_state);
    json.id("parentSpanId", &span.parent_span_id);
    json.number("flags", i64::from(span.flags));
    json.string("name", &span.name);
    json.number("kind", i64::from(span.kind));
    json.time("startTimeUnixNano", span.start_time_unix_nano);
    json.time("endTimeUnixNano", span.end_time_unix_nano);
    json.list("attributes", &span.attributes, key_value);
    json.number("droppedAttributesCount", i64::from(span.dropped_attributes_count));
    json.list("events", &span.events, event);
    json.number("droppedEventsCount", i64::from(span.dropped_events_count));
    json.list("links", &span.links, link);
    json.number("droppedLinksCount", i64::from(span.dropped_links_count));
    if let Some(Status { message, code }) = &span.status {
        json.member("status", |json| {
            json.string("message", message);
            json.number("code", i64::from(*code));
        });
    }
}

fn event(json: &mut Json, event: &Event) {
    json.time("timeUnixNano", event.time_unix_nano);
    json.string("name", &event.name);
    json.list("attributes", &event.attributes, key_value);
    json.number("droppedAttributesCount", i64::from(event.dropped_attributes_count));
}

fn link(json: &mut Json, link: &Link) {
    json.id("traceId", &link.trace_id);
    json.id("spanId", &link.span_id);
    json.string("traceState", &link.trace_state);
    json.list("attributes", &link.attributes, key_value);
    json.number("droppedAttributesCount", i64::from(link.dropped_attributes_count));
    json.number("flags", i64::from(link.flags));
}
