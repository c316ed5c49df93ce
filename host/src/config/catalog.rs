//! The catalog that a sink writes through, and where its tables are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::location::Location;
use super::secret::Secret;

/// `catalog = { type = ... }` and `warehouse`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Catalog {
    /// A folder or a bucket's prefix is the whole lake.
    Hadoop {
        /// Where it is.
        warehouse: Location,
    },
    /// Iceberg's JDBC tables in one SQLite file.
    Sqlite {
        /// The database file, absolute.
        file: PathBuf,
        /// The catalog's name in the database: another name sees no table.
        name: String,
        /// Where new tables go.
        warehouse: Location,
    },
    /// Iceberg's JDBC tables in Postgres.
    Postgres {
        /// `postgres://user:password@host/database`.
        uri: Secret,
        /// The catalog's name in the database: another name sees no table.
        name: String,
        /// Where new tables go.
        warehouse: Location,
    },
    /// A server that speaks Iceberg's REST protocol.
    Rest(RestCatalog),
}

/// `catalog = { type = "rest", ... }`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RestCatalog {
    /// The server's base, `http://` or `https://`, without `/v1`.
    pub uri: String,
    /// What the server calls its warehouse: a name or a location, sent as written.
    pub warehouse: Option<String>,
    /// How Weir says who it is, if at all.
    pub auth: Option<RestAuth>,
    /// Headers of each request.
    pub headers: BTreeMap<String, Secret>,
}

/// How Weir says to a REST catalog who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RestAuth {
    /// A bearer token, as it is.
    Token(Secret),
    /// OAuth2 client credentials, exchanged for a token.
    Credential {
        /// `client-id:client-secret`, or the secret alone.
        credential: Secret,
        /// The scope asked for.
        scope: Option<String>,
        /// The token endpoint; the catalog's own `/v1/oauth/tokens` unless said.
        oauth2_server_uri: Option<String>,
    },
}
