//! What an `arrow-to-arrow` plugin said that it reads and makes, checked against the tables that it was given.

use std::sync::Arc;

use arrow_schema::{FieldRef, Schema, SchemaRef};
use weir_pipeline::transform::TableSchema;

use crate::bindings::arrow_to_arrow as guest;
use crate::schema;

/// Which columns cross, and what each table is made of.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// For each table that is given, the columns that cross.
    pub(crate) reads: Vec<Vec<usize>>,
    /// How each table is made.
    pub(crate) derived: Vec<Derived>,
    /// What each table is.
    pub(crate) tables: Vec<TableSchema>,
}

/// How a table is made.
#[derive(Debug, PartialEq)]
pub(crate) struct Derived {
    /// The table that its rows come from.
    pub(crate) source: usize,
    /// Where the values of each column come from.
    pub(crate) columns: Vec<Values>,
    /// The columns that the plugin makes.
    pub(crate) made: SchemaRef,
}

/// Where the values of a column come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// From this column of the source.
    Kept(usize),
    /// From this one of the columns that are made.
    Made(usize),
}

/// Checks a plan.
///
/// # Errors
/// Which table and column cannot be, and why.
pub(crate) fn check(given: &[TableSchema], plan: guest::Plan) -> Result<Plan, String> {
    if plan.reads.len() != given.len() {
        return Err(format!("it reads columns of {} tables, and there are {}", plan.reads.len(), given.len()));
    }
    let reads = given.iter().zip(&plan.reads).map(|(table, columns)| {
        check_reads(columns, table.schema.fields().len()).map_err(|e| format!("table {}: {e}", table.name))
    });
    let reads = reads.collect::<Result<_, _>>()?;
    schema::check_names(plan.tables.iter().map(|table| (table.name.as_str(), table.doc.as_str())))?;
    let (mut derived, mut tables) = (Vec::new(), Vec::new());
    for table in plan.tables {
        let (how, schema) = derive(given, &table).map_err(|e| format!("table {}: {e}", table.name))?;
        derived.push(how);
        tables.push(TableSchema { name: table.name, doc: table.doc, schema });
    }
    Ok(Plan { reads, derived, tables })
}

fn check_reads(columns: &[u32], there_are: usize) -> Result<Vec<usize>, String> {
    if let Some(pair) = columns.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(format!("it reads column {} after column {}", pair[1], pair[0]));
    }
    columns.iter().map(|column| index(*column, there_are, "it reads column")).collect()
}

fn derive(given: &[TableSchema], table: &guest::DerivedTable) -> Result<(Derived, SchemaRef), String> {
    let source = index(table.source, given.len(), "it comes from table")?;
    let fields = given[source].schema.fields();
    let kept = |column: u32| index(column, fields.len(), "it keeps column");
    let (mut columns, mut made, mut values) = (Vec::<FieldRef>::new(), Vec::<FieldRef>::new(), Vec::new());
    for column in &table.columns {
        match column {
            guest::Column::Kept(column) => {
                values.push(Values::Kept(kept(*column)?));
                columns.push(Arc::clone(&fields[kept(*column)?]));
            }
            guest::Column::Renamed(guest::RenamedColumn { column, name }) => {
                values.push(Values::Kept(kept(*column)?));
                columns.push(Arc::new(fields[kept(*column)?].as_ref().clone().with_name(name)));
            }
            guest::Column::Made(field) => {
                let field = schema::column(field)?;
                values.push(Values::Made(made.len()));
                made.push(Arc::clone(&field));
                columns.push(field);
            }
        }
    }
    let schema = schema::of_columns(columns)?;
    Ok((Derived { source, columns: values, made: Arc::new(Schema::new(made)) }, schema))
}

fn index(at: u32, there_are: usize, what: &str) -> Result<usize, String> {
    let index = usize::try_from(at).unwrap_or(usize::MAX);
    if index < there_are { Ok(index) } else { Err(format!("{what} {at}, and there are {there_are}")) }
}
