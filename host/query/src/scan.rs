//! The plan's leaf: files of a table, spread over partitions, read as streams.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use iceberg::scan::FileScanTask;
use iceberg::table::Table;

use crate::absent::without_absent;
use crate::adapt::Adapter;

/// A file larger than this is read by several partitions, row groups apart.
const SPLIT_BYTES: u64 = 32 << 20;

/// Files that a stream reads beside each other: a store answers late, and each file is asked more than once.
const FILES_AT_ONCE: usize = 4;

/// How the files of one scan are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// The table's name, for messages.
    pub(crate) name: String,
    pub(crate) table: Table,
    pub(crate) adapter: Adapter,
    /// The fields that a file may lack and the crate cannot make up.
    pub(crate) may_lack: Vec<i32>,
    /// What was pushed down, for `EXPLAIN`.
    pub(crate) predicate: Option<String>,
}

/// The leaf of a plan that reads an Iceberg table.
#[derive(Debug)]
pub struct IcebergScan {
    reading: Reading,
    groups: Vec<Vec<FileScanTask>>,
    files: usize,
    /// How many rows it gives, where the manifests say so exactly.
    rows: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl IcebergScan {
    pub(crate) fn new(reading: Reading, tasks: Vec<FileScanTask>, partitions: usize) -> Self {
        let files = tasks.len();
        let rows = exact_rows(&reading, &tasks);
        let groups = spread(split(tasks), partitions);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(reading.adapter.schema())),
            Partitioning::UnknownPartitioning(groups.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (properties, metrics) = (Arc::new(properties), ExecutionPlanMetricsSet::new());
        Self { reading, groups, files, rows, properties, metrics }
    }

    /// How many data files it reads: those that the filters leave.
    pub fn files(&self) -> usize {
        self.files
    }
}

/// The sum of the files' rows, unless a filter or a delete takes some away.
fn exact_rows(reading: &Reading, tasks: &[FileScanTask]) -> Option<usize> {
    if reading.predicate.is_some() || tasks.iter().any(|task| !task.deletes.is_empty()) {
        return None;
    }
    let rows = tasks.iter().map(|task| task.record_count.and_then(|rows| usize::try_from(rows).ok()));
    rows.sum()
}

/// Large files cut into byte ranges; a row group belongs to the range that holds its middle. A file with deletes stays
/// whole: its deletes are loaded once.
fn split(tasks: Vec<FileScanTask>) -> Vec<FileScanTask> {
    let mut pieces = Vec::with_capacity(tasks.len());
    for task in tasks {
        if task.length <= SPLIT_BYTES || task.start != 0 || !task.deletes.is_empty() {
            pieces.push(task);
            continue;
        }
        let count = task.length.div_ceil(SPLIT_BYTES);
        for piece in 0..count {
            let start = piece * SPLIT_BYTES;
            let length = SPLIT_BYTES.min(task.length - start);
            pieces.push(FileScanTask { start, length, record_count: None, ..task.clone() });
        }
    }
    pieces
}

/// Largest first, each to the partition that has least to do. At least one partition, none of them empty but that.
fn spread(mut tasks: Vec<FileScanTask>, partitions: usize) -> Vec<Vec<FileScanTask>> {
    let count = partitions.min(tasks.len()).max(1);
    let mut groups: Vec<(u64, Vec<FileScanTask>)> = vec![(0, Vec::new()); count];
    tasks.sort_by(|a, b| b.length.cmp(&a.length).then_with(|| a.data_file_path.cmp(&b.data_file_path)));
    for task in tasks {
        if let Some((bytes, group)) = groups.iter_mut().min_by_key(|(bytes, group)| (*bytes, group.len())) {
            *bytes += task.length;
            group.push(task);
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

impl DisplayAs for IcebergScan {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if matches!(format, DisplayFormatType::TreeRender) { "\n" } else { ", " };
        if !matches!(format, DisplayFormatType::TreeRender) {
            write!(f, "IcebergScan: ")?;
        }
        write!(
            f,
            "table={}{separator}files={}{separator}partitions={}",
            self.reading.name,
            self.files,
            self.groups.len()
        )?;
        match &self.reading.predicate {
            Some(predicate) => write!(f, "{separator}predicate={predicate}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for IcebergScan {
    fn name(&self) -> &str {
        "IcebergScan"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let tasks = self.groups.get(partition).cloned().unwrap_or_default();
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let schema = Arc::clone(self.reading.adapter.schema());
        let batch_rows = context.session_config().batch_size();
        let stream = read(self.reading.clone(), tasks, batch_rows).inspect_ok(move |batch| rows.add(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Statistics> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if let (None, Some(rows)) = (partition, self.rows) {
            statistics.num_rows = Precision::Exact(rows);
        }
        Ok(statistics)
    }
}

/// One partition's rows, in no order.
fn read(
    reading: Reading,
    tasks: Vec<FileScanTask>,
    batch_rows: usize,
) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
    let failed =
        |name: &str, why: &dyn fmt::Display| DataFusionError::External(format!("cannot read {name}: {why}").into());
    let Reading { name, table, adapter, may_lack, .. } = reading;
    let file_io = table.file_io().clone();
    let tasks = stream::iter(tasks).then(move |task| {
        let (file_io, may_lack) = (file_io.clone(), may_lack.clone());
        async move { if may_lack.is_empty() { Ok(task) } else { without_absent(&file_io, task, &may_lack).await } }
    });
    let reader =
        table.reader_builder().with_batch_size(batch_rows).with_data_file_concurrency_limit(FILES_AT_ONCE).build();
    let batches = match reader.read(tasks.boxed()) {
        Ok(scan) => scan.stream(),
        Err(why) => stream::once(async move { Err(why) }).boxed(),
    };
    batches.map(move |batch| {
        let batch = batch.map_err(|why| failed(&name, &why))?;
        adapter.adapt(&batch).map_err(|why| failed(&name, &why))
    })
}
