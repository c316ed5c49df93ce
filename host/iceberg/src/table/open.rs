//! Opening a table that exists, or making it: what is taken as it is, what is added, what is refused.
//!
//! | found | then |
//! |---|---|
//! | a column of the plugin is missing | added where it is optional, in a commit of its own; a required one: refused |
//! | a column of the plugin was renamed in the table | filled under its new name |
//! | a column of the plugin was dropped from the table | not written, and said |
//! | a column the plugin does not give | optional: NULL; required: refused |
//! | another type | a safe widening of ours to theirs is cast; the rest is refused by name, both types shown |
//! | another partitioning, order or property than the TOML's | the table's stands; said once, with the command |
//! | format version 1, or a feature that is not written here | refused, with the command where there is one |

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use iceberg::spec::{FormatVersion, PrimitiveType, Schema, TableMetadata, Transform, Type};
use iceberg::{TableCreation, TableIdent};
use weir_pipeline::error::Error;
use weir_pipeline::sink::SwapError;
use weir_pipeline::transform::TableSchema;

use super::TableOptions;
use super::arrangement::{self, ArrangementError, SortTerm, Term, spelled};
use crate::catalog::{Catalog, CatalogError, Loaded};
use crate::schema::{Former, Reconciled, SchemaError, add_columns, create_schema, reconcile};
use crate::snapshot::{self, Operation, Shape, StageError};
use crate::writer::WriteTarget;

/// Attempts to make a table or to add columns, while others do the same.
const ATTEMPTS_MAX: u32 = 20;
/// Attempts of these that may fail for a reason that passes.
const PASSING_MAX: u32 = 5;
/// The pause before the second of them; each is longer by as much.
const PAUSE: Duration = Duration::from_millis(50);

/// Properties of a new table that the TOML does not set: a commit every half minute makes three thousand metadata
/// files a day, of which somebody needs the last few.
const DEFAULTS: [(&str, &str); 3] = [
    ("write.parquet.compression-codec", "zstd"),
    ("write.metadata.delete-after-commit.enabled", "true"),
    ("write.metadata.previous-versions-max", "100"),
];

/// A column by which single rows are looked for all over a table, in no order that bounds would tell of: a bloom filter
/// in each file leaves out those that have it not. It costs about a byte and a half a distinct value.
const LOOKED_FOR: &str = "trace_id";
/// Columns of random ids whose bounds leave out no file: each file's go from about the first to the last.
const BOUNDLESS: [&str; 2] = ["span_id", "parent_span_id"];

/// Why a table cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The catalog said no.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The plugin's columns do not fit.
    #[error("table {table}: {source}")]
    Schema {
        /// The table.
        table: TableIdent,
        /// Which and why.
        source: Box<SchemaError>,
    },
    /// The TOML's partitioning or order cannot be.
    #[error("table {table}: {source}")]
    Arrangement {
        /// The table.
        table: TableIdent,
        /// Which and why.
        source: ArrangementError,
    },
    /// The table is of a kind that is not written here.
    #[error("table {table} {reason}")]
    Format {
        /// The table.
        table: TableIdent,
        /// What about it, and what can be done.
        reason: String,
    },
    /// It may work later.
    #[error("{0}")]
    Passing(String),
}

impl OpenError {
    /// Whether the same call may succeed later without anybody changing a setting.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Catalog(e) => e.is_passing(),
            Self::Passing(_) => true,
            Self::Schema { .. } | Self::Arrangement { .. } | Self::Format { .. } => false,
        }
    }
}

impl From<OpenError> for Error {
    fn from(e: OpenError) -> Self {
        if e.is_passing() { Self::retry(e) } else { Self::fatal(e) }
    }
}

/// The property that names the pipeline which made a table.
pub const MADE_BY: &str = "weir.made-by";

/// Opens or makes the table, and makes it fit.
pub(super) async fn open(catalog: &Catalog, options: &TableOptions, plugin: &TableSchema) -> Result<Loaded, OpenError> {
    let ident = &options.ident;
    let mut made = false;
    for attempt in 1.. {
        match catalog.load(ident).await {
            Ok(_) => break,
            Err(CatalogError::NotFound(_)) if attempt < ATTEMPTS_MAX => {}
            Err(e) => return Err(e.into()),
        }
        match make(catalog, options, plugin).await {
            Ok(()) => {
                made = true;
                break;
            }
            // Somebody else made it: theirs is as good.
            Err(OpenError::Catalog(CatalogError::Exists(_))) => tokio::time::sleep(PAUSE).await,
            // Or makes its namespace right now: Iceberg's own REST server answers 500 then.
            Err(e) if e.is_passing() && attempt < PASSING_MAX => tokio::time::sleep(PAUSE * attempt).await,
            Err(e) => return Err(e),
        }
    }
    catalog.prove_table(ident).await?;
    let loaded = evolve(catalog, ident, plugin).await?;
    if !made {
        say_differences(options, &loaded.metadata)?;
    }
    Ok(loaded)
}

async fn make(catalog: &Catalog, options: &TableOptions, plugin: &TableSchema) -> Result<(), OpenError> {
    catalog.ensure_namespace(&options.ident.namespace).await?;
    catalog.create(&options.ident, creation(options, plugin)?).await?;
    Ok(())
}

fn creation(options: &TableOptions, plugin: &TableSchema) -> Result<TableCreation, OpenError> {
    let table = || options.ident.clone();
    let schema = create_schema(plugin).map_err(|e| OpenError::Schema { table: table(), source: Box::new(e) })?;
    let arrange = |source| OpenError::Arrangement { table: table(), source };
    let spec = arrangement::partition_spec(&schema, &options.partition_by).map_err(arrange)?;
    let order = arrangement::sort_order(&schema, &options.sort_by).map_err(arrange)?;
    let mut properties = default_properties(&schema);
    if !plugin.doc.is_empty() {
        properties.insert("comment".to_string(), plugin.doc.clone());
    }
    properties.insert(MADE_BY.to_string(), options.pipeline.clone());
    properties.extend(options.properties.clone());
    let format_version = match properties.remove("format-version").as_deref() {
        None | Some("2") => FormatVersion::V2,
        Some("3") => FormatVersion::V3,
        Some(other) => {
            let reason = format!("cannot be made with format-version {other}: 2 and 3 are written here");
            return Err(OpenError::Format { table: table(), reason });
        }
    };
    Ok(TableCreation::builder()
        .name(options.ident.name.clone())
        .location_opt(options.location.clone())
        .schema(schema)
        .partition_spec(spec)
        .sort_order(order)
        .properties(properties)
        .format_version(format_version)
        .build())
}

fn default_properties(schema: &Schema) -> HashMap<String, String> {
    let is_text = |column: &str| {
        let found = schema.field_by_name(column);
        found.is_some_and(|f| matches!(&*f.field_type, Type::Primitive(PrimitiveType::String | PrimitiveType::Binary)))
    };
    let bloom =
        is_text(LOOKED_FOR).then(|| (format!("write.parquet.bloom-filter-enabled.column.{LOOKED_FOR}"), "true"));
    let boundless = BOUNDLESS.iter().filter(|column| is_text(column));
    let counts = boundless.map(|column| (format!("write.metadata.metrics.column.{column}"), "counts"));
    let always = DEFAULTS.iter().map(|(key, value)| ((*key).to_string(), *value));
    always.chain(bloom).chain(counts).map(|(key, value)| (key, value.to_string())).collect()
}

/// Refuses what is not written here.
pub(super) fn check_format(ident: &TableIdent, metadata: &TableMetadata) -> Result<(), OpenError> {
    let refused = |reason: String| Err(OpenError::Format { table: ident.clone(), reason });
    if metadata.format_version() == FormatVersion::V1 {
        return refused(format!(
            "has format version 1, which has no sequence numbers: ALTER TABLE {ident} SET TBLPROPERTIES \
             ('format-version' = '2')"
        ));
    }
    if let Some(key) = metadata.properties().keys().find(|key| key.starts_with("encryption.")) {
        return refused(format!("is encrypted ({key}), which is not written here"));
    }
    let spec = metadata.default_partition_spec();
    if let Some(field) = spec.fields().iter().find(|field| field.transform == Transform::Unknown) {
        return refused(format!("is partitioned by {}, whose transform is not known here", field.name));
    }
    match metadata.properties().get("write.format.default").map(|v| v.to_ascii_lowercase()) {
        Some(format) if format != "parquet" => refused(format!(
            "wants {format} files, and Parquet is written here: ALTER TABLE {ident} SET TBLPROPERTIES \
             ('write.format.default' = 'parquet')"
        )),
        _ => Ok(()),
    }
}

/// Whether a plugin's rows fit the table, or would if columns were added.
pub(super) fn check_fit(ident: &TableIdent, loaded: &Loaded, plugin: &TableSchema) -> Result<(), OpenError> {
    check_format(ident, &loaded.metadata)?;
    reconciled(ident, &loaded.metadata, plugin).map(drop)
}

fn reconciled(ident: &TableIdent, metadata: &TableMetadata, plugin: &TableSchema) -> Result<Reconciled, OpenError> {
    reconcile(metadata.current_schema(), &Former::of(metadata), plugin)
        .map_err(|e| OpenError::Schema { table: ident.clone(), source: Box::new(e) })
}

/// Loads the table and adds the columns that it lacks, until it lacks none.
pub(super) async fn evolve(catalog: &Catalog, ident: &TableIdent, plugin: &TableSchema) -> Result<Loaded, OpenError> {
    let mut last = String::new();
    for attempt in 0..ATTEMPTS_MAX {
        if attempt > 0 {
            tokio::time::sleep(PAUSE * attempt).await;
        }
        let loaded = catalog.load(ident).await?;
        check_format(ident, &loaded.metadata)?;
        let schema_error = |e| OpenError::Schema { table: ident.clone(), source: Box::new(e) };
        let current = loaded.metadata.current_schema();
        let missing = reconciled(ident, &loaded.metadata, plugin)?.missing;
        if missing.is_empty() {
            return Ok(loaded);
        }
        let names: Vec<&str> = missing.iter().map(|missing| missing.name.as_str()).collect();
        tracing::info!(table = %ident, columns = names.join(", "), "adding columns");
        let schema = add_columns(current, loaded.metadata.last_column_id(), &missing).map_err(schema_error)?;
        let operation = Operation {
            shape: Shape { schema: Some(schema), ..Shape::default() },
            spec_id: loaded.metadata.default_partition_spec_id(),
            now_ms: chrono::Utc::now().timestamp_millis(),
            ..Operation::default()
        };
        let staged = snapshot::stage(&catalog.store().file_io(), &loaded.metadata, operation).await;
        let staged = match staged {
            Ok(staged) => staged,
            Err(e @ StageError::Passing(_)) => return Err(OpenError::Passing(e.to_string())),
            Err(e) => return Err(OpenError::Format { table: ident.clone(), reason: e.to_string() }),
        };
        // Whatever came of it is read back.
        match catalog.replace(ident, &loaded, staged.requirements, staged.updates).await {
            Ok(_) => {}
            Err(SwapError::Conflict(why) | SwapError::Unknown(why)) => last = why,
            Err(e) => return Err(OpenError::Format { table: ident.clone(), reason: e.to_string() }),
        }
    }
    Err(OpenError::Passing(format!("cannot add columns to {ident} in {ATTEMPTS_MAX} attempts: {last}")))
}

/// What files are to be written for.
pub(super) fn target(ident: &TableIdent, loaded: &Loaded, plugin: &TableSchema) -> Result<WriteTarget, OpenError> {
    let reconciled = reconciled(ident, &loaded.metadata, plugin)?;
    match reconciled.missing.first() {
        None => Ok(WriteTarget { metadata: Arc::clone(&loaded.metadata), mapping: reconciled.mapping }),
        Some(missing) => Err(OpenError::Passing(format!("table {ident} has lost column {}", missing.name))),
    }
}

/// Says which of the plugin's columns the table has renamed or dropped since.
pub(super) fn say_followed(ident: &TableIdent, metadata: &TableMetadata, plugin: &TableSchema) {
    let Ok(Reconciled { followed, .. }) = reconciled(ident, metadata, plugin) else { return };
    for (column, now) in followed.renamed {
        tracing::info!(table = %ident, column, now, "the table has renamed a column of the plugin's, which is filled on");
    }
    if !followed.dropped.is_empty() {
        let columns = followed.dropped.join(", ");
        tracing::warn!(
            table = %ident,
            columns,
            "columns that the plugin gives were dropped from the table: they are not written; weir table evolve --add \
             brings back one that is wanted, for the rows to come"
        );
    }
}

/// Whether files for `then` and for `now` would be written differently.
pub(super) fn differs(then: &TableMetadata, now: &TableMetadata) -> bool {
    let written = |metadata: &TableMetadata| -> HashMap<String, String> {
        let ours = metadata.properties().iter().filter(|(key, _)| key.starts_with("write."));
        ours.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    then.current_schema() != now.current_schema()
        || then.default_partition_spec() != now.default_partition_spec()
        || then.default_sort_order() != now.default_sort_order()
        || then.location() != now.location()
        || then.format_version() != now.format_version()
        || written(then) != written(now)
}

/// Something that the TOML says and the table has otherwise.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Difference {
    what: String,
    wanted: String,
    found: String,
    /// What makes the table as the TOML says; for properties, what Spark would be told.
    command: String,
}

/// Says in what the table differs from the TOML, and how that would be changed.
fn say_differences(options: &TableOptions, metadata: &TableMetadata) -> Result<(), OpenError> {
    let table = &options.ident;
    let found =
        differences(options, metadata).map_err(|source| OpenError::Arrangement { table: table.clone(), source })?;
    for Difference { what, wanted, found, command } in found {
        tracing::warn!(%table, what, wanted, found, command, "the table is not as the pipeline says, and stays as it is");
    }
    Ok(())
}

/// In what the table differs from the TOML. What the TOML does not say is no difference.
pub(super) fn differences(
    options: &TableOptions,
    metadata: &TableMetadata,
) -> Result<Vec<Difference>, ArrangementError> {
    let table = &options.ident;
    let mut differences = Vec::new();
    let mut push = |what: &str, wanted: String, found: String, command: String| {
        differences.push(Difference { what: what.to_string(), wanted, found, command });
    };
    let wanted = spelled::<Term>(&options.partition_by)?;
    let found = arrangement::partition_terms(metadata);
    if !wanted.is_empty() && wanted != found {
        let command = format!("weir table evolve FILE {table} --partition-by {:?}", wanted.join(", "));
        push("partition_by", wanted.join(", "), found.join(", "), command);
    }
    let wanted = spelled::<SortTerm>(&options.sort_by)?;
    let found = arrangement::sort_terms(metadata);
    if !wanted.is_empty() && wanted != found {
        let command = format!("weir table evolve FILE {table} --sort-by {:?}", wanted.join(", "));
        push("sort_by", wanted.join(", "), found.join(", "), command);
    }
    for (key, wanted) in options.properties.iter().filter(|(key, _)| *key != "format-version") {
        let found = metadata.properties().get(key);
        if found != Some(wanted) {
            let command = format!("ALTER TABLE {table} SET TBLPROPERTIES ('{key}' = '{wanted}')");
            push(key, wanted.clone(), found.cloned().unwrap_or_default(), command);
        }
    }
    Ok(differences)
}
