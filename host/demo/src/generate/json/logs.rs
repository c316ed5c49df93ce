//! Logs.

use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};

use super::{Json, any_value, document, entry, key_value, resource, scope};

/// A message of logs.
pub(in crate::generate) fn encode(message: &LogsData) -> Vec<u8> {
    document("resourceLogs", &message.resource_logs, resource_logs)
}

fn resource_logs(json: &mut Json, of: &ResourceLogs) {
    let head = |json: &mut Json| resource(json, of.resource.as_ref());
    entry(json, ("resource", head), ("scopeLogs", &of.scope_logs), scope_logs, &of.schema_url);
}

fn scope_logs(json: &mut Json, of: &ScopeLogs) {
    let head = |json: &mut Json| scope(json, of.scope.as_ref());
    entry(json, ("scope", head), ("logRecords", &of.log_records), log_record, &of.schema_url);
}

fn log_record(json: &mut Json, record: &LogRecord) {
    json.time("timeUnixNano", record.time_unix_nano);
    json.time("observedTimeUnixNano", record.observed_time_unix_nano);
    json.number("severityNumber", i64::from(record.severity_number));
    json.string("severityText", &record.severity_text);
    if let Some(body) = &record.body {
        json.member("body", |json| any_value(json, body));
    }
    json.list("attributes", &record.attributes, key_value);
    json.number("droppedAttributesCount", i64::from(record.dropped_attributes_count));
    json.number("flags", i64::from(record.flags));
    json.id("traceId", &record.trace_id);
    json.id("spanId", &record.span_id);
    json.string("eventName", &record.event_name);
}
