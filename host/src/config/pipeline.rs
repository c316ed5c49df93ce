//! A pipeline's checked values. They are made by [`super::load`] alone.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalog::Catalog;
use super::diagnostic::{Diagnostic, Excerpt};
use super::layout::{PartitionField, SortField};
use super::pin::Pin;
use super::secret::Secret;

/// One source, its transforms, one sink.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Pipeline {
    /// Whose offsets these are: letters, digits, `-` and `_`.
    pub name: String,
    /// Where records come from.
    pub source: KafkaSource,
    /// The plugins that records go through, in order; at least one.
    pub transforms: Vec<Transform>,
    /// Whether every plugin from outside the binary must be pinned; not unless said.
    pub require_pinned: bool,
    /// Where rows go.
    pub sink: IcebergSink,
    /// Where rejected records go. Without it a rejected record halts the pipeline.
    pub dead_letter: Option<DeadLetter>,
    /// What holds an epoch's rows until the commit.
    pub buffer: Buffer,
    /// How its tables are looked after while it runs.
    pub maintenance: Maintenance,
    /// Where metrics and health are served, if at all.
    pub admin: Option<Admin>,
    /// The file it was read from.
    pub origin: Origin,
}

/// `[source.kafka]`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KafkaSource {
    /// `host:port`, at least one.
    pub brokers: Vec<String>,
    /// At least one, none twice.
    pub topics: Vec<String>,
    /// The consumer group, `weir-NAME` unless said.
    pub group: String,
    /// What the topics carry.
    pub signal: Signal,
    /// How it is written.
    pub encoding: Encoding,
    /// Where a table that has no offsets yet begins; latest unless said.
    pub start: Start,
    /// What librdkafka is given besides. None of them is refused.
    pub properties: BTreeMap<String, Secret>,
}

/// What a topic carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric points.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    const NAMES: [(Self, &str); 3] = [(Self::Traces, "traces"), (Self::Metrics, "metrics"), (Self::Logs, "logs")];

    /// What files call it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(signal, _)| *signal == self).map_or("", |(_, name)| name)
    }

    /// The signal that files call so.
    pub fn of_name(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(signal, _)| *signal)
    }
}

/// How a record's value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// OTLP protobuf.
    OtlpProto,
    /// OTLP JSON.
    OtlpJson,
}

impl Encoding {
    const NAMES: [(Self, &str); 2] = [(Self::OtlpProto, "otlp_proto"), (Self::OtlpJson, "otlp_json")];

    /// What files call it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(encoding, _)| *encoding == self).map_or("", |(_, name)| name)
    }

    /// The encoding that files call so.
    pub fn of_name(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(encoding, _)| *encoding)
    }
}

/// Where a table that has no offsets yet begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// At the oldest record.
    Earliest,
    /// After the newest record.
    Latest,
    /// At the first record of this time, milliseconds since 1970.
    Time(i64),
}

/// One `[[transform]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Transform {
    /// The plugin.
    pub plugin: PluginRef,
    /// Its content, where that is pinned.
    pub pin: Pin,
    /// Its `config`, as plugins see it.
    pub settings: Vec<Setting>,
    /// What one instance may use.
    pub limits: Limits,
    /// Batches that a plugin which is to take this one's place goes through beside it first; 3 unless said.
    pub canary: u32,
    /// Whether one may take this one's place that no longer gives all of its columns; not unless said.
    pub may_drop_columns: bool,
    /// A plugin that runs beside this one on a share of the batches, and whose rows go nowhere.
    pub shadow: Option<PluginRef>,
    /// The shadow's content, where that is pinned.
    pub shadow_pin: Pin,
    /// Where the section stands.
    pub origin: Origin,
}

/// Where a plugin is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PluginRef {
    /// A name, looked for on the plugin path.
    Named(String),
    /// An absolute path.
    File(PathBuf),
    /// The component itself, under a name: no file says this, who swaps a plugin does.
    Given(String, Component),
}

impl PluginRef {
    /// What messages call it: the name, or the file's without its ending.
    pub fn name(&self) -> String {
        match self {
            Self::Named(name) | Self::Given(name, _) => name.clone(),
            Self::File(file) => file.file_stem().map_or_else(|| "plugin".into(), |s| s.to_string_lossy().into_owned()),
        }
    }
}

/// The bytes of a component. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Component(pub bytes::Bytes);

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// One key of a transform's `config`: nested tables joined by dots; a scalar gives one value, an array one an
/// element, an empty array none. Numbers, booleans and times are written as TOML writes them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// The key, its tables joined by dots.
    pub key: String,
    /// Its values.
    pub values: Vec<String>,
}

impl fmt::Debug for Setting {
    /// Without the values: `${VAR}` may have put a secret there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} values)", self.key, self.values.len())
    }
}

/// What one instance of a plugin may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Linear memory, 256 MiB unless said.
    pub memory_bytes: u64,
    /// CPU time of one call, 2 s unless said.
    pub deadline: Duration,
    /// What one call may return, 64 MiB unless said.
    pub output_bytes: u64,
}

/// `[sink.iceberg]`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct IcebergSink {
    /// The catalog and its warehouse.
    pub catalog: Catalog,
    /// How long an epoch lasts, 30 s unless said.
    pub commit_interval: Duration,
    /// How an S3 store is reached. Without it AWS's own chain decides.
    pub s3: Option<S3>,
    /// What the TOML says of each of the plugin's tables, by the plugin's name for it; at least one.
    pub tables: BTreeMap<String, Table>,
}

/// `[sink.iceberg.s3]`, for data and for the swap.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct S3 {
    /// An `http` or `https` URL; AWS's own unless said.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Whether the bucket stands in the path rather than the host name; true unless said where there is an endpoint.
    pub path_style: bool,
    /// Access key id and secret; AWS's own chain finds them unless said.
    pub keys: Option<(Secret, Secret)>,
}

/// `[sink.iceberg.tables.NAME]`: used when Weir makes the table, and for comparison when it exists.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Table {
    /// Its name in the catalog.
    pub name: TableName,
    /// Its partition spec; empty for none.
    pub partition_by: Vec<PartitionField>,
    /// Its sort order; empty for none.
    pub sort_by: Vec<SortField>,
    /// Iceberg table properties.
    pub properties: BTreeMap<String, String>,
}

/// A table's name in a catalog: a namespace of one part or more, and the table's own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    namespace: Vec<String>,
    table: String,
}

impl TableName {
    pub(super) fn new(namespace: Vec<String>, table: String) -> Self {
        Self { namespace, table }
    }

    /// The namespace's parts, at least one.
    pub fn namespace(&self) -> &[String] {
        &self.namespace
    }

    /// The table's own name.
    pub fn table(&self) -> &str {
        &self.table
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.namespace.join("."), self.table)
    }
}

impl fmt::Debug for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `[dead_letter]`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The table; none of the data tables.
    pub table: TableName,
    /// The share of an epoch's records beyond which the pipeline stops rather than rejects; 50 % unless said.
    pub max_rejected: Percent,
}

/// A whole percentage, 0 to 100.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Percent(u8);

impl Percent {
    /// `None` above 100.
    pub const fn new(percent: u8) -> Option<Self> {
        if percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// The number, 0 to 100.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// `[buffer]`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Buffer {
    /// A folder for what does not fit into memory, absolute; `None` is the system's own for temporary files.
    pub path: Option<PathBuf>,
    /// How many bytes of rows are held in memory, 64 MiB unless said.
    pub max_bytes: u64,
}

/// `[maintenance]`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Maintenance {
    /// How often tables are looked at, an hour unless said.
    pub every: Duration,
    /// How small files become large ones, if they do.
    pub compact: Option<Compaction>,
    /// Whose old snapshots go.
    pub expire: Expiry,
    /// How much of one core compaction takes, a quarter unless said.
    pub cpu: Percent,
}

/// How small files become large ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compaction {
    /// Files that came after each other, together.
    Binpack,
    /// All of a partition, in order.
    Sort,
}

/// Whose old snapshots go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// Nobody's.
    Off,
    /// Those of tables that this pipeline has made.
    Own,
    /// Those of all its tables.
    All,
}

/// `[admin]`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Admin {
    /// Where `/metrics`, `/healthz` and `/readyz` are served.
    pub listen: SocketAddr,
    /// Whether plugins may be swapped from other machines; only from this one unless said.
    pub remote_swaps: bool,
}

/// Where a pipeline, or a part of it, was read from: its file and the line that names it.
#[derive(Clone)]
pub struct Origin {
    pub(super) file: PathBuf,
    pub(super) excerpt: Excerpt,
}

impl Origin {
    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A diagnostic at that line, for what only shows later: a plugin that is missing, a table that is refused.
    pub fn diagnostic(&self, message: impl Into<String>, help: impl Into<Option<String>>) -> Diagnostic {
        Diagnostic::new(&self.file, self.excerpt.clone(), message.into(), help.into())
    }
}

impl PartialEq for Origin {
    /// By file: a reload that only moves the line changes nothing.
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl Eq for Origin {}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())
    }
}
