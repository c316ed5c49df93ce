//! Names that a table's columns bore before: what has become of a column that a plugin gives and the table lacks.
//!
//! Somebody who renames a column wants it filled under its new name, and somebody who drops one wants it gone: neither
//! wants it back as a new column at the plugin's next commit. The table's older schemas tell, as far as it has them.

use std::collections::HashMap;

use iceberg::spec::{NestedFieldRef, Schema, TableMetadata, Type};

/// The columns of a table's older schemas.
#[derive(Clone, Debug, Default)]
pub struct Former {
    /// The id that last had a name, by the field whose struct it is in.
    ids: HashMap<(Option<i32>, String), i32>,
}

/// What a plugin's column goes by that is not in the table under its own name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Followed {
    /// Columns that the table calls otherwise now: the plugin's full name, and the table's.
    pub renamed: Vec<(String, String)>,
    /// Columns that were dropped: what the plugin gives of them is not written.
    pub dropped: Vec<String>,
}

impl Former {
    /// The older schemas that a table's metadata holds.
    pub fn of(metadata: &TableMetadata) -> Self {
        let mut schemas: Vec<_> = metadata.schemas_iter().collect();
        // The newest last, so that it has the last word.
        schemas.sort_by_key(|schema| schema.schema_id());
        let mut former = Self::default();
        schemas.into_iter().for_each(|schema| former.add(schema));
        former
    }

    fn add(&mut self, schema: &Schema) {
        self.add_fields(None, schema.as_struct().fields());
    }

    fn add_fields(&mut self, parent: Option<i32>, fields: &[NestedFieldRef]) {
        for field in fields {
            self.ids.insert((parent, field.name.clone()), field.id);
            self.add_inside(field);
        }
    }

    fn add_inside(&mut self, field: &NestedFieldRef) {
        match &*field.field_type {
            Type::Primitive(_) => {}
            Type::Struct(inside) => self.add_fields(Some(field.id), inside.fields()),
            Type::List(list) => self.add_inside(&list.element_field),
            Type::Map(map) => {
                self.add_inside(&map.key_field);
                self.add_inside(&map.value_field);
            }
        }
    }

    /// The id that a name meant last, in the struct that a field is of.
    pub(super) fn id(&self, parent: Option<i32>, name: &str) -> Option<i32> {
        self.ids.get(&(parent, name.to_string())).copied()
    }
}
