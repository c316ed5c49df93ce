//! Columns added, renamed, dropped, widened, moved: the next schema out of the current one.
//!
//! What is allowed is Iceberg's specification's ("Schema Evolution"), less what would make files or manifests that are
//! there unreadable for some reader.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use iceberg::spec::{
    ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, SortOrder, StructType, TableMetadata,
    Transform, Type,
};

use super::outline::{Node, Outline, Role};
use super::{Evolution, EvolveError, NewColumn, refused, show_type};
use crate::schema::number_inside;

/// Where a column goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Before all others of its struct.
    First,
    /// Behind this one, which is of the same struct.
    After(String),
}

/// What becomes of each field, by id.
#[derive(Debug, Default)]
struct Edits {
    names: HashMap<i32, String>,
    types: HashMap<i32, PrimitiveType>,
    docs: HashMap<i32, Option<String>>,
    optional: HashSet<i32>,
    dropped: HashSet<i32>,
    /// Columns that are added.
    added: Vec<NestedFieldRef>,
}

/// The schema after a change; `None` where it is so already.
pub(super) fn change(head: &TableMetadata, wanted: &Evolution) -> Result<Option<Schema>, EvolveError> {
    let before = head.current_schema();
    let outline = Outline::of(before);
    let edits = edits(head, &outline, wanted)?;
    let fields = edits.apply(None, before.as_struct().fields())?;
    check_names(&edits, None, &fields, &outline)?;
    let mut after = build(before, fields)?;
    for (name, place) in &wanted.moves {
        let fields = moved(&after, name, place)?;
        after = build(before, fields)?;
    }
    Ok((after.as_struct() != before.as_struct()).then_some(after))
}

/// Refuses to take away what something else needs: a spec, for files may be laid out by it; the order; the identifier.
pub(super) fn check_needed(head: &TableMetadata, after: &Schema, order: &SortOrder) -> Result<(), EvolveError> {
    let outline = Outline::of(head.current_schema());
    for spec in head.partition_specs_iter() {
        let gone = spec.fields().iter().find(|field| after.field_by_id(field.source_id).is_none());
        let Some(field) = gone else { continue };
        let (column, id) = (outline.name(field.source_id), spec.spec_id());
        return if id == head.default_partition_spec_id() {
            refused(format!("the table is partitioned by {column} ({}): it cannot be dropped", field.name))
        } else {
            refused(format!(
                "older files are partitioned by {column} (spec {id}, {}), which no engine reads without it: it cannot be \
                 dropped before an engine has removed that spec",
                field.name
            ))
        };
    }
    match order.fields.iter().find(|field| after.field_by_id(field.source_id).is_none()) {
        None => Ok(()),
        Some(field) => refused(format!(
            "the table is sorted by {}: it cannot be dropped before --sort-by says another order",
            outline.name(field.source_id)
        )),
    }
}

fn build(before: &Schema, fields: Vec<NestedFieldRef>) -> Result<Schema, EvolveError> {
    Schema::builder()
        .with_schema_id(before.schema_id())
        .with_fields(fields)
        .with_identifier_field_ids(before.identifier_field_ids())
        .build()
        .map_err(|e| EvolveError::Refused(format!("the schema would not be valid: {}", e.message())))
}

fn edits(head: &TableMetadata, outline: &Outline<'_>, wanted: &Evolution) -> Result<Edits, EvolveError> {
    let mut edits = Edits::default();
    for name in &wanted.drop {
        let node = field(outline, name, "dropped")?;
        check_column(name, node)?;
        let mut needed = head.current_schema().identifier_field_ids();
        if let Some(id) = needed.find(|id| outline.is_within(*id, node.field.id)) {
            return refused(format!("{} identifies rows: {name} cannot be dropped", outline.name(id)));
        }
        edits.dropped.insert(node.field.id);
    }
    let is_dropped = |edits: &Edits, node: &Node| edits.dropped.iter().any(|d| outline.is_within(node.field.id, *d));
    let live = |edits: &Edits, name: &str, node: &Node| {
        if is_dropped(edits, node) { refused(format!("{name} is to be dropped as well")) } else { Ok(()) }
    };
    for (name, new) in &wanted.rename {
        let node = field(outline, name, "renamed")?;
        live(&edits, name, node)?;
        if new.trim().is_empty() {
            return refused(format!("{name} needs a name"));
        }
        edits.names.insert(node.field.id, new.clone());
    }
    for (name, to) in &wanted.widen {
        let node = outline.find_changeable(name)?;
        check_column(name, node)?;
        live(&edits, name, node)?;
        if let Some(to) = widened(head, name, &node.field, to)? {
            edits.types.insert(node.field.id, to);
        }
    }
    for name in &wanted.optional {
        let node = outline.find_changeable(name)?;
        check_column(name, node)?;
        live(&edits, name, node)?;
        if head.current_schema().identifier_field_ids().any(|id| id == node.field.id) {
            return refused(format!("{name} identifies rows, and may not be NULL"));
        }
        edits.optional.insert(node.field.id);
    }
    for (name, doc) in &wanted.comment {
        let node = outline.find(name)?;
        live(&edits, name, node)?;
        edits.docs.insert(node.field.id, Some(doc.clone()).filter(|doc| !doc.is_empty()));
    }
    let mut next = head.last_column_id() + 1;
    for column in &wanted.add {
        check_whole(outline, &column.name)?;
        edits.added.push(added(column, &mut next));
    }
    Ok(edits)
}

/// A column, or a field of a struct, that may be taken away or be called otherwise.
fn field<'o>(outline: &'o Outline<'_>, name: &str, what: &str) -> Result<&'o Node, EvolveError> {
    let node = outline.find_changeable(name)?;
    match node.role {
        Role::Field => Ok(node),
        Role::Content | Role::Key => refused(format!("{name} is part of its list or map and cannot be {what}")),
    }
}

/// What a column becomes; `None` where it is that already.
fn widened(
    head: &TableMetadata,
    name: &str,
    field: &NestedField,
    to: &Type,
) -> Result<Option<PrimitiveType>, EvolveError> {
    use PrimitiveType as P;
    if *field.field_type == *to {
        return Ok(None);
    }
    let wider = match (&*field.field_type, to) {
        (Type::Primitive(P::Int), Type::Primitive(P::Long)) => P::Long,
        (Type::Primitive(P::Float), Type::Primitive(P::Double)) => P::Double,
        (
            Type::Primitive(P::Decimal { precision: from, scale: a }),
            Type::Primitive(P::Decimal { precision, scale: b }),
        ) if a == b && from < precision => P::Decimal { precision: *precision, scale: *b },
        (from, to) => {
            return refused(format!(
                "{name} is {} and cannot become {}: int widens to long, float to double, and a decimal's precision",
                show_type(from),
                show_type(to)
            ));
        }
    };
    // The partition's value has the column's type: those in manifests would be of another than the spec's.
    for spec in head.partition_specs_iter() {
        let by_value = |t: Transform| matches!(t, Transform::Identity | Transform::Truncate(_));
        if let Some(by) = spec.fields().iter().find(|f| f.source_id == field.id && by_value(f.transform)) {
            return refused(format!(
                "files are partitioned by {name} (spec {}, {}), whose values have its type: it cannot be widened",
                spec.spec_id(),
                by.name
            ));
        }
    }
    Ok(Some(wider))
}

/// Fields of structs may be renamed and described. Other changes inside a column are right in other engines, but Weir's
/// own query reads structs of older files field by field in their order.
fn check_column(name: &str, node: &Node) -> Result<(), EvolveError> {
    match node.parent {
        None => Ok(()),
        Some(_) => refused(format!(
            "{name} is inside a column: there fields are renamed and described only, for Weir's own query would not \
             read older files right"
        )),
    }
}

/// A new column is one of the table's: dots belong to its name, unless what is before them is a column.
fn check_whole(outline: &Outline<'_>, name: &str) -> Result<(), EvolveError> {
    match name.rsplit_once('.').map(|(above, _)| outline.find(above)) {
        Some(Ok(above)) => check_column(name, &Node { parent: Some(above.field.id), ..above.clone() }),
        _ => Ok(()),
    }
}

fn added(column: &NewColumn, next: &mut i32) -> NestedFieldRef {
    let id = *next;
    *next += 1;
    let field = NestedField::optional(id, &column.name, number_inside(column.field_type.clone(), next));
    Arc::new(match &column.doc {
        Some(doc) => field.with_doc(doc),
        None => field,
    })
}

impl Edits {
    fn apply(&self, parent: Option<i32>, fields: &[NestedFieldRef]) -> Result<Vec<NestedFieldRef>, EvolveError> {
        let kept = fields.iter().filter(|field| !self.dropped.contains(&field.id));
        let mut after = kept.map(|field| self.field(field)).collect::<Result<Vec<_>, _>>()?;
        if parent.is_none() {
            after.extend(self.added.iter().cloned());
        }
        if after.is_empty() {
            return refused("nothing would be left: a table, and a struct, needs a column");
        }
        Ok(after)
    }

    fn field(&self, field: &NestedFieldRef) -> Result<NestedFieldRef, EvolveError> {
        let mut after = NestedField::clone(field);
        if let Some(name) = self.names.get(&field.id) {
            after.name.clone_from(name);
        }
        if let Some(doc) = self.docs.get(&field.id) {
            after.doc.clone_from(doc);
        }
        after.required &= !self.optional.contains(&field.id);
        after.field_type = Box::new(match (&*field.field_type, self.types.get(&field.id)) {
            (_, Some(wider)) => Type::Primitive(wider.clone()),
            (Type::Primitive(same), None) => Type::Primitive(same.clone()),
            (Type::Struct(s), None) => Type::Struct(StructType::new(self.apply(Some(field.id), s.fields())?)),
            (Type::List(l), None) => Type::List(ListType::new(self.field(&l.element_field)?)),
            (Type::Map(m), None) => Type::Map(MapType::new(self.field(&m.key_field)?, self.field(&m.value_field)?)),
        });
        Ok(Arc::new(after))
    }

    fn is_new_name(&self, id: i32) -> bool {
        self.names.contains_key(&id) || self.added.iter().any(|field| field.id == id)
    }
}

/// The columns with one in another place.
fn moved(schema: &Schema, name: &str, place: &Place) -> Result<Vec<NestedFieldRef>, EvolveError> {
    let outline = Outline::of(schema);
    let node = outline.find(name)?;
    check_column(name, node)?;
    let mut fields: Vec<NestedFieldRef> = schema.as_struct().fields().to_vec();
    fields.retain(|field| field.id != node.field.id);
    let to = match place {
        Place::First => 0,
        Place::After(other) => {
            let other_id = outline.find(other)?.field.id;
            match fields.iter().position(|field| field.id == other_id) {
                Some(at) => at + 1,
                None => return refused(format!("{name} cannot be moved after {other}: it is no other column")),
            }
        }
    };
    fields.insert(to, node.field.clone());
    Ok(fields)
}

/// No two of a struct have one name, and no new name differs from another by its case alone: Spark and DuckDB could
/// not tell them apart.
fn check_names(
    edits: &Edits,
    parent: Option<i32>,
    fields: &[NestedFieldRef],
    outline: &Outline<'_>,
) -> Result<(), EvolveError> {
    let mut seen: HashMap<String, &NestedFieldRef> = HashMap::new();
    for field in fields {
        if let Some(other) = seen.insert(field.name.to_lowercase(), field)
            && (other.name == field.name || edits.is_new_name(field.id) || edits.is_new_name(other.id))
        {
            let within = parent.map_or_else(String::new, |parent| format!("{}: ", outline.name(parent)));
            let (a, b) = (&other.name, &field.name);
            return refused(format!(
                "{within}two columns would be called {a} and {b}, which some engines cannot tell apart"
            ));
        }
        check_names_inside(edits, field, outline)?;
    }
    Ok(())
}

fn check_names_inside(edits: &Edits, field: &NestedFieldRef, outline: &Outline<'_>) -> Result<(), EvolveError> {
    match &*field.field_type {
        Type::Primitive(_) => Ok(()),
        Type::Struct(s) => check_names(edits, Some(field.id), s.fields(), outline),
        Type::List(l) => check_names_inside(edits, &l.element_field, outline),
        Type::Map(m) => check_names_inside(edits, &m.value_field, outline),
    }
}
