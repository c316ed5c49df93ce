//! Table properties that name columns, kept true to what the columns are called.

use std::collections::HashMap;

use iceberg::TableUpdate;
use iceberg::spec::{Schema, TableMetadata};

/// What comes before a column's name (Iceberg's documentation, "Table properties").
const OF_COLUMNS: [&str; 5] = [
    "write.metadata.metrics.column.",
    "write.parquet.bloom-filter-enabled.column.",
    "write.parquet.bloom-filter-fpp.column.",
    "write.parquet.bloom-filter-ndv.column.",
    "write.parquet.stats-enabled.column.",
];

/// Renames the properties of renamed columns, and removes those of dropped ones.
pub(super) fn follow(head: &TableMetadata, after: &Schema) -> Vec<TableUpdate> {
    let (mut updates, mut removals) = (HashMap::new(), Vec::new());
    for (key, value) in head.properties() {
        let Some((prefix, name)) = OF_COLUMNS.iter().find_map(|p| Some((p, key.strip_prefix(p)?))) else { continue };
        let Some(id) = head.current_schema().field_id_by_name(name) else { continue };
        match after.name_by_field_id(id) {
            Some(now) if now == name => {}
            now => {
                updates.extend(now.map(|now| (format!("{prefix}{now}"), value.clone())));
                removals.push(key.clone());
            }
        }
    }
    // Two columns may have changed names with each other.
    removals.retain(|key| !updates.contains_key(key));
    let mut made = Vec::new();
    if !removals.is_empty() {
        made.push(TableUpdate::RemoveProperties { removals });
    }
    if !updates.is_empty() {
        made.push(TableUpdate::SetProperties { updates });
    }
    made
}
