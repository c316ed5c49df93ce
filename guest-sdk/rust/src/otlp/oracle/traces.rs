//! Spans.

use super::super::{self as otlp, Malformed};
use super::*;
use opentelemetry_proto::tonic::trace::v1 as trace;

impl Oracle for trace::TracesData {
    const SIGNAL: Signal = Signal::Traces;

    fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut resource_spans = Vec::new();
        for resource in otlp::traces(value) {
            let resource = resource?;
            let mut scope_spans = Vec::new();
            for scope in resource.scopes.clone() {
                let scope = scope?;
                scope_spans.push(trace::ScopeSpans {
                    scope: Some(read_scope(&scope)?),
                    spans: scope.items.clone().map(|item| read_span(&item?)).collect::<Result<_, _>>()?,
                    schema_url: text(scope.schema_url()?),
                });
            }
            resource_spans.push(trace::ResourceSpans {
                resource: Some(read_resource(&resource)?),
                scope_spans,
                schema_url: text(resource.schema_url()?),
            });
        }
        Ok(trace::TracesData { resource_spans })
    }

    fn normal(mut self) -> Self {
        for resource in &mut self.resource_spans {
            normal_resource(&mut resource.resource);
            for scope in &mut resource.scope_spans {
                normal_scope(&mut scope.scope);
                scope.spans.iter_mut().for_each(normal_span);
            }
        }
        self
    }

    fn any() -> BoxedStrategy<Self> {
        let scopes = (any_scope(), proptest::collection::vec(any_span(), 0..3), ".{0,4}")
            .prop_map(|(scope, spans, schema_url)| trace::ScopeSpans { scope, spans, schema_url });
        let resources = (any_resource(), proptest::collection::vec(scopes, 0..3), ".{0,4}")
            .prop_map(|(resource, scope_spans, schema_url)| trace::ResourceSpans { resource, scope_spans, schema_url });
        proptest::collection::vec(resources, 0..3)
            .prop_map(|resource_spans| trace::TracesData { resource_spans })
            .boxed()
    }

    fn scopes(&self) -> Vec<u8> {
        let all = self.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        all.flat_map(prost::Message::encode_to_vec).collect()
    }

    fn items(&self) -> Vec<u8> {
        let scopes = self.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).flat_map(prost::Message::encode_to_vec).collect()
    }

    fn resources(&self) -> Vec<u8> {
        self.resource_spans.iter().flat_map(prost::Message::encode_to_vec).collect()
    }
}

fn read_span(span: &otlp::Span<'_>) -> Result<trace::Span, Malformed> {
    let event = |event: Result<otlp::Event<'_>, Malformed>| {
        let event = event?;
        Ok(trace::span::Event {
            time_unix_nano: event.time_unix_nano,
            name: text(event.name),
            attributes: attributes(event.attributes, 0)?,
            dropped_attributes_count: event.dropped_attributes_count,
        })
    };
    let link = |link: Result<otlp::Link<'_>, Malformed>| {
        let link = link?;
        Ok(trace::span::Link {
            trace_id: link.trace_id.to_vec(),
            span_id: link.span_id.to_vec(),
            trace_state: text(link.trace_state),
            attributes: attributes(link.attributes, 0)?,
            dropped_attributes_count: link.dropped_attributes_count,
            flags: link.flags,
        })
    };
    Ok(trace::Span {
        trace_id: span.trace_id.to_vec(),
        span_id: span.span_id.to_vec(),
        trace_state: text(span.trace_state),
        parent_span_id: span.parent_span_id.to_vec(),
        flags: span.flags,
        name: text(span.name),
        kind: span.kind,
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
        attributes: attributes(span.attributes.clone(), 0)?,
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.clone().map(event).collect::<Result<_, _>>()?,
        dropped_events_count: span.dropped_events_count,
        links: span.links.clone().map(link).collect::<Result<_, _>>()?,
        dropped_links_count: span.dropped_links_count,
        status: Some(trace::Status { message: text(span.status.message), code: span.status.code }),
    })
}

fn normal_span(span: &mut trace::Span) {
    span.status.get_or_insert_default();
    span.attributes.iter_mut().for_each(normal_attribute);
    span.events.iter_mut().flat_map(|event| &mut event.attributes).for_each(normal_attribute);
    span.links.iter_mut().flat_map(|link| &mut link.attributes).for_each(normal_attribute);
}

fn any_event() -> impl Strategy<Value = trace::span::Event> {
    (any::<u64>(), ".{0,4}", any_attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| trace::span::Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn any_link() -> impl Strategy<Value = trace::span::Link> {
    (any_id(), any_id(), ".{0,4}", any_attributes(), any::<u32>(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| trace::span::Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

fn any_span() -> impl Strategy<Value = trace::Span> {
    let status = proptest::option::of((".{0,4}", any::<i32>()))
        .prop_map(|status| status.map(|(message, code)| trace::Status { message, code }));
    let ids = (any_id(), any_id(), any_id(), ".{0,4}", ".{0,4}");
    let numbers = (any::<u32>(), any::<i32>(), any::<u64>(), any::<u64>(), any::<[u32; 3]>());
    let parts = (
        any_attributes(),
        proptest::collection::vec(any_event(), 0..3),
        proptest::collection::vec(any_link(), 0..3),
        status,
    );
    (ids, numbers, parts).prop_map(
        |(
            (trace_id, span_id, parent_span_id, trace_state, name),
            (flags, kind, start_time_unix_nano, end_time_unix_nano, dropped),
            (attributes, events, links, status),
        )| trace::Span {
            trace_id,
            span_id,
            trace_state,
            parent_span_id,
            flags,
            name,
            kind,
            start_time_unix_nano,
            end_time_unix_nano,
            attributes,
            dropped_attributes_count: dropped[0],
            events,
            dropped_events_count: dropped[1],
            links,
            dropped_links_count: dropped[2],
            status,
        },
    )
}
