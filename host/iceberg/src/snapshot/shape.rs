//! What a table's rows look like and how its files are laid out, changed with a snapshot.

use std::collections::HashSet;

use iceberg::spec::{
    PartitionSpecRef, Schema, SchemaRef, SortOrder, TableMetadata, TableMetadataBuilder, UnboundPartitionField,
    UnboundPartitionSpec,
};

/// A change of schema, partitioning or order; each stays as it is where absent. The snapshot is the first of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shape {
    /// A schema to make the current one; what is new in it has ids that the table has not used.
    pub schema: Option<Schema>,
    /// A partition spec to make the default.
    pub spec: Option<UnboundPartitionSpec>,
    /// A sort order to make the default.
    pub order: Option<SortOrder>,
}

impl Shape {
    /// Whether it changes nothing.
    pub fn is_none(&self) -> bool {
        self.schema.is_none() && self.spec.is_none() && self.order.is_none()
    }

    /// Makes the change of a table's metadata. One that the table has had before is named, not added again: the reference
    /// implementation of the REST protocol takes "the one added last" for one that is new.
    ///
    /// # Errors
    /// A spec or an order that does not fit the schema, or a schema that does not fit the specs.
    pub fn apply(self, base: &TableMetadata) -> iceberg::Result<TableMetadataBuilder> {
        let mut builder = base.clone().into_builder(None);
        if let Some(schema) = self.schema {
            let is_same = |had: &&SchemaRef| {
                had.as_struct() == schema.as_struct()
                    && had.identifier_field_ids().collect::<HashSet<_>>() == schema.identifier_field_ids().collect()
            };
            builder = match base.schemas_iter().find(is_same) {
                Some(had) => builder.set_current_schema(had.schema_id())?,
                None => builder.add_current_schema(schema)?,
            };
        }
        if let Some(spec) = self.spec {
            let fields = |had: &PartitionSpecRef| had.as_ref().clone().into_unbound();
            let same = |a: &UnboundPartitionField, b: &UnboundPartitionField| {
                (a.source_id, a.transform, &a.name) == (b.source_id, b.transform, &b.name)
            };
            let is_same = |had: &&PartitionSpecRef| {
                let had = fields(had);
                had.fields().len() == spec.fields().len()
                    && had.fields().iter().zip(spec.fields()).all(|(a, b)| same(a, b))
            };
            builder = match base.partition_specs_iter().find(is_same) {
                Some(had) => builder.set_default_partition_spec(had.spec_id())?,
                None => builder.add_default_partition_spec(spec)?,
            };
        }
        if let Some(order) = self.order {
            builder = match base.sort_orders_iter().find(|had| had.fields == order.fields) {
                Some(had) => builder.set_default_sort_order(had.order_id)?,
                None => builder.add_sort_order(order)?.set_default_sort_order(i64::from(LAST_ADDED))?,
            };
        }
        Ok(builder)
    }
}

/// Names the order that was added last, as Iceberg's updates do.
const LAST_ADDED: i32 = -1;
