//! `[sink.iceberg]` and its tables.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::catalog::Catalog;
use crate::config::flaw::Flaw;
use crate::config::layout::{PartitionField, SortField};
use crate::config::pipeline::{IcebergSink, S3, Table, TableName};
use crate::config::quantity;
use crate::config::secret::Secret;
use crate::config::section::{Item, Section};
use crate::config::shape;

use super::{catalog, table_name};

/// Shorter is fresher, and makes more and smaller files.
const COMMIT_INTERVAL: Duration = Duration::from_secs(30);

pub(super) fn iceberg(section: &Section<'_>) -> Option<IcebergSink> {
    let catalog = catalog::catalog(section);
    let commit_interval = section.parse("commit_interval", |text| quantity::duration_within(text, "100ms"..="1h"));
    let s3 = section.section("s3", &shape::S3).map(|section| s3(&section));
    let tables = section.need("tables", "add a section [sink.iceberg.tables.spans] with name = \"telemetry.traces\"");
    let tables = tables.and_then(|item| tables_of(&item));
    let s3 = s3.map_or(Some(None), |s3| s3.map(Some));
    let (catalog, s3) = (catalog?, s3?);
    if let (Some(item), Some(warehouse)) = (section.get("s3"), warehouse(&catalog))
        && s3.is_some()
    {
        let message = format!("the warehouse is a folder, {warehouse}: [sink.iceberg.s3] would do nothing");
        item.flaw(Flaw::new(message, "leave the section out, or write warehouse = \"s3://bucket/path\""));
    }
    Some(IcebergSink { catalog, commit_interval: commit_interval.unwrap_or(COMMIT_INTERVAL), s3, tables: tables? })
}

/// The warehouse, where it is certain to be a local folder.
fn warehouse(catalog: &Catalog) -> Option<String> {
    match catalog {
        Catalog::Hadoop { warehouse } | Catalog::Sqlite { warehouse, .. } | Catalog::Postgres { warehouse, .. } => {
            warehouse.local_path().map(|path| path.display().to_string())
        }
        Catalog::Rest(_) => None,
    }
}

fn s3(section: &Section<'_>) -> Option<S3> {
    let endpoint = match section.get("endpoint") {
        Some(item) => Some(item.parse(|text| catalog::http_url(text, "endpoint", "http://localhost:9000"))?),
        None => None,
    };
    let region = section.get("region").map(|item| item.parse(not_empty));
    let path_style = section.get("path_style").map(|item| item.boolean());
    let id = section.get("access_key_id").map(|item| item.parse(not_empty));
    let secret = section.get("secret_access_key").map(|item| item.parse(not_empty));
    let keys = match (id, secret) {
        (Some(id), Some(secret)) => Some((Secret::new(id?), Secret::new(secret?))),
        (None, None) => None,
        (id, _) => {
            let (there, other) = if id.is_some() {
                ("access_key_id", "secret_access_key")
            } else {
                ("secret_access_key", "access_key_id")
            };
            let span = section.get(there).map_or(section.span(), |item| item.key_span);
            let help = format!("add {other}, or leave both out: AWS's own chain then finds them");
            section.document.missing(&span, Flaw::new(format!("`{there}` stands without `{other}`"), help));
            return None;
        }
    };
    let region = region.map_or(Some(None), |region| region.map(Some))?;
    let path_style = path_style.unwrap_or(Some(endpoint.is_some()))?;
    Some(S3 { endpoint, region, path_style, keys })
}

fn not_empty(text: &str) -> Result<String, Flaw> {
    match text {
        "" => Err(Flaw::new("the value is empty", "give it a value, or leave the key out")),
        text => Ok(text.to_owned()),
    }
}

fn tables_of(item: &Item<'_>) -> Option<BTreeMap<String, Table>> {
    let entries = item.entries()?;
    if entries.is_empty() {
        item.flaw(Flaw::new("no table is named", "add a section [sink.iceberg.tables.spans]"));
        return None;
    }
    let mut tables = BTreeMap::new();
    let mut owners: BTreeMap<TableName, String> = BTreeMap::new();
    let count = entries.len();
    for entry in entries {
        let key = entry.key.to_owned();
        let Some(section) = Section::open(entry, &shape::TABLE) else { continue };
        let Some(table) = table(&section) else { continue };
        if let Some(other) = owners.insert(table.name.clone(), key.clone())
            && let Some(item) = section.get("name")
        {
            let message = format!("`{}` is the table of `{other}` already", table.name);
            item.flaw(Flaw::new(message, "rows of two kinds need two tables"));
        }
        tables.insert(key, table);
    }
    (tables.len() == count).then_some(tables)
}

fn table(section: &Section<'_>) -> Option<Table> {
    let name = section.need("name", "write name = \"telemetry.traces\"").and_then(|item| item.parse(table_name));
    let partition_by = section.get("partition_by").map_or(Some(Vec::new()), |item| {
        let fields = item.parse_each(PartitionField::parse);
        fields.filter(|fields| note_twice(&item, fields.iter().map(ToString::to_string)))
    });
    let sort_by = section.get("sort_by").map_or(Some(Vec::new()), |item| {
        let fields = item.parse_each(SortField::parse);
        fields.filter(|fields| note_twice(&item, fields.iter().map(|field| field.column.clone())))
    });
    let properties = section.get("properties").map_or(Some(BTreeMap::new()), |item| properties(&item));
    Some(Table { name: name?, partition_by: partition_by?, sort_by: sort_by?, properties: properties? })
}

/// Whether no field stands twice; notes it where one does.
fn note_twice(item: &Item<'_>, fields: impl Iterator<Item = String>) -> bool {
    let mut seen = Vec::new();
    for field in fields {
        if seen.contains(&field) {
            item.flaw(Flaw::new(format!("`{field}` stands twice in `{}`", item.key), "leave one of them out"));
            return false;
        }
        seen.push(field);
    }
    true
}

fn properties(item: &Item<'_>) -> Option<BTreeMap<String, String>> {
    let mut properties = BTreeMap::new();
    let mut whole = true;
    for entry in item.entries()? {
        let Some(value) = property(&entry) else {
            whole = false;
            continue;
        };
        properties.insert(entry.key.to_owned(), value);
    }
    whole.then_some(properties)
}

fn property(entry: &Item<'_>) -> Option<String> {
    if let toml::de::DeValue::Table(_) = entry.value {
        let help = "put the whole name in quotes: \"write.target-file-size-bytes\" = \"134217728\"";
        let message = format!("`{}` is a table; a dot outside quotes makes one", entry.key);
        entry.document.flaw(&entry.key_span, Flaw::new(message, help));
        return None;
    }
    let value = entry.scalar()?;
    let flaw = match (entry.key, value.as_str()) {
        (key, _) if key.starts_with("weir.") => {
            let message = format!("`{key}` may not be set");
            entry
                .document
                .flaw(&entry.key_span, Flaw::new(message, "weir keeps its offsets in properties of that name"));
            return None;
        }
        ("write.format.default", format) if !format.eq_ignore_ascii_case("parquet") => {
            Flaw::new(format!("weir does not write `{format}`"), "write \"parquet\", or leave the key out")
        }
        ("write.parquet.compression-codec", codec) if !is_codec(codec) => {
            let help = "write zstd, snappy, gzip, lz4, brotli or uncompressed";
            Flaw::new(format!("`{codec}` is not a compression codec"), help)
        }
        ("format-version", version) if !matches!(version, "2" | "3") => {
            Flaw::new(format!("weir does not write format version {version}"), "write \"2\" or \"3\"")
        }
        _ => return Some(value),
    };
    entry.flaw(flaw);
    None
}

fn is_codec(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "zstd" | "snappy" | "gzip" | "lz4" | "brotli" | "uncompressed" | "none"
    )
}
