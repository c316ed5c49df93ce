//! A table as the core's port wants it: catalog, staging and writer put together.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use iceberg::TableIdent;
use iceberg::spec::TableMetadata;
use uuid::Uuid;
use weir_pipeline::batch::TopicPartition;
use weir_pipeline::checkpoint;
use weir_pipeline::error::Error;
use weir_pipeline::fault::{self, Point};
use weir_pipeline::replay;
use weir_pipeline::sink::{
    Change, Epoch, Head, LetterFloor, LetterKey, SEQUENCE_NUMBER, SNAPSHOT_ID, SwapError, Table,
};
use weir_pipeline::transform::TableSchema;

use crate::catalog::{Catalog, CatalogError, Loaded};
use crate::commit::{self, Attempts};
use crate::letters;
use crate::metadata;
use crate::snapshot::{self, Operation, Properties, Shape};
use crate::writer::{BufferLimits, Writer, Written};

pub mod arrangement;
mod open;
#[cfg(test)]
mod tests;

pub use open::{MADE_BY, OpenError};

/// Targets remembered for the guard: epochs under way were written for the newest or the one before.
const TARGETS_MAX: usize = 8;
/// Plugins remembered, each for the epochs that it may still make: the one that is live, one that takes its place, and
/// former ones that a second pass may want.
const PLUGINS_MAX: usize = 6;

/// What a pipeline's TOML says of one of its tables.
#[derive(Clone, Debug)]
pub struct TableOptions {
    /// The table's name in the catalog.
    pub ident: TableIdent,
    /// The pipeline's name.
    pub pipeline: String,
    /// How a new table is partitioned, in terms of [`arrangement::Term`].
    pub partition_by: Vec<String>,
    /// How a new table is sorted, in terms of [`arrangement::SortTerm`].
    pub sort_by: Vec<String>,
    /// Properties of a new table. `format-version` is 2 or 3.
    pub properties: BTreeMap<String, String>,
    /// Where a new table goes; the catalog's own choice where absent.
    pub location: Option<String>,
    /// How much of its rows may be held in memory, and where they go then.
    pub limits: BufferLimits,
}

/// One table of a pipeline.
#[derive(Debug)]
pub struct IcebergTable {
    name: String,
    ident: TableIdent,
    pipeline: String,
    uuid: Uuid,
    catalog: Catalog,
    /// Whose rows may come, the newest first.
    plugins: Mutex<VecDeque<TableSchema>>,
    writer: Writer,
    targets: Mutex<Vec<Arc<TableMetadata>>>,
    attempts: Attempts,
}

impl IcebergTable {
    /// Opens a table, or makes it, its namespace included. Columns that the plugin gives and the table lacks are added
    /// in a commit of their own.
    ///
    /// # Errors
    /// A table that the plugin's rows do not fit, or of a format that is not written here; a catalog that cannot be
    /// reached or lets pass what it must refuse.
    pub async fn open(catalog: Catalog, options: TableOptions, plugin: &TableSchema) -> Result<Self, OpenError> {
        let loaded = open::open(&catalog, &options, plugin).await?;
        let target = open::target(&options.ident, &loaded, plugin)?;
        let metadata = Arc::clone(&target.metadata);
        open::say_followed(&options.ident, &metadata, plugin);
        let writer = Writer::new(catalog.store().clone(), target, options.limits);
        writer.check().map_err(|e| OpenError::Format { table: options.ident.clone(), reason: format!("asks: {e}") })?;
        Ok(Self {
            name: options.ident.to_string(),
            ident: options.ident,
            pipeline: options.pipeline,
            uuid: metadata.uuid(),
            writer,
            catalog,
            plugins: Mutex::new(VecDeque::from([plugin.clone()])),
            targets: Mutex::new(vec![metadata]),
            attempts: Attempts::default(),
        })
    }

    /// The metadata that files are written for now.
    pub fn target(&self) -> Arc<TableMetadata> {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        // There is one from the beginning.
        Arc::clone(&targets[targets.len() - 1])
    }

    async fn load_own(&self) -> Result<Loaded, Error> {
        let loaded = self.catalog.load(&self.ident).await.map_err(|e| match e {
            CatalogError::NotFound(_) => Error::fatal(format!("table {} is gone", self.name)),
            e => Error::from(e),
        })?;
        let uuid = loaded.metadata.uuid();
        if uuid != self.uuid {
            return Err(Error::fatal(format!(
                "table {} was dropped and made again: its uuid was {} and is {uuid}",
                self.name, self.uuid
            )));
        }
        open::check_format(&self.ident, &loaded.metadata).map_err(Error::fatal)?;
        Ok(loaded)
    }

    fn check_fresh(&self, files: &Written, head: &TableMetadata) -> Result<(), String> {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let is_theirs = |target: &&Arc<TableMetadata>| {
            target.current_schema_id() == files.schema_id && target.default_partition_spec_id() == files.spec_id
        };
        match targets.iter().rev().find(is_theirs) {
            Some(written_for) => commit::check_fresh(head, written_for),
            None => Err(format!("nothing is known of schema {} and spec {}", files.schema_id, files.spec_id)),
        }
    }

    /// Whether another plugin's rows fit the table, or would if columns were added.
    ///
    /// # Errors
    /// As for [`IcebergTable::open`].
    pub async fn check_plugin(&self, plugin: &TableSchema) -> Result<(), OpenError> {
        open::check_fit(&self.ident, &self.catalog.load(&self.ident).await?, plugin)
    }

    /// Makes the table and its writer fit another plugin, beside those before: columns that it gives and the table
    /// lacks are added in a commit of their own, before any file carries them. From then on an epoch may hold its rows.
    ///
    /// # Errors
    /// As for [`IcebergTable::open`]. The plugins before are still fit.
    pub async fn accept_plugin(&self, plugin: &TableSchema) -> Result<(), OpenError> {
        let loaded = open::evolve(&self.catalog, &self.ident, plugin).await?;
        open::target(&self.ident, &loaded, plugin)?;
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.retain(|former| former.schema != plugin.schema);
        plugins.push_front(plugin.clone());
        plugins.truncate(PLUGINS_MAX);
        drop(plugins);
        self.aim(&loaded)
    }

    /// Takes up what others changed of schema, partitioning, order or properties, if the plugin still fits.
    fn take_up(&self, loaded: &Loaded) -> Result<(), OpenError> {
        if open::differs(&self.target(), &loaded.metadata) { self.aim(loaded) } else { Ok(()) }
    }

    /// Has the writer write for the table as it is now. A former plugin that no longer fits is forgotten.
    fn aim(&self, loaded: &Loaded) -> Result<(), OpenError> {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fitting = plugins.iter().map(|plugin| open::target(&self.ident, loaded, plugin));
        let newest = fitting.next().transpose()?;
        let aims: Vec<_> = newest.map(Ok).into_iter().chain(fitting).collect();
        let mut fits = aims.iter().map(Result::is_ok);
        plugins.retain(|_| fits.next().unwrap_or(false));
        drop(plugins);
        let aims: Vec<_> = aims.into_iter().flatten().collect();
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = targets.last().is_some_and(|target| !open::differs(target, &loaded.metadata));
        if !is_known {
            if targets.len() == TARGETS_MAX {
                targets.remove(0);
            }
            targets.push(Arc::clone(&loaded.metadata));
        }
        drop(targets);
        if !is_known && let Some(plugin) = self.newest_plugin() {
            open::say_followed(&self.ident, &loaded.metadata, &plugin);
        }
        self.writer.retarget(&aims);
        Ok(())
    }

    fn newest_plugin(&self) -> Option<TableSchema> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner).front().cloned()
    }

    /// After files turned out stale: makes the table fit the plugin again, and the writer the table.
    async fn renew(&self, why: String) -> SwapError {
        let Some(plugin) = self.newest_plugin() else { return SwapError::Stale(why) };
        let renewed = match open::evolve(&self.catalog, &self.ident, &plugin).await {
            Ok(loaded) => self.take_up(&loaded),
            Err(e) => Err(e),
        };
        match renewed {
            Ok(()) => SwapError::Stale(why),
            Err(e) if e.is_passing() => SwapError::Unknown(e.to_string()),
            Err(e) => SwapError::Fatal(e.to_string()),
        }
    }

    /// Deletes what failed attempts have left, once nobody can need it.
    fn tidy(&self, head: &TableMetadata) {
        let clutter = self.attempts.settle(head);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if clutter.is_empty() {
            return;
        }
        let store = self.catalog.store().clone();
        runtime.spawn(async move {
            for location in clutter {
                if let Err(e) = store.delete(&location).await {
                    tracing::debug!(location, error = %e, "a file of a failed commit stays, for orphan removal");
                }
            }
        });
    }
}

impl Table for IcebergTable {
    type Metadata = Loaded;
    type Files = Written;

    fn name(&self) -> &str {
        &self.name
    }

    async fn load(&self) -> Result<Head<Loaded>, Error> {
        let loaded = self.load_own().await?;
        Ok(Head { view: metadata::view(&loaded.metadata, &self.pipeline), metadata: loaded })
    }

    async fn swap(&self, head: &Head<Loaded>, change: &Change<Written>) -> Result<(), SwapError> {
        let base = &head.metadata;
        if let Some(files) = &change.files
            && let Err(why) = self.check_fresh(files, &base.metadata)
        {
            return Err(self.renew(why).await);
        }
        let properties = |id: i64, sequence: i64| {
            let offsets = change.offsets.replace(SNAPSHOT_ID, &id.to_string());
            let offsets = offsets.replace(SEQUENCE_NUMBER, &sequence.to_string());
            let mut properties = HashMap::from([(checkpoint::property(&self.pipeline), offsets)]);
            properties.extend(change.replayed.clone().map(|replayed| (replay::property(&self.pipeline), replayed)));
            properties
        };
        let operation = Operation {
            added: change.files.as_ref().map_or(&[], |files| &files.files[..]),
            spec_id: change.files.as_ref().map_or(base.metadata.default_partition_spec_id(), |files| files.spec_id),
            replaced: None,
            merges_manifests: false,
            shape: Shape::default(),
            summary: change.summary.clone(),
            properties: Properties::new(&properties),
            now_ms: change.now_ms,
        };
        let staged = snapshot::stage(&self.catalog.store().file_io(), &base.metadata, operation).await?;
        fault::pass(Point::ListWritten).map_err(SwapError::Unknown)?;
        let snapshot = staged.snapshot_id;
        let swapped = self.catalog.replace(&self.ident, base, staged.requirements, staged.updates).await;
        if swapped.is_err() {
            self.attempts.failed(base.metadata.current_snapshot_id(), snapshot, staged.written);
        }
        swapped.map(drop)
    }

    async fn write(&self, epoch: Epoch, rows: RecordBatch) -> Result<(), Error> {
        self.writer.write(epoch, rows).await
    }

    async fn close(&self, epoch: Epoch) -> Result<Option<Written>, Error> {
        self.writer.close(epoch).await
    }

    async fn discard(&self, epoch: Epoch) {
        self.writer.discard(epoch).await;
    }

    fn committed(&self, head: &Head<Loaded>) {
        self.tidy(&head.metadata.metadata);
        if let Err(e) = self.take_up(&head.metadata) {
            // The next swap finds its files stale, and then either mends the table or stops.
            tracing::warn!(table = self.name, error = %e, "the table was changed so that the plugin no longer fits");
        }
    }

    async fn letters(&self, from: &BTreeMap<TopicPartition, LetterFloor>) -> Result<Vec<LetterKey>, Error> {
        let loaded = self.load_own().await?;
        letters::at_or_beyond(self.catalog.store(), &self.ident, &loaded, &self.pipeline, from).await
    }

    fn buffered_bytes(&self) -> usize {
        self.writer.buffered_bytes()
    }
}
