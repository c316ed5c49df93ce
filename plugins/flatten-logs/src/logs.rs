//! The table `logs`: eighteen columns that are always there, those that are asked for, those that are promoted.

use crate::Odd;
use weir_sdk::flatten::{AttributeColumns, Choice, Origin, ScopeColumns, asked, known, show};
use weir_sdk::otlp::{LogRecord, Malformed, ResourceLogs};
use weir_sdk::prelude::*;

/// The columns that are always there, in order.
pub(crate) const NAMES: [&str; 18] = [
    "timestamp",
    "observed_timestamp",
    "trace_id",
    "span_id",
    "service_name",
    "severity_number",
    "severity_text",
    "body",
    "event_name",
    "attributes",
    "resource_attributes",
    "scope_name",
    "scope_version",
    "scope_attributes",
    "flags",
    "dropped_attributes_count",
    "time_unix_nano",
    "observed_time_unix_nano",
];

/// The columns to choose from, in the table's order.
pub(crate) const FURTHER: [&str; 5] = [
    "body_json",
    "resource_dropped_attributes_count",
    "scope_dropped_attributes_count",
    "resource_schema_url",
    "scope_schema_url",
];

/// The severity numbers that exist, 0 for an unknown one.
const SEVERITIES: std::ops::RangeInclusive<i32> = 0..=24;

/// One row a log record.
pub(crate) struct Logs {
    timestamp: TimestampUtc,
    observed_timestamp: TimestampUtc,
    trace_id: Utf8,
    span_id: Utf8,
    severity_number: Int32,
    severity_text: Dictionary,
    /// Bodies as they are: nearly every one is different.
    body: Utf8,
    event_name: Dictionary,
    attributes: AttributeColumns,
    flags: Int64,
    dropped_attributes_count: Int64,
    time_unix_nano: Int64,
    observed_time_unix_nano: Int64,
    body_json: Option<Utf8>,
    origin: Origin,
}

impl Logs {
    pub(crate) fn new(choice: &Choice) -> Self {
        Logs {
            timestamp: TimestampUtc::new(),
            observed_timestamp: TimestampUtc::new(),
            trace_id: Utf8::new(),
            span_id: Utf8::new(),
            severity_number: Int32::new(),
            severity_text: Dictionary::new(),
            body: Utf8::new(),
            event_name: Dictionary::new(),
            attributes: AttributeColumns::new(&choice.promote, "log", choice.promote_only),
            flags: Int64::new(),
            dropped_attributes_count: Int64::new(),
            time_unix_nano: Int64::new(),
            observed_time_unix_nano: Int64::new(),
            body_json: asked(&choice.columns, "body_json"),
            origin: Origin::new(choice, &ScopeColumns::NAMES.map(str::to_owned)),
        }
    }

    /// Appends the log records of a resource.
    pub(crate) fn push_resource(&mut self, resource: &ResourceLogs<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        self.origin.begin_resource();
        for scope in resource.scopes.clone() {
            let scope = scope?;
            self.origin.begin_scope();
            for record in scope.items.clone() {
                self.origin.push(resource, &scope, &mut odd.common)?;
                self.push_record(&record?, odd)?;
            }
        }
        Ok(())
    }

    fn push_record(&mut self, record: &LogRecord<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        let common = &mut odd.common;
        common.optional_trace_id(&mut self.trace_id, record.trace_id);
        common.optional_span_id(&mut self.span_id, record.span_id);
        self.severity_number.push(record.severity_number);
        odd.unknown_severities += u64::from(!SEVERITIES.contains(&record.severity_number));
        self.severity_text.push_option(known(record.severity_text));
        self.event_name.push_option(known(record.event_name));
        match &record.body {
            Some(body) => body.push_text(&mut self.body, &mut common.attributes)?,
            None => self.body.push_null(),
        }
        match (&mut self.body_json, &record.body) {
            (None, _) => {}
            (Some(cells), None | Some(AnyValue::String(_))) => cells.push_null(),
            // Whatever is odd in it was counted with its text.
            (Some(cells), Some(body)) => cells.push_with(|out| body.write_json(out, &mut Default::default()))?,
        }
        self.attributes.push(record.attributes.clone(), common)?;
        self.flags.push(record.flags.into());
        self.dropped_attributes_count.push(record.dropped_attributes_count.into());
        let (time, observed) = (record.time_unix_nano, record.observed_time_unix_nano);
        self.time_unix_nano.push(common.nanos(time));
        self.observed_time_unix_nano.push(common.nanos(observed));
        self.observed_timestamp.push_option((observed != 0).then(|| common.micros(observed)));
        // Last: its length is the table's.
        self.timestamp.push(common.micros(if time == 0 { observed } else { time }));
        Ok(())
    }
}

impl Table for Logs {
    fn name(&self) -> &str {
        "logs"
    }

    fn doc(&self) -> &str {
        "OpenTelemetry log records, one a row."
    }

    fn rows(&self) -> usize {
        self.timestamp.len()
    }
}

impl Columns for Logs {
    fn columns(&mut self, visit: &mut dyn Visit) {
        let [timestamp, observed, trace_id, span_id, service_name, severity, severity_text, body, event_name, ..] =
            NAMES;
        let [.., attributes, resource_attributes, _, _, _, flags, dropped, time_nanos, observed_nanos] = NAMES;
        visit.column(timestamp, "When it happened, or when it was collected.", &mut self.timestamp);
        visit.column(observed, "When it was collected; NULL where unknown.", &mut self.observed_timestamp);
        visit.column(trace_id, "32 hex digits; NULL outside a trace.", &mut self.trace_id);
        visit.column(span_id, "16 hex digits; NULL outside a span.", &mut self.span_id);
        visit.column(service_name, "The resource's service.name.", &mut self.origin.service_name);
        visit.column(severity, "1 to 24, the higher the worse; 0 UNSPECIFIED.", &mut self.severity_number);
        visit.column(severity_text, "The severity as its source calls it.", &mut self.severity_text);
        visit.column(body, "What it says, as text; NULL where that is nothing.", &mut self.body);
        visit.column(event_name, "What kind of event it is.", &mut self.event_name);
        visit.column(attributes, "The log record's attributes, as text.", &mut self.attributes.map);
        visit.column(resource_attributes, "The resource's attributes, as text.", &mut self.origin.resource.map);
        self.origin.scope.columns(visit);
        visit.column(flags, "Bits 0 to 7 W3C.", &mut self.flags);
        visit.column(dropped, "Attributes that were dropped.", &mut self.dropped_attributes_count);
        visit.column(time_nanos, "When it happened, in nanoseconds; 0 unknown.", &mut self.time_unix_nano);
        let observed = &mut self.observed_time_unix_nano;
        visit.column(observed_nanos, "When it was collected, in nanoseconds; 0 unknown.", observed);
        let [body_json, ..] = FURTHER;
        show(visit, body_json, "What it says as JSON; NULL where that is a string.", &mut self.body_json);
        self.origin.provenance.columns(visit);
        self.attributes.promoted.columns(visit);
        self.origin.resource.promoted.columns(visit);
    }
}
