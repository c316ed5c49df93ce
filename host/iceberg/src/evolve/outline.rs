//! A schema's fields by id: what each is to the one around it.

use std::collections::HashMap;

use iceberg::spec::{NestedFieldRef, Schema, Type};

use super::{EvolveError, refused};

/// What a field is to the one around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// A column, or a field of a struct.
    Field,
    /// A list's element or a map's value.
    Content,
    /// A map's key.
    Key,
}

/// A field and what is around it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) field: NestedFieldRef,
    pub(super) role: Role,
    /// The field whose type it is part of; `None` for a column.
    pub(super) parent: Option<i32>,
}

/// The fields of a schema.
#[derive(Debug)]
pub(super) struct Outline<'s> {
    schema: &'s Schema,
    nodes: HashMap<i32, Node>,
}

impl<'s> Outline<'s> {
    pub(super) fn of(schema: &'s Schema) -> Self {
        let mut nodes = HashMap::new();
        schema.as_struct().fields().iter().for_each(|field| walk(field, Role::Field, None, &mut nodes));
        Self { schema, nodes }
    }

    /// A field by its full name.
    pub(super) fn find(&self, name: &str) -> Result<&Node, EvolveError> {
        match self.schema.field_id_by_name(name).and_then(|id| self.nodes.get(&id)) {
            Some(node) => Ok(node),
            None => refused(format!("there is no column {name}")),
        }
    }

    /// A column or a field of a struct that may be changed. What is inside a map's key may not (Iceberg's
    /// specification, "Schema Evolution").
    pub(super) fn find_changeable(&self, name: &str) -> Result<&Node, EvolveError> {
        let node = self.find(name)?;
        let is_key =
            std::iter::successors(Some(node), |node| self.nodes.get(&node.parent?)).any(|n| n.role == Role::Key);
        if is_key { refused(format!("{name} is part of a map's key, which may not change")) } else { Ok(node) }
    }

    /// Whether a field is another, or inside it.
    pub(super) fn is_within(&self, id: i32, outer: i32) -> bool {
        let node = self.nodes.get(&id);
        id == outer || node.and_then(|node| node.parent).is_some_and(|parent| self.is_within(parent, outer))
    }

    /// Whether a field is a column, or reached from one through structs alone: what partitioning and order may be of.
    pub(super) fn is_plain(&self, id: i32) -> bool {
        self.nodes
            .get(&id)
            .is_some_and(|n| n.role == Role::Field && n.parent.is_none_or(|parent| self.is_plain(parent)))
    }

    /// A field's full name.
    pub(super) fn name(&self, id: i32) -> String {
        self.schema.name_by_field_id(id).map_or_else(|| format!("#{id}"), str::to_string)
    }
}

fn walk(field: &NestedFieldRef, role: Role, parent: Option<i32>, nodes: &mut HashMap<i32, Node>) {
    nodes.insert(field.id, Node { field: field.clone(), role, parent });
    let inside = Some(field.id);
    match &*field.field_type {
        Type::Primitive(_) => {}
        Type::Struct(fields) => fields.fields().iter().for_each(|f| walk(f, Role::Field, inside, nodes)),
        Type::List(list) => walk(&list.element_field, Role::Content, inside, nodes),
        Type::Map(map) => {
            walk(&map.key_field, Role::Key, inside, nodes);
            walk(&map.value_field, Role::Content, inside, nodes);
        }
    }
}
