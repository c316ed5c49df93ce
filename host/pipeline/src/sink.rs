//! The port to a table: its head, its one conditional write, and its writer.
//!
//! A head is a table's whole metadata at one moment, seen here as [`HeadView`]. [`Table::swap`] replaces it if, and
//! only if, it is still the table's: that is the one thing exactly-once rests on.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

use arrow_array::RecordBatch;

use crate::batch::TopicPartition;
use crate::error::Error;

/// A snapshot, as far as the commit protocol looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotView {
    /// Its id.
    pub id: i64,
    /// Its sequence number.
    pub sequence: i64,
    /// Its parent's id.
    pub parent: Option<i64>,
    /// Its summary's extra properties; Weir's begin with `weir.`.
    pub summary: BTreeMap<String, String>,
}

/// What the commit protocol sees of a table's metadata.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeadView {
    /// The table's uuid.
    pub uuid: String,
    /// The table's property `weir.<pipeline>.offsets`, as it stands.
    pub offsets: Option<String>,
    /// The table's property `weir.<pipeline>.replayed`, as it stands.
    pub replayed: Option<String>,
    /// The snapshots from the head of `main` backwards, as far as the metadata holds them.
    pub ancestry: Vec<SnapshotView>,
    /// Whether the last of `ancestry` was not the table's first, and what was before is no longer in the metadata.
    pub broken_off: bool,
    /// Whether any snapshot in the metadata, in the ancestry or not, has a summary of this pipeline.
    pub named: bool,
    /// The properties `weir.<name>.offsets` of other pipelines, by their name.
    pub others: BTreeMap<String, String>,
}

/// A table's metadata at one moment: what a swap is conditional on.
#[derive(Clone, Debug)]
pub struct Head<M> {
    /// What the protocol looks at.
    pub view: HeadView,
    /// What the adapter needs to make the swap conditional.
    pub metadata: M,
}

/// What one swap adds to a table. An append, of no files where there are none.
#[derive(Clone, Debug)]
pub struct Change<F> {
    /// Closed data files, none for a commit that only moves offsets or holders.
    pub files: Option<F>,
    /// The new snapshot's summary, keys beginning with `weir.`.
    pub summary: BTreeMap<String, String>,
    /// The new value of the table property `weir.<pipeline>.offsets`, but for the ids that only the adapter knows: it
    /// replaces [`SNAPSHOT_ID`] and [`SEQUENCE_NUMBER`] in it.
    pub offsets: String,
    /// The new value of the table property `weir.<pipeline>.replayed`, where dead letters are replayed.
    pub replayed: Option<String>,
    /// The wall clock of this process, milliseconds since 1970: the snapshot's time is the later of this and the last
    /// update plus one.
    pub now_ms: i64,
}

/// Stands in [`Change::offsets`] for the new snapshot's id.
pub const SNAPSHOT_ID: &str = "\"{snapshot-id}\"";
/// Stands in [`Change::offsets`] for the new snapshot's sequence number.
pub const SEQUENCE_NUMBER: &str = "\"{sequence-number}\"";

/// Why a swap is not known to have happened.
#[derive(Clone, Debug)]
pub enum SwapError {
    /// The head has moved. (Or the swap was applied, and a retry somewhere below saw its own work.)
    Conflict(String),
    /// Nobody knows: the answer was lost, or an error came that may follow an applied change. The request may even
    /// still be under way.
    Unknown(String),
    /// The files do not fit the head: a field or spec they were written with is gone or means something else.
    Stale(String),
    /// It can never work.
    Fatal(String),
}

impl fmt::Display for SwapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Conflict(m) | Self::Unknown(m) | Self::Stale(m) | Self::Fatal(m)) = self;
        f.write_str(m)
    }
}

/// Counts epochs in this process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub struct Epoch(pub u64);

/// Data files, closed and durable, that no commit has taken yet.
pub trait Files: Clone + Send + Sync + fmt::Debug + 'static {
    /// How many.
    fn count(&self) -> usize;
    /// Rows in all of them.
    fn rows(&self) -> u64;
    /// Bytes in all of them.
    fn bytes(&self) -> u64;
}

/// A dead letter as recovery needs it: partition and offset.
pub type LetterKey = (TopicPartition, i64);

/// From where on recovery asks for the dead letters of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LetterFloor {
    /// The cluster that the letters must come from.
    pub cluster_id: String,
    /// The topic id that they must carry: letters of a topic of the same name from before do not count.
    pub topic_id: Option<String>,
    /// The lowest offset.
    pub offset: i64,
}

/// One table of a pipeline. Cheap calls are not async; the rest awaits a catalog or a disk.
pub trait Table: Send + Sync + 'static {
    /// What a swap is conditional on.
    type Metadata: Clone + Send + Sync + 'static;
    /// What a closed epoch consists of.
    type Files: Files;

    /// The table's full name, for messages.
    fn name(&self) -> &str;

    /// Reads the table's metadata anew from its catalog.
    fn load(&self) -> impl Future<Output = Result<Head<Self::Metadata>, Error>> + Send;

    /// Replaces the table's head by one with `change`, if the head is still `head`.
    fn swap(
        &self,
        head: &Head<Self::Metadata>,
        change: &Change<Self::Files>,
    ) -> impl Future<Output = Result<(), SwapError>> + Send;

    /// Adds rows to an epoch's buffer. Waits while the buffer is full. Called from many tasks at once.
    fn write(&self, epoch: Epoch, rows: RecordBatch) -> impl Future<Output = Result<(), Error>> + Send;

    /// Ends an epoch: orders what is buffered, writes it, makes it durable. `None` where nothing was written.
    /// No `write` of this epoch is under way or follows.
    fn close(&self, epoch: Epoch) -> impl Future<Output = Result<Option<Self::Files>, Error>> + Send;

    /// Drops an epoch that is open, and what it has written. Late writes to it vanish.
    fn discard(&self, epoch: Epoch) -> impl Future<Output = ()> + Send;

    /// Told after a commit is known: files of older epochs are settled, schema and spec changes of others are taken
    /// up from the next epoch on.
    fn committed(&self, head: &Head<Self::Metadata>);

    /// Dead letters of this pipeline that stand in this table at or beyond the floor of each partition named. The
    /// table's columns are those of [`crate::dead_letter::schema`].
    fn letters(
        &self,
        from: &BTreeMap<TopicPartition, LetterFloor>,
    ) -> impl Future<Output = Result<Vec<LetterKey>, Error>> + Send;

    /// Bytes buffered now.
    fn buffered_bytes(&self) -> usize;
}
