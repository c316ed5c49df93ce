//! The oracle of the reader's tests: prost's messages, arbitrary ones, and ours turned into them.

use super::{AnyValue, Attributes, Malformed};
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as trace;
use proptest::prelude::*;

/// Reads a whole value with our reader.
pub(crate) fn read(value: &[u8]) -> Result<trace::TracesData, Malformed> {
    let mut resource_spans = Vec::new();
    for resource in super::traces(value) {
        let resource = resource?;
        let mut scope_spans = Vec::new();
        for scope in resource.scopes.clone() {
            let scope = scope?;
            scope_spans.push(trace::ScopeSpans {
                scope: Some(common::InstrumentationScope {
                    name: text(scope.scope.name),
                    version: text(scope.scope.version),
                    attributes: attributes(scope.scope.attributes.clone(), 0)?,
                    dropped_attributes_count: scope.scope.dropped_attributes_count,
                }),
                spans: scope.items.clone().map(|span| read_span(&span?)).collect::<Result<_, _>>()?,
                schema_url: text(scope.schema_url()?),
            });
        }
        resource_spans.push(trace::ResourceSpans {
            resource: Some(Resource {
                attributes: attributes(resource.resource.attributes.clone(), 0)?,
                dropped_attributes_count: resource.resource.dropped_attributes_count,
                entity_refs: vec![],
            }),
            scope_spans,
            schema_url: text(resource.schema_url()?),
        });
    }
    Ok(trace::TracesData { resource_spans })
}

fn read_span(span: &super::Span<'_>) -> Result<trace::Span, Malformed> {
    let event = |event: Result<super::Event<'_>, Malformed>| {
        let event = event?;
        Ok(trace::span::Event {
            time_unix_nano: event.time_unix_nano,
            name: text(event.name),
            attributes: attributes(event.attributes, 0)?,
            dropped_attributes_count: event.dropped_attributes_count,
        })
    };
    let link = |link: Result<super::Link<'_>, Malformed>| {
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn attributes(attributes: Attributes<'_>, depth: usize) -> Result<Vec<common::KeyValue>, Malformed> {
    let one = |attribute: Result<super::KeyValue<'_>, Malformed>| {
        let attribute = attribute?;
        Ok(common::KeyValue {
            key: text(attribute.key),
            value: Some(any_value(&attribute.value, depth + 1)?),
            key_strindex: i32::from(attribute.has_key_index),
        })
    };
    attributes.map(one).collect()
}

fn any_value(value: &AnyValue<'_>, depth: usize) -> Result<common::AnyValue, Malformed> {
    use common::any_value::Value;
    if depth > super::DEPTH_MAX {
        return Err(Malformed::at(super::Fault::TooDeep, &[]));
    }
    let value = match value {
        AnyValue::Empty => None,
        AnyValue::String(bytes) => Some(Value::StringValue(text(bytes))),
        AnyValue::Bool(value) => Some(Value::BoolValue(*value)),
        AnyValue::Int(value) => Some(Value::IntValue(*value)),
        AnyValue::Double(value) => Some(Value::DoubleValue(*value)),
        AnyValue::Bytes(bytes) => Some(Value::BytesValue(bytes.to_vec())),
        AnyValue::StringIndex => Some(Value::StringValueStrindex(0)),
        AnyValue::Array(values) => {
            let values = values.clone().map(|value| any_value(&value?, depth + 1)).collect::<Result<_, _>>()?;
            Some(Value::ArrayValue(common::ArrayValue { values }))
        }
        AnyValue::KeyValues(entries) => {
            let values = attributes(entries.clone(), depth)?;
            Some(Value::KvlistValue(common::KeyValueList { values }))
        }
    };
    Ok(common::AnyValue { value })
}

/// What our reader does not tell apart: an absent part and an empty one, a number in a dictionary and another.
/// NaNs are made equal.
pub(crate) fn normal(mut data: trace::TracesData) -> trace::TracesData {
    for resource in &mut data.resource_spans {
        let own = resource.resource.get_or_insert_default();
        own.entity_refs.clear();
        own.attributes.iter_mut().for_each(normal_attribute);
        for scope in &mut resource.scope_spans {
            scope.scope.get_or_insert_default().attributes.iter_mut().for_each(normal_attribute);
            for span in &mut scope.spans {
                span.status.get_or_insert_default();
                span.attributes.iter_mut().for_each(normal_attribute);
                span.events.iter_mut().flat_map(|event| &mut event.attributes).for_each(normal_attribute);
                span.links.iter_mut().flat_map(|link| &mut link.attributes).for_each(normal_attribute);
            }
        }
    }
    data
}

fn normal_attribute(attribute: &mut common::KeyValue) {
    attribute.key_strindex = i32::from(attribute.key_strindex != 0);
    normal_value(attribute.value.get_or_insert_default());
}

fn normal_value(value: &mut common::AnyValue) {
    use common::any_value::Value;
    match &mut value.value {
        Some(Value::DoubleValue(double)) if double.is_nan() => *double = 0.0,
        Some(Value::StringValueStrindex(index)) => *index = 0,
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(normal_value),
        Some(Value::KvlistValue(list)) => list.values.iter_mut().for_each(normal_attribute),
        _ => {}
    }
}

/// Any value, nested a few deep.
pub(crate) fn any_any_value() -> impl Strategy<Value = common::AnyValue> {
    use common::any_value::Value;
    let leaf = prop_oneof![
        Just(None),
        ".{0,12}".prop_map(|text| Some(Value::StringValue(text))),
        any::<bool>().prop_map(|value| Some(Value::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(Value::IntValue(value))),
        any::<f64>().prop_map(|value| Some(Value::DoubleValue(value))),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| Some(Value::BytesValue(bytes))),
        (1..5i32).prop_map(|index| Some(Value::StringValueStrindex(index))),
    ]
    .prop_map(|value| common::AnyValue { value });
    leaf.prop_recursive(3, 16, 4, |inner| {
        let value = |value| common::AnyValue { value: Some(value) };
        let entry = (".{0,3}", proptest::option::of(inner.clone())).prop_map(|(key, value)| common::KeyValue {
            key,
            value,
            ..Default::default()
        });
        prop_oneof![
            proptest::collection::vec(inner, 0..4)
                .prop_map(move |values| value(Value::ArrayValue(common::ArrayValue { values }))),
            proptest::collection::vec(entry, 0..4)
                .prop_map(move |values| value(Value::KvlistValue(common::KeyValueList { values }))),
        ]
    })
}

fn any_attributes() -> impl Strategy<Value = Vec<common::KeyValue>> {
    let attribute = (".{0,6}", proptest::option::of(any_any_value()), prop_oneof![4 => Just(0), 1 => any::<i32>()]);
    proptest::collection::vec(
        attribute.prop_map(|(key, value, key_strindex)| common::KeyValue { key, value, key_strindex }),
        0..4,
    )
}

fn any_id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![]), proptest::collection::vec(any::<u8>(), 0..20)]
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

/// Any traces, small.
pub(crate) fn any_traces() -> impl Strategy<Value = trace::TracesData> {
    let scope = (".{0,4}", ".{0,4}", any_attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| common::InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    let scope_spans = (proptest::option::of(scope), proptest::collection::vec(any_span(), 0..3), ".{0,4}")
        .prop_map(|(scope, spans, schema_url)| trace::ScopeSpans { scope, spans, schema_url });
    let resource = (any_attributes(), any::<u32>()).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        entity_refs: vec![],
    });
    let resource_spans = (proptest::option::of(resource), proptest::collection::vec(scope_spans, 0..3), ".{0,4}")
        .prop_map(|(resource, scope_spans, schema_url)| trace::ResourceSpans { resource, scope_spans, schema_url });
    proptest::collection::vec(resource_spans, 0..3).prop_map(|resource_spans| trace::TracesData { resource_spans })
}
