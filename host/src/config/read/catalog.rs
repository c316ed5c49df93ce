//! `catalog = { type = ... }` and `warehouse`.

use std::collections::BTreeMap;

use crate::config::catalog::{Catalog, RestAuth, RestCatalog};
use crate::config::flaw::Flaw;
use crate::config::location::{Location, absolute};
use crate::config::secret::Secret;
use crate::config::section::{Item, Section};
use crate::config::shape;

const WAREHOUSE_HELP: &str = "write warehouse = \"./lake\" or \"s3://bucket/path\"";
/// Whose tables a SQL catalog holds, where the file does not say.
const SQL_CATALOG_NAME: &str = "lakehouse";

/// The catalog of `[sink.iceberg]`; `hadoop` unless said.
pub(super) fn catalog(sink: &Section<'_>) -> Option<Catalog> {
    let Some(item) = sink.get("catalog") else {
        return Some(Catalog::Hadoop { warehouse: warehouse(sink)? });
    };
    if let Some(text) = item.value.as_str() {
        let help = format!("write catalog = {{ type = \"{text}\" }}");
        item.flaw(Flaw::new("`catalog` must be a table, not a string", help));
        return None;
    }
    let section = Section::open(item, &shape::CATALOG)?;
    let kind = section.need("type", "write type = \"hadoop\", \"sql\" or \"rest\"")?;
    match kind.string()?.as_str() {
        "hadoop" => {
            note_foreign(&section, "hadoop", &["type"]);
            Some(Catalog::Hadoop { warehouse: warehouse(sink)? })
        }
        "sql" => {
            note_foreign(&section, "sql", &["type", "uri", "name"]);
            sql(sink, &section)
        }
        "rest" => {
            let keys = ["type", "uri", "token", "credential", "scope", "oauth2_server_uri", "headers"];
            note_foreign(&section, "rest", &keys);
            rest(sink, &section).map(Catalog::Rest)
        }
        other => {
            let message = format!("`{other}` is not a catalog");
            kind.flaw(Flaw::new(message, "write type = \"hadoop\", \"sql\" or \"rest\""));
            None
        }
    }
}

/// Notes keys that another type of catalog has.
fn note_foreign(section: &Section<'_>, kind: &str, keys: &[&str]) {
    for key in shape::CATALOG.keys.iter().filter(|key| !keys.contains(key)) {
        if let Some(item) = section.get(key) {
            let message = format!("`{key}` does nothing in a catalog of type `{kind}`");
            let flaw = Flaw::new(message, format!("the keys of `{kind}` are {}", keys.join(", ")));
            section.document.flaw(&item.key_span, flaw);
        }
    }
}

fn warehouse(sink: &Section<'_>) -> Option<Location> {
    sink.need("warehouse", WAREHOUSE_HELP)?.parse(|text| Location::parse(text, sink.document.folder()))
}

fn sql(sink: &Section<'_>, section: &Section<'_>) -> Option<Catalog> {
    enum Database {
        Sqlite(std::path::PathBuf),
        Postgres(Secret),
    }
    let uri = section.need("uri", "write uri = \"sqlite://lake/catalog.db\" or \"postgres://user@host/database\"");
    let database = uri.and_then(|item| {
        item.parse(|text| match text.split_once("://") {
            Some(("sqlite", path)) => {
                let path = path.split('?').next().unwrap_or_default();
                if path.is_empty() || path.contains(":memory:") {
                    let help = "write sqlite://folder/catalog.db, or four slashes for an absolute path";
                    return Err(Flaw::new("the catalog must be a file", help));
                }
                // sqlite:///dir is absolute to sqlx; sqlite:////dir to SQLAlchemy and PyIceberg.
                let path =
                    if path.starts_with('/') { format!("/{}", path.trim_start_matches('/')) } else { path.into() };
                Ok(Database::Sqlite(absolute(section.document.folder(), &path)))
            }
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => Ok(Database::Postgres(Secret::new(text))),
            // The text may hold a password: it is not repeated.
            _ => Err(Flaw::new(
                "the uri names neither SQLite nor Postgres",
                "write uri = \"sqlite://lake/catalog.db\" or \"postgres://user@host/database\"",
            )),
        })
    });
    let name = match section.get("name") {
        Some(item) => item.parse(|text| match text {
            "" => Err(Flaw::new("the catalog's name is empty", "write the name that other engines use for it")),
            text => Ok(text.to_owned()),
        }),
        None => Some(SQL_CATALOG_NAME.to_owned()),
    };
    let warehouse = warehouse(sink);
    let (name, warehouse) = (name?, warehouse?);
    Some(match database? {
        Database::Sqlite(file) => Catalog::Sqlite { file, name, warehouse },
        Database::Postgres(uri) => Catalog::Postgres { uri, name, warehouse },
    })
}

fn rest(sink: &Section<'_>, section: &Section<'_>) -> Option<RestCatalog> {
    let example = "https://catalog.example.com/iceberg";
    let uri = section.need("uri", &format!("write uri = \"{example}\""));
    let uri = uri.and_then(|item| item.parse(|text| http_url(text, "uri", example)));
    let warehouse = sink.get("warehouse").map(|item| {
        item.parse(|text| match text {
            "" => Err(Flaw::new("the warehouse is empty", "write what the server calls it, or leave the key out")),
            text if text.starts_with(['.', '/']) => {
                Location::parse(text, sink.document.folder()).map(|l| l.to_string())
            }
            text => Ok(text.to_owned()),
        })
    });
    let auth = auth(section);
    let headers = match section.get("headers") {
        Some(item) => headers(&item),
        None => Some(BTreeMap::new()),
    };
    let warehouse = warehouse.map_or(Some(None), |warehouse| warehouse.map(Some));
    Some(RestCatalog { uri: uri?, warehouse: warehouse?, auth: auth?, headers: headers? })
}

fn auth(section: &Section<'_>) -> Option<Option<RestAuth>> {
    let hidden = |key: &str, help: &'static str| {
        section.get(key).map(|item| {
            item.parse(|text| match text {
                "" => Err(Flaw::new(format!("`{key}` is empty"), help)),
                text => Ok(Secret::new(text)),
            })
        })
    };
    let token = hidden("token", "give the token, as in \"${CATALOG_TOKEN}\", or leave the key out");
    let credential = hidden("credential", "write \"client-id:client-secret\", as in \"${CATALOG_CREDENTIAL}\"");
    let scope = section.get("scope").map(|item| item.string());
    let server = section
        .get("oauth2_server_uri")
        .map(|item| item.parse(|text| http_url(text, "oauth2_server_uri", "https://login.example.com/oauth/token")));
    if credential.is_none() {
        for key in ["scope", "oauth2_server_uri"] {
            if let Some(item) = section.get(key) {
                let flaw =
                    Flaw::new(format!("`{key}` does nothing without `credential`"), "add credential, or leave it out");
                section.document.flaw(&item.key_span, flaw);
            }
        }
    }
    match (token, credential) {
        (Some(_), Some(_)) => {
            let span = section.get("credential").map_or(section.span(), |item| item.key_span);
            let flaw = Flaw::new("both `token` and `credential` are there", "leave one of them out");
            section.document.flaw(&span, flaw);
            None
        }
        (Some(token), None) => Some(Some(RestAuth::Token(token?))),
        (None, Some(credential)) => {
            let scope = scope.map_or(Some(None), |scope| scope.map(Some))?;
            let oauth2_server_uri = server.map_or(Some(None), |server| server.map(Some))?;
            Some(Some(RestAuth::Credential { credential: credential?, scope, oauth2_server_uri }))
        }
        (None, None) => Some(None),
    }
}

fn headers(item: &Item<'_>) -> Option<BTreeMap<String, Secret>> {
    let mut headers = BTreeMap::new();
    let mut whole = true;
    for entry in item.entries()? {
        let is_name =
            !entry.key.is_empty() && entry.key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !is_name {
            let flaw = Flaw::new(format!("`{}` is not a header's name", entry.key), "write letters, digits, - and _");
            entry.document.flaw(&entry.key_span, flaw);
            whole = false;
            continue;
        }
        match entry.scalar() {
            Some(value) => drop(headers.insert(entry.key.to_owned(), Secret::new(value))),
            None => whole = false,
        }
    }
    whole.then_some(headers)
}

/// An `http` or `https` URL with a host, without a slash at its end. Its text is not repeated: it may hold a password.
pub(super) fn http_url(text: &str, key: &str, example: &str) -> Result<String, Flaw> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(Flaw::new(format!("`{key}` is not an http or https URL"), format!("write {key} = \"{example}\""))),
    }
}
