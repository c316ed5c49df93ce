//! The table `spans`: thirteen columns that are always there, those that are asked for, those that are promoted.

use crate::config::{Config, Promote};
use crate::optional::Optional;
use crate::promoted::Promoted;
use crate::{Odd, known};
use weir_sdk::otlp::{Event, Malformed, ResourceSpans, Span};
use weir_sdk::prelude::*;

/// The columns that are always there, in order.
pub(crate) const NAMES: [&str; 13] = [
    "timestamp",
    "trace_id",
    "span_id",
    "parent_span_id",
    "service_name",
    "operation_name",
    "span_kind",
    "duration_ms",
    "status_code",
    "status_message",
    "attributes",
    "resource_attributes",
    "events",
];

/// The attribute that names a service.
const SERVICE_NAME: &[u8] = b"service.name";

/// By a span's kind as a number.
const KINDS: [&[u8]; 6] = [b"UNSPECIFIED", b"INTERNAL", b"SERVER", b"CLIENT", b"PRODUCER", b"CONSUMER"];

/// One row a span.
pub(crate) struct Spans {
    timestamp: TimestampUtc,
    trace_id: Utf8,
    span_id: Utf8,
    parent_span_id: Utf8,
    service_name: Dictionary,
    operation_name: Dictionary,
    span_kind: Dictionary,
    duration_ms: Float64,
    status_code: Int32,
    status_message: Dictionary,
    /// Values as they are: as a dictionary they cost half as much again to encode, for a quarter fewer bytes. Many
    /// differ in each span, and Parquet makes its own dictionary of those that do not.
    attributes: AttributeMap,
    /// Values by number: they are the same in each row of a resource.
    resource_attributes: AttributeMap<Dictionary>,
    events: List<Struct<Events>>,
    /// None, so that a span does not look for columns that nobody asked for.
    optional: Option<Box<Optional>>,
    promoted: Promoted,
    promoted_resource: Promoted,
    /// The number of `service.name` among the resource attributes' keys.
    service_name_number: usize,
}

#[derive(Default)]
struct Events {
    timestamp: TimestampUtc,
    name: Dictionary,
    attributes: AttributeMap,
}

impl Spans {
    pub(crate) fn new(config: &Config) -> Self {
        let keys = |promote: &[Promote]| promote.iter().map(|one| one.key.clone().into_bytes()).collect::<Vec<_>>();
        let mut resource_keys = keys(&config.promote_resource);
        resource_keys.push(SERVICE_NAME.to_vec());
        Spans {
            timestamp: TimestampUtc::new(),
            trace_id: Utf8::new(),
            span_id: Utf8::new(),
            parent_span_id: Utf8::new(),
            service_name: Dictionary::new(),
            operation_name: Dictionary::new(),
            span_kind: Dictionary::new(),
            duration_ms: Float64::new(),
            status_code: Int32::new(),
            status_message: Dictionary::new(),
            attributes: AttributeMap::seeded(keys(&config.promote)),
            resource_attributes: AttributeMap::seeded(resource_keys),
            events: List::default(),
            optional: Optional::new(&config.columns).map(Box::new),
            promoted: Promoted::new(&config.promote, "span", config.promote_only),
            promoted_resource: Promoted::new(&config.promote_resource, "resource", config.promote_only),
            service_name_number: config.promote_resource.len(),
        }
    }

    /// Appends the spans of a resource. What the resource gives to each row is encoded with its first span, then
    /// repeated.
    pub(crate) fn push_resource(&mut self, resource: ResourceSpans<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        let mut is_first_of_resource = true;
        for scope in resource.scopes.clone() {
            let scope = scope?;
            let mut is_first_of_scope = true;
            for span in scope.spans.clone() {
                let span = span?;
                if is_first_of_resource {
                    self.begin_resource(&resource, odd)?;
                } else {
                    self.repeat_resource();
                }
                if let Some(optional) = &mut self.optional {
                    optional.push(&resource, is_first_of_resource, &scope, is_first_of_scope, &span, odd)?;
                }
                (is_first_of_resource, is_first_of_scope) = (false, false);
                self.push_span(&span, odd)?;
            }
        }
        Ok(())
    }

    fn begin_resource(&mut self, resource: &ResourceSpans<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        let row = self.timestamp.len();
        let (promoted, service_name_number) = (&mut self.promoted_resource, self.service_name_number);
        let mut service_name = AnyValue::Empty;
        let attributes = resource.resource.attributes.clone();
        self.resource_attributes.push_if(attributes, &mut odd.attributes, |key, attribute| {
            if key.index() == service_name_number {
                service_name = attribute.value.clone();
            }
            promoted.set(key.index(), row, attribute)
        })?;
        promoted.close(row, odd);
        match service_name {
            AnyValue::Empty | AnyValue::StringIndex => {
                odd.missing_service_names += 1;
                self.service_name.push_null();
            }
            // Its text was written to the map, and whatever is odd in it counted there.
            name => name.push_text(&mut self.service_name, &mut Default::default())?,
        }
        Ok(())
    }

    fn repeat_resource(&mut self) {
        self.resource_attributes.push_again();
        self.service_name.push_again();
        self.promoted_resource.push_again();
    }

    #[inline]
    fn push_span(&mut self, span: &Span<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        let row = self.timestamp.len();
        let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
        odd.invalid_ids += u64::from(!otlp::trace_id(&mut self.trace_id, span.trace_id));
        odd.invalid_ids += u64::from(!otlp::span_id(&mut self.span_id, span.span_id));
        let has_parent = otlp::span_id(&mut self.parent_span_id, span.parent_span_id);
        odd.invalid_ids += u64::from(!has_parent && !span.parent_span_id.is_empty());
        self.operation_name.push_option(known(span.name));
        let kind = usize::try_from(span.kind).ok().and_then(|kind| KINDS.get(kind));
        odd.unknown_kinds += u64::from(kind.is_none());
        self.span_kind.push(kind.unwrap_or(&KINDS[0]));
        odd.unknown_times += u64::from(end == 0);
        odd.negative_durations += u64::from(end < start);
        self.duration_ms.push(milliseconds(start, end));
        self.status_code.push(span.status.code);
        self.status_message.push_option(known(span.status.message));
        let promoted = &mut self.promoted;
        self.attributes.push_if(span.attributes.clone(), &mut odd.attributes, |key, attribute| {
            promoted.set(key.index(), row, attribute)
        })?;
        promoted.close(row, odd);
        for event in span.events.clone() {
            self.events.items.fields.push(&event?, odd)?;
            self.events.items.push();
        }
        self.events.close();
        // Last: its length is the table's.
        self.timestamp.push(odd.micros(start));
        Ok(())
    }
}

/// The difference in milliseconds, on the nanoseconds, before anything is rounded; negative where the end comes
/// first.
fn milliseconds(start: u64, end: u64) -> f64 {
    if end >= start { (end - start) as f64 / 1e6 } else { -((start - end) as f64 / 1e6) }
}

impl Events {
    fn push(&mut self, event: &Event<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        self.timestamp.push(odd.micros(event.time_unix_nano));
        self.name.push_option(known(event.name));
        self.attributes.push(event.attributes.clone(), &mut odd.attributes)
    }
}

impl Columns for Events {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("timestamp", "When it happened.", &mut self.timestamp);
        visit.column("name", "What happened.", &mut self.name);
        visit.column("attributes", "Its attributes, as text.", &mut self.attributes);
    }
}

impl Table for Spans {
    fn name(&self) -> &str {
        "spans"
    }

    fn doc(&self) -> &str {
        "OpenTelemetry spans, one a row."
    }

    fn rows(&self) -> usize {
        self.timestamp.len()
    }
}

impl Columns for Spans {
    fn columns(&mut self, visit: &mut dyn Visit) {
        let [timestamp, trace_id, span_id, parent_span_id, service_name, operation_name, span_kind, ..] = NAMES;
        let [.., duration_ms, status_code, status_message, attributes, resource_attributes, events] = NAMES;
        visit.column(timestamp, "When the span began.", &mut self.timestamp);
        visit.column(trace_id, "32 hex digits; NULL where the id is invalid.", &mut self.trace_id);
        visit.column(span_id, "16 hex digits; NULL where the id is invalid.", &mut self.span_id);
        visit.column(parent_span_id, "16 hex digits; NULL in a root.", &mut self.parent_span_id);
        visit.column(service_name, "The resource's service.name.", &mut self.service_name);
        visit.column(operation_name, "The span's name.", &mut self.operation_name);
        visit.column(span_kind, "UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER.", &mut self.span_kind);
        visit.column(duration_ms, "From begin to end, in milliseconds; negative as sent.", &mut self.duration_ms);
        visit.column(status_code, "0 UNSET, 1 OK, 2 ERROR.", &mut self.status_code);
        visit.column(status_message, "What the status says; NULL where that is nothing.", &mut self.status_message);
        visit.column(attributes, "The span's attributes, as text.", &mut self.attributes);
        visit.column(resource_attributes, "The resource's attributes, as text.", &mut self.resource_attributes);
        visit.column(events, "What happened during the span.", &mut self.events);
        if let Some(optional) = &mut self.optional {
            optional.columns(visit);
        }
        self.promoted.columns(visit);
        self.promoted_resource.columns(visit);
    }
}
