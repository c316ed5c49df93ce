//! Matching a data file's columns with a table's by their ids, as Iceberg's specification wants files to be read
//! ("Column Projection"): names and order mean nothing, a column the file has not got is NULL, one the table no longer
//! has is not there, a narrower type is widened.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema as FileSchema, SchemaRef};
use iceberg::spec::{NestedField, NestedFieldRef, Schema, Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::mapping::{Mapping, Shape, Slot};
use super::reconcile::{entries_field, file_field, file_type, join};
use super::{SchemaError, map_fields};

/// A table's columns as its files have them; text and bytes of the ids in `coded` as dictionaries. Of `only` these, where
/// it says something.
pub(crate) fn file_schema(table: &Schema, coded: &BTreeSet<i32>, only: Option<&BTreeSet<i32>>) -> SchemaRef {
    let wanted = table.as_struct().fields().iter().filter(|field| only.is_none_or(|only| only.contains(&field.id)));
    Arc::new(FileSchema::new(wanted.map(|field| target(field, coded)).collect::<Fields>()))
}

/// Makes rows of a file, whose columns are `file`, rows of a table, whose columns are `wanted` of [`file_schema`].
///
/// # Errors
/// A column of another type, or one that the table requires and the file has not got.
pub(crate) fn by_id(table: &Schema, wanted: &SchemaRef, file: &SchemaRef) -> Result<Mapping, SchemaError> {
    let theirs = |field: &FieldRef| id_of(field).and_then(|id| table.as_struct().field_by_id(id));
    let theirs: Vec<&NestedFieldRef> = wanted.fields().iter().filter_map(theirs).collect();
    let slots = fit_fields("", file.fields(), &theirs, wanted.fields())?;
    Ok(Mapping::new(Arc::clone(file), wanted.fields().clone(), slots))
}

fn target(field: &NestedField, coded: &BTreeSet<i32>) -> FieldRef {
    let inside = |field: &NestedFieldRef| target(field, coded);
    let data_type = match &*field.field_type {
        Type::Primitive(_) => match file_type(&field.field_type) {
            text @ (DataType::Utf8 | DataType::Binary) if coded.contains(&field.id) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(text))
            }
            other => other,
        },
        Type::Struct(s) => DataType::Struct(s.fields().iter().map(inside).collect()),
        Type::List(l) => DataType::List(inside(&l.element_field)),
        Type::Map(m) => DataType::Map(entries_field(inside(&m.key_field), inside(&m.value_field)), false),
    };
    file_field(field, data_type)
}

fn id_of(field: &Field) -> Option<i32> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

fn fit_fields(
    path: &str,
    file: &Fields,
    theirs: &[&NestedFieldRef],
    wanted: &Fields,
) -> Result<Vec<Slot>, SchemaError> {
    let slot = |(their, wanted): (&&NestedFieldRef, &FieldRef)| {
        let name = join(path, &their.name);
        match file.iter().position(|f| id_of(f) == Some(their.id)) {
            Some(index) => Ok(Slot::From(index, fit(&name, file[index].data_type(), their, wanted)?)),
            None if their.required => Err(SchemaError::InFile {
                column: name,
                theirs: format!("required {}", their.field_type),
                found: "absent".to_string(),
            }),
            None => Ok(Slot::Null(wanted.data_type().clone())),
        }
    };
    theirs.iter().zip(wanted).map(slot).collect()
}

fn fit(path: &str, file: &DataType, their: &NestedField, wanted: &Field) -> Result<Shape, SchemaError> {
    let other = || SchemaError::InFile {
        column: path.to_string(),
        theirs: their.field_type.to_string(),
        found: file.to_string(),
    };
    Ok(match (file, &*their.field_type, wanted.data_type()) {
        (DataType::Struct(file), Type::Struct(theirs), DataType::Struct(wanted)) => {
            let theirs: Vec<&NestedFieldRef> = theirs.fields().iter().collect();
            Shape::Struct(wanted.clone(), fit_fields(path, file, &theirs, wanted)?)
        }
        (DataType::List(file), Type::List(theirs), DataType::List(wanted)) => {
            let element = fit(&join(path, "element"), file.data_type(), &theirs.element_field, wanted)?;
            Shape::List(Arc::clone(wanted), Box::new(element))
        }
        (DataType::Map(file, _), Type::Map(theirs), DataType::Map(wanted, _)) => {
            let ((key, value), (wanted_key, wanted_value)) =
                map_fields(file).zip(map_fields(wanted)).ok_or_else(other)?;
            let key = fit(&join(path, "key"), key.data_type(), &theirs.key_field, wanted_key)?;
            let value = fit(&join(path, "value"), value.data_type(), &theirs.value_field, wanted_value)?;
            Shape::Map(Arc::clone(wanted), Box::new(key), Box::new(value))
        }
        (file, Type::Primitive(_), wanted) => leaf(file, wanted).ok_or_else(other)?,
        _ => return Err(other()),
    })
}

/// What makes one of the other; `None` where nothing does that Iceberg allows ("Schema Evolution").
fn leaf(file: &DataType, wanted: &DataType) -> Option<Shape> {
    use DataType as D;
    match (file, wanted) {
        (_, D::Dictionary(_, values)) if file == wanted || file == &**values => {
            Some(if file == wanted { Shape::Bytes } else { Shape::Cast(wanted.clone()) })
        }
        (D::Utf8, D::Utf8) => Some(Shape::Bytes),
        (D::Decimal128(from, a), D::Decimal128(to, b)) if a == b && from < to => Some(Shape::Cast(wanted.clone())),
        (D::Int32, D::Int64) | (D::Float32, D::Float64) => Some(Shape::Cast(wanted.clone())),
        // UTC has many names.
        (D::Timestamp(a, Some(_)), D::Timestamp(b, Some(_))) if a == b && file != wanted => {
            Some(Shape::Cast(wanted.clone()))
        }
        _ => (file == wanted).then_some(Shape::Same),
    }
}
