//! Matching a plugin's columns with those of a table that is there.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use iceberg::spec::{ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, StructType, Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use weir_pipeline::transform::TableSchema;

use super::former::{Followed, Former};
use super::mapping::{Mapping, Shape, Slot};
use super::{SchemaError, check_names, map_fields, number_inside, unnumbered, unsupported};

/// A plugin and a table that fit, but for what is to be added to the table.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// How rows become the table's. Leaves out what is missing.
    pub mapping: Mapping,
    /// Optional columns that the plugin gives and the table lacks: add them ([`add_columns`]), then reconcile again.
    pub missing: Vec<Missing>,
    /// What the table has renamed or dropped since.
    pub followed: Followed,
}

/// A column, or a field of a struct, that the table lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Its full name, for messages.
    pub name: String,
    /// The id of the struct that it belongs into; `None` for a column of the table.
    pub parent: Option<i32>,
    /// What it is. Its ids, and those inside it, mean nothing yet.
    pub field: NestedFieldRef,
}

/// What a plugin's columns are held against.
struct Fitting<'f> {
    former: &'f Former,
    missing: Vec<Missing>,
    followed: Followed,
}

/// Matches a plugin's columns with a table's, whose older schemas are `former`.
///
/// | found | then |
/// |---|---|
/// | a field of the plugin that the table calls otherwise now | goes by its new name |
/// | one that was dropped from the table | not written |
/// | one that the table has never had | optional: to be added; required: refused |
/// | a field of the table is not given | optional: NULL; required: refused |
/// | an int where the table has a long, a float where it has a double | cast |
/// | any other difference of type, a timestamp without zone for one with it among them | refused |
/// | a field that may be null where the table requires a value | refused |
///
/// # Errors
/// Each refusal names the column and shows both types.
pub fn reconcile(table: &Schema, former: &Former, plugin: &TableSchema) -> Result<Reconciled, SchemaError> {
    check_names("", plugin.schema.fields())?;
    let mut fitting = Fitting { former, missing: Vec::new(), followed: Followed::default() };
    let matched = fit_fields("", None, plugin.schema.fields(), table.as_struct().fields(), &mut fitting)?;
    let mapping = Mapping::new(Arc::clone(&plugin.schema), matched.0, matched.1);
    Ok(Reconciled { mapping, missing: fitting.missing, followed: fitting.followed })
}

/// A table's schema with the missing columns added behind those it has. Ids follow `last_column_id`, the table's; the
/// schema's own id stays and is for the caller to set.
///
/// # Errors
/// A schema that the crate `iceberg` refuses.
pub fn add_columns(table: &Schema, last_column_id: i32, missing: &[Missing]) -> Result<Schema, SchemaError> {
    let mut next = last_column_id + 1;
    let mut additions: HashMap<Option<i32>, Vec<NestedFieldRef>> = HashMap::new();
    for each in missing {
        let mut field = NestedField::clone(&each.field);
        field.id = next;
        next += 1;
        field.field_type = Box::new(number_inside(*field.field_type, &mut next));
        additions.entry(each.parent).or_default().push(Arc::new(field));
    }
    let fields = extend(None, table.as_struct().fields(), &additions);
    Schema::builder()
        .with_schema_id(table.schema_id())
        .with_fields(fields)
        .with_identifier_field_ids(table.identifier_field_ids())
        .build()
        .map_err(|e| SchemaError::Refused(e.to_string()))
}

fn extend(
    parent: Option<i32>,
    fields: &[NestedFieldRef],
    additions: &HashMap<Option<i32>, Vec<NestedFieldRef>>,
) -> Vec<NestedFieldRef> {
    let inside = |field: &NestedFieldRef| {
        let mut field = NestedField::clone(field);
        field.field_type = Box::new(extend_type(field.id, &field.field_type, additions));
        Arc::new(field)
    };
    let added = additions.get(&parent).into_iter().flatten().cloned();
    fields.iter().map(inside).chain(added).collect()
}

fn extend_type(id: i32, inside: &Type, additions: &HashMap<Option<i32>, Vec<NestedFieldRef>>) -> Type {
    let one = |field: &NestedFieldRef| extend(None, std::slice::from_ref(field), &HashMap::new()).remove(0);
    let below = |field: &NestedFieldRef| {
        let mut below = NestedField::clone(&one(field));
        below.field_type = Box::new(extend_type(field.id, &field.field_type, additions));
        Arc::new(below)
    };
    match inside {
        Type::Primitive(p) => Type::Primitive(p.clone()),
        Type::Struct(s) => Type::Struct(StructType::new(extend(Some(id), s.fields(), additions))),
        Type::List(l) => Type::List(ListType::new(below(&l.element_field))),
        Type::Map(m) => Type::Map(MapType::new(below(&m.key_field), below(&m.value_field))),
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// The file's fields and where each comes from.
fn fit_fields(
    path: &str,
    parent: Option<i32>,
    ours: &Fields,
    theirs: &[NestedFieldRef],
    fitting: &mut Fitting<'_>,
) -> Result<(Fields, Vec<Slot>), SchemaError> {
    let mut fields = Vec::with_capacity(theirs.len());
    let mut slots = Vec::with_capacity(theirs.len());
    let (sources, missing) = matched(path, parent, ours, theirs, fitting);
    for (their, source) in theirs.iter().zip(sources) {
        let name = join(path, &their.name);
        match source {
            Some(index) => {
                let (field, shape) = fit(&name, &ours[index], their, fitting)?;
                fields.push(field);
                slots.push(Slot::From(index, shape));
            }
            None if their.required => {
                return Err(SchemaError::NotGiven { column: name, theirs: their.field_type.to_string() });
            }
            None => {
                let data_type = file_type(&their.field_type);
                slots.push(Slot::Null(data_type.clone()));
                fields.push(file_field(their, data_type));
            }
        }
    }
    for our in missing {
        let name = join(path, our.name());
        if !our.is_nullable() {
            return Err(SchemaError::CannotAdd { column: name, ours: our.data_type().to_string() });
        }
        fitting.missing.push(Missing { field: unnumbered(&name, our)?, name, parent });
    }
    Ok((Fields::from(fields), slots))
}

/// For each of the table's fields, which of the plugin's it is; and those of the plugin that the table has never had.
fn matched<'o>(
    path: &str,
    parent: Option<i32>,
    ours: &'o Fields,
    theirs: &[NestedFieldRef],
    fitting: &mut Fitting<'_>,
) -> (Vec<Option<usize>>, Vec<&'o FieldRef>) {
    let by_name = |their: &NestedFieldRef| ours.iter().position(|our| *our.name() == their.name);
    let mut sources: Vec<Option<usize>> = theirs.iter().map(by_name).collect();
    let mut missing = Vec::new();
    for (index, our) in ours.iter().enumerate().filter(|(_, our)| theirs.iter().all(|t| t.name != *our.name())) {
        let followed = &mut fitting.followed;
        match fitting.former.id(parent, our.name()).map(|id| theirs.iter().position(|their| their.id == id)) {
            Some(Some(at)) if sources[at].is_none() => {
                sources[at] = Some(index);
                followed.renamed.push((join(path, our.name()), join(path, &theirs[at].name)));
            }
            Some(None) => followed.dropped.push(join(path, our.name())),
            _ => missing.push(our),
        }
    }
    (sources, missing)
}

fn fit(
    path: &str,
    our: &Field,
    their: &NestedFieldRef,
    fitting: &mut Fitting<'_>,
) -> Result<(FieldRef, Shape), SchemaError> {
    if their.required && our.is_nullable() {
        return Err(SchemaError::MayBeNull(path.to_string()));
    }
    let (data_type, shape) = match (our.data_type(), &*their.field_type) {
        (DataType::Struct(ours), Type::Struct(theirs)) => {
            check_names(path, ours)?;
            let (fields, slots) = fit_fields(path, Some(their.id), ours, theirs.fields(), fitting)?;
            if fields.is_empty() {
                return Err(unsupported(path, our.data_type()));
            }
            (DataType::Struct(fields.clone()), Shape::Struct(fields, slots))
        }
        (DataType::List(ours), Type::List(theirs)) => {
            let (element, shape) = fit(&join(path, "element"), ours, &theirs.element_field, fitting)?;
            (DataType::List(Arc::clone(&element)), Shape::List(element, Box::new(shape)))
        }
        (DataType::Map(entries, _), Type::Map(theirs)) => {
            let (key, value) = map_fields(entries).ok_or_else(|| unsupported(path, our.data_type()))?;
            let key = fit(&join(path, "key"), &key.clone().with_nullable(false), &theirs.key_field, fitting)?;
            let value = fit(&join(path, "value"), value, &theirs.value_field, fitting)?;
            let entries = entries_field(key.0, value.0);
            (DataType::Map(Arc::clone(&entries), false), Shape::Map(entries, Box::new(key.1), Box::new(value.1)))
        }
        (ours, Type::Primitive(theirs)) => {
            fit_leaf(ours, theirs).ok_or_else(|| other_type(path, ours, &their.field_type))?
        }
        (ours, theirs) => return Err(other_type(path, ours, theirs)),
    };
    Ok((file_field(their, data_type), shape))
}

/// The type in the file, and what is done to get there; `None` where nothing safe leads there.
fn fit_leaf(ours: &DataType, theirs: &PrimitiveType) -> Option<(DataType, Shape)> {
    use DataType as D;
    use PrimitiveType as P;
    let cast = |to: DataType| Some((to.clone(), Shape::Cast(to)));
    match (ours, theirs) {
        (D::Dictionary(keys, values), P::String | P::Binary) => {
            let values = file_type(&Type::Primitive(match (&**values, theirs) {
                (D::Utf8 | D::LargeUtf8 | D::Utf8View, P::String) => P::String,
                (D::Binary | D::LargeBinary | D::BinaryView, P::Binary) => P::Binary,
                _ => return None,
            }));
            let to = D::Dictionary(Box::new(D::Int32), Box::new(values));
            if **keys == D::Int32 && *ours == to { Some((to, Shape::Bytes)) } else { cast(to) }
        }
        (D::Dictionary(_, values), _) => {
            let (to, _) = fit_leaf(values, theirs)?;
            cast(to)
        }
        (D::Timestamp(TimeUnit::Microsecond, Some(_)), P::Timestamptz) => Some((ours.clone(), Shape::Same)),
        (D::Int8 | D::Int16 | D::UInt8 | D::UInt16, P::Int | P::Long)
        | (D::Int32 | D::UInt32, P::Long)
        | (D::Float32, P::Double)
        | (D::LargeUtf8 | D::Utf8View, P::String)
        | (D::LargeBinary | D::BinaryView, P::Binary) => cast(file_type(&Type::Primitive(theirs.clone()))),
        _ => {
            let same = file_type(&Type::Primitive(theirs.clone()));
            let shape = if same == D::Utf8 { Shape::Bytes } else { Shape::Same };
            (*ours == same).then_some((same, shape))
        }
    }
}

fn other_type(path: &str, ours: &DataType, theirs: &Type) -> SchemaError {
    let hint = match (ours, theirs) {
        (DataType::Timestamp(_, Some(_)), Type::Primitive(PrimitiveType::Timestamp)) => {
            ": a point in time does not fit a clock without a zone"
        }
        (DataType::Timestamp(_, None), Type::Primitive(PrimitiveType::Timestamptz)) => {
            ": a clock without a zone is not a point in time"
        }
        (DataType::Int64, Type::Primitive(PrimitiveType::Int))
        | (DataType::Float64, Type::Primitive(PrimitiveType::Float)) => ": the table's is the narrower one",
        _ => "",
    };
    let ours = super::table_type(path, ours).map_or_else(|_| ours.to_string(), |t| t.to_string());
    SchemaError::OtherType { column: path.to_string(), theirs: theirs.to_string(), ours, hint }
}

pub(super) fn file_field(their: &NestedField, data_type: DataType) -> FieldRef {
    let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_string(), their.id.to_string())]);
    Arc::new(Field::new(&their.name, data_type, !their.required).with_metadata(id))
}

pub(super) fn entries_field(key: FieldRef, value: FieldRef) -> FieldRef {
    Arc::new(Field::new("key_value", DataType::Struct(Fields::from(vec![key, value])), false))
}

/// How a file holds a table's type where the plugin has no say in it.
pub(super) fn file_type(theirs: &Type) -> DataType {
    let field = |f: &NestedFieldRef| file_field(f, file_type(&f.field_type));
    match theirs {
        Type::Struct(s) => DataType::Struct(s.fields().iter().map(field).collect()),
        Type::List(l) => DataType::List(field(&l.element_field)),
        Type::Map(m) => DataType::Map(entries_field(field(&m.key_field), field(&m.value_field)), false),
        Type::Primitive(p) => match p {
            PrimitiveType::Boolean => DataType::Boolean,
            PrimitiveType::Int => DataType::Int32,
            PrimitiveType::Long => DataType::Int64,
            PrimitiveType::Float => DataType::Float32,
            PrimitiveType::Double => DataType::Float64,
            PrimitiveType::Decimal { precision, scale } => {
                DataType::Decimal128(u8::try_from(*precision).unwrap_or(38), i8::try_from(*scale).unwrap_or(0))
            }
            PrimitiveType::Date => DataType::Date32,
            PrimitiveType::Time => DataType::Time64(TimeUnit::Microsecond),
            PrimitiveType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            PrimitiveType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
            PrimitiveType::TimestampNs => DataType::Timestamp(TimeUnit::Nanosecond, None),
            PrimitiveType::TimestamptzNs => DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())),
            PrimitiveType::String => DataType::Utf8,
            PrimitiveType::Binary => DataType::Binary,
            PrimitiveType::Uuid => DataType::FixedSizeBinary(16),
            PrimitiveType::Fixed(n) => DataType::FixedSizeBinary(i32::try_from(*n).unwrap_or(i32::MAX)),
        },
    }
}
