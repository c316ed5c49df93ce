//! A real Trino server, with its connector for Iceberg.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::http;
use crate::install::component;
use crate::process::{Process, command, free_port};
use crate::scratch::Scratch;
use crate::wait::until;

/// 20 s on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(240);
/// For some seconds after its start it has no node for the scans of a catalog.
const NODES_LIMIT: Duration = Duration::from_secs(60);

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Trino {
    port: u16,
    _process: Process,
    folder: Scratch,
}

impl Trino {
    /// Starts a server without catalogs. Most tests use [`Trino::shared`].
    pub fn start() -> Self {
        let (port, folder) = (free_port(), Scratch::new("trino"));
        let process = run(&folder, port);
        Self { port, _process: process, folder }
    }

    /// The server that the tests of one binary share: each makes catalogs of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Trino> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A catalog over the rows of name `lakehouse` in a SQLite file.
    pub fn sqlite(&self, name: &str, database: &Path, warehouse: &Path) {
        let uri = format!("jdbc:sqlite:{}", database.display());
        let warehouse = format!("local://{}", warehouse.display());
        let jdbc = [
            ("iceberg.catalog.type", "jdbc"),
            ("iceberg.jdbc-catalog.catalog-name", "lakehouse"),
            ("iceberg.jdbc-catalog.driver-class", "org.sqlite.JDBC"),
            ("iceberg.jdbc-catalog.connection-url", &uri),
            ("iceberg.jdbc-catalog.default-warehouse-dir", &warehouse),
            ("iceberg.jdbc-catalog.schema-version", "V1"),
        ];
        self.catalog(name, &jdbc);
    }

    /// A catalog over a REST server whose tables are in folders.
    pub fn rest(&self, name: &str, uri: &str) {
        self.catalog(name, &[("iceberg.catalog.type", "rest"), ("iceberg.rest-catalog.uri", uri)]);
    }

    /// A catalog `name` with the table of a folder, `namespace.table`, as it is now: Trino has no hadoop catalogs, and
    /// sees of a folder what it was shown. Once more for what was committed since.
    pub fn folder(&self, name: &str, table: &str, location: &Path) {
        let metastore = self.folder.join(name);
        let (namespace, table) = table.split_once('.').expect("namespace.table");
        if metastore.exists() {
            self.sql(&format!("CALL {name}.system.unregister_table('{namespace}', '{table}')"));
        } else {
            std::fs::create_dir_all(&metastore).expect("a writable folder");
            let metastore = format!("local://{}", metastore.display());
            let properties = [
                ("iceberg.catalog.type", "TESTING_FILE_METASTORE"),
                ("hive.metastore.catalog.dir", &metastore),
                ("iceberg.register-table-procedure.enabled", "true"),
            ];
            self.catalog(name, &properties);
            self.sql(&format!("CREATE SCHEMA {name}.{namespace}"));
        }
        let location = location.display();
        self.sql(&format!("CALL {name}.system.register_table('{namespace}', '{table}', 'file://{location}')"));
    }

    fn catalog(&self, name: &str, properties: &[(&str, &str)]) {
        let mut with = "\"fs.native-local.enabled\" = 'true', \"local.location\" = '/'".to_owned();
        for (key, value) in properties {
            write!(with, ", \"{key}\" = '{value}'").expect("text takes all");
        }
        self.sql(&format!("CREATE CATALOG {name} USING iceberg WITH ({with})"));
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Panics
    /// With what Trino says.
    pub fn sql(&self, sql: &str) -> Vec<Vec<Value>> {
        until(&format!("Trino to answer {sql}"), NODES_LIMIT, || match try_sql(self.port, sql) {
            Ok(rows) => Some(rows),
            Err(why) if why.contains("NO_NODES_AVAILABLE") => None,
            Err(why) => panic!("Trino fails at {sql}:\n{why}"),
        })
    }
}

fn try_sql(port: u16, sql: &str) -> Result<Vec<Vec<Value>>, String> {
    let headers = [("X-Trino-User", "test"), ("X-Trino-Time-Zone", "UTC")];
    let page = |method: &str, path: &str, body: &str| -> Result<Value, String> {
        let answer = http::request(port, method, path, &headers, body.as_bytes()).map_err(|e| e.to_string())?;
        serde_json::from_str(&answer.body).map_err(|e| format!("{e}: {}", answer.body))
    };
    let mut answer = page("POST", "/v1/statement", sql)?;
    let mut rows: Vec<Vec<Value>> = Vec::new();
    loop {
        if let Some(error) = answer.get("error") {
            return Err(error.to_string());
        }
        if let Some(data) = answer.get("data") {
            rows.extend(serde_json::from_value::<Vec<Vec<Value>>>(data.clone()).map_err(|e| e.to_string())?);
        }
        // `http://host:port/v1/..`
        let Some(next) = answer["nextUri"].as_str().and_then(|uri| uri.splitn(4, '/').nth(3)) else { return Ok(rows) };
        answer = page("GET", &format!("/{next}"), "")?;
    }
}

fn run(folder: &Scratch, port: u16) -> Process {
    let (server, jdk) = (component("trino").join("server"), component("jdk"));
    let config = format!(
        "coordinator=true\nnode-scheduler.include-coordinator=true\nhttp-server.http.port={port}\n\
         discovery.uri=http://127.0.0.1:{port}\nquery.max-memory=600MB\nquery.max-memory-per-node=600MB\n\
         memory.heap-headroom-per-node=400MB\ncatalog.management=dynamic\n"
    );
    for (name, text) in [("config.properties", config.as_str()), ("log.properties", "io.trino=WARN\n")] {
        std::fs::write(folder.join(name), text).expect("a writable folder");
    }
    std::fs::create_dir_all(folder.join("data")).expect("a writable folder");
    // What its launcher does, without a process between: it ends with the test.
    let mut java = command(jdk.join("bin/java"));
    java.current_dir(folder.path());
    java.args(["-Xmx1536M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=256M"]);
    java.args(["-XX:+ExitOnOutOfMemoryError", "-Djdk.attach.allowAttachSelf=true"]);
    java.args(["--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"]);
    // Without the address it listens on all there are.
    java.args(["-Dnode.environment=test", "-Dnode.id=weir-test", "-Dnode.bind-ip=127.0.0.1"]);
    java.args(["-Dnode.internal-address=127.0.0.1"]);
    for (key, value) in [
        ("node.data-dir", folder.join("data")),
        ("plugin.dir", server.join("plugin")),
        ("config", folder.join("config.properties")),
        ("log.levels-file", folder.join("log.properties")),
    ] {
        java.arg(format!("-D{key}={}", value.display()));
    }
    java.arg("-cp").arg(format!("{}/lib/*", server.display())).arg("io.trino.server.TrinoServer");
    let mut process = Process::start("Trino", java, &folder.join("server.log"));
    let active = "SELECT node_id FROM system.runtime.nodes WHERE state = 'active'";
    process.wait_ready(START_LIMIT, || try_sql(port, active).is_ok_and(|nodes| !nodes.is_empty()));
    process
}
