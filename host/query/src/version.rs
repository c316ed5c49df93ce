//! `FOR TIMESTAMP AS OF` and `FOR VERSION AS OF`: what was asked, before and after it is worked out.

use datafusion::sql::sqlparser::ast::Expr;

/// A clause as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AsOf {
    /// A point in time.
    Timestamp(Expr),
    /// A snapshot's id, or the name of a branch or tag.
    Version(Expr),
}

/// A clause worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Milliseconds since 1970.
    Time(i64),
    /// A snapshot's id.
    Snapshot(i64),
    /// A branch or tag.
    Reference(String),
}
