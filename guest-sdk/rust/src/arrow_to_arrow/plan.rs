//! What a plugin reads of the tables that it is given, and which tables it gives.

use std::collections::BTreeSet;

use super::{ColumnSource, DerivedSchema, columns_of};
use crate::output::{DataType, Field, TableSchema};

/// A column of text or bytes that is read, dictionary or not.
#[derive(Clone, Copy, Debug)]
pub struct Texts(pub(super) Place);

/// A column of integers, dates or timestamps that is read.
#[derive(Clone, Copy, Debug)]
pub struct Ints(pub(super) Place);

/// A column of floating-point numbers that is read.
#[derive(Clone, Copy, Debug)]
pub struct Floats(pub(super) Place);

/// A column of booleans that is read.
#[derive(Clone, Copy, Debug)]
pub struct Bools(pub(super) Place);

/// A top-level column of a given table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) table: usize,
    pub(super) column: usize,
    pub(super) data_type: DataType,
}

/// What a plugin reads and gives. It begins with all tables and columns going on as they are.
#[derive(Debug)]
pub struct Plan {
    given: Vec<TableSchema>,
    reads: Vec<BTreeSet<u32>>,
    tables: Vec<DerivedTable>,
}

/// A table that a plugin gives.
#[derive(Clone, Debug)]
pub struct DerivedTable {
    pub(super) name: String,
    doc: String,
    pub(super) source: usize,
    /// The source's columns that go on: index, name there, name here.
    columns: Vec<(u32, String, String)>,
}

impl Plan {
    pub(super) fn new(given: Vec<TableSchema>) -> Self {
        let tables = given.iter().enumerate().map(|(source, table)| DerivedTable::of(source, table)).collect();
        Plan { reads: vec![BTreeSet::new(); given.len()], tables, given }
    }

    /// The tables that are given.
    pub fn given(&self) -> &[TableSchema] {
        &self.given
    }

    /// Reads a column of text or bytes.
    ///
    /// # Errors
    /// There is no such table or column, or it holds something else; so for the methods that follow.
    pub fn texts(&mut self, table: &str, column: &str) -> Result<Texts, String> {
        use DataType::{Binary, Dictionary, Utf8};
        self.read(table, column, "text", &[Utf8, Binary, Dictionary]).map(Texts)
    }

    /// Reads a column of integers, dates (days) or timestamps (microseconds).
    ///
    /// # Errors
    /// As [`Plan::texts`].
    pub fn ints(&mut self, table: &str, column: &str) -> Result<Ints, String> {
        use DataType::{Date, Int32, Int64, TimestampLocal, TimestampUtc};
        self.read(table, column, "integers", &[Int32, Int64, Date, TimestampUtc, TimestampLocal]).map(Ints)
    }

    /// Reads a column of floating-point numbers.
    ///
    /// # Errors
    /// As [`Plan::texts`].
    pub fn floats(&mut self, table: &str, column: &str) -> Result<Floats, String> {
        self.read(table, column, "floating-point numbers", &[DataType::Float32, DataType::Float64]).map(Floats)
    }

    /// Reads a column of booleans.
    ///
    /// # Errors
    /// As [`Plan::texts`].
    pub fn bools(&mut self, table: &str, column: &str) -> Result<Bools, String> {
        self.read(table, column, "booleans", &[DataType::Boolean]).map(Bools)
    }

    /// A table that goes on, to change it.
    ///
    /// # Errors
    /// There is no such table.
    pub fn table(&mut self, name: &str) -> Result<&mut DerivedTable, String> {
        match self.tables.iter().position(|table| table.name == name) {
            Some(at) => Ok(&mut self.tables[at]),
            None => Err(missing("table", name, self.tables.iter().map(|table| table.name.as_str()))),
        }
    }

    /// All tables that go on, to change each.
    pub fn tables(&mut self) -> &mut [DerivedTable] {
        &mut self.tables
    }

    /// Another table whose rows come from the given one `source`, with all of its columns.
    ///
    /// # Errors
    /// There is no such table.
    pub fn copy(&mut self, source: &str, name: &str) -> Result<&mut DerivedTable, String> {
        let at = self.source(source)?;
        let mut copy = DerivedTable::of(at, &self.given[at]);
        name.clone_into(&mut copy.name);
        self.tables.push(copy);
        self.table(name)
    }

    /// Ends a table here.
    ///
    /// # Errors
    /// There is no such table.
    pub fn drop_table(&mut self, name: &str) -> Result<(), String> {
        self.table(name)?;
        self.tables.retain(|table| table.name != name);
        Ok(())
    }

    pub(super) fn into_parts(self) -> (Vec<Vec<u32>>, Vec<DerivedTable>, Vec<TableSchema>) {
        (self.reads.into_iter().map(|reads| reads.into_iter().collect()).collect(), self.tables, self.given)
    }

    fn source(&self, table: &str) -> Result<usize, String> {
        let found = self.given.iter().position(|given| given.name == table);
        found.ok_or_else(|| missing("table", table, self.given.iter().map(|given| given.name.as_str())))
    }

    fn read(&mut self, table: &str, column: &str, kind: &str, types: &[DataType]) -> Result<Place, String> {
        let at = self.source(table)?;
        let fields = top_level(&self.given[at].fields);
        let Some(index) = fields.iter().position(|field| field.name == column) else {
            let what = format!("column of {kind} in table `{table}`, named");
            return Err(missing(&what, column, fields.iter().map(|field| field.name.as_str())));
        };
        let data_type = fields[index].data_type;
        if !types.contains(&data_type) {
            return Err(format!("it needs a column of {kind}, and `{column}` of table `{table}` is {data_type:?}"));
        }
        self.reads[at].insert(crate::column::count(index));
        Ok(Place { table: at, column: index, data_type })
    }
}

impl DerivedTable {
    fn of(source: usize, table: &TableSchema) -> Self {
        let columns = (0..).zip(top_level(&table.fields));
        DerivedTable {
            name: table.name.clone(),
            doc: table.doc.clone(),
            source,
            columns: columns.map(|(index, field)| (index, field.name.clone(), field.name.clone())).collect(),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its columns that come from its source.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(.., name)| name.as_str())
    }

    /// Calls it something else.
    pub fn call(&mut self, name: &str, doc: &str) -> &mut Self {
        (self.name, self.doc) = (name.to_owned(), doc.to_owned());
        self
    }

    /// Keeps these columns alone, in this order.
    ///
    /// # Errors
    /// There is no such column.
    pub fn keep_only<S: AsRef<str>>(&mut self, columns: &[S]) -> Result<&mut Self, String> {
        let kept = columns.iter().map(|name| self.at(name.as_ref()).map(|at| self.columns[at].clone()));
        self.columns = kept.collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Drops these columns.
    ///
    /// # Errors
    /// There is no such column.
    pub fn without<S: AsRef<str>>(&mut self, columns: &[S]) -> Result<&mut Self, String> {
        for name in columns {
            let at = self.at(name.as_ref())?;
            self.columns.remove(at);
        }
        Ok(self)
    }

    /// Gives a column another name.
    ///
    /// # Errors
    /// There is no such column.
    pub fn rename(&mut self, column: &str, name: &str) -> Result<&mut Self, String> {
        let at = self.at(column)?;
        name.clone_into(&mut self.columns[at].2);
        Ok(self)
    }

    fn at(&self, column: &str) -> Result<usize, String> {
        let found = self.columns.iter().position(|(.., name)| name == column);
        found.ok_or_else(|| missing(&format!("column in table `{}`, named", self.name), column, self.columns()))
    }

    /// With the columns that the plugin makes, after those that go on.
    pub(super) fn into_schema(self, made: Vec<Field>) -> DerivedSchema {
        let made = columns_of(made);
        let is_made = |name: &str| made.iter().any(|fields| fields.first().is_some_and(|field| field.name == name));
        let kept = self.columns.into_iter().filter(|(.., name)| !is_made(name));
        let kept = kept.map(|(index, old, new)| match old == new {
            true => ColumnSource::Kept(index),
            false => ColumnSource::Renamed(index, new),
        });
        let mut columns: Vec<ColumnSource> = kept.collect();
        columns.extend(made.into_iter().map(ColumnSource::Made));
        DerivedSchema { name: self.name, doc: self.doc, source: crate::column::count(self.source), columns }
    }
}

fn missing<'a>(what: &str, name: &str, there_are: impl Iterator<Item = &'a str>) -> String {
    format!("there is no {what} `{name}` (there are: {})", there_are.collect::<Vec<_>>().join(", "))
}

/// The fields that are columns themselves.
pub(super) fn top_level(fields: &[Field]) -> Vec<&Field> {
    let (mut columns, mut missing) = (Vec::new(), 0);
    for field in fields {
        if missing == 0 {
            columns.push(field);
        } else {
            missing -= 1;
        }
        missing += field.children;
    }
    columns
}
