//! How a new table is partitioned and sorted, as a pipeline's TOML says it: `day(timestamp)`, `bucket(16, trace_id)`,
//! `service_name desc nulls last`.

use std::fmt;
use std::str::FromStr;

use iceberg::spec::{
    NullOrder, PartitionSpec, Schema, SortDirection, SortField, SortOrder, TableMetadata, Transform,
    UnboundPartitionSpec,
};

#[cfg(test)]
mod tests;

/// Why a partitioning or an order cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArrangementError {
    /// Not of the form.
    #[error("{0:?} is no {1}")]
    Form(String, &'static str),
    /// No such column.
    #[error("{text:?} names column {column}, which the table does not have")]
    NoColumn {
        /// As it was given.
        text: String,
        /// The column.
        column: String,
    },
    /// The column's type and the transform do not go together.
    #[error("{text:?}: {reason}")]
    Refused {
        /// As it was given.
        text: String,
        /// The crate's words.
        reason: String,
    },
}

/// One term of a partitioning, or what one of an order sorts by: a column, or a function of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// The column, with dots where it is inside a struct.
    pub column: String,
    /// What is done with it.
    pub transform: Transform,
}

/// One term of an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SortTerm {
    /// By what.
    pub term: Term,
    /// Which way.
    pub direction: SortDirection,
    /// Where NULL goes.
    pub nulls: NullOrder,
}

const TERM: &str = "partition: column, year(column), month(column), day(column), hour(column), bucket(N, column) or \
                    truncate(N, column)";
const SORT_TERM: &str = "order: column [asc|desc] [nulls first|nulls last]";

impl FromStr for Term {
    type Err = ArrangementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || ArrangementError::Form(text.to_string(), TERM);
        let Some((name, rest)) = text.trim().split_once('(') else {
            return Ok(Self { column: column(text).ok_or_else(form)?, transform: Transform::Identity });
        };
        let arguments = rest.strip_suffix(')').ok_or_else(form)?;
        let (number, last) = match arguments.split_once(',') {
            Some((number, last)) => (Some(number.trim().parse::<u32>().map_err(|_| form())?), last),
            None => (None, arguments),
        };
        let transform = match (name.trim().to_ascii_lowercase().as_str(), number) {
            // Spark and Trino say days(), Iceberg day().
            ("year" | "years", None) => Transform::Year,
            ("month" | "months", None) => Transform::Month,
            ("day" | "days", None) => Transform::Day,
            ("hour" | "hours", None) => Transform::Hour,
            ("identity", None) => Transform::Identity,
            ("bucket", Some(n @ 1..)) => Transform::Bucket(n),
            ("truncate", Some(n @ 1..)) => Transform::Truncate(n),
            _ => return Err(form()),
        };
        Ok(Self { column: column(last).ok_or_else(form)?, transform })
    }
}

impl FromStr for SortTerm {
    type Err = ArrangementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || ArrangementError::Form(text.to_string(), SORT_TERM);
        // The words after the term; a term may have a blank after its comma.
        let end = text.rfind(')').map_or_else(
            || text.trim_start().find(' ').map(|i| i + text.len() - text.trim_start().len()),
            |i| Some(i + 1),
        );
        let (term, words) = text.split_at(end.unwrap_or(text.len()));
        let words: Vec<String> = words.split_whitespace().map(str::to_ascii_lowercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (direction, rest) = match words.as_slice() {
            ["desc", rest @ ..] => (SortDirection::Descending, rest),
            ["asc", rest @ ..] => (SortDirection::Ascending, rest),
            rest => (SortDirection::Ascending, rest),
        };
        let nulls = match (rest, direction) {
            (["nulls", "first"], _) | ([], SortDirection::Ascending) => NullOrder::First,
            (["nulls", "last"], _) | ([], SortDirection::Descending) => NullOrder::Last,
            _ => return Err(form()),
        };
        Ok(Self { term: term.parse().map_err(|_| form())?, direction, nulls })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = &self.column;
        match self.transform {
            Transform::Identity => write!(f, "{column}"),
            Transform::Bucket(n) => write!(f, "bucket({n}, {column})"),
            Transform::Truncate(n) => write!(f, "truncate({n}, {column})"),
            other => write!(f, "{other}({column})"),
        }
    }
}

impl fmt::Display for SortTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.direction == SortDirection::Ascending { "asc" } else { "desc" };
        write!(f, "{} {direction}", self.term)?;
        f.write_str(if self.nulls == NullOrder::First { " nulls first" } else { " nulls last" })
    }
}

impl Term {
    /// The partition field's name, as Spark gives it.
    pub(crate) fn field_name(&self) -> String {
        let column = self.column.replace('.', "_");
        match self.transform {
            Transform::Identity => self.column.clone(),
            Transform::Bucket(_) => format!("{column}_bucket"),
            Transform::Truncate(_) => format!("{column}_trunc"),
            other => format!("{column}_{other}"),
        }
    }
}

fn column(text: &str) -> Option<String> {
    let column = text.trim();
    let fits = !column.is_empty() && !column.contains(|c: char| c.is_whitespace() || "(),".contains(c));
    fits.then(|| column.to_string())
}

/// Makes a partitioning of a schema.
pub fn partition_spec(schema: &Schema, terms: &[String]) -> Result<UnboundPartitionSpec, ArrangementError> {
    let mut builder = PartitionSpec::builder(schema.clone());
    for text in terms {
        let term: Term = text.parse()?;
        source(schema, text, &term)?;
        let refused = |e: iceberg::Error| ArrangementError::Refused { text: text.clone(), reason: e.to_string() };
        builder = builder.add_partition_field(&term.column, term.field_name(), term.transform).map_err(refused)?;
    }
    let refused = |e: iceberg::Error| ArrangementError::Refused { text: terms.join(", "), reason: e.to_string() };
    Ok(builder.build().map_err(refused)?.into_unbound())
}

/// Makes an order of a schema's rows.
pub fn sort_order(schema: &Schema, terms: &[String]) -> Result<SortOrder, ArrangementError> {
    if terms.is_empty() {
        return Ok(SortOrder::unsorted_order());
    }
    let mut builder = SortOrder::builder();
    for text in terms {
        let sort: SortTerm = text.parse()?;
        let source_id = source(schema, text, &sort.term)?;
        builder.with_sort_field(SortField {
            source_id,
            transform: sort.term.transform,
            direction: sort.direction,
            null_order: sort.nulls,
        });
    }
    let refused = |e: iceberg::Error| ArrangementError::Refused { text: terms.join(", "), reason: e.to_string() };
    builder.with_order_id(1).build(schema).map_err(refused)
}

/// The id of a term's column.
pub(crate) fn source(schema: &Schema, text: &str, term: &Term) -> Result<i32, ArrangementError> {
    let no_column = || ArrangementError::NoColumn { text: text.to_string(), column: term.column.clone() };
    schema.field_by_name(&term.column).map(|field| field.id).ok_or_else(no_column)
}

/// A table's partitioning in the words of the TOML.
pub fn partition_terms(table: &TableMetadata) -> Vec<String> {
    let fields = table.default_partition_spec().fields().iter().filter(|f| f.transform != Transform::Void);
    fields.map(|f| Term { column: name_of(table, f.source_id), transform: f.transform }.to_string()).collect()
}

/// A table's order in the words of the TOML.
pub fn sort_terms(table: &TableMetadata) -> Vec<String> {
    let term = |f: &SortField| SortTerm {
        term: Term { column: name_of(table, f.source_id), transform: f.transform },
        direction: f.direction,
        nulls: f.null_order,
    };
    table.default_sort_order().fields.iter().map(|f| term(f).to_string()).collect()
}

fn name_of(table: &TableMetadata, id: i32) -> String {
    table.current_schema().name_by_field_id(id).map_or_else(|| format!("#{id}"), str::to_string)
}

/// The same terms in one spelling, for comparison.
pub fn spelled<T: FromStr<Err = ArrangementError> + fmt::Display>(
    terms: &[String],
) -> Result<Vec<String>, ArrangementError> {
    terms.iter().map(|term| Ok(term.parse::<T>()?.to_string())).collect()
}
