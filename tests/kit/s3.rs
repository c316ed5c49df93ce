//! A real S3 server, the Versity S3 Gateway: objects are files, conditional writes and signatures are honoured.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::install::component;
use crate::process::{Process, answers, command, free_port};
use crate::scratch::Scratch;

const START_LIMIT: Duration = Duration::from_secs(30);

/// A running server; it ends when this is dropped, and its buckets with it.
#[derive(Debug)]
pub struct S3 {
    process: Process,
    folder: Scratch,
    port: u16,
}

impl S3 {
    /// The access key that the server knows.
    pub const ACCESS_KEY: &'static str = "weir";
    /// Its secret.
    pub const SECRET_KEY: &'static str = "weir-secret";
    /// The region that signatures must name.
    pub const REGION: &'static str = "us-east-1";

    /// Starts a server without buckets.
    pub fn start() -> Self {
        let folder = Scratch::new("s3");
        for name in ["data", "metadata"] {
            std::fs::create_dir(folder.join(name)).expect("a writable folder");
        }
        let port = free_port();
        let process = run(folder.path(), port);
        Self { process, folder, port }
    }

    /// The endpoint. Clients must use the path style.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket. Its objects are the files of the folder that is returned.
    pub fn create_bucket(&self, name: &str) -> PathBuf {
        let bucket = self.folder.join("data").join(name);
        std::fs::create_dir(&bucket).unwrap_or_else(|error| panic!("cannot make the bucket {name}: {error}"));
        bucket
    }

    /// PyIceberg's properties for this server.
    pub fn pyiceberg(&self) -> Value {
        json!({"s3.endpoint": self.endpoint(), "s3.region": Self::REGION, "s3.access-key-id": Self::ACCESS_KEY,
            "s3.secret-access-key": Self::SECRET_KEY, "s3.force-virtual-addressing": "false"})
    }

    /// DuckDB's statement that makes it use this server for the bucket.
    pub fn duckdb_secret(&self, bucket: &str) -> String {
        format!(
            "CREATE OR REPLACE SECRET \"{bucket}\" (TYPE s3, SCOPE 's3://{bucket}', KEY_ID '{}', SECRET '{}', \
             REGION '{}', ENDPOINT '127.0.0.1:{}', URL_STYLE 'path', USE_SSL false)",
            Self::ACCESS_KEY,
            Self::SECRET_KEY,
            Self::REGION,
            self.port
        )
    }

    /// Kills the server with SIGKILL, as a crash would; its buckets stay.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Starts the server again, with its buckets and on its port, after [`S3::kill9`].
    pub fn restart(&mut self) {
        self.process = run(self.folder.path(), self.port);
    }

    /// Freezes the server: requests hang.
    pub fn pause(&mut self) {
        self.process.signal("STOP");
    }

    /// Lets a frozen server go on.
    pub fn resume(&mut self) {
        self.process.signal("CONT");
    }
}

fn run(folder: &Path, port: u16) -> Process {
    let mut server = command(component("s3").join("versitygw"));
    // No --keep-alive: version 1.8.0 then refuses one in seven of PyArrow's uploads.
    server.args(["--port", &format!("127.0.0.1:{port}"), "--access", S3::ACCESS_KEY, "--secret", S3::SECRET_KEY]);
    server.args(["--region", S3::REGION, "--quiet", "posix", "--sidecar"]);
    // Metadata beside the objects: not every file system has extended attributes.
    server.arg(folder.join("metadata")).arg(folder.join("data"));
    let mut process = Process::start("the S3 server", server, &folder.join("server.log"));
    process.wait_ready(START_LIMIT, || answers(port));
    process
}
