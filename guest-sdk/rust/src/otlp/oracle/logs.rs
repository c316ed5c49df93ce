//! Log records.

use super::super::{self as otlp, Malformed};
use super::*;
use opentelemetry_proto::tonic::logs::v1 as logs;

impl Oracle for logs::LogsData {
    const SIGNAL: Signal = Signal::Logs;

    fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut resource_logs = Vec::new();
        for resource in otlp::logs(value) {
            let resource = resource?;
            let mut scope_logs = Vec::new();
            for scope in resource.scopes.clone() {
                let scope = scope?;
                scope_logs.push(logs::ScopeLogs {
                    scope: Some(read_scope(&scope)?),
                    log_records: scope.items.clone().map(|item| read_record(&item?)).collect::<Result<_, _>>()?,
                    schema_url: text(scope.schema_url()?),
                });
            }
            resource_logs.push(logs::ResourceLogs {
                resource: Some(read_resource(&resource)?),
                scope_logs,
                schema_url: text(resource.schema_url()?),
            });
        }
        Ok(logs::LogsData { resource_logs })
    }

    fn normal(mut self) -> Self {
        for resource in &mut self.resource_logs {
            normal_resource(&mut resource.resource);
            for scope in &mut resource.scope_logs {
                normal_scope(&mut scope.scope);
                scope.log_records.iter_mut().for_each(normal_record);
            }
        }
        self
    }

    fn any() -> BoxedStrategy<Self> {
        let scopes = (any_scope(), proptest::collection::vec(any_record(), 0..3), ".{0,4}")
            .prop_map(|(scope, log_records, schema_url)| logs::ScopeLogs { scope, log_records, schema_url });
        let resources = (any_resource(), proptest::collection::vec(scopes, 0..3), ".{0,4}")
            .prop_map(|(resource, scope_logs, schema_url)| logs::ResourceLogs { resource, scope_logs, schema_url });
        proptest::collection::vec(resources, 0..3).prop_map(|resource_logs| logs::LogsData { resource_logs }).boxed()
    }

    fn scopes(&self) -> Vec<u8> {
        let all = self.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        all.flat_map(prost::Message::encode_to_vec).collect()
    }

    fn items(&self) -> Vec<u8> {
        let scopes = self.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        scopes.flat_map(|scope| &scope.log_records).flat_map(prost::Message::encode_to_vec).collect()
    }

    fn resources(&self) -> Vec<u8> {
        self.resource_logs.iter().flat_map(prost::Message::encode_to_vec).collect()
    }
}

fn read_record(record: &otlp::LogRecord<'_>) -> Result<logs::LogRecord, Malformed> {
    Ok(logs::LogRecord {
        time_unix_nano: record.time_unix_nano,
        observed_time_unix_nano: record.observed_time_unix_nano,
        severity_number: record.severity_number,
        severity_text: text(record.severity_text),
        body: record.body.as_ref().map(|body| any_value(body, 1)).transpose()?,
        attributes: attributes(record.attributes.clone(), 0)?,
        dropped_attributes_count: record.dropped_attributes_count,
        flags: record.flags,
        trace_id: record.trace_id.to_vec(),
        span_id: record.span_id.to_vec(),
        event_name: text(record.event_name),
    })
}

fn normal_record(record: &mut logs::LogRecord) {
    record.attributes.iter_mut().for_each(normal_attribute);
    record.body.iter_mut().for_each(normal_value);
}

fn any_record() -> impl Strategy<Value = logs::LogRecord> {
    let texts = (any_id(), any_id(), ".{0,4}", ".{0,4}");
    let numbers = (any::<u64>(), any::<u64>(), any::<i32>(), any::<u32>(), any::<u32>());
    (texts, numbers, any_attributes(), proptest::option::of(any_any_value())).prop_map(
        |(
            (trace_id, span_id, severity_text, event_name),
            (time_unix_nano, observed_time_unix_nano, severity_number, flags, dropped_attributes_count),
            attributes,
            body,
        )| logs::LogRecord {
            time_unix_nano,
            observed_time_unix_nano,
            severity_number,
            severity_text,
            body,
            attributes,
            dropped_attributes_count,
            flags,
            trace_id,
            span_id,
            event_name,
        },
    )
}
