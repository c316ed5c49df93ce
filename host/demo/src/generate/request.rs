//! What pods say, put together as the Collector's batch processor does: one request, by resource and scope.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::attributes::text;
use super::walk::Place;

/// The version of the semantic conventions that the attributes follow.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// The items by pod. Pods stand in the order of their first item, a pod's items in theirs.
pub(super) fn by_pod<T>(items: impl Iterator<Item = (Place, T)>) -> Vec<(Place, Vec<T>)> {
    let mut pods: Vec<(Place, Vec<T>)> = Vec::new();
    for (place, item) in items {
        let is_here = |(known, _): &(Place, _)| std::ptr::eq(known.service, place.service) && known.pod == place.pod;
        match pods.iter().position(is_here) {
            Some(at) => pods[at].1.push(item),
            None => pods.push((place, vec![item])),
        }
    }
    pods
}

/// The instrumentation of a pod.
pub(super) fn scope(place: Place) -> Option<InstrumentationScope> {
    let (name, version) = place.service.scope;
    Some(InstrumentationScope { name: name.to_owned(), version: version.to_owned(), ..Default::default() })
}

/// What a pod says about itself.
pub(super) fn resource(place: Place) -> Option<Resource> {
    let Place { service, pod } = place;
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
    Some(Resource { attributes, ..Default::default() })
}
