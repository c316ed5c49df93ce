use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::fixture;

/// What a client asked.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    headers: String,
    body: String,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn has_header(&self, header: &str) -> bool {
        self.headers.to_lowercase().contains(&header.to_lowercase())
    }
}

/// A server of canned answers: status 0 closes the connection without one.
struct Server {
    uri: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start(answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/catalog", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&answer)));
            }
        });
        Self { uri, asked }
    }

    fn asked(&self, part: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|a| a.line.contains(part)).cloned().collect()
    }

    fn options(&self) -> RestOptions {
        RestOptions { uri: format!("{}/v1/", self.uri), ..RestOptions::default() }
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Vec<Asked>>>, answer: Arc<impl Fn(&Asked) -> (u16, Value)>) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.unwrap();
        assert!(n > 0);
        bytes.extend_from_slice(&chunk[..n]);
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.to_lowercase().lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
            bytes.drain(..end + 4);
            break (head, length.unwrap_or(0));
        }
    };
    while bytes.len() < length {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..n]);
    }
    let (line, headers) = head.split_once("\r\n").unwrap();
    let asked = Asked { line: line.into(), headers: headers.into(), body: String::from_utf8(bytes).unwrap() };
    let (status, body) = answer(&asked);
    log.lock().unwrap().push(asked);
    if status > 0 {
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    }
}

fn table() -> Value {
    json!({ "metadata-location": "s3://b/t/metadata/00003-x.metadata.json", "metadata": fixture::metadata(&[], &[]) })
}

fn error(message: &str, code: u16) -> Value {
    json!({ "error": { "message": message, "type": "X", "code": code } })
}

fn ident() -> TableIdent {
    TableIdent::new(NamespaceIdent::from_vec(vec!["a.b".into(), "c/d".into()]).unwrap(), "t t".to_string())
}

#[tokio::test]
async fn a_server_s_prefix_is_honoured_and_every_name_is_encoded() {
    let server = Server::start(|asked| match asked.line.contains("/v1/config") {
        true => (200, json!({ "defaults": { "prefix": "not/this" }, "overrides": { "prefix": "main/x" } })),
        false => (200, table()),
    })
    .await;
    let options = RestOptions {
        warehouse: Some("my lake".into()),
        headers: vec![("x-extra".into(), "yes".into())],
        token: Some("sesame".into()),
        ..server.options()
    };
    let rest = Rest::open(options).await.unwrap();
    let loaded = rest.load(&ident()).await.unwrap();
    assert_eq!(loaded.location, "s3://b/t/metadata/00003-x.metadata.json");
    let config = &server.asked("config")[0];
    assert!(config.line.starts_with("GET /catalog/v1/config?warehouse=my%20lake "), "{}", config.line);
    assert!(config.has_header("x-extra: yes") && config.has_header("authorization: Bearer sesame"));
    let load = &server.asked("tables")[0];
    assert!(load.line.starts_with("GET /catalog/v1/main/x/namespaces/a.b%1Fc%2Fd/tables/t%20t "), "{}", load.line);
}

#[tokio::test]
async fn only_409_is_a_conflict_and_what_may_have_been_applied_is_unknown() {
    let status = Arc::new(Mutex::new(200));
    let current = Arc::clone(&status);
    let server = Server::start(move |asked| match asked.line.starts_with("POST") {
        true => (*current.lock().unwrap(), error("branch main has changed", 409)),
        false => (200, json!({})),
    })
    .await;
    let rest = Rest::open(server.options()).await.unwrap();
    let requirements = vec![TableRequirement::RefSnapshotIdMatch { r#ref: "main".into(), snapshot_id: Some(7) }];
    let updates = vec![TableUpdate::SetProperties { updates: [("k".to_string(), "v".to_string())].into() }];
    let swap = async |code| {
        *status.lock().unwrap() = code;
        rest.replace(&ident(), requirements.clone(), updates.clone()).await.unwrap_err()
    };
    let e = swap(409).await;
    assert!(matches!(&e, SwapError::Conflict(why) if why.contains("branch main has changed")), "{e:?}");
    // 0: the connection closes without an answer.
    for code in [500, 502, 503, 504, 429, 408, 0] {
        let e = swap(code).await;
        assert!(matches!(e, SwapError::Unknown(_)), "{code}: {e:?}");
    }
    for code in [400, 403, 404, 422] {
        let e = swap(code).await;
        assert!(matches!(e, SwapError::Fatal(_)), "{code}: {e:?}");
    }
    let e = swap(200).await;
    assert!(matches!(e, SwapError::Unknown(_)), "an answer that nobody understands: {e:?}");
    let body = server.asked("POST")[0].json();
    assert_eq!(
        body,
        json!({
            "identifier": { "namespace": ["a.b", "c/d"], "name": "t t" },
            "requirements": [{ "type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 7 }],
            "updates": [{ "action": "set-properties", "updates": { "k": "v" } }],
        })
    );
}

#[tokio::test]
async fn a_token_is_fetched_once_kept_and_fetched_again_where_it_is_refused() {
    let tokens = Arc::new(Mutex::new(0));
    let given = Arc::clone(&tokens);
    let server = Server::start(move |asked| {
        if asked.line.contains("oauth") {
            *given.lock().unwrap() += 1;
            let token = format!("token-{}", given.lock().unwrap());
            return (200, json!({ "access_token": token, "token_type": "bearer", "expires_in": 3600 }));
        }
        // The first token is withdrawn after the settings were read.
        let withdrawn = asked.line.contains("tables") && asked.has_header("bearer token-1\r");
        if withdrawn { (419, error("token expired", 419)) } else { (200, table()) }
    })
    .await;
    let options = RestOptions {
        credential: Some("id:se:cret".into()),
        scope: Some("PRINCIPAL_ROLE:ALL".into()),
        ..server.options()
    };
    let rest = Rest::open(options).await.unwrap();
    rest.load(&ident()).await.unwrap();
    rest.load(&ident()).await.unwrap();
    assert_eq!(*tokens.lock().unwrap(), 2);
    let oauth = &server.asked("oauth")[0];
    assert!(oauth.line.starts_with("POST /catalog/v1/oauth/tokens "));
    assert_eq!(
        oauth.body,
        "grant_type=client_credentials&client_id=id&client_secret=se%3Acret&scope=PRINCIPAL_ROLE%3AALL"
    );
    assert_eq!(server.asked("tables").len(), 3);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let server = Server::start(|asked| match asked.line.contains("oauth") {
        // Over at once: every request needs a new one.
        true => (200, json!({ "access_token": "t", "token_type": "bearer", "expires_in": 0 })),
        false => (200, table()),
    })
    .await;
    let rest = Rest::open(RestOptions { credential: Some("secret".into()), ..server.options() }).await.unwrap();
    rest.load(&ident()).await.unwrap();
    assert_eq!(server.asked("oauth").len(), 2);
    assert!(server.asked("oauth")[0].body.starts_with("grant_type=client_credentials&client_secret=secret&"));
}

#[tokio::test]
async fn wrong_credentials_are_said_plainly_and_not_repeated_for_ever() {
    let server = Server::start(|asked| match asked.line.contains("oauth") {
        true => (401, json!({ "error": "invalid_client", "error_description": "unknown client weir" })),
        false => (401, error("who are you", 401)),
    })
    .await;
    let e = Rest::open(RestOptions { credential: Some("id:no".into()), ..server.options() }).await.unwrap_err();
    assert!(!e.is_passing());
    assert!(e.to_string().contains("refuses the token or credential") && e.to_string().contains("unknown client weir"));
    let e = Rest::open(RestOptions { token: Some("old".into()), ..server.options() }).await.unwrap_err();
    assert!(!e.is_passing() && e.to_string().contains("who are you"), "{e}");
    assert_eq!(server.asked("config").len(), 1);
}

#[tokio::test]
async fn a_table_is_made_as_the_protocol_says() {
    let server = Server::start(|asked| match asked.line.starts_with("POST") && asked.line.contains("/tables") {
        true => (200, table()),
        false if asked.line.starts_with("POST") => (409, error("exists", 409)),
        false => (200, json!({})),
    })
    .await;
    let rest = Rest::open(server.options()).await.unwrap();
    rest.ensure_namespace(&ident().namespace).await.unwrap();
    rest.create(&ident(), fixture::creation(&["day(timestamp)".into()], &["service desc".into()], &[("k", "v")]))
        .await
        .unwrap();
    let made: Vec<Value> = server.asked("/namespaces HTTP").iter().map(|a| a.json()["namespace"].clone()).collect();
    assert_eq!(made, [json!(["a.b"]), json!(["a.b", "c/d"])]);
    let body = server.asked("/tables")[0].json();
    assert_eq!((&body["name"], &body["stage-create"]), (&json!("t t"), &json!(false)));
    assert_eq!(body["properties"], json!({ "k": "v", "format-version": "2" }));
    assert_eq!(body["partition-spec"]["fields"][0]["transform"], "day");
    assert_eq!(body["write-order"]["fields"][0]["null-order"], "nulls-last");
    assert_eq!(body["schema"]["fields"][0]["name"], "timestamp");
}

#[tokio::test]
async fn a_server_that_stumbles_over_two_who_make_one_namespace_is_asked_again() {
    let (namespaces, tables) = (AtomicU32::new(0), AtomicU32::new(0));
    let server = Server::start(move |asked| {
        let is_first = |count: &AtomicU32| count.fetch_add(1, Ordering::Relaxed) == 0;
        match (asked.line.starts_with("POST"), asked.line.contains("/tables")) {
            (true, false) if is_first(&namespaces) => (500, error("UNIQUE constraint failed", 500)),
            (true, false) => (409, error("exists", 409)),
            // Made by the other one, whose metadata is what everybody gets; the proof is refused as it must be.
            (true, true) => (409, error("exists", 409)),
            (false, true) if tables.fetch_add(1, Ordering::Relaxed) < 2 => (404, error("no such table", 404)),
            (false, true) => (200, table()),
            (false, false) => (200, json!({})),
        }
    })
    .await;
    let options = crate::table::TableOptions {
        ident: ident(),
        pipeline: "p".into(),
        partition_by: Vec::new(),
        sort_by: Vec::new(),
        properties: std::collections::BTreeMap::new(),
        location: None,
        limits: crate::writer::BufferLimits { bytes_max: 1 << 20, spill_dir: std::env::temp_dir() },
    };
    let field = arrow_schema::Field::new("service", arrow_schema::DataType::Utf8, true);
    let schema = std::sync::Arc::new(arrow_schema::Schema::new(vec![field]));
    let plugin = weir_pipeline::transform::TableSchema { name: "spans".into(), doc: String::new(), schema };
    let store = crate::store::Store::open("/lake", crate::store::S3Options::default()).unwrap();
    let catalog =
        super::super::Catalog::open(super::super::CatalogConfig::Rest(server.options()), store).await.unwrap();
    crate::table::IcebergTable::open(catalog, options, &plugin).await.unwrap();
    assert_eq!(server.asked("/namespaces HTTP").len(), 3);
}

#[tokio::test]
async fn a_proof_catches_a_server_that_checks_no_requirements() {
    let careless = Server::start(|_| (200, table())).await;
    let store = crate::store::Store::open("/lake", crate::store::S3Options::default()).unwrap();
    let catalog =
        super::super::Catalog::open(super::super::CatalogConfig::Rest(careless.options()), store).await.unwrap();
    let e = catalog.prove_table(&ident()).await.unwrap_err();
    assert!(matches!(&e, CatalogError::Refused(why) if why.contains("exactly once")), "{e}");
}

#[tokio::test]
async fn every_page_of_every_namespace_is_listed() {
    let server = Server::start(|asked| {
        let line = asked.line.as_str();
        let body = if line.contains("/tables?pageToken=n%2F2") {
            json!({ "identifiers": [{ "namespace": ["a"], "name": "y" }], "next-page-token": null })
        } else if line.contains("/namespaces/a/tables") {
            json!({ "identifiers": [{ "namespace": ["a"], "name": "x" }], "next-page-token": "n/2" })
        } else if line.contains("/tables") {
            json!({ "identifiers": [] })
        } else if line.contains("parent=") {
            // Of every parent, itself included: to be asked for ever is not what anybody wants.
            json!({ "namespaces": [["a", "b"]] })
        } else {
            json!({ "namespaces": [["a"]] })
        };
        (200, body)
    })
    .await;
    let rest = Rest::open(server.options()).await.unwrap();
    let names: Vec<String> = rest.list(None).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a.x", "a.y"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_passing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let e = Rest::open(RestOptions { uri, ..RestOptions::default() }).await.unwrap_err();
    assert!(e.is_passing(), "{e}");
    let e = Rest::open(RestOptions { uri: "nonsense".into(), ..RestOptions::default() }).await.unwrap_err();
    assert!(!e.is_passing(), "{e}");
}
