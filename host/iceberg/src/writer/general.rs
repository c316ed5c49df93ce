//! Arrow's writers for Parquet, for those columns alone that are not written here.

use std::sync::Arc;

use arrow_schema::{DataType, Schema, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory};
use parquet::errors::Result;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescriptor, Type};

/// What makes writers of the columns of a table's files.
#[derive(Debug)]
pub(super) struct General {
    /// None where no column needs one.
    factory: Option<ArrowRowGroupWriterFactory>,
    /// For each column as Parquet counts them what is to be done.
    columns: Vec<Use>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    /// Written here, as all of its field is.
    None,
    /// Written here, but for others of its field: the library makes a writer all the same.
    Dropped,
    Kept,
}

impl General {
    /// For files of this schema, whose rows are of the other; `is_own` says of each column whether it is written here.
    pub(super) fn new(
        file: &SchemaDescriptor,
        rows: &SchemaRef,
        is_own: &[bool],
        properties: &WriterPropertiesPtr,
    ) -> Result<Self> {
        let (mut fields, mut types) = (Vec::new(), Vec::new());
        let mut columns = Vec::with_capacity(is_own.len());
        for (field, column_type) in rows.fields().iter().zip(file.root_schema().get_fields()) {
            let of_field = &is_own[columns.len()..columns.len() + leaf_count(field.data_type())];
            if of_field.iter().all(|is_own| *is_own) {
                columns.extend(of_field.iter().map(|_| Use::None));
                continue;
            }
            columns.extend(of_field.iter().map(|is_own| if *is_own { Use::Dropped } else { Use::Kept }));
            fields.push(Arc::clone(field));
            types.push(Arc::clone(column_type));
        }
        let factory = match fields.is_empty() {
            true => None,
            false => {
                let root = Type::group_type_builder(file.root_schema().name()).with_fields(types).build()?;
                let writer = SerializedFileWriter::new(Vec::new(), Arc::new(root), Arc::clone(properties))?;
                Some(ArrowRowGroupWriterFactory::new(&writer, Arc::new(Schema::new(fields))))
            }
        };
        Ok(Self { factory, columns })
    }

    /// The writers of a row group, for those columns that have one.
    pub(super) fn writers(&self, group: usize) -> Result<Vec<Option<ArrowColumnWriter>>> {
        let made = self.factory.as_ref().map(|factory| factory.create_column_writers(group)).transpose()?;
        let mut made = made.unwrap_or_default().into_iter();
        let writer = |what: &Use| match what {
            Use::None => None,
            Use::Dropped => made.next().and(None),
            Use::Kept => made.next(),
        };
        Ok(self.columns.iter().map(writer).collect())
    }
}

/// Columns of a field as Parquet counts them.
pub(super) fn leaf_count(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(inside) | DataType::Map(inside, _) => leaf_count(inside.data_type()),
        DataType::Struct(fields) => fields.iter().map(|f| leaf_count(f.data_type())).sum(),
        _ => 1,
    }
}
