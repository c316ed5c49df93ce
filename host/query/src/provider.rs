//! An Iceberg table at one snapshot, as DataFusion sees it.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::scan::FileScanTask;
use iceberg::spec::{NestedFieldRef, Schema, Type};
use iceberg::table::Table;

use crate::adapt::{Adapter, plain_schema};
use crate::pushdown::Columns;
use crate::scan::{IcebergScan, Reading};

/// A table at its head, with the current schema, or at another snapshot, with the schema of that time.
#[derive(Debug)]
pub(crate) struct IcebergTable {
    name: String,
    table: Table,
    snapshot: Option<i64>,
    /// The columns that queries see.
    schema: SchemaRef,
    /// For each of them, what the snapshot calls it.
    sources: Vec<Option<Source>>,
    columns: Columns,
}

/// A column of the snapshot.
#[derive(Clone, Debug)]
struct Source {
    id: i32,
    name: String,
    is_primitive: bool,
}

impl IcebergTable {
    /// # Errors
    /// Where the metadata names no such snapshot or schema, or a type that Arrow has not.
    pub(crate) fn new(name: String, table: Table, snapshot: Option<i64>) -> Result<Self, iceberg::Error> {
        let metadata = table.metadata_ref();
        let head = match snapshot {
            Some(id) => metadata.snapshot_by_id(id),
            None => metadata.current_snapshot(),
        };
        let written = match head {
            Some(head) => head.schema(&metadata)?,
            None => Arc::clone(metadata.current_schema()),
        };
        let seen = if snapshot.is_some() { Arc::clone(&written) } else { Arc::clone(metadata.current_schema()) };
        let sources = sources(&seen, &written);
        let mut columns = Columns::default();
        for (field, source) in seen.as_struct().fields().iter().zip(&sources) {
            let at_the_time = source.as_ref().and_then(|source| written.field_by_id(source.id));
            // To the crate's filters a file that lacks the column has nulls there, whatever its default is.
            // Nor does it know that a column was narrower once: it compares a file's bounds as they are.
            let has_one_type = |field: &&NestedFieldRef| {
                let mut then = metadata.schemas_iter().filter_map(|schema| schema.field_by_id(field.id));
                then.all(|then| then.field_type == field.field_type)
            };
            let at_the_time = at_the_time.filter(|field| field.initial_default.is_none()).filter(has_one_type);
            if let Some(Type::Primitive(primitive)) = at_the_time.map(|field| field.field_type.as_ref())
                && let Some(source) = source
            {
                columns.insert(&field.name, &source.name, primitive.clone());
            }
        }
        let snapshot = head.map(|head| head.snapshot_id());
        let schema = Arc::new(plain_schema(&schema_to_arrow_schema(&seen)?));
        Ok(Self { name, table, snapshot, schema, sources, columns })
    }

    /// The tasks that are left once files that cannot match are out, and how they are read.
    async fn plan(
        &self,
        projection: &[usize],
        filters: &[Expr],
    ) -> Result<(Vec<FileScanTask>, Reading), iceberg::Error> {
        let wanted: Vec<&Source> = projection.iter().filter_map(|index| self.sources[*index].as_ref()).collect();
        let mut names: Vec<&str> = wanted.iter().map(|source| source.name.as_str()).collect();
        // Rows are counted by a column that every file gives.
        if !wanted.iter().any(|source| source.is_primitive)
            && let Some(counter) = self.sources.iter().flatten().find(|source| source.is_primitive)
        {
            names.push(&counter.name);
        }
        let has_evolved = self.table.metadata().schemas_iter().count() > 1;
        let nested =
            wanted.iter().filter(|source| has_evolved && !source.is_primitive).map(|source| source.id).collect();
        let predicate = self.columns.predicate(filters);
        let schema = Arc::new(self.schema.project(projection).map_err(|why| {
            iceberg::Error::new(iceberg::ErrorKind::Unexpected, "cannot project the schema").with_source(why)
        })?);
        let renames = projection.iter().map(|index| self.sources[*index].as_ref().map(|source| source.name.clone()));
        let reading = Reading {
            name: self.name.clone(),
            table: self.table.clone(),
            adapter: Adapter::new(schema, renames.collect()),
            may_lack: nested,
            predicate: self.columns.shown(filters),
        };
        let Some(snapshot) = self.snapshot else { return Ok((Vec::new(), reading)) };
        let mut scan = self.table.scan().snapshot_id(snapshot).select(names);
        if let Some(predicate) = predicate {
            scan = scan.with_filter(predicate);
        }
        let tasks = scan.build()?.plan_files().await?.try_collect().await?;
        Ok((tasks, reading))
    }
}

fn sources(seen: &Schema, written: &Schema) -> Vec<Option<Source>> {
    let source = |id: i32| {
        let field = written.as_struct().field_by_id(id)?;
        Some(Source { id, name: field.name.clone(), is_primitive: field.field_type.is_primitive() })
    };
    seen.as_struct().fields().iter().map(|field| source(field.id)).collect()
}

#[async_trait]
impl TableProvider for IcebergTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let (tasks, reading) = self
            .plan(projection.unwrap_or(&all), filters)
            .await
            .map_err(|why| DataFusionError::External(format!("cannot plan a scan of {}: {why}", self.name).into()))?;
        Ok(Arc::new(IcebergScan::new(reading, tasks, state.config().target_partitions())))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match self.columns.is_usable(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }
}
