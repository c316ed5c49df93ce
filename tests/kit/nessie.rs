//! A real Nessie: an Iceberg REST catalog that is not Iceberg's own. It names a prefix for its paths.

use std::time::Duration;

use crate::http;
use crate::install::component;
use crate::process::{Process, command, free_port};
use crate::s3::S3;
use crate::scratch::Scratch;

const START_LIMIT: Duration = Duration::from_secs(120);

/// A running catalog, its state in memory; it ends when this is dropped.
#[derive(Debug)]
pub struct Nessie {
    port: u16,
    _process: Process,
    _folder: Scratch,
}

impl Nessie {
    /// Starts an empty catalog whose warehouse is `warehouse`, an `s3://bucket/path` of the server.
    pub fn start(s3: &S3, warehouse: &str) -> Self {
        let (folder, port) = (Scratch::new("nessie"), free_port());
        let management = free_port();
        let mut server = command(component("jdk").join("bin/java"));
        server.args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        for property in [
            format!("quarkus.http.port={port}"),
            "quarkus.http.host=127.0.0.1".into(),
            format!("quarkus.management.port={management}"),
            "quarkus.management.host=127.0.0.1".into(),
            "quarkus.otel.sdk.disabled=true".into(),
            "nessie.version.store.type=IN_MEMORY".into(),
            "nessie.catalog.default-warehouse=warehouse".into(),
            format!("nessie.catalog.warehouses.warehouse.location={warehouse}"),
            format!("nessie.catalog.service.s3.default-options.endpoint={}", s3.endpoint()),
            "nessie.catalog.service.s3.default-options.path-style-access=true".into(),
            format!("nessie.catalog.service.s3.default-options.region={}", S3::REGION),
            "nessie.catalog.service.s3.default-options.access-key=urn:nessie-secret:quarkus:weir-s3".into(),
            format!("weir-s3.name={}", S3::ACCESS_KEY),
            format!("weir-s3.secret={}", S3::SECRET_KEY),
        ] {
            server.arg(format!("-D{property}"));
        }
        server.arg("-jar").arg(component("nessie").join("nessie.jar"));
        let mut process = Process::start("Nessie", server, &folder.join("server.log"));
        let ready = || http::get(port, "/iceberg/v1/config").is_ok_and(|answer| answer.status == 200);
        process.wait_ready(START_LIMIT, ready);
        Self { port, _process: process, _folder: folder }
    }

    /// The catalog's URI.
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/iceberg", self.port)
    }
}
