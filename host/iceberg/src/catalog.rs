//! Catalogs: where a table's head is, and its one conditional write.
//!
//! One committer a protocol. Each checks the requirements on the very metadata that its swap is conditional on, and
//! says of a swap that did not succeed whether that is known ([`SwapError`]).

use std::fmt;
use std::sync::Arc;

use iceberg::spec::TableMetadata;
use iceberg::{NamespaceIdent, TableCreation, TableIdent, TableRequirement, TableUpdate};
use weir_pipeline::error::Error;
use weir_pipeline::sink::SwapError;

use crate::metadata::ApplyError;
use crate::store::{Store, StoreError};

pub mod hadoop;
pub mod rest;
pub mod sql;

pub use rest::RestOptions;

use hadoop::Hadoop;
use rest::Rest;
use sql::Sql;

/// Which catalog, and how it is reached.
#[derive(Clone, Debug)]
pub enum CatalogConfig {
    /// A folder is the whole lake: version files and a hint in each table's `metadata`.
    Hadoop,
    /// Two tables in SQLite or Postgres, which PyIceberg's and Java's catalogs share.
    Sql {
        /// `sqlite://path/to/catalog.db` or `postgresql://user@host/database`.
        uri: String,
        /// The catalog's name in these tables: the other engines' must be the same.
        name: String,
    },
    /// A server of Iceberg's REST protocol.
    Rest(RestOptions),
}

/// What makes a swap conditional, beside the requirements.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    /// `hadoop`: the version; the next one must not exist.
    Version(u64),
    /// `sql`: the metadata file's location as it stands in the row.
    Location,
    /// `rest`: the server checks the requirements.
    Server,
}

/// A table's metadata at one moment, with what a swap of it is conditional on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The metadata.
    pub metadata: Arc<TableMetadata>,
    /// Where it was read.
    pub location: String,
    token: Token,
}

/// Why a catalog did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such table.
    #[error("table {0} does not exist")]
    NotFound(TableIdent),
    /// There is one already.
    #[error("table {0} exists already")]
    Exists(TableIdent),
    /// It may work later.
    #[error("{0}")]
    Unavailable(String),
    /// It will not work until somebody changes something.
    #[error("{0}")]
    Refused(String),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogError {
    /// Whether the same call may succeed later without anybody changing a setting.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Store(e) => e.is_passing(),
            Self::NotFound(_) | Self::Exists(_) | Self::Refused(_) => false,
        }
    }
}

impl From<CatalogError> for Error {
    fn from(e: CatalogError) -> Self {
        if e.is_passing() { Self::retry(e) } else { Self::fatal(e) }
    }
}

/// A catalog. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalog {
    kind: Kind,
    store: Store,
}

#[derive(Clone, Debug)]
enum Kind {
    Hadoop(Hadoop),
    Sql(Sql),
    Rest(Arc<Rest>),
}

impl Catalog {
    /// Opens a catalog whose new tables go under the store's warehouse. Makes the tables of a `sql` catalog where they
    /// are absent; asks a `rest` server for its settings.
    ///
    /// # Errors
    /// What cannot be reached, or says no.
    pub async fn open(config: CatalogConfig, store: Store) -> Result<Self, CatalogError> {
        let kind = match config {
            CatalogConfig::Hadoop => Kind::Hadoop(Hadoop::new(store.clone())),
            CatalogConfig::Sql { uri, name } => Kind::Sql(Sql::open(&uri, name, store.clone()).await?),
            CatalogConfig::Rest(options) => Kind::Rest(Arc::new(Rest::open(options).await?)),
        };
        Ok(Self { kind, store })
    }

    /// Where this catalog's data and metadata are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads a table's newest metadata.
    pub async fn load(&self, ident: &TableIdent) -> Result<Loaded, CatalogError> {
        match &self.kind {
            Kind::Hadoop(hadoop) => hadoop.load(ident).await,
            Kind::Sql(sql) => sql.load(ident).await,
            Kind::Rest(rest) => rest.load(ident).await,
        }
    }

    /// A table as the crate `iceberg` reads it; `None` where there is none of that name.
    pub async fn table(&self, ident: &TableIdent) -> Result<Option<iceberg::table::Table>, CatalogError> {
        let loaded = match self.load(ident).await {
            Ok(loaded) => loaded,
            Err(CatalogError::NotFound(_)) => return Ok(None),
            Err(e) => return Err(e),
        };
        let unreadable = |e: iceberg::Error| CatalogError::Refused(format!("table {ident}: {e}"));
        iceberg::table::Table::builder()
            .runtime(iceberg::Runtime::try_current().map_err(unreadable)?)
            .identifier(ident.clone())
            .metadata(loaded.metadata)
            .metadata_location(loaded.location)
            .file_io(self.store.file_io())
            .readonly(true)
            .build()
            .map(Some)
            .map_err(unreadable)
    }

    /// Whether a table is there.
    pub async fn exists(&self, ident: &TableIdent) -> Result<bool, CatalogError> {
        match self.load(ident).await {
            Ok(_) => Ok(true),
            Err(CatalogError::NotFound(_)) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The tables of a namespace, or of all, in order.
    pub async fn list(&self, namespace: Option<&NamespaceIdent>) -> Result<Vec<TableIdent>, CatalogError> {
        let mut tables = match &self.kind {
            Kind::Hadoop(hadoop) => hadoop.list(namespace).await?,
            Kind::Sql(sql) => sql.list(namespace).await?,
            Kind::Rest(rest) => rest.list(namespace).await?,
        };
        tables.sort();
        Ok(tables)
    }

    /// Makes a namespace, if it is not there.
    pub async fn ensure_namespace(&self, namespace: &NamespaceIdent) -> Result<(), CatalogError> {
        match &self.kind {
            Kind::Hadoop(_) => Ok(()),
            Kind::Sql(sql) => sql.ensure_namespace(namespace).await,
            Kind::Rest(rest) => rest.ensure_namespace(namespace).await,
        }
    }

    /// Makes a table.
    ///
    /// # Errors
    /// [`CatalogError::Exists`] where somebody was first; after a passing error it may be there all the same.
    pub async fn create(&self, ident: &TableIdent, creation: TableCreation) -> Result<Loaded, CatalogError> {
        match &self.kind {
            Kind::Hadoop(hadoop) => hadoop.create(ident, creation).await,
            Kind::Sql(sql) => sql.create(ident, creation).await,
            Kind::Rest(rest) => rest.create(ident, creation).await,
        }
    }

    /// Replaces a table's metadata, if it is still `base` and meets the requirements. One attempt, no retry.
    pub async fn replace(
        &self,
        ident: &TableIdent,
        base: &Loaded,
        requirements: Vec<TableRequirement>,
        updates: Vec<TableUpdate>,
    ) -> Result<Loaded, SwapError> {
        match &self.kind {
            Kind::Hadoop(hadoop) => hadoop.replace(ident, base, &requirements, updates).await,
            Kind::Sql(sql) => sql.replace(ident, base, &requirements, updates).await,
            Kind::Rest(rest) => rest.replace(ident, requirements, updates).await,
        }
    }

    /// Proves on the real catalog and store that what must be refused is refused: the second creation of one key, a
    /// change of something that has changed. Leaves nothing behind.
    ///
    /// # Errors
    /// [`CatalogError::Refused`] for a catalog or store that lets one pass: nothing on it can be exactly once.
    pub async fn prove(&self) -> Result<(), CatalogError> {
        match &self.kind {
            Kind::Hadoop(hadoop) => hadoop.prove().await,
            Kind::Sql(sql) => sql.prove().await,
            // A server shows its requirements only on a table: `prove_table`.
            Kind::Rest(_) => Ok(()),
        }
    }

    /// Proves on a table that a false requirement is refused.
    ///
    /// # Errors
    /// As [`Self::prove`].
    pub async fn prove_table(&self, ident: &TableIdent) -> Result<(), CatalogError> {
        let base = self.load(ident).await?;
        let requirements = vec![TableRequirement::RefSnapshotIdMatch {
            r#ref: iceberg::spec::MAIN_BRANCH.to_string(),
            // No snapshot has this id: they are not negative.
            snapshot_id: Some(-2),
        }];
        let updates = vec![TableUpdate::SetProperties {
            updates: [("weir.proof".to_string(), "this catalog checks no requirements".to_string())].into(),
        }];
        match self.replace(ident, &base, requirements, updates).await {
            Err(SwapError::Conflict(_)) => Ok(()),
            Ok(_) => Err(CatalogError::Refused(format!(
                "the catalog took a change of {ident} that required a snapshot which is not there: it checks no \
                 requirements, and nothing on it can be exactly once"
            ))),
            Err(SwapError::Unknown(why)) => Err(CatalogError::Unavailable(why)),
            Err(e @ (SwapError::Fatal(_) | SwapError::Stale(_))) => Err(CatalogError::Refused(format!(
                "the catalog does not refuse a false requirement as a conflict: {e}"
            ))),
        }
    }
}

impl From<ApplyError> for SwapError {
    fn from(e: ApplyError) -> Self {
        match e {
            ApplyError::Requirement(why) => Self::Conflict(why),
            ApplyError::Invalid(_) => Self::Fatal(e.to_string()),
        }
    }
}

/// Reads a metadata file, compressed or not.
async fn read_metadata(store: &Store, location: &str) -> Result<TableMetadata, CatalogError> {
    TableMetadata::read_from(&store.file_io(), location).await.map_err(|e| {
        match std::error::Error::source(&e).and_then(|source| source.downcast_ref::<StoreError>()) {
            Some(StoreError::NotFound(location)) => StoreError::NotFound(location.clone()).into(),
            Some(source) if source.is_passing() => CatalogError::Unavailable(source.to_string()),
            Some(source) => CatalogError::Refused(source.to_string()),
            None => CatalogError::Refused(format!("{location} is no metadata that this build reads: {e}")),
        }
    })
}

/// Makes the first metadata of a table.
fn first_metadata(creation: TableCreation) -> Result<TableMetadata, CatalogError> {
    let refused = |e: iceberg::Error| CatalogError::Refused(format!("the table cannot be made: {e}"));
    let builder = iceberg::spec::TableMetadataBuilder::from_table_creation(creation).map_err(refused)?;
    Ok(builder.build().map_err(refused)?.metadata)
}

/// A part of a name that is also a folder.
fn check_name(part: &str) -> Result<(), CatalogError> {
    let bad = part.is_empty() || part == "." || part == ".." || part.contains(['/', '\\', '\0']);
    if bad { Err(CatalogError::Refused(format!("{part:?} cannot be part of a table's name"))) } else { Ok(()) }
}

/// Where a table of this name goes in a warehouse.
fn table_location(warehouse: &str, ident: &TableIdent) -> Result<String, CatalogError> {
    let mut location = warehouse.trim_end_matches('/').to_string();
    for part in ident.namespace.iter().chain([&ident.name]) {
        check_name(part)?;
        location.push('/');
        location.push_str(part);
    }
    Ok(location)
}

fn refused(what: impl fmt::Display) -> CatalogError {
    CatalogError::Refused(what.to_string())
}
