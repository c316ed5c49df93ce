//! `SHOW TABLES`, `SHOW SCHEMAS`, `DESCRIBE`.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use iceberg::spec::{NestedField, Type};

use crate::answer::Answer;
use crate::catalog::{find, unreadable};
use crate::error::QueryError;
use crate::source::TableSource;

/// Every table, or those of one namespace.
pub(crate) async fn tables(source: &dyn TableSource, namespace: Option<&str>) -> Result<Answer, QueryError> {
    let mut listed = source.list().await.map_err(|why| unreadable("catalog", &why))?;
    listed.sort();
    if let Some(namespace) = namespace {
        listed.retain(|id| id.namespace.join(".").eq_ignore_ascii_case(namespace));
    }
    let namespaces = listed.iter().map(|id| id.namespace.join(".")).collect();
    answer(vec![("namespace", namespaces), ("table", listed.iter().map(|id| id.table.clone()).collect())])
}

/// Every namespace that has a table.
pub(crate) async fn schemas(source: &dyn TableSource) -> Result<Answer, QueryError> {
    let listed = source.list().await.map_err(|why| unreadable("catalog", &why))?;
    let namespaces: BTreeSet<String> = listed.iter().map(|id| id.namespace.join(".")).collect();
    answer(vec![("namespace", namespaces.into_iter().collect())])
}

/// A table's columns, their Iceberg types and comments.
pub(crate) async fn columns(source: &dyn TableSource, parts: &[String]) -> Result<Answer, QueryError> {
    let found = find(source, parts).await?;
    let schema = found.table.metadata().current_schema();
    let fields = schema.as_struct().fields();
    let each = |show: fn(&NestedField) -> String| fields.iter().map(|field| show(field)).collect();
    answer(vec![
        ("column", each(|field| field.name.clone())),
        ("type", each(|field| kind(&field.field_type))),
        ("null", each(|field| if field.required { "no" } else { "yes" }.to_owned())),
        ("comment", each(|field| field.doc.clone().unwrap_or_default())),
    ])
}

/// A type as SQL writes it.
fn kind(kind: &Type) -> String {
    match kind {
        Type::Primitive(primitive) => primitive.to_string(),
        Type::Struct(fields) => {
            let fields: Vec<String> = fields
                .fields()
                .iter()
                .map(|field| format!("{}: {}", field.name, self::kind(&field.field_type)))
                .collect();
            format!("struct<{}>", fields.join(", "))
        }
        Type::List(list) => format!("list<{}>", self::kind(&list.element_field.field_type)),
        Type::Map(map) => {
            format!("map<{}, {}>", self::kind(&map.key_field.field_type), self::kind(&map.value_field.field_type))
        }
    }
}

fn answer(columns: Vec<(&str, Vec<String>)>) -> Result<Answer, QueryError> {
    let columns = columns.into_iter().map(|(name, values)| (name, Arc::new(StringArray::from(values)) as ArrayRef));
    let batch = RecordBatch::try_from_iter(columns).map_err(|why| QueryError::Failed(why.to_string()))?;
    Ok(Answer { schema: batch.schema(), batches: vec![batch] })
}
