//! A plugin to read in a minute: a small table of spans, without those of health checks. The setting `paths` says
//! which paths are health checks.

use weir_sdk::otlp::Span;
use weir_sdk::prelude::*;

const PATHS: [&str; 6] = ["/health", "/healthz", "/livez", "/readyz", "/ready", "/ping"];

/// The table; each field is a column.
#[derive(Default)]
struct Requests {
    timestamp: TimestampUtc,
    service_name: Dictionary,
    operation_name: Dictionary,
    duration_ms: Float64,
}

impl Columns for Requests {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("timestamp", "When the span began.", &mut self.timestamp);
        visit.column("service_name", "The resource's service.name.", &mut self.service_name);
        visit.column("operation_name", "The span's name.", &mut self.operation_name);
        visit.column("duration_ms", "From begin to end, in milliseconds.", &mut self.duration_ms);
    }
}

impl Table for Requests {
    fn name(&self) -> &str {
        "requests"
    }
    fn rows(&self) -> usize {
        self.timestamp.len()
    }
}

/// The plugin.
pub struct DropHealthChecks {
    paths: Vec<Vec<u8>>,
    requests: Requests,
}

impl OtlpToArrow for DropHealthChecks {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let paths = settings.list("paths").unwrap_or_else(|| PATHS.map(str::to_owned).to_vec());
        Ok(DropHealthChecks {
            paths: paths.into_iter().map(String::into_bytes).collect(),
            requests: Requests::default(),
        })
    }

    fn tables(&mut self, each: &mut dyn FnMut(&mut dyn Table)) {
        each(&mut self.requests);
    }

    fn transform(&mut self, message: &Message, context: &mut Context<'_>) -> Result<(), Refusal> {
        for resource in otlp::traces(&message.value) {
            let resource = resource?;
            let service = resource.resource.attributes.string(b"service.name")?;
            for scope in resource.scopes {
                for span in scope?.items {
                    let span = span?;
                    if self.is_health_check(&span)? {
                        context.count("health_checks", 1);
                        continue;
                    }
                    let (start, end) = (span.start_time_unix_nano as i64, span.end_time_unix_nano as i64);
                    self.requests.timestamp.push(start / 1000);
                    self.requests.service_name.push_option(service);
                    self.requests.operation_name.push(span.name);
                    self.requests.duration_ms.push(end.wrapping_sub(start) as f64 / 1e6);
                }
            }
        }
        Ok(())
    }
}

impl DropHealthChecks {
    /// By the span's name (`GET /healthz`), its route or its path.
    fn is_health_check(&self, span: &Span<'_>) -> Result<bool, Refusal> {
        let name = span.name.rsplit(|byte| *byte == b' ').next();
        let (route, path) = (span.attributes.string(b"http.route")?, span.attributes.string(b"url.path")?);
        Ok([name, route, path].iter().flatten().any(|one| self.paths.iter().any(|path| path == one)))
    }
}

weir_sdk::export!(DropHealthChecks);

#[cfg(test)]
mod tests;
