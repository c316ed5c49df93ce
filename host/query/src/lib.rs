//! SQL over a catalog's tables: reads only.
//!
//! An [`Engine`] plans each statement with DataFusion over what a [`TableSource`] loads. Names have one to three
//! parts (any catalog name means the one catalog), a table may be followed by `FOR TIMESTAMP AS OF` or
//! `FOR VERSION AS OF`, and `"traces$snapshots"` and its kin show a table's metadata. Filters are pushed into the
//! scan, where they leave out manifests, files and row groups.

mod absent;
mod adapt;
mod answer;
mod catalog;
mod describe;
mod engine;
mod error;
mod inspect;
#[cfg(test)]
mod lab;
mod provider;
mod pushdown;
mod render;
mod scan;
mod source;
mod statement;
mod travel;
mod version;

pub use answer::Answer;
pub use engine::{Engine, Limits, Rows};
pub use error::QueryError;
pub use iceberg::table::Table;
pub use render::{json_lines, table};
pub use scan::IcebergScan;
pub use source::{SourceError, TableId, TableSource};
pub use statement::split;
