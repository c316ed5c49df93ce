//! Spans put together as the Collector's batch processor does: one request, by resource and scope.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, TracesData};

use super::attributes::text;
use super::walk::{Finished, Place};

/// The version of the semantic conventions that the attributes follow.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// One request of these spans. Pods stand in the order of their first span, a pod's spans in theirs.
pub(super) fn of(spans: impl Iterator<Item = Finished>) -> TracesData {
    let mut places: Vec<Place> = Vec::new();
    let mut resource_spans: Vec<ResourceSpans> = Vec::new();
    for Finished { span, place } in spans {
        let known =
            places.iter().position(|known| std::ptr::eq(known.service, place.service) && known.pod == place.pod);
        let at = known.unwrap_or_else(|| {
            places.push(place);
            resource_spans.push(empty(place));
            places.len() - 1
        });
        if let Some(scope) = resource_spans.get_mut(at).and_then(|resource| resource.scope_spans.first_mut()) {
            scope.spans.push(span);
        }
    }
    TracesData { resource_spans }
}

/// A pod's entry without spans.
fn empty(place: Place) -> ResourceSpans {
    let Place { service, pod } = place;
    let (name, version) = service.scope;
    let scope = InstrumentationScope { name: name.to_owned(), version: version.to_owned(), ..Default::default() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans: Vec::new(), schema_url: String::new() };
    let attributes = vec![
        text("service.name", service.name),
        text("service.version", service.version),
        text("service.namespace", "shop"),
        text("service.instance.id", format!("{}-{pod}", service.name)),
        text("deployment.environment.name", "production"),
        text("host.name", format!("node-{}.eu-central.example", 1 + (pod + service.name.len() as u64) % 6)),
        text("k8s.cluster.name", "eu-central-1"),
        text("k8s.namespace.name", "shop"),
        text("k8s.pod.name", format!("{}-{:x}-{pod}", service.name, 0x6d5f_8c0b + service.name.len())),
        text("k8s.deployment.name", service.name),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.language", service.language),
        text("telemetry.sdk.version", "1.40.0"),
    ];
    let resource = Some(Resource { attributes, ..Default::default() });
    ResourceSpans { resource, scope_spans: vec![scope_spans], schema_url: SCHEMA_URL.to_owned() }
}
