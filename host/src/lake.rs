//! A catalog as queries see it.

use std::sync::Arc;

use async_trait::async_trait;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::Catalog;
use weir_query::{SourceError, Table, TableId, TableSource};

/// The tables of one catalog.
pub struct Lake(Catalog);

impl Lake {
    /// Reads through a catalog.
    pub fn new(catalog: Catalog) -> Arc<Self> {
        Arc::new(Self(catalog))
    }
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lake")
    }
}

#[async_trait]
impl TableSource for Lake {
    async fn load(&self, namespace: &[String], table: &str) -> Result<Option<Table>, SourceError> {
        let parts = namespace.iter().map(String::as_str).chain([table]);
        let ident = TableIdent::from_strs(parts)?;
        Ok(self.0.table(&ident).await?)
    }

    async fn list(&self) -> Result<Vec<TableId>, SourceError> {
        let idents = self.0.list(None).await?;
        let id = |i: TableIdent| TableId { namespace: i.namespace.inner(), table: i.name };
        Ok(idents.into_iter().map(id).collect())
    }
}
