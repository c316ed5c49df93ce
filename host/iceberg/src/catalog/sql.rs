//! The `sql` catalog: a row a table in SQLite or Postgres, in the two tables that PyIceberg's SqlCatalog and Java's
//! JdbcCatalog (its schema V1, or V0 without `iceberg_type`) share.
//!
//! The swap is `UPDATE ... WHERE metadata_location = ?` in a transaction: it is done when the update touched one row and
//! the COMMIT was answered. An error at the COMMIT leaves open which it was.
//!
//! A connection on which something failed is never used again. SQLite rolls some failures back by itself and leaves
//! others to the client, and a client that counts wrong commits into a transaction that nobody ends.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iceberg::spec::TableMetadata;
use iceberg::{NamespaceIdent, TableCreation, TableIdent, TableRequirement, TableUpdate};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Connection, Executor, Row};
use uuid::Uuid;
use weir_pipeline::sink::SwapError;

use super::{CatalogError, Loaded, Token, first_metadata, read_metadata, refused, table_location};
use crate::metadata;
use crate::store::Store;

#[cfg(test)]
mod tests;

/// A commit of SQLite waits this long for another's, which takes milliseconds.
const BUSY: Duration = Duration::from_secs(30);
/// A database that does not answer within this is unavailable.
const ACQUIRE: Duration = Duration::from_secs(30);

/// The condition for a row that is a table: views may stand beside.
const IS_TABLE: &str = " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)";

const TABLES: &str = "CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL,
    table_namespace VARCHAR(255) NOT NULL,
    table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000),
    previous_metadata_location VARCHAR(1000),
    iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name))";
const PROPERTIES: &str = "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL,
    namespace VARCHAR(255) NOT NULL,
    property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000),
    PRIMARY KEY (catalog_name, namespace, property_key))";

/// A catalog in a database. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    pool: AnyPool,
    /// Connections for transactions, none of which is in one.
    idle: Arc<Mutex<Vec<AnyConnection>>>,
    name: Arc<str>,
    store: Store,
    /// Whether `iceberg_tables` has the column `iceberg_type`.
    has_type: bool,
}

impl Sql {
    pub(super) async fn open(uri: &str, name: String, store: Store) -> Result<Self, CatalogError> {
        sqlx::any::install_default_drivers();
        let is_sqlite = uri.starts_with("sqlite:");
        if !is_sqlite && !uri.starts_with("postgres://") && !uri.starts_with("postgresql://") {
            return Err(refused("the uri of a sql catalog begins with sqlite:// or postgresql://"));
        }
        let uri = if is_sqlite { sqlite_uri(uri)? } else { uri.to_string() };
        let options =
            AnyPoolOptions::new().max_connections(4).acquire_timeout(ACQUIRE).after_connect(move |connection, _| {
                Box::pin(async move {
                    if is_sqlite {
                        let busy = BUSY.as_millis();
                        connection.execute(format!("PRAGMA busy_timeout = {busy}").as_str()).await?;
                        connection.execute("PRAGMA journal_mode = WAL").await?;
                        // What a COMMIT has answered is on the disk.
                        connection.execute("PRAGMA synchronous = FULL").await?;
                    }
                    Ok(())
                })
            });
        let pool = options.connect(&uri).await.map_err(sql_error("open the catalog's database"))?;
        for statement in [TABLES, PROPERTIES] {
            if let Err(e) = pool.execute(statement).await
                // Two who make a table at once collide in Postgres in spite of IF NOT EXISTS.
                && !e.as_database_error().is_some_and(|e| e.is_unique_violation())
            {
                return Err(sql_error("make the catalog's tables")(e));
            }
        }
        let columns = if is_sqlite {
            "SELECT COUNT(*) FROM pragma_table_info('iceberg_tables') WHERE name = 'iceberg_type'"
        } else {
            "SELECT COUNT(*) FROM information_schema.columns WHERE table_name = 'iceberg_tables' \
             AND column_name = 'iceberg_type'"
        };
        let found: i64 = sqlx::query_scalar(columns).fetch_one(&pool).await.map_err(sql_error("read the catalog"))?;
        Ok(Self { pool, idle: Arc::default(), name: name.into(), store, has_type: found > 0 })
    }

    fn is_table(&self) -> &'static str {
        if self.has_type { IS_TABLE } else { "" }
    }

    pub(super) async fn load(&self, ident: &TableIdent) -> Result<Loaded, CatalogError> {
        // The file that a row names is deleted only after the row has moved on: read the row again then.
        let mut before = None;
        loop {
            let location = self.location(ident).await?;
            match read_metadata(&self.store, &location).await {
                Err(CatalogError::Store(_)) if before.as_ref() != Some(&location) => before = Some(location),
                read => {
                    return Ok(Loaded { metadata: Arc::new(read?), location, token: Token::Location });
                }
            }
        }
    }

    async fn location(&self, ident: &TableIdent) -> Result<String, CatalogError> {
        let query = format!(
            "SELECT metadata_location FROM iceberg_tables \
             WHERE catalog_name = $1 AND table_namespace = $2 AND table_name = $3{}",
            self.is_table()
        );
        let row = sqlx::query(&query)
            .bind(&*self.name)
            .bind(ident.namespace.join("."))
            .bind(&ident.name)
            .fetch_optional(&self.pool)
            .await
            .map_err(sql_error("read the catalog"))?
            .ok_or_else(|| CatalogError::NotFound(ident.clone()))?;
        let location: Option<String> = row.try_get(0).map_err(sql_error("read the catalog"))?;
        location.ok_or_else(|| refused(format!("the row of {ident} names no metadata file")))
    }

    pub(super) async fn create(&self, ident: &TableIdent, creation: TableCreation) -> Result<Loaded, CatalogError> {
        let location = match creation.location.clone() {
            Some(location) => location,
            None => table_location(self.store.warehouse(), ident)?,
        };
        let metadata = first_metadata(TableCreation { location: Some(location), ..creation })?;
        let location = file_after(None, &metadata);
        self.store.write(&location, metadata::encode(&metadata)?).await?;
        let inserted = self.insert(&mut *self.acquire().await?, ident, &location).await;
        match inserted {
            Ok(()) => Ok(Loaded { metadata: Arc::new(metadata), location, token: Token::Location }),
            Err(e) if e.as_database_error().is_some_and(|e| e.is_unique_violation()) => {
                self.delete_quietly(&location).await;
                Err(CatalogError::Exists(ident.clone()))
            }
            Err(e) => Err(sql_error("create the table in the catalog")(e)),
        }
    }

    async fn insert(&self, to: &mut AnyConnection, ident: &TableIdent, location: &str) -> Result<(), sqlx::Error> {
        let (column, value) = if self.has_type { (", iceberg_type", ", 'TABLE'") } else { ("", "") };
        let query = format!(
            "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location{column}) \
             VALUES ($1, $2, $3, $4{value})"
        );
        let query = sqlx::query(&query).bind(self.name.to_string()).bind(ident.namespace.join("."));
        query.bind(ident.name.clone()).bind(location.to_string()).execute(to).await.map(drop)
    }

    pub(super) async fn replace(
        &self,
        ident: &TableIdent,
        base: &Loaded,
        requirements: &[TableRequirement],
        updates: Vec<TableUpdate>,
    ) -> Result<Loaded, SwapError> {
        if base.token != Token::Location {
            return Err(SwapError::Fatal(format!("{ident} was loaded from another catalog")));
        }
        let applied = metadata::apply(&base.metadata, &base.location, requirements, updates)?;
        let location = file_after(Some(&base.location), &applied.metadata);
        let bytes = metadata::encode(&applied.metadata)?;
        self.store.write(&location, bytes).await.map_err(|e| SwapError::from(CatalogError::from(e)))?;
        let swapped = self.swap(ident, &base.location, &location).await;
        if matches!(swapped, Err(SwapError::Conflict(_))) {
            // The transaction was rolled back, and nobody else knows the name.
            self.delete_quietly(&location).await;
        }
        swapped?;
        if metadata::deletes_old_versions(&applied.metadata) {
            for log in &applied.expired {
                self.delete_quietly(&log.metadata_file).await;
            }
        }
        Ok(Loaded { metadata: Arc::new(applied.metadata), location, token: Token::Location })
    }

    async fn swap(&self, ident: &TableIdent, from: &str, to: &str) -> Result<(), SwapError> {
        // Whatever fails before the COMMIT is sent has changed nothing; but only the head itself is proof.
        let unknown = |e: sqlx::Error| SwapError::Unknown(format!("the catalog's database did not answer: {e}"));
        let mut connection = self.begin().await.map_err(unknown)?;
        let rows = self.update(&mut connection, ident, from, to).await.map_err(unknown)?;
        if rows != 1 {
            self.end(connection, "ROLLBACK").await.map_err(unknown)?;
            return Err(SwapError::Conflict(format!("{ident} is no longer at {from}")));
        }
        self.end(connection, "COMMIT").await.map_err(unknown)
    }

    /// A connection in a transaction. One that is dropped before [`Self::end`] is closed, which rolls back.
    async fn begin(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // The server may have closed it meanwhile.
        let is_open = match &mut idle {
            Some(idle) => idle.ping().await.is_ok(),
            None => false,
        };
        let mut connection = match idle {
            Some(idle) if is_open => idle,
            _ => self.pool.acquire().await?.detach(),
        };
        connection.execute("BEGIN").await?;
        Ok(connection)
    }

    async fn end(&self, mut connection: AnyConnection, how: &str) -> Result<(), sqlx::Error> {
        connection.execute(how).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(())
    }

    async fn update(
        &self,
        on: &mut AnyConnection,
        ident: &TableIdent,
        from: &str,
        to: &str,
    ) -> Result<u64, sqlx::Error> {
        let query = format!(
            "UPDATE iceberg_tables SET metadata_location = $1, previous_metadata_location = $2 \
             WHERE catalog_name = $3 AND table_namespace = $4 AND table_name = $5 AND metadata_location = $6{}",
            self.is_table()
        );
        let query = sqlx::query(&query).bind(to.to_string()).bind(from.to_string()).bind(self.name.to_string());
        let query = query.bind(ident.namespace.join(".")).bind(ident.name.clone()).bind(from.to_string());
        Ok(query.execute(on).await?.rows_affected())
    }

    pub(super) async fn list(&self, namespace: Option<&NamespaceIdent>) -> Result<Vec<TableIdent>, CatalogError> {
        let query = format!(
            "SELECT table_namespace, table_name FROM iceberg_tables WHERE catalog_name = $1{}",
            self.is_table()
        );
        let rows = sqlx::query(&query).bind(&*self.name).fetch_all(&self.pool).await;
        let wanted = namespace.map(|n| n.join("."));
        let mut tables = Vec::new();
        for row in rows.map_err(sql_error("list the catalog"))? {
            let space: String = row.try_get(0).map_err(sql_error("list the catalog"))?;
            let name: String = row.try_get(1).map_err(sql_error("list the catalog"))?;
            if wanted.as_ref().is_none_or(|wanted| *wanted == space) {
                let space =
                    NamespaceIdent::from_vec(space.split('.').map(str::to_string).collect()).map_err(refused)?;
                tables.push(TableIdent::new(space, name));
            }
        }
        Ok(tables)
    }

    pub(super) async fn ensure_namespace(&self, namespace: &NamespaceIdent) -> Result<(), CatalogError> {
        // The row that both other engines write for a namespace without properties.
        let query = "INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value) \
                     VALUES ($1, $2, 'exists', 'true') ON CONFLICT DO NOTHING";
        let query = sqlx::query(query).bind(self.name.to_string()).bind(namespace.join("."));
        query.execute(&self.pool).await.map(drop).map_err(sql_error("make the namespace"))
    }

    pub(super) async fn prove(&self) -> Result<(), CatalogError> {
        let failed = |e| sql_error("prove the catalog")(e);
        let name = format!("weir-proof-{}", Uuid::new_v4().simple());
        let ident = TableIdent::new(NamespaceIdent::new("weir-proof".to_string()), name);
        // Rolled back at the end: nobody sees it.
        let mut transaction = self.begin().await.map_err(failed)?;
        self.insert(&mut transaction, &ident, "first").await.map_err(failed)?;
        let stale = self.update(&mut transaction, &ident, "another", "second").await.map_err(failed)?;
        let fresh = self.update(&mut transaction, &ident, "first", "second").await.map_err(failed)?;
        let again = self.insert(&mut transaction, &ident, "first").await;
        self.end(transaction, "ROLLBACK").await.map_err(failed)?;
        if (stale, fresh) != (0, 1) {
            return Err(refused(
                "the database does not count the rows that an update touched: nothing on it can be exactly once",
            ));
        }
        match again {
            Err(e) if e.as_database_error().is_some_and(|e| e.is_unique_violation()) => Ok(()),
            Ok(()) => Err(refused(
                "iceberg_tables takes two rows of one table (it has no primary key): nothing on it can be exactly once",
            )),
            Err(e) => Err(failed(e)),
        }
    }

    async fn acquire(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Any>, CatalogError> {
        self.pool.acquire().await.map_err(sql_error("reach the catalog's database"))
    }

    async fn delete_quietly(&self, location: &str) {
        if let Err(e) = self.store.delete(location).await {
            tracing::debug!(location, error = %e, "a metadata file that nobody needs stays");
        }
    }
}

/// The next metadata file's location: numbered after the last, never used twice.
fn file_after(last: Option<&str>, metadata: &TableMetadata) -> String {
    let number = last.and_then(|last| last.rsplit('/').next()?.split('-').next()?.parse::<u32>().ok());
    let number = match last {
        // The name of somebody who counts otherwise (`v3.metadata.json`): the log is as good a count.
        Some(_) => number.map_or_else(|| metadata.metadata_log().len(), |n| n as usize + 1),
        None => 0,
    };
    let folder = metadata::folder(metadata);
    format!("{folder}/{number:05}-{}.metadata.json", Uuid::new_v4())
}

/// The database's file is made where it is absent, and its folder.
fn sqlite_uri(uri: &str) -> Result<String, CatalogError> {
    let rest = uri.strip_prefix("sqlite://").or_else(|| uri.strip_prefix("sqlite:")).unwrap_or(uri);
    let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
    if let Some(folder) = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        crate::store::local::make_folder(&std::path::absolute(folder).map_err(refused)?)
            .map_err(|e| refused(format!("cannot make the folder of {path}: {e}")))?;
    }
    let options = if options.contains("mode=") { options.to_string() } else { format!("mode=rwc&{options}") };
    Ok(format!("sqlite://{path}?{}", options.trim_end_matches('&')))
}

fn sql_error(doing: &'static str) -> impl FnOnce(sqlx::Error) -> CatalogError {
    move |e| {
        let said = format!("cannot {doing}: {e}");
        match e {
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) | sqlx::Error::ColumnDecode { .. } => {
                CatalogError::Refused(said)
            }
            // SQLSTATE class 28: wrong credentials; 3D: no such database; 42: no right, or no such table.
            sqlx::Error::Database(ref e)
                if e.code()
                    .is_some_and(|c| ["28", "3D", "42"].iter().any(|class| c.len() == 5 && c.starts_with(class))) =>
            {
                CatalogError::Refused(said)
            }
            _ => CatalogError::Unavailable(said),
        }
    }
}
