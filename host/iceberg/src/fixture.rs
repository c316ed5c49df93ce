//! What the tests of this crate share: a small table, its files, its catalogs.

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, FormatVersion, Literal, NestedField, PrimitiveType,
    Schema, Struct, TableMetadata, TableMetadataBuilder, Type,
};
use iceberg::{NamespaceIdent, TableCreation, TableIdent};
use tempfile::TempDir;

use crate::catalog::{Catalog, CatalogConfig, Loaded};
use crate::snapshot::{self, Operation, Staged};
use crate::store::{S3Options, Store};
use crate::table::arrangement;

pub(crate) mod ledger;

pub(crate) fn schema() -> Schema {
    let optional = |id, name: &str, p| Arc::new(NestedField::optional(id, name, Type::Primitive(p)));
    Schema::builder()
        .with_fields([
            optional(1, "timestamp", PrimitiveType::Timestamptz),
            optional(2, "service", PrimitiveType::String),
            optional(3, "trace_id", PrimitiveType::String),
            optional(4, "duration", PrimitiveType::Double),
        ])
        .build()
        .unwrap()
}

pub(crate) fn creation(partition: &[String], sort: &[String], properties: &[(&str, &str)]) -> TableCreation {
    let schema = schema();
    TableCreation::builder()
        .name("spans".to_string())
        .partition_spec(arrangement::partition_spec(&schema, partition).unwrap())
        .sort_order(arrangement::sort_order(&schema, sort).unwrap())
        .properties(properties.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<HashMap<_, _>>())
        .format_version(FormatVersion::V2)
        .schema(schema)
        .build()
}

pub(crate) fn metadata(partition: &[String], sort: &[String]) -> TableMetadata {
    let mut creation = creation(partition, sort, &[]);
    creation.location = Some("/lake/spans".to_string());
    TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata
}

pub(crate) fn ident() -> TableIdent {
    TableIdent::new(NamespaceIdent::new("telemetry".to_string()), "spans".to_string())
}

/// A lake in a folder of its own.
pub(crate) struct Lake {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
}

pub(crate) async fn hadoop() -> Lake {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("file://{}", folder.path().display()), S3Options::default()).unwrap();
    let catalog = Catalog::open(CatalogConfig::Hadoop, store.clone()).await.unwrap();
    Lake { folder, store, catalog }
}

pub(crate) async fn sqlite() -> Lake {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("file://{}", folder.path().display()), S3Options::default()).unwrap();
    let uri = format!("sqlite://{}/catalog.db", folder.path().display());
    let config = CatalogConfig::Sql { uri, name: "lake".to_string() };
    let catalog = Catalog::open(config, store.clone()).await.unwrap();
    Lake { folder, store, catalog }
}

impl Lake {
    pub(crate) async fn create(&self, properties: &[(&str, &str)]) -> Loaded {
        self.catalog.ensure_namespace(&ident().namespace).await.unwrap();
        self.catalog.create(&ident(), creation(&[], &[], properties)).await.unwrap()
    }

    /// A snapshot with one file of `rows` rows, staged on a head.
    pub(crate) async fn stage(&self, base: &Loaded, rows: u64) -> Staged {
        let files = [data_file(rows)];
        let added = if rows == 0 { &files[..0] } else { &files[..] };
        let operation = Operation { added, now_ms: base.metadata.last_updated_ms(), ..Operation::default() };
        snapshot::stage(&self.store.file_io(), &base.metadata, operation).await.unwrap()
    }

    /// Appends on the newest head; panics if somebody else is quicker.
    pub(crate) async fn append(&self, rows: u64) -> Loaded {
        let base = self.catalog.load(&ident()).await.unwrap();
        let staged = self.stage(&base, rows).await;
        self.catalog.replace(&ident(), &base, staged.requirements, staged.updates).await.unwrap()
    }
}

/// A data file's description; nothing is at its path.
pub(crate) fn data_file(rows: u64) -> DataFile {
    data_file_in(rows, Struct::empty())
}

pub(crate) fn data_file_in(rows: u64, partition: Struct) -> DataFile {
    DataFileBuilder::default()
        .content(DataContentType::Data)
        .file_path(format!("/lake/data/{}.parquet", uuid::Uuid::new_v4()))
        .file_format(DataFileFormat::Parquet)
        .partition(partition)
        .record_count(rows)
        .file_size_in_bytes(rows * 10)
        .build()
        .unwrap()
}

pub(crate) fn partition(values: &[&str]) -> Struct {
    values.iter().map(|v| Some(Literal::string(*v))).collect()
}

/// Rows that the head's summary counts.
pub(crate) fn total_records(metadata: &TableMetadata) -> u64 {
    let summary = metadata.current_snapshot().unwrap().summary();
    summary.additional_properties["total-records"].parse().unwrap()
}
