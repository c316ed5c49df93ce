//! The `rest` catalog: a server of Iceberg's REST protocol does the swap, if the requirements hold.
//!
//! Only 409 says that a swap was not done because the head moved, and even that may be a proxy's second attempt seeing
//! the first. A time-out, a lost connection and any 5xx leave it open.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use iceberg::spec::TableMetadata;
use iceberg::{NamespaceIdent, TableCreation, TableIdent, TableRequirement, TableUpdate};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use weir_pipeline::sink::SwapError;

use super::{CatalogError, Loaded, Token, refused};

mod client;
#[cfg(test)]
mod tests;

use client::{Answer, Client, Failure};

/// How a server is reached and who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RestOptions {
    /// The server's address, up to but without `/v1`.
    pub uri: String,
    /// Which of the server's warehouses, where it has several.
    pub warehouse: Option<String>,
    /// A bearer token that does not change.
    pub token: Option<String>,
    /// `id:secret`, or a secret alone, for OAuth2's client credentials: tokens are fetched and renewed.
    pub credential: Option<String>,
    /// Where tokens are fetched; `{uri}/v1/oauth/tokens` where absent.
    pub oauth2_uri: Option<String>,
    /// What is asked for; `catalog` where absent.
    pub scope: Option<String>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// The path between `/v1` and the rest; the server's own where absent.
    pub prefix: Option<String>,
    /// For one request, its connection included; 60 s where absent.
    pub timeout: Option<Duration>,
}

impl fmt::Debug for RestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestOptions")
            .field("uri", &self.uri)
            .field("warehouse", &self.warehouse)
            .field("token", &self.token.as_ref().map(|_| "given"))
            .field("credential", &self.credential.as_ref().map(|_| "given"))
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// A server, and how it wants to be asked.
#[derive(Debug)]
pub(super) struct Rest {
    client: Client,
    /// `/v1`, and the prefix if there is one.
    root: String,
}

#[derive(Deserialize)]
struct ServerConfig {
    #[serde(default)]
    defaults: HashMap<String, Option<String>>,
    #[serde(default)]
    overrides: HashMap<String, Option<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LoadedTable {
    metadata_location: Option<String>,
    metadata: TableMetadata,
}

impl Rest {
    pub(super) async fn open(options: RestOptions) -> Result<Self, CatalogError> {
        let mut client = Client::new(&options)?;
        let mut path = "/v1/config".to_string();
        if let Some(warehouse) = &options.warehouse {
            path = format!("{path}?warehouse={}", encode(warehouse));
        }
        let answer = client.send(Method::GET, &path, None).await.map_err(|f| f.reading("the server's settings"))?;
        let config: ServerConfig = answer.parse()?;
        let said = |key: &str| config.overrides.get(key).cloned().flatten();
        let proposed = |key: &str| config.defaults.get(key).cloned().flatten();
        if let Some(uri) = said("uri") {
            client.set_uri(&uri);
        }
        let prefix = said("prefix").or(options.prefix).or_else(|| proposed("prefix"));
        let root = match prefix.as_deref().map(|p| p.trim_matches('/')) {
            // A prefix may have several levels, and its slashes stay.
            Some(prefix) if !prefix.is_empty() => format!("/v1/{prefix}"),
            _ => "/v1".to_string(),
        };
        Ok(Self { client, root })
    }

    fn tables(&self, namespace: &NamespaceIdent) -> String {
        format!("{}/namespaces/{}/tables", self.root, levels(namespace))
    }

    fn table(&self, ident: &TableIdent) -> String {
        format!("{}/{}", self.tables(&ident.namespace), encode(&ident.name))
    }

    pub(super) async fn load(&self, ident: &TableIdent) -> Result<Loaded, CatalogError> {
        match self.client.send(Method::GET, &self.table(ident), None).await {
            Ok(answer) => loaded(&answer),
            Err(Failure::Said { status: 404, .. }) => Err(CatalogError::NotFound(ident.clone())),
            Err(failure) => Err(failure.reading(&ident.to_string())),
        }
    }

    pub(super) async fn create(&self, ident: &TableIdent, creation: TableCreation) -> Result<Loaded, CatalogError> {
        let mut properties = creation.properties;
        properties.insert("format-version".to_string(), (creation.format_version as u8).to_string());
        let mut body = json!({
            "name": ident.name,
            "schema": creation.schema,
            "stage-create": false,
            "properties": properties,
        });
        if let Some(location) = creation.location {
            body["location"] = json!(location);
        }
        if let Some(spec) = creation.partition_spec {
            body["partition-spec"] = serde_json::to_value(spec).map_err(refused)?;
        }
        if let Some(order) = creation.sort_order {
            body["write-order"] = serde_json::to_value(order).map_err(refused)?;
        }
        match self.client.send(Method::POST, &self.tables(&ident.namespace), Some(&body)).await {
            Ok(answer) => loaded(&answer),
            Err(Failure::Said { status: 409, .. }) => Err(CatalogError::Exists(ident.clone())),
            Err(failure) => Err(failure.reading(&ident.to_string())),
        }
    }

    pub(super) async fn replace(
        &self,
        ident: &TableIdent,
        requirements: Vec<TableRequirement>,
        updates: Vec<TableUpdate>,
    ) -> Result<Loaded, SwapError> {
        let body = json!({
            "identifier": { "namespace": ident.namespace, "name": ident.name },
            "requirements": requirements,
            "updates": updates,
        });
        match self.client.send(Method::POST, &self.table(ident), Some(&body)).await {
            // It is done whatever the answer's body looks like.
            Ok(answer) => loaded(&answer).map_err(|e| SwapError::Unknown(e.to_string())),
            Err(failure) => Err(failure.swapping(ident)),
        }
    }

    pub(super) async fn list(&self, namespace: Option<&NamespaceIdent>) -> Result<Vec<TableIdent>, CatalogError> {
        #[derive(Deserialize)]
        struct Tables {
            identifiers: Vec<TableIdent>,
        }
        let namespaces = match namespace {
            Some(namespace) => vec![namespace.clone()],
            None => self.namespaces().await?,
        };
        let mut tables = Vec::new();
        for namespace in namespaces {
            for page in self.pages(&self.tables(&namespace), "the list of tables").await? {
                tables.extend(page.parse::<Tables>()?.identifiers);
            }
        }
        Ok(tables)
    }

    async fn namespaces(&self) -> Result<Vec<NamespaceIdent>, CatalogError> {
        #[derive(Deserialize)]
        struct Namespaces {
            namespaces: Vec<NamespaceIdent>,
        }
        let mut found = Vec::new();
        let mut open = vec![None];
        while let Some(parent) = open.pop() {
            let mut path = format!("{}/namespaces", self.root);
            if let Some(parent) = &parent {
                path = format!("{path}?parent={}", levels(parent));
            }
            for page in self.pages(&path, "the list of namespaces").await? {
                for namespace in page.parse::<Namespaces>()?.namespaces {
                    // A server that ignores `parent` would otherwise be asked for ever.
                    if !found.contains(&namespace) {
                        open.push(Some(namespace.clone()));
                        found.push(namespace);
                    }
                }
            }
        }
        Ok(found)
    }

    async fn pages(&self, path: &str, what: &str) -> Result<Vec<Answer>, CatalogError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Page {
            next_page_token: Option<String>,
        }
        let mut pages = Vec::new();
        let mut next = path.to_string();
        loop {
            let page = self.client.send(Method::GET, &next, None).await.map_err(|f| f.reading(what))?;
            let token = page.parse::<Page>()?.next_page_token;
            pages.push(page);
            match token {
                Some(token) if !token.is_empty() => {
                    let separator = if path.contains('?') { '&' } else { '?' };
                    next = format!("{path}{separator}pageToken={}", encode(&token));
                }
                _ => return Ok(pages),
            }
        }
    }

    pub(super) async fn ensure_namespace(&self, namespace: &NamespaceIdent) -> Result<(), CatalogError> {
        let levels: Vec<String> = namespace.to_vec();
        // Some servers want each level made, outermost first.
        for depth in 1..=levels.len() {
            let body = json!({ "namespace": levels[..depth], "properties": {} });
            match self.client.send(Method::POST, &format!("{}/namespaces", self.root), Some(&body)).await {
                Ok(_) | Err(Failure::Said { status: 409, .. }) => {}
                // It may be there, and making ones not allowed.
                Err(Failure::Said { status: 403, .. }) if depth < levels.len() => {}
                Err(failure) => return Err(failure.reading(&format!("namespace {}", levels[..depth].join(".")))),
            }
        }
        Ok(())
    }
}

fn loaded(answer: &Answer) -> Result<Loaded, CatalogError> {
    let LoadedTable { metadata_location, metadata } = answer.parse()?;
    let location = metadata_location.unwrap_or_default();
    Ok(Loaded { metadata: Arc::new(metadata), location, token: Token::Server })
}

fn levels(namespace: &NamespaceIdent) -> String {
    namespace.iter().map(|level| encode(level)).collect::<Vec<_>>().join("%1F")
}

/// Percent-encodes all that is not unreserved (RFC 3986, 2.3).
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

impl Failure {
    /// What it means for a call that can be made again.
    fn reading(self, what: &str) -> CatalogError {
        let said = format!("{what}: {self}");
        match self {
            Self::Lost(_) => CatalogError::Unavailable(said),
            Self::Said { status: 408 | 425 | 429 | 500.., .. } => CatalogError::Unavailable(said),
            Self::Said { .. } | Self::Credentials(_) => refused(said),
        }
    }

    /// What it means for a swap.
    fn swapping(self, ident: &TableIdent) -> SwapError {
        let said = format!("{ident}: {self}");
        match self {
            Self::Said { status: 409, .. } => SwapError::Conflict(said),
            Self::Lost(_) | Self::Said { status: 408 | 425 | 429 | 500.., .. } => SwapError::Unknown(said),
            Self::Said { .. } | Self::Credentials(_) => SwapError::Fatal(said),
        }
    }
}

/// A body as it is sent.
type Body<'a> = Option<&'a Value>;
