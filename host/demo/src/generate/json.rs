//! OTLP/JSON as the Collector writes it: ids in lower-case hexadecimal, 64-bit integers as text, enums as numbers,
//! fields in the order of the `.proto` files, and none that has its default value but `status`.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};

/// A message as the Collector's `otlp_json` writes it.
///
/// All that [`super::Generator`] makes up is written, and nothing else: neither bytes, nor doubles that are not
/// finite, nor entity references are.
pub fn encode_json(message: &TracesData) -> Vec<u8> {
    let mut json = Json { text: String::with_capacity(16 << 10), is_first: true };
    json.object(|json| json.list("resourceSpans", &message.resource_spans, resource_spans));
    json.text.into_bytes()
}

/// JSON in the making.
struct Json {
    text: String,
    /// Whether the next member or element is its parent's first.
    is_first: bool,
}

impl Json {
    fn separate(&mut self) {
        if !self.is_first {
            self.text.push(',');
        }
        self.is_first = false;
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.text.push('{');
        self.is_first = true;
        members(self);
        self.is_first = false;
        self.text.push('}');
    }

    fn member(&mut self, name: &str, members: impl FnOnce(&mut Self)) {
        self.name(name);
        self.object(members);
    }

    fn list<T>(&mut self, name: &str, elements: &[T], mut members: impl FnMut(&mut Self, &T)) {
        if elements.is_empty() {
            return;
        }
        self.name(name);
        self.text.push('[');
        self.is_first = true;
        for element in elements {
            self.separate();
            self.object(|json| members(json, element));
        }
        self.is_first = false;
        self.text.push(']');
    }

    fn string(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.name(name);
            self.quoted(value);
        }
    }

    fn quoted(&mut self, value: &str) {
        self.text.push('"');
        let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
        if value.as_bytes().iter().all(is_plain) {
            self.text.push_str(value);
        } else {
            for character in value.chars() {
                match character {
                    '"' | '\\' => self.text.extend(['\\', character]),
                    '\n' => self.text.push_str("\\n"),
                    '\0'..'\x20' => self.format(format_args!("\\u{:04x}", u32::from(character))),
                    _ => self.text.push(character),
                }
            }
        }
        self.text.push('"');
    }

    fn id(&mut self, name: &str, id: &[u8]) {
        const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        if !id.is_empty() {
            self.name(name);
            self.text.push('"');
            let digits = id.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            self.text.extend(digits.map(|digit| DIGITS[usize::from(digit)]));
            self.text.push('"');
        }
    }

    fn time(&mut self, name: &str, nanoseconds: u64) {
        if nanoseconds != 0 {
            self.name(name);
            self.format(format_args!("\"{nanoseconds}\""));
        }
    }

    fn number(&mut self, name: &str, number: i64) {
        if number != 0 {
            self.name(name);
            self.format(format_args!("{number}"));
        }
    }

    fn format(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }
}

fn resource_spans(json: &mut Json, entry: &ResourceSpans) {
    if let Some(resource) = &entry.resource {
        let Resource { attributes, dropped_attributes_count, .. } = resource;
        json.member("resource", |json| {
            json.list("attributes", attributes, key_value);
            json.number("droppedAttributesCount", i64::from(*dropped_attributes_count));
        });
    }
    json.list("scopeSpans", &entry.scope_spans, scope_spans);
    json.string("schemaUrl", &entry.schema_url);
}

fn scope_spans(json: &mut Json, entry: &ScopeSpans) {
    if let Some(InstrumentationScope { name, version, attributes, dropped_attributes_count }) = &entry.scope {
        json.member("scope", |json| {
            json.string("name", name);
            json.string("version", version);
            json.list("attributes", attributes, key_value);
            json.number("droppedAttributesCount", i64::from(*dropped_attributes_count));
        });
    }
    json.list("spans", &entry.spans, span);
    json.string("schemaUrl", &entry.schema_url);
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

fn key_value(json: &mut Json, pair: &KeyValue) {
    json.string("key", &pair.key);
    if let Some(value) = &pair.value {
        json.member("value", |json| any_value(json, value));
    }
}

fn any_value(json: &mut Json, value: &AnyValue) {
    match &value.value {
        Some(Value::StringValue(text)) => {
            json.name("stringValue");
            json.quoted(text);
        }
        Some(Value::BoolValue(truth)) => {
            json.name("boolValue");
            json.text.push_str(if *truth { "true" } else { "false" });
        }
        Some(Value::IntValue(number)) => {
            json.name("intValue");
            json.format(format_args!("\"{number}\""));
        }
        Some(Value::DoubleValue(number)) => {
            json.name("doubleValue");
            json.format(format_args!("{number}"));
        }
        Some(Value::ArrayValue(array)) => {
            json.member("arrayValue", |json| json.list("values", &array.values, any_value));
        }
        Some(Value::KvlistValue(list)) => {
            json.member("kvlistValue", |json| json.list("values", &list.values, key_value));
        }
        Some(Value::BytesValue(_) | Value::StringValueStrindex(_)) | None => {}
    }
}
