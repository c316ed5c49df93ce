//! OTLP/JSON as the Collector writes it: ids in lower-case hexadecimal, 64-bit integers as text, enums as numbers,
//! fields in the order of the `.proto` files, and none that has its default value but `status`.

pub(super) mod logs;
pub(super) mod metrics;
pub(super) mod traces;

use std::fmt::Write as _;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// A message as the Collector's `otlp_json` writes it; see [`super::Request::encode_json`].
pub fn encode_json(message: &impl super::Request) -> Vec<u8> {
    message.encode_json()
}

/// A message of these resources.
fn document<T>(name: &str, resources: &[T], members: impl FnMut(&mut Json, &T)) -> Vec<u8> {
    let mut json = Json { text: String::with_capacity(16 << 10), is_first: true };
    json.object(|json| json.list(name, resources, members));
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

    fn double(&mut self, name: &str, number: f64) {
        self.name(name);
        self.format(format_args!("{number}"));
    }

    /// A 64-bit number, which is text.
    fn long(&mut self, name: &str, number: impl std::fmt::Display) {
        self.name(name);
        self.format(format_args!("\"{number}\""));
    }

    fn truth(&mut self, name: &str, truth: bool) {
        if truth {
            self.name(name);
            self.text.push_str("true");
        }
    }

    /// Numbers one after the other: 64-bit ones as text, doubles as they are.
    fn numbers<T: std::fmt::Display>(&mut self, name: &str, numbers: &[T], quote: &str) {
        if numbers.is_empty() {
            return;
        }
        self.name(name);
        let written: Vec<_> = numbers.iter().map(|number| format!("{quote}{number}{quote}")).collect();
        self.format(format_args!("[{}]", written.join(",")));
    }

    fn format(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }
}

/// A resource or a scope with what it holds: in OTLP the two have the same shape.
fn entry<T>(
    json: &mut Json,
    (name, head): (&str, impl FnOnce(&mut Json)),
    (items_name, items): (&str, &[T]),
    members: impl FnMut(&mut Json, &T),
    schema_url: &str,
) {
    json.member(name, head);
    json.list(items_name, items, members);
    json.string("schemaUrl", schema_url);
}

fn resource(json: &mut Json, resource: Option<&Resource>) {
    if let Some(Resource { attributes, dropped_attributes_count, .. }) = resource {
        json.list("attributes", attributes, key_value);
        json.number("droppedAttributesCount", i64::from(*dropped_attributes_count));
    }
}

fn scope(json: &mut Json, scope: Option<&InstrumentationScope>) {
    if let Some(InstrumentationScope { name, version, attributes, dropped_attributes_count }) = scope {
        json.string("name", name);
        json.string("version", version);
        json.list("attributes", attributes, key_value);
        json.number("droppedAttributesCount", i64::from(*dropped_attributes_count));
    }
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
            json.long("intValue", number);
        }
        Some(Value::DoubleValue(number)) => {
            json.double("doubleValue", *number);
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
