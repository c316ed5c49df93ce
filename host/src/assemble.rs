//! From a pipeline's checked values to the parts that run: the only place that names two adapters together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogConfig, RestOptions};
use weir_iceberg::store::{S3Options, Store};
use weir_iceberg::table::{IcebergTable, TableOptions};
use weir_iceberg::writer::BufferLimits;
use weir_kafka::{KafkaConfig, KafkaSource};
use weir_pipeline::chain::{Chains, Swap, is_named};
use weir_pipeline::clock::{Clock, SystemClock};
use weir_pipeline::commit::Committer;
use weir_pipeline::dead_letter;
use weir_pipeline::event::{Budget, SourceEvent};
use weir_pipeline::holdings::{Accept, Holdings};
use weir_pipeline::run::{Options, Ports};
use weir_pipeline::sink::Table;
use weir_pipeline::source::{Source, Start};
use weir_pipeline::stats::Stats;
use weir_pipeline::transform::{Stage, TableSchema};
use weir_wasm::Engine;

use crate::chain;
pub use crate::chain::{Chain, load_chain};
use crate::codec::OtlpCodec;
use crate::config::{self, Pipeline, RestAuth};
use crate::mirror::Mirror;
use crate::reload::{Desk, Reloader};
use crate::shelf::{self, Shelf};
use crate::watch::Watcher;
use crate::workers::Workers;

/// Bytes of batches between the source and the tables: enough for a few batches a worker, and one large record.
const IN_FLIGHT_BYTES_MAX: usize = 16 << 20;
/// Source events that may wait for the loop.
const EVENTS_MAX: usize = 64;
/// How long a polite revocation may wait for its commit: below Kafka's session and rebalance time-outs.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(30);
/// The dead letters' buffer beside those of the data tables, which share all of `[buffer] max` evenly: no more than an
/// eighth of that.
const LETTERS_SHARE: u64 = 8;

/// What a run is told besides the files.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// End when what the topics hold now is committed.
    pub until_end: bool,
    /// What the operator allows.
    pub accept: Accept,
    /// Folders that plugins are looked for in.
    pub plugin_path: Vec<PathBuf>,
    /// The consumer's `group.instance.id`.
    pub instance_id: Option<String>,
    /// How many workers; the machine's cores where absent.
    pub workers: Option<usize>,
    /// Where components that were live are kept, if anywhere.
    pub shelf: Option<Shelf>,
}

/// Why a pipeline does not start.
#[derive(Debug)]
pub enum Refusal {
    /// What the file asks for cannot be: exit code 2.
    Wrong(String),
    /// The world does not play along: exit code 1.
    Failed(String),
}

impl Refusal {
    /// The message.
    pub fn message(&self) -> &str {
        let (Self::Wrong(m) | Self::Failed(m)) = self;
        m
    }

    fn wrong(why: impl std::fmt::Display) -> Self {
        Self::Wrong(why.to_string())
    }

    fn failed(why: impl std::fmt::Display) -> Self {
        Self::Failed(why.to_string())
    }
}

/// The loop's world as the binary puts it together.
pub type World = Ports<KafkaSource, IcebergTable, SystemClock>;

/// A pipeline that can run.
pub struct Assembled {
    /// Its name.
    pub name: String,
    /// What the loop reaches the world through.
    pub ports: World,
    /// What it begins with.
    pub chains: Chains<Workers>,
    /// How it runs.
    pub options: Options,
    /// What the source says.
    pub events: mpsc::Receiver<SourceEvent>,
    /// Chains that are to take the place of the first one.
    pub swaps: mpsc::Receiver<Swap<Workers>>,
    /// Where they are asked for.
    pub desk: Desk,
    /// Who makes them; nobody where plugins are compiled in.
    pub reloader: Option<Reloader>,
    /// Bytes between source and tables.
    pub budget: Budget,
    mirror: Arc<Mirror>,
}

impl std::fmt::Debug for Assembled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assembled").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Puts a pipeline together with its plugins in the sandbox.
///
/// # Errors
/// What is wrong with the file, or with the world.
pub async fn assemble(engine: &Engine, pipeline: &Pipeline, wishes: &Wishes) -> Result<Assembled, Refusal> {
    let watcher = Watcher::new(pipeline, &wishes.plugin_path);
    let chain = load_chain(engine, pipeline, wishes)?;
    let (tables, digests) = (chain.tables.clone(), chain.digests.clone());
    let components: Vec<String> = chain.plugins.iter().map(|plugin| plugin.digest().to_string()).collect();
    let mut assembled = assemble_with(chain, pipeline, wishes).await?;
    keep(&assembled.ports.holdings, wishes, &pipeline.transforms, &components);
    assembled.chains.former = former(engine, pipeline, wishes, &assembled, (&digests, &tables)).await;
    let (desk, queue) = Desk::open();
    desk.ledger.live(assembled.desk.ledger.plugins());
    let (swap, swaps) = mpsc::channel(1);
    assembled.reloader = Some(Reloader {
        engine: engine.clone(),
        pipeline: pipeline.clone(),
        wishes: wishes.clone(),
        holdings: Arc::clone(&assembled.ports.holdings),
        mirror: Arc::clone(&assembled.mirror),
        desk: desk.clone(),
        queue,
        swaps: swap,
        watcher,
        live: pipeline.transforms.clone(),
        tables,
        digests,
    });
    (assembled.swaps, assembled.desk) = (swaps, desk);
    Ok(assembled)
}

/// Keeps the components that are to go live, where a second pass may want them: with one data table none does.
pub(crate) fn keep(
    holdings: &Holdings<IcebergTable, SystemClock>,
    wishes: &Wishes,
    transforms: &[config::Transform],
    components: &[String],
) {
    if let Some(shelf) = wishes.shelf.as_ref().filter(|_| holdings.data_tables() > 1) {
        shelf.keep(transforms, &wishes.plugin_path, components);
    }
}

/// The former plugins of which a table has records that the primary has not, where they are kept. Without them the run
/// stops when it takes these records' partitions, and says why.
async fn former(
    engine: &Engine,
    pipeline: &Pipeline,
    wishes: &Wishes,
    assembled: &Assembled,
    (live, tables): (&str, &[TableSchema]),
) -> Vec<weir_pipeline::chain::Chain<Workers>> {
    let (mut former, holdings) = (Vec::new(), &assembled.ports.holdings);
    let Some(shelf) = wishes.shelf.as_ref().filter(|_| holdings.data_tables() > 1) else { return former };
    for named in shelf::owed(holdings, live).await {
        let Some(transforms) = shelf.find(&pipeline.transforms, &named) else { continue };
        let before = Pipeline { transforms, ..pipeline.clone() };
        let Ok(chain) = load_chain(engine, &before, wishes) else { continue };
        let mut fits = is_named(&named, &chain.digests) && chain.tables.len() == holdings.data_tables();
        for (table, schema) in holdings.tables.iter().zip(&chain.tables) {
            fits = fits && table.accept_plugin(schema).await.is_ok();
        }
        let stats = &holdings.committer.stats;
        let workers = Workers::start(chain.stages, || codec(pipeline, stats), &assembled.mirror);
        if let Some(workers) = workers.ok().filter(|_| fits) {
            tracing::info!(
                pipeline = pipeline.name,
                digests = chain.digests,
                "a former plugin makes a second pass first"
            );
            former.push(weir_pipeline::chain::Chain::new(chain.digests, Arc::new(workers)));
        }
        // The live ones are those that the tables are kept fit for.
        for (table, schema) in holdings.tables.iter().zip(tables) {
            if let Err(e) = table.accept_plugin(schema).await {
                tracing::warn!(table = table.name(), error = %e, "the live plugin no longer fits its table");
            }
        }
    }
    former
}

/// How many workers a run has.
pub fn worker_count(wishes: &Wishes) -> usize {
    wishes.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from)).max(1)
}

/// Puts a pipeline together around any stages: benches run plugins that are compiled in.
///
/// # Errors
/// What is wrong with the file, or with the world.
pub async fn assemble_with<S: Stage + 'static>(
    chain: Chain<S>,
    pipeline: &Pipeline,
    wishes: &Wishes,
) -> Result<Assembled, Refusal> {
    let stats = Arc::new(Stats::default());
    let catalog = open_catalog(pipeline).await?;
    let tables = open_proven(&catalog, pipeline, &chain.tables).await?;
    let mirror = Arc::default();
    let workers = Workers::start(chain.stages, || codec(pipeline, &stats), &mirror).map_err(Refusal::failed)?;
    let (events_to, events) = mpsc::channel(EVENTS_MAX);
    let budget = Budget::new(IN_FLIGHT_BYTES_MAX);
    let source = connect(pipeline, wishes, events_to, &budget).await?;
    let clock = Arc::new(SystemClock::default());
    let process = format!("{:032x}", clock.random());
    let committer =
        Committer { pipeline: pipeline.name.clone(), clock, stats, accept_rollback: wishes.accept.rollback };
    let start = match pipeline.source.start {
        config::Start::Earliest => Start::Earliest,
        config::Start::Latest => Start::Latest,
        config::Start::Time(ms) => Start::Time(ms),
    };
    let has_letters = pipeline.dead_letter.is_some();
    let holdings = Holdings::new(tables, has_letters, committer, start, wishes.accept, process);
    let options = Options {
        topics: pipeline.source.topics.clone(),
        commit_interval: pipeline.sink.commit_interval,
        revoke_timeout: REVOKE_TIMEOUT,
        until_end: wishes.until_end,
        refused_max: pipeline.dead_letter.as_ref().map_or(1.0, |d| f64::from(d.max_rejected.get()) / 100.0),
    };
    let ports = Ports { source: Arc::new(source), holdings: Arc::new(holdings) };
    let chains = Chains::of(weir_pipeline::chain::Chain::new(chain.digests, Arc::new(workers)));
    let (desk, _) = Desk::open();
    desk.ledger.live(chain.plugins);
    let ((_, swaps), name, reloader) = (mpsc::channel(1), pipeline.name.clone(), None);
    Ok(Assembled { name, ports, chains, options, events, swaps, desk, reloader, budget, mirror })
}

/// A pipeline's codec, which counts what is odd.
pub(crate) fn codec(pipeline: &Pipeline, stats: &Arc<Stats>) -> OtlpCodec {
    OtlpCodec::new(otlp_signal(pipeline.source.signal), pipeline.source.encoding, Arc::clone(stats))
}

pub(crate) fn otlp_signal(signal: config::Signal) -> weir_otlp::Signal {
    match signal {
        config::Signal::Traces => weir_otlp::Signal::Traces,
        config::Signal::Metrics => weir_otlp::Signal::Metrics,
        config::Signal::Logs => weir_otlp::Signal::Logs,
    }
}

/// Joins the group, once the brokers have answered for every topic.
/// How to reach a source's cluster, and as whom.
pub(crate) fn kafka_config(source: &config::KafkaSource) -> KafkaConfig {
    let mut config = KafkaConfig::new(source.brokers.clone(), source.topics.clone(), source.group.clone());
    config.properties = source.properties.iter().map(|(k, v)| (k.clone(), v.expose().to_string())).collect();
    config
}

async fn connect(
    pipeline: &Pipeline,
    wishes: &Wishes,
    events: mpsc::Sender<SourceEvent>,
    budget: &Budget,
) -> Result<KafkaSource, Refusal> {
    let from = &pipeline.source;
    let mut config = kafka_config(from);
    config.group_instance_id = wishes.instance_id.clone();
    config.revoke_timeout = REVOKE_TIMEOUT + Duration::from_secs(5);
    let source = KafkaSource::connect(config, events, budget.clone()).map_err(Refusal::wrong)?;
    for topic in &from.topics {
        let info = source.describe(topic).await.map_err(Refusal::failed)?;
        if info.topic_id.is_none() {
            tracing::warn!(
                topic,
                "the broker has no topic ids: a topic that is made again cannot be told from the old one"
            );
        }
    }
    Ok(source)
}

/// Opens a pipeline's catalog.
///
/// # Errors
/// A catalog or store that cannot be reached or refuses the credentials.
pub async fn open_catalog(pipeline: &Pipeline) -> Result<Catalog, Refusal> {
    let s3 = pipeline.sink.s3.as_ref().map_or_else(S3Options::default, |s3| S3Options {
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        path_style: Some(s3.path_style),
        access_key: s3.keys.as_ref().map(|(key, _)| key.expose().to_string()),
        secret_key: s3.keys.as_ref().map(|(_, secret)| secret.expose().to_string()),
        session_token: None,
        allow_http: s3.endpoint.as_ref().map(|e| e.starts_with("http://")),
    });
    let (config, warehouse) = match &pipeline.sink.catalog {
        config::Catalog::Hadoop { warehouse } => (CatalogConfig::Hadoop, warehouse.as_str().to_string()),
        config::Catalog::Sqlite { file, name, warehouse } => {
            let uri = format!("sqlite://{}", file.display());
            (CatalogConfig::Sql { uri, name: name.clone() }, warehouse.as_str().to_string())
        }
        config::Catalog::Postgres { uri, name, warehouse } => {
            let config = CatalogConfig::Sql { uri: uri.expose().to_string(), name: name.clone() };
            (config, warehouse.as_str().to_string())
        }
        // The server says where its tables are; the store reaches any place that they name.
        config::Catalog::Rest(rest) => (CatalogConfig::Rest(rest_options(rest)), "/".to_string()),
    };
    let store = Store::open(&warehouse, s3).map_err(Refusal::wrong)?;
    Catalog::open(config, store).await.map_err(Refusal::failed)
}

/// Opens a folder as a hadoop catalog's warehouse.
///
/// # Errors
/// Where there is no such folder.
pub async fn open_folder(folder: &Path) -> Result<Catalog, Refusal> {
    let folder = folder.canonicalize().map_err(|e| Refusal::wrong(format!("{}: {e}", folder.display())))?;
    let warehouse = format!("file://{}", folder.display());
    let store = Store::open(&warehouse, S3Options::default()).map_err(Refusal::wrong)?;
    Catalog::open(CatalogConfig::Hadoop, store).await.map_err(Refusal::failed)
}

fn rest_options(rest: &config::RestCatalog) -> RestOptions {
    let (mut token, mut credential, mut scope, mut oauth2_uri) = (None, None, None, None);
    match &rest.auth {
        None => {}
        Some(RestAuth::Token(given)) => token = Some(given.expose().to_string()),
        Some(RestAuth::Credential { credential: given, scope: wanted, oauth2_server_uri }) => {
            credential = Some(given.expose().to_string());
            scope = wanted.clone();
            oauth2_uri = oauth2_server_uri.clone();
        }
    }
    let headers = rest.headers.iter().map(|(k, v)| (k.clone(), v.expose().to_string())).collect();
    let (uri, warehouse) = (rest.uri.clone(), rest.warehouse.clone());
    RestOptions { uri, warehouse, token, credential, oauth2_uri, scope, headers, prefix: None, timeout: None }
}

/// As [`open_tables`], after the catalog and its store have shown that they refuse what they must.
pub(crate) async fn open_proven(
    catalog: &Catalog,
    pipeline: &Pipeline,
    schemas: &[TableSchema],
) -> Result<Vec<IcebergTable>, Refusal> {
    catalog.prove().await.map_err(Refusal::failed)?;
    open_tables(catalog, pipeline, schemas).await
}

/// Opens the plugin's tables, then the dead letters.
pub(crate) async fn open_tables(
    catalog: &Catalog,
    pipeline: &Pipeline,
    schemas: &[TableSchema],
) -> Result<Vec<IcebergTable>, Refusal> {
    chain::check_tables(pipeline, schemas)?;
    let buffer = pipeline.buffer.max_bytes / schemas.len().max(1) as u64;
    let mut tables = Vec::new();
    for schema in schemas {
        let Some(table) = pipeline.sink.tables.get(&schema.name) else { continue };
        let mut options = table_options(pipeline, &table.name, buffer)?;
        options.partition_by = table.partition_by.iter().map(ToString::to_string).collect();
        options.sort_by = table.sort_by.iter().map(ToString::to_string).collect();
        options.properties = table.properties.clone();
        tables.push(open_table(catalog, options, schema).await?);
    }
    if let Some(letters) = &pipeline.dead_letter {
        let options = table_options(pipeline, &letters.table, pipeline.buffer.max_bytes / LETTERS_SHARE)?;
        tables.push(open_table(catalog, options, &dead_letter::schema()).await?);
    }
    Ok(tables)
}

fn table_options(pipeline: &Pipeline, name: &config::TableName, buffer: u64) -> Result<TableOptions, Refusal> {
    let parts = name.namespace().iter().map(String::as_str).chain([name.table()]);
    Ok(TableOptions {
        ident: TableIdent::from_strs(parts).map_err(Refusal::wrong)?,
        pipeline: pipeline.name.clone(),
        partition_by: Vec::new(),
        sort_by: Vec::new(),
        properties: BTreeMap::new(),
        location: None,
        limits: BufferLimits {
            bytes_max: usize::try_from(buffer).unwrap_or(usize::MAX),
            spill_dir: pipeline.buffer.path.clone().unwrap_or_else(std::env::temp_dir),
        },
    })
}

async fn open_table(catalog: &Catalog, options: TableOptions, schema: &TableSchema) -> Result<IcebergTable, Refusal> {
    IcebergTable::open(catalog.clone(), options, schema).await.map_err(Refusal::failed)
}
