//! From a statement to its rows.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::functions_aggregate::approx_percentile_cont::approx_percentile_cont_udaf;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::TableReference;
use datafusion::sql::parser;
use datafusion::sql::sqlparser::ast::Statement;
use futures::TryStreamExt;

use crate::answer::Answer;
use crate::catalog::{parts, provider};
use crate::describe;
use crate::error::QueryError;
use crate::source::TableSource;
use crate::statement::{Parsed, Renamed, parse};
use crate::travel::version;

/// The catalog and schema of a name that says neither; no table is there.
const DEFAULT_CATALOG: &str = "lakehouse";
const DEFAULT_SCHEMA: &str = "public";

/// Address space, of which a usual statement touches a hundredth. Where nothing is optimised, a planner takes some 25
/// KB a level: this holds ten times the depth that statements may have.
const PLAN_STACK_BYTES: usize = 64 << 20;

/// What one query may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Memory of sorts, joins and groups; what can go to disk does so beyond it.
    pub memory_bytes: usize,
    /// Memory of an [`Answer`]. [`Engine::stream`] has no such limit.
    pub answer_bytes: usize,
    /// How many streams read and compute beside each other.
    pub partitions: NonZeroUsize,
}

impl Default for Limits {
    /// 1 GiB, 256 MiB, one partition a core.
    fn default() -> Self {
        let partitions = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { memory_bytes: 1 << 30, answer_bytes: 256 << 20, partitions }
    }
}

/// Answers statements over one catalog. Works within a Tokio runtime, and is quick in one of several threads.
#[derive(Clone)]
pub struct Engine {
    source: Arc<dyn TableSource>,
    runtime: Arc<RuntimeEnv>,
    limits: Limits,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("source", &self.source).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Rows as they come.
pub struct Rows {
    /// Their columns.
    pub schema: SchemaRef,
    stream: SendableRecordBatchStream,
}

impl Rows {
    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// [`QueryError::Failed`], [`QueryError::TooLarge`].
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        self.stream.try_next().await.map_err(|why| QueryError::running(&why))
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.schema)
    }
}

impl Engine {
    /// An engine over a catalog.
    ///
    /// # Errors
    /// [`QueryError::Failed`] where there is no folder for temporary files.
    pub fn new(source: Arc<dyn TableSource>, limits: Limits) -> Result<Self, QueryError> {
        /// How many of the largest users an error names.
        const NAMED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);
        let pool = TrackConsumersPool::new(FairSpillPool::new(limits.memory_bytes), NAMED_MAX);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .build_arc()
            .map_err(|why| QueryError::running(&why))?;
        Ok(Self { source, runtime, limits })
    }

    /// The rows of one statement.
    ///
    /// # Errors
    /// Any [`QueryError`]; [`QueryError::TooLarge`] where the rows take more than `answer_bytes`.
    pub async fn query(&self, sql: &str) -> Result<Answer, QueryError> {
        let mut rows = match self.plan(sql).await? {
            Planned::Answer(answer) => return Ok(answer),
            Planned::Plan(context, plan) => start(&context, plan)?,
        };
        let (mut batches, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = rows.next().await? {
            bytes += batch.get_array_memory_size();
            if bytes > self.limits.answer_bytes {
                return Err(QueryError::TooLarge(format!(
                    "the answer takes more than {} bytes: add a LIMIT, or take it as a stream",
                    self.limits.answer_bytes
                )));
            }
            batches.push(batch);
        }
        Ok(Answer { schema: rows.schema, batches })
    }

    /// The rows of one statement, as they come.
    ///
    /// # Errors
    /// Any [`QueryError`] that shows before the first row.
    pub async fn stream(&self, sql: &str) -> Result<Rows, QueryError> {
        match self.plan(sql).await? {
            Planned::Plan(context, plan) => start(&context, plan),
            Planned::Answer(Answer { schema, batches }) => {
                let rows = futures::stream::iter(batches.into_iter().map(Ok));
                let stream = datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(schema.clone(), rows);
                Ok(Rows { schema, stream: Box::pin(stream) })
            }
        }
    }

    /// The physical plan of a `SELECT`: which files it reads, in how many streams.
    ///
    /// # Errors
    /// As [`Engine::query`]; [`QueryError::Refused`] for a statement that has no plan.
    pub async fn physical_plan(&self, sql: &str) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
        match self.plan(sql).await? {
            Planned::Plan(_, plan) => Ok(plan),
            Planned::Answer(_) => Err(QueryError::Refused("only a SELECT has a plan".into())),
        }
    }

    /// Plans on a thread of its own: planners go down an expression by recursion, and a stack that ends would take the
    /// process with it.
    async fn plan(&self, sql: &str) -> Result<Planned, QueryError> {
        let (engine, sql, runtime) = (self.clone(), sql.to_owned(), tokio::runtime::Handle::current());
        let (send, planned) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("weir-query-plan".into())
            .stack_size(PLAN_STACK_BYTES)
            .spawn(move || drop(send.send(runtime.block_on(engine.plan_here(&sql)))))
            .map_err(|why| QueryError::Failed(format!("there is no thread to plan on: {why}")))?;
        planned.await.unwrap_or_else(|_| Err(QueryError::Failed("the planner gave up on the statement".into())))
    }

    async fn plan_here(&self, sql: &str) -> Result<Planned, QueryError> {
        let source = self.source.as_ref();
        match parse(sql)? {
            Parsed::ShowTables(namespace) => describe::tables(source, namespace.as_deref()).await.map(Planned::Answer),
            Parsed::ShowSchemas => describe::schemas(source).await.map(Planned::Answer),
            Parsed::Describe(parts) => describe::columns(source, &parts).await.map(Planned::Answer),
            Parsed::Query(statement, renamed) => self.plan_query(*statement, renamed).await,
        }
    }

    async fn plan_query(&self, statement: Statement, renamed: Vec<Renamed>) -> Result<Planned, QueryError> {
        let context = self.context();
        let planning = |why| QueryError::planning(&why);
        let statement = parser::Statement::Statement(Box::new(statement));
        let state = context.state();
        let mut tables = Tables::default();
        for reference in state.resolve_table_references(&statement).map_err(planning)? {
            let provider = match renamed.iter().find(|renamed| Some(renamed.catalog.as_str()) == reference.catalog()) {
                Some(Renamed { parts, as_of: Some(as_of), .. }) => {
                    let version = version(&context, as_of).await?;
                    provider(self.source.as_ref(), parts, Some(&version)).await?
                }
                Some(Renamed { parts, .. }) => provider(self.source.as_ref(), parts, None).await?,
                None => provider(self.source.as_ref(), &parts(&reference), None).await?,
            };
            tables.insert(reference, provider)?;
        }
        tables.register(&context);
        let plan = context.state().statement_to_plan(statement).await.map_err(planning)?;
        let reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reads.verify_plan(&plan).map_err(|why| QueryError::Refused(why.strip_backtrace()))?;
        let plan = context.state().create_physical_plan(&plan).await.map_err(planning)?;
        Ok(Planned::Plan(Box::new(context), plan))
    }

    /// A context of its own for each query: its tables are those of this moment.
    fn context(&self) -> SessionContext {
        let config = SessionConfig::new()
            .with_target_partitions(self.limits.partitions.get())
            .with_default_catalog_and_schema(DEFAULT_CATALOG, DEFAULT_SCHEMA)
            .with_information_schema(false);
        let context = SessionContext::new_with_config_rt(config, Arc::clone(&self.runtime));
        // Trino's and Spark's name for it.
        let percentile = approx_percentile_cont_udaf().as_ref().clone().with_aliases(["approx_percentile"]);
        context.register_udaf(percentile);
        context
    }
}

enum Planned {
    Answer(Answer),
    Plan(Box<SessionContext>, Arc<dyn ExecutionPlan>),
}

fn start(context: &SessionContext, plan: Arc<dyn ExecutionPlan>) -> Result<Rows, QueryError> {
    let schema = plan.schema();
    let stream = execute_stream(plan, context.task_ctx()).map_err(|why| QueryError::running(&why))?;
    Ok(Rows { schema, stream })
}

/// What a query names, as DataFusion looks it up: catalog, schema, table.
#[derive(Default)]
struct Tables {
    catalogs: BTreeMap<String, Arc<MemoryCatalogProvider>>,
}

impl Tables {
    fn insert(&mut self, reference: TableReference, table: Arc<dyn TableProvider>) -> Result<(), QueryError> {
        let resolved = reference.resolve(DEFAULT_CATALOG, DEFAULT_SCHEMA);
        let planning = |why| QueryError::planning(&why);
        let catalog = self.catalogs.entry(resolved.catalog.to_string()).or_default();
        let schema = match catalog.schema(&resolved.schema) {
            Some(schema) => schema,
            None => {
                let schema: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
                catalog.register_schema(&resolved.schema, Arc::clone(&schema)).map_err(planning)?;
                schema
            }
        };
        schema.register_table(resolved.table.to_string(), table).map_err(planning)?;
        Ok(())
    }

    fn register(self, context: &SessionContext) {
        for (name, catalog) in self.catalogs {
            context.register_catalog(name, catalog);
        }
    }
}

#[cfg(test)]
mod tests;
