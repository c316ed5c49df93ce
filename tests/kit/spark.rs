//! Spark with Iceberg, as the job that Weir takes the place of ran it: makes tables, reads and maintains them.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::install::{component, kit};
use crate::json_lines::JsonLines;
use crate::process::command;

/// A long-lived PySpark process; its start takes 6 to 25 seconds.
#[derive(Debug)]
pub struct Spark {
    python: JsonLines,
}

/// A session with one catalog, named `lakehouse` unless another is asked for.
#[derive(Debug)]
pub struct SparkSession<'a> {
    spark: &'a Spark,
    id: u64,
    catalog: String,
}

impl Spark {
    /// Starts a process of its own. Most tests use [`Spark::shared`].
    pub fn start() -> Self {
        let built = component("spark");
        let mut python = command(built.join("venv/bin/python"));
        python.arg("-u").arg(kit().join("spark/spark.py")).arg(built.join("jars"));
        Self { python: JsonLines::start("spark", python) }
    }

    /// The Spark that the tests of one binary share; their sessions do not see each other.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Spark> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A session with a `hadoop` catalog over a folder.
    pub fn hadoop(&self, warehouse: &Path) -> SparkSession<'_> {
        self.session("lakehouse", json!({"type": "hadoop", "warehouse": format!("file://{}", warehouse.display())}))
    }

    /// A session with a SQL catalog in a SQLite file, whose rows carry the name `catalog`.
    pub fn sqlite(&self, catalog: &str, database: &Path, warehouse: &Path) -> SparkSession<'_> {
        self.session(
            catalog,
            json!({"type": "jdbc", "uri": format!("jdbc:sqlite:{}", database.display()),
                "warehouse": format!("file://{}", warehouse.display()),
                // V1 has the column iceberg_type, as the SQL catalogs of PyIceberg and Rust do.
                "jdbc.schema-version": "V1"}),
        )
    }

    /// A session with a REST catalog whose warehouse is a folder.
    pub fn rest(&self, uri: &str) -> SparkSession<'_> {
        self.session("lakehouse", json!({"type": "rest", "uri": uri}))
    }

    /// A session with a catalog of Iceberg's properties (`spark.sql.catalog.NAME.*`).
    pub fn session(&self, catalog: &str, properties: Value) -> SparkSession<'_> {
        let id = self.python.ask(&json!({"op": "session", "catalog": catalog, "properties": properties}));
        SparkSession { spark: self, id: id.as_u64().expect("a number"), catalog: catalog.to_owned() }
    }
}

impl SparkSession<'_> {
    /// Runs a statement and returns its rows as objects; times are text, `2026-01-30T00:00:00.000000Z`.
    pub fn sql(&self, sql: &str) -> Vec<Value> {
        self.try_sql(sql).unwrap_or_else(|error| panic!("spark fails at {sql}:\n{error}"))
    }

    /// As [`SparkSession::sql`].
    ///
    /// # Errors
    /// What Spark says.
    pub fn try_sql(&self, sql: &str) -> Result<Vec<Value>, String> {
        let rows = self.spark.python.try_ask(&json!({"op": "sql", "session": self.id, "sql": sql}))?;
        Ok(serde_json::from_value(rows).expect("rows"))
    }

    /// Creates the thirteen-column table of traces in the catalog, `name` being `namespace.table`.
    pub fn create_traces_table(&self, name: &str) {
        let (namespace, _) = name.rsplit_once('.').expect("namespace.table");
        let catalog = &self.catalog;
        self.sql(&format!("CREATE NAMESPACE IF NOT EXISTS {catalog}.{namespace}"));
        let columns = std::fs::read_to_string(kit().join("spark/traces.sql")).expect("kit/spark/traces.sql");
        self.sql(&format!("CREATE TABLE {catalog}.{name} {columns}"));
    }
}
