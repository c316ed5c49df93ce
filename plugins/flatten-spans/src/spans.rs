//! The table `spans`: thirteen columns that are always there, those that are asked for, those that are promoted.

use crate::Odd;
use crate::optional::Optional;
use weir_sdk::flatten::{self, AttributeColumns, Choice, Origin, known};
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

/// By a span's kind as a number.
const KINDS: [&[u8]; 6] = [b"UNSPECIFIED", b"INTERNAL", b"SERVER", b"CLIENT", b"PRODUCER", b"CONSUMER"];

/// One row a span.
pub(crate) struct Spans {
    timestamp: TimestampUtc,
    trace_id: Utf8,
    span_id: Utf8,
    parent_span_id: Utf8,
    operation_name: Dictionary,
    span_kind: Dictionary,
    duration_ms: Float64,
    status_code: Int32,
    status_message: Dictionary,
    /// Values as they are: as a dictionary they cost half as much again to encode, for a quarter fewer bytes. Many
    /// differ in each span, and the codec finds those that do not.
    attributes: AttributeColumns,
    events: List<Struct<Events>>,
    origin: Origin,
    /// None, so that a span does not look for columns that nobody asked for.
    optional: Option<Box<Optional>>,
}

#[derive(Default)]
struct Events {
    timestamp: TimestampUtc,
    name: Dictionary,
    attributes: AttributeMap,
}

impl Spans {
    pub(crate) fn new(choice: &Choice) -> Self {
        Spans {
            timestamp: TimestampUtc::new(),
            trace_id: Utf8::new(),
            span_id: Utf8::new(),
            parent_span_id: Utf8::new(),
            operation_name: Dictionary::new(),
            span_kind: Dictionary::new(),
            duration_ms: Float64::new(),
            status_code: Int32::new(),
            status_message: Dictionary::new(),
            attributes: AttributeColumns::new(&choice.promote, "span", choice.promote_only),
            events: List::default(),
            origin: Origin::new(choice, &choice.columns),
            optional: Optional::new(&choice.columns).map(Box::new),
        }
    }

    /// Appends the spans of a resource.
    pub(crate) fn push_resource(&mut self, resource: &ResourceSpans<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        self.origin.begin_resource();
        for scope in resource.scopes.clone() {
            let scope = scope?;
            self.origin.begin_scope();
            for span in scope.items.clone() {
                self.origin.push(resource, &scope, &mut odd.common)?;
                self.push_span(&span?, odd)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn push_span(&mut self, span: &Span<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
        odd.common.trace_id(&mut self.trace_id, span.trace_id);
        odd.common.span_id(&mut self.span_id, span.span_id);
        odd.common.optional_span_id(&mut self.parent_span_id, span.parent_span_id);
        self.operation_name.push_option(known(span.name));
        let kind = usize::try_from(span.kind).ok().and_then(|kind| KINDS.get(kind));
        odd.unknown_kinds += u64::from(kind.is_none());
        self.span_kind.push(kind.unwrap_or(&KINDS[0]));
        odd.common.unknown_times += u64::from(end == 0);
        odd.negative_durations += u64::from(end < start);
        self.duration_ms.push(milliseconds(start, end));
        self.status_code.push(span.status.code);
        self.status_message.push_option(known(span.status.message));
        self.attributes.push(span.attributes.clone(), &mut odd.common)?;
        for event in span.events.clone() {
            self.events.items.fields.push(&event?, &mut odd.common)?;
            self.events.items.push();
        }
        self.events.close();
        if let Some(optional) = &mut self.optional {
            optional.push(span, &mut odd.common)?;
        }
        // Last: its length is the table's.
        self.timestamp.push(odd.common.micros(start));
        Ok(())
    }
}

/// The difference in milliseconds, on the nanoseconds, before anything is rounded; negative where the end comes
/// first.
fn milliseconds(start: u64, end: u64) -> f64 {
    if end >= start { (end - start) as f64 / 1e6 } else { -((start - end) as f64 / 1e6) }
}

impl Events {
    fn push(&mut self, event: &Event<'_>, odd: &mut flatten::Odd) -> Result<(), Malformed> {
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
        visit.column(service_name, "The resource's service.name.", &mut self.origin.service_name);
        visit.column(operation_name, "The span's name.", &mut self.operation_name);
        visit.column(span_kind, "UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER.", &mut self.span_kind);
        visit.column(duration_ms, "From begin to end, in milliseconds; negative as sent.", &mut self.duration_ms);
        visit.column(status_code, "0 UNSET, 1 OK, 2 ERROR.", &mut self.status_code);
        visit.column(status_message, "What the status says; NULL where that is nothing.", &mut self.status_message);
        visit.column(attributes, "The span's attributes, as text.", &mut self.attributes.map);
        visit.column(resource_attributes, "The resource's attributes, as text.", &mut self.origin.resource.map);
        visit.column(events, "What happened during the span.", &mut self.events);
        if let Some(optional) = &mut self.optional {
            optional.show_first(visit);
        }
        self.origin.scope.columns(visit);
        if let Some(optional) = &mut self.optional {
            optional.show_rest(visit);
        }
        self.origin.provenance.columns(visit);
        self.attributes.promoted.columns(visit);
        self.origin.resource.promoted.columns(visit);
    }
}
