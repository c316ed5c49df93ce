//! Why a query has no answer.

use datafusion::error::DataFusionError;
use thiserror::Error;

/// What a caller can tell apart. The text is whole: it needs no cause beside it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The text is not SQL.
    #[error("cannot read the query: {0}")]
    Syntax(String),
    /// The statement would change something, or is of a kind that is not answered here.
    #[error("{0}")]
    Refused(String),
    /// No table has that name, or several do.
    #[error("{0}")]
    UnknownTable(String),
    /// The table has no such snapshot.
    #[error("{0}")]
    NoSnapshot(String),
    /// The catalog, or a file of a table, could not be read.
    #[error("cannot read table {table}: {cause}")]
    Unreadable {
        /// The table, or the catalog.
        table: String,
        /// What the catalog or the store said.
        cause: String,
    },
    /// A column, function or type does not fit.
    #[error("{0}")]
    Plan(String),
    /// It began, and failed.
    #[error("the query failed: {0}")]
    Failed(String),
    /// The answer or what it takes goes beyond the limit.
    #[error("{0}")]
    TooLarge(String),
}

impl QueryError {
    /// An error while a statement was planned.
    pub(crate) fn planning(error: &DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(why) => too_large(why),
            DataFusionError::SQL(why, _) => Self::Syntax(why.to_string()),
            DataFusionError::External(why) => Self::Failed(why.to_string()),
            root => Self::Plan(plain(root)),
        }
    }

    /// An error while rows were made.
    pub(crate) fn running(error: &DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(why) => too_large(why),
            DataFusionError::External(why) => Self::Failed(why.to_string()),
            root => Self::Failed(plain(root)),
        }
    }
}

fn too_large(why: &str) -> QueryError {
    QueryError::TooLarge(format!("the query needs more memory than its limit: {why}"))
}

/// What an error says, without the name of its kind before it.
fn plain(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Plan(why) | DataFusionError::Execution(why) | DataFusionError::NotImplemented(why) => {
            why.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(why).to_owned()
        }
        DataFusionError::SchemaError(why, _) => why.to_string(),
        DataFusionError::ArrowError(why, _) => why.to_string(),
        other => other.strip_backtrace(),
    }
}
