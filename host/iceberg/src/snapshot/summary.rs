//! A snapshot's summary: what it did, what the table then holds, and what Weir adds.

use std::collections::HashMap;

use iceberg::spec::{Operation as Kind, SnapshotSummaryCollector, Summary, TableMetadata, TableProperties};

use super::Operation;

/// Totals with what adds to them and what takes from them (Iceberg's specification, appendix F).
const TOTALS: [(&str, &str, &str); 6] = [
    ("total-data-files", "added-data-files", "deleted-data-files"),
    ("total-delete-files", "added-delete-files", "removed-delete-files"),
    ("total-records", "added-records", "deleted-records"),
    ("total-files-size", "added-files-size", "removed-files-size"),
    ("total-position-deletes", "added-position-deletes", "removed-position-deletes"),
    ("total-equality-deletes", "added-equality-deletes", "removed-equality-deletes"),
];

pub(super) fn summary(base: &TableMetadata, kind: Kind, operation: &Operation<'_>) -> Summary {
    let mut collector = SnapshotSummaryCollector::default();
    let limit = base.properties().get(TableProperties::PROPERTY_WRITE_PARTITION_SUMMARY_LIMIT);
    collector.set_partition_summary_limit(limit.and_then(|l| l.parse().ok()).unwrap_or(0));
    let spec = base.partition_spec_by_id(operation.spec_id).unwrap_or_else(|| base.default_partition_spec());
    for file in operation.added {
        collector.add_file(file, base.current_schema().clone(), spec.clone());
    }
    for file in operation.replaced.map_or(&[][..], |replaced| replaced.files) {
        collector.remove_file(file, base.current_schema().clone(), spec.clone());
    }
    // The standard keys win over any of the same name.
    let mut properties: HashMap<String, String> = operation.summary.clone().into_iter().collect();
    properties.extend(collector.build());
    let before = base.current_snapshot().map(|snapshot| &snapshot.summary().additional_properties);
    for (total, added, removed) in TOTALS {
        let number = |of: &HashMap<String, String>, key: &str| of.get(key).and_then(|v| v.parse::<u64>().ok());
        // A predecessor that gave no total leaves it unknown.
        let Some(last) = before.map_or(Some(0), |before| number(before, total)) else { continue };
        let added = number(&properties, added).unwrap_or(0);
        let removed = number(&properties, removed).unwrap_or(0);
        properties.insert(total.to_string(), (last + added).saturating_sub(removed).to_string());
    }
    Summary { operation: kind, additional_properties: properties }
}
