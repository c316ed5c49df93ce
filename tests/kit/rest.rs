//! A real Iceberg REST catalog: Apache Iceberg's own, over its JdbcCatalog in SQLite.

use std::time::Duration;

use crate::http;
use crate::install::component;
use crate::process::{Process, command, free_port};
use crate::s3::S3;
use crate::scratch::Scratch;

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running catalog; it ends when this is dropped, and its tables with it.
#[derive(Debug)]
pub struct Rest {
    process: Process,
    folder: Scratch,
    port: u16,
    properties: Vec<String>,
}

impl Rest {
    /// Starts an empty catalog whose warehouse is a folder of its own.
    pub fn start() -> Self {
        Self::start_with(Vec::new())
    }

    /// Starts an empty catalog whose warehouse is `warehouse`, an `s3://bucket/path` of the server.
    pub fn start_on_s3(s3: &S3, warehouse: &str) -> Self {
        Self::start_with(vec![
            format!("warehouse={warehouse}"),
            "io-impl=org.apache.iceberg.aws.s3.S3FileIO".into(),
            format!("s3.endpoint={}", s3.endpoint()),
            "s3.path-style-access=true".into(),
            format!("client.region={}", S3::REGION),
            format!("s3.access-key-id={}", S3::ACCESS_KEY),
            format!("s3.secret-access-key={}", S3::SECRET_KEY),
        ])
    }

    fn start_with(mut properties: Vec<String>) -> Self {
        let folder = Scratch::new("rest");
        if !properties.iter().any(|property| property.starts_with("warehouse=")) {
            properties.push(format!("warehouse=file://{}", folder.join("warehouse").display()));
        }
        properties.push(format!("uri=jdbc:sqlite:{}", folder.join("catalog.db").display()));
        // SQLite takes one writer; the schema is the one that other SQL catalogs know.
        properties.extend(["clients=1".to_owned(), "jdbc.schema-version=V1".to_owned()]);
        let port = free_port();
        let process = run(&folder, port, &properties);
        Self { process, folder, port, properties }
    }

    /// The catalog's URI.
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The catalog's port, for requests by hand.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the catalog with SIGKILL, as a crash would; its tables stay.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Starts the catalog again, with its tables and on its port, after [`Rest::kill9`].
    pub fn restart(&mut self) {
        self.process = run(&self.folder, self.port, &self.properties);
    }

    /// Freezes the catalog: requests hang, and what they asked may happen later.
    pub fn pause(&mut self) {
        self.process.signal("STOP");
    }

    /// Lets a frozen catalog go on.
    pub fn resume(&mut self) {
        self.process.signal("CONT");
    }
}

fn run(folder: &Scratch, port: u16, properties: &[String]) -> Process {
    let built = component("rest");
    let path = format!("{0}/classes:{0}/jars/*", built.display());
    let mut server = command("java");
    server.args(["-Xms32m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &path, "RestServer"]);
    server.arg(port.to_string()).args(properties);
    let mut process = Process::start("the REST catalog", server, &folder.join("server.log"));
    process.wait_ready(START_LIMIT, || http::get(port, "/v1/config").is_ok_and(|answer| answer.status == 200));
    process
}
