//! The oracle: what is in a table, as PyIceberg and DuckDB read it. None of it is Weir's code.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::install::{component, kit};
use crate::json_lines::JsonLines;
use crate::process::command;

/// A long-lived Python process with PyIceberg and DuckDB.
#[derive(Debug)]
pub struct Oracle {
    python: JsonLines,
}

/// Where PyIceberg finds a table.
#[derive(Debug, Clone)]
pub struct Table {
    place: Value,
}

/// The span ids of a table, folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpanIds {
    /// Rows.
    pub count: u64,
    /// Different span ids.
    pub distinct: u64,
    /// All span ids, as numbers, combined by exclusive or: equal sets, each id once, give equal values.
    pub xor: u64,
}

/// Both together, where no id is in both.
impl std::ops::AddAssign for SpanIds {
    fn add_assign(&mut self, more: Self) {
        self.count += more.count;
        self.distinct += more.distinct;
        self.xor ^= more.xor;
    }
}

impl Table {
    /// A table of a `hadoop` catalog: `name` is `namespace.table`, `warehouse` a folder or `s3://bucket/path`.
    pub fn hadoop(warehouse: impl AsRef<Path>, name: &str) -> Self {
        let warehouse = warehouse.as_ref().display().to_string();
        Self::of(json!({"folder": format!("{}/{}", warehouse.trim_end_matches('/'), name.replace('.', "/"))}))
    }

    /// A table of a SQL catalog: its rows are found by the catalog's name; `uri` is SQLAlchemy's.
    pub fn sql(catalog: &str, uri: &str, warehouse: &str, name: &str) -> Self {
        Self::of(json!({"catalog": catalog, "table": name,
            "properties": {"type": "sql", "uri": uri, "warehouse": warehouse}}))
    }

    /// A table of a REST catalog.
    pub fn rest(uri: &str, name: &str) -> Self {
        Self::of(json!({"catalog": "rest", "table": name, "properties": {"type": "rest", "uri": uri}}))
    }

    /// The same table with further properties of PyIceberg, such as [`crate::S3::pyiceberg`].
    pub fn with(mut self, properties: Value) -> Self {
        if let (Some(ours), Value::Object(more)) = (self.place["properties"].as_object_mut(), properties) {
            ours.extend(more);
        }
        self
    }

    fn of(mut place: Value) -> Self {
        if place["properties"].is_null() {
            place["properties"] = json!({});
        }
        Self { place }
    }
}

impl Oracle {
    /// Starts a process of its own. Most tests use [`Oracle::shared`].
    pub fn start() -> Self {
        let mut python = command(component("oracle").join("venv/bin/python"));
        python.arg("-u").arg(kit().join("oracle/oracle.py"));
        Self { python: JsonLines::start("oracle", python) }
    }

    /// The oracle that the tests of one binary share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Oracle> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Runs SQL in DuckDB, several statements parted by semicolons, and returns the rows of the last: a list of lists.
    pub fn duckdb(&self, sql: &str) -> Vec<Vec<Value>> {
        let rows = self.python.ask(&json!({"op": "duckdb", "sql": sql}));
        serde_json::from_value(rows).expect("rows")
    }

    /// The rows of a table as PyIceberg reads them: objects with the columns asked for, all if none.
    ///
    /// Times are text, `2026-01-30T00:00:00.000000Z`, bytes are lower-case hex, maps are objects.
    pub fn rows(&self, table: &Table, columns: &[&str]) -> Vec<Value> {
        self.rows_where(table, columns, "true")
    }

    /// As [`Oracle::rows`], for the rows that a filter of PyIceberg's language keeps.
    pub fn rows_where(&self, table: &Table, columns: &[&str], filter: &str) -> Vec<Value> {
        let ask = json!({"op": "rows", "at": table.place, "columns": columns, "filter": filter});
        serde_json::from_value(self.python.ask(&ask)).expect("rows")
    }

    /// The number of rows of a table; none where there is no such table, or no snapshot yet.
    pub fn count(&self, table: &Table) -> Option<u64> {
        self.python.ask(&json!({"op": "count", "at": table.place})).as_u64()
    }

    /// The span ids of a table, read row by row; of no rows where there is no such table yet.
    pub fn span_ids(&self, table: &Table) -> SpanIds {
        let folded = self.python.ask(&json!({"op": "span_ids", "at": table.place}));
        let number = |key: &str| folded[key].as_u64().expect("a number");
        SpanIds { count: number("count"), distinct: number("distinct"), xor: number("xor") }
    }

    /// The table's metadata, as the specification of Iceberg writes it in JSON.
    pub fn metadata(&self, table: &Table) -> Value {
        self.python.ask(&json!({"op": "metadata", "at": table.place}))
    }

    /// The data files of the table's current snapshot: `file_path`, `partition`, `record_count`, bounds and so on.
    pub fn files(&self, table: &Table) -> Vec<Value> {
        serde_json::from_value(self.python.ask(&json!({"op": "files", "at": table.place}))).expect("files")
    }

    /// Appends rows to a table as PyIceberg does; absent columns are null. Not for `hadoop` catalogs.
    pub fn append(&self, table: &Table, rows: &[Value]) {
        self.python.ask(&json!({"op": "append", "at": table.place, "rows": rows}));
    }

    /// Runs Python that assigns `result`, with `load(at)`, `catalog(at)`, `duck`, `pa` and `boto3` at hand and the
    /// table's place as `at`: for what the rest cannot say.
    pub fn python(&self, table: Option<&Table>, code: &str) -> Value {
        let place = table.map_or(Value::Null, |table| table.place.clone());
        self.python.ask(&json!({"op": "python", "at": place, "code": code}))
    }
}
