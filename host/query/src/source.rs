//! The port to a catalog.

use std::fmt;

use async_trait::async_trait;
use iceberg::table::Table;

/// What a catalog says when it cannot answer.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A table's name in the catalog.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TableId {
    /// The namespace's parts, at least one.
    pub namespace: Vec<String>,
    /// The table's own name.
    pub table: String,
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.namespace.join("."), self.table)
    }
}

/// Where tables come from. Each query asks anew, so that it sees the newest head.
#[async_trait]
pub trait TableSource: Send + Sync + fmt::Debug {
    /// The table as it is now; `None` where there is none of that name.
    ///
    /// # Errors
    /// What kept the catalog from answering.
    async fn load(&self, namespace: &[String], table: &str) -> Result<Option<Table>, SourceError>;

    /// Every table's name.
    ///
    /// # Errors
    /// What kept the catalog from answering.
    async fn list(&self) -> Result<Vec<TableId>, SourceError>;
}
