//! The plugin's thirteen columns as one would fill them without its SDK: prost reads each message into structs of its
//! own, Arrow's builders take the values. Dictionaries stand where the plugin has them.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Builder, Int32Builder, ListArray, MapBuilder, MapFieldNames, RecordBatch, StringBuilder,
    StringDictionaryBuilder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use prost::Message as _;

use crate::files::plain;

const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

type Numbered = StringDictionaryBuilder<Int32Type>;

/// The rows of a call.
pub(crate) fn rows(call: &[Vec<u8>]) -> RecordBatch {
    let mut columns = Columns::new();
    for message in call {
        for resource in TracesData::decode(message.as_slice()).unwrap().resource_spans {
            let of_resource = resource.resource.map(|r| r.attributes).unwrap_or_default();
            let of_resource: Vec<_> = of_resource.into_iter().map(|a| (a.key, text(a.value))).collect();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                columns.push(&of_resource, span);
            }
        }
    }
    columns.finish()
}

/// Stops where these rows are others than the plugin's.
pub(crate) fn agree(call: &[Vec<u8>], theirs: &RecordBatch) {
    let ours = rows(call);
    for (index, field) in theirs.schema().fields().iter().enumerate() {
        let alike = |rows: &RecordBatch| cast(rows.column(index), &plain(field.data_type())).unwrap();
        assert!(ours.schema().field(index).name() == field.name(), "another column than {}", field.name());
        assert!(alike(&ours) == alike(theirs), "other values in {}", field.name());
    }
}

struct Columns {
    timestamp: TimestampMicrosecondBuilder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    parent_span_id: StringBuilder,
    service_name: Numbered,
    operation_name: Numbered,
    span_kind: Numbered,
    duration_ms: Float64Builder,
    status_code: Int32Builder,
    status_message: Numbered,
    attributes: MapBuilder<Numbered, StringBuilder>,
    resource_attributes: MapBuilder<Numbered, Numbered>,
    events: Events,
    /// Where ids become text.
    hex: String,
}

struct Events {
    lengths: Vec<usize>,
    timestamp: TimestampMicrosecondBuilder,
    name: Numbered,
    attributes: MapBuilder<Numbered, StringBuilder>,
}

fn timestamps() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_timezone("UTC")
}

fn names() -> Option<MapFieldNames> {
    Some(MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() })
}

fn attributes() -> MapBuilder<Numbered, StringBuilder> {
    MapBuilder::new(names(), Numbered::new(), StringBuilder::new())
}

impl Columns {
    fn new() -> Self {
        Self {
            timestamp: timestamps(),
            trace_id: StringBuilder::new(),
            span_id: StringBuilder::new(),
            parent_span_id: StringBuilder::new(),
            service_name: Numbered::new(),
            operation_name: Numbered::new(),
            span_kind: Numbered::new(),
            duration_ms: Float64Builder::new(),
            status_code: Int32Builder::new(),
            status_message: Numbered::new(),
            attributes: attributes(),
            resource_attributes: MapBuilder::new(names(), Numbered::new(), Numbered::new()),
            events: Events {
                lengths: Vec::new(),
                timestamp: timestamps(),
                name: Numbered::new(),
                attributes: attributes(),
            },
            hex: String::new(),
        }
    }

    fn push(&mut self, of_resource: &[(String, Option<String>)], span: Span) {
        let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
        self.timestamp.append_value((start / 1000).cast_signed());
        push_id(&mut self.trace_id, &mut self.hex, &span.trace_id);
        push_id(&mut self.span_id, &mut self.hex, &span.span_id);
        push_id(&mut self.parent_span_id, &mut self.hex, &span.parent_span_id);
        let service = of_resource.iter().find(|(key, _)| key == "service.name");
        self.service_name.append_option(service.and_then(|(_, name)| name.as_deref()));
        self.operation_name.append_option(known(&span.name));
        self.span_kind.append_value(usize::try_from(span.kind).ok().and_then(|k| KINDS.get(k)).unwrap_or(&KINDS[0]));
        self.duration_ms.append_value((i128::from(end) - i128::from(start)) as f64 / 1e6);
        let status = span.status.unwrap_or_default();
        self.status_code.append_value(status.code);
        self.status_message.append_option(known(&status.message));
        push_attributes(&mut self.attributes, span.attributes);
        for (key, value) in of_resource {
            self.resource_attributes.keys().append_value(key);
            self.resource_attributes.values().append_option(value.as_deref());
        }
        self.resource_attributes.append(true).unwrap();
        self.events.lengths.push(span.events.len());
        for event in span.events {
            self.events.timestamp.append_value((event.time_unix_nano / 1000).cast_signed());
            self.events.name.append_option(known(&event.name));
            push_attributes(&mut self.events.attributes, event.attributes);
        }
    }

    fn finish(mut self) -> RecordBatch {
        let columns: [(&str, ArrayRef); 13] = [
            ("timestamp", Arc::new(self.timestamp.finish())),
            ("trace_id", Arc::new(self.trace_id.finish())),
            ("span_id", Arc::new(self.span_id.finish())),
            ("parent_span_id", Arc::new(self.parent_span_id.finish())),
            ("service_name", Arc::new(self.service_name.finish())),
            ("operation_name", Arc::new(self.operation_name.finish())),
            ("span_kind", Arc::new(self.span_kind.finish())),
            ("duration_ms", Arc::new(self.duration_ms.finish())),
            ("status_code", Arc::new(self.status_code.finish())),
            ("status_message", Arc::new(self.status_message.finish())),
            ("attributes", Arc::new(self.attributes.finish())),
            ("resource_attributes", Arc::new(self.resource_attributes.finish())),
            ("events", self.events.finish()),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }
}

impl Events {
    fn finish(mut self) -> ArrayRef {
        let columns: [(&str, ArrayRef); 3] = [
            ("timestamp", Arc::new(self.timestamp.finish())),
            ("name", Arc::new(self.name.finish())),
            ("attributes", Arc::new(self.attributes.finish())),
        ];
        let field = |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
        let fields: Vec<Field> = columns.iter().map(field).collect();
        let items = StructArray::new(fields.into(), columns.map(|(_, column)| column).to_vec(), None);
        let element = Field::new("element", DataType::Struct(items.fields().clone()), true);
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        Arc::new(ListArray::new(Arc::new(element), offsets, Arc::new(items), None))
    }
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn push_id(column: &mut StringBuilder, hex: &mut String, id: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if id.iter().all(|byte| *byte == 0) {
        return column.append_null();
    }
    hex.clear();
    for byte in id {
        hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
        hex.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    column.append_value(&hex);
}

fn push_attributes(column: &mut MapBuilder<Numbered, StringBuilder>, attributes: Vec<KeyValue>) {
    for attribute in attributes {
        column.keys().append_value(&attribute.key);
        column.values().append_option(text(attribute.value));
    }
    column.append(true).unwrap();
}

/// A value as the plugin writes it; of those that nest, only the lists of strings that the generator has.
fn text(value: Option<AnyValue>) -> Option<String> {
    Some(match value?.value? {
        Value::StringValue(text) => text,
        Value::BoolValue(value) => value.to_string(),
        Value::IntValue(value) => value.to_string(),
        Value::DoubleValue(value) => format!("{value:?}"),
        Value::ArrayValue(list) => {
            let mut out = String::from("[");
            for (index, element) in list.values.into_iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let element = text(Some(element)).unwrap_or_default();
                write!(out, "{comma}{}", serde_json::to_string(&element).unwrap()).unwrap();
            }
            out + "]"
        }
        other => panic!("the generator makes no {other:?}"),
    })
}
