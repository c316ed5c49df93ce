//! What a plugin implements: one trait, and one list of columns for each table that it fills.

use crate::column::Column;
use crate::message::{Message, Signal};
use crate::otlp::Malformed;
use crate::settings::Settings;

/// A plugin that turns OTLP into rows.
///
/// The order of calls: `configure` once, `tables` for their schemas, then for each batch `transform` for each of
/// its records and `tables` to take the rows. Calls never overlap.
pub trait OtlpToArrow: Sized {
    /// Reads the settings and makes the plugin, its tables still empty. Equal settings must give equal tables.
    ///
    /// A setting that nothing asked for is refused afterwards, by name.
    ///
    /// # Errors
    /// A mistake in the settings, for whoever wrote them: the pipeline does not start.
    fn configure(settings: &mut Settings) -> Result<Self, String>;

    /// Shows each table, always the same ones in the same order; the first is the primary one.
    fn tables(&mut self, each: &mut dyn FnMut(&mut dyn Table));

    /// Appends the rows of one record to the tables.
    ///
    /// # Errors
    /// The record is refused: it becomes a dead letter, and whatever this call appended or counted is taken back,
    /// half-written rows too. Nothing else the call changed in the plugin is, and a record may be shown twice (a
    /// protobuf message that repeats a singular part is merged, then shown again): keep what depends on the rows
    /// in the tables.
    fn transform(&mut self, message: &Message, context: &mut Context<'_>) -> Result<(), Refusal>;
}

/// Columns side by side: those of a table, or of a struct.
pub trait Columns {
    /// Shows each column with its name and its meaning, always the same ones in the same order.
    fn columns(&mut self, visit: &mut dyn Visit);
}

/// Whatever looks at columns.
pub trait Visit {
    /// Looks at one. `doc` becomes its comment in the table.
    fn column(&mut self, name: &str, doc: &str, column: &mut dyn Column);
}

/// Rows that a plugin fills.
pub trait Table: Columns {
    /// What the pipeline's TOML calls it.
    fn name(&self) -> &str;

    /// What a row is.
    fn doc(&self) -> &str {
        ""
    }

    /// How many whole rows it holds: the length of whichever column is filled last. A length is enough to take
    /// back the rows of a record that is refused.
    fn rows(&self) -> usize;
}

/// Why a record is refused, for the person who reads the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub(crate) Reason);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Malformed(Malformed),
    Text(String),
}

impl Refusal {
    /// A refusal in the plugin's own words: lower case, facts last.
    pub fn new(reason: impl Into<String>) -> Self {
        Refusal(Reason::Text(reason.into()))
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Refusal(Reason::Malformed(malformed))
    }
}

impl Reason {
    pub(crate) fn text(&self, value: &[u8]) -> String {
        match self {
            Reason::Malformed(malformed) => malformed.describe_in(value),
            Reason::Text(text) => text.clone(),
        }
    }
}

/// Where a record came from, and the plugin's counters.
pub struct Context<'a> {
    pub(crate) signal: Signal,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) counts: &'a mut Counts,
}

impl Context<'_> {
    /// What the record's value is.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The topic that the record came from.
    pub fn topic(&self) -> &str {
        self.topic
    }

    /// The partition that the record came from.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Refuses a record of another signal than `reader`, the plugin, reads.
    ///
    /// # Errors
    /// It is of another one.
    pub fn expect(&self, signal: Signal, reader: &str) -> Result<(), Refusal> {
        if self.signal == signal {
            return Ok(());
        }
        let (wanted, found) = (signal.name(), self.signal.name());
        Err(Refusal::new(format!("{reader} reads {wanted}, not {found}")))
    }

    /// Adds to a counter, which appears as `weir_plugin_counter_total{plugin, counter}`. Forgotten if the record
    /// is refused. Names hold a to z, 0 to 9 and underscores; the host keeps 64 of them.
    pub fn count(&mut self, counter: &'static str, amount: u64) {
        if amount > 0 {
            self.counts.add(counter, amount);
        }
    }
}

/// Counters by name, in the order in which they were first met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(Vec<(&'static str, u64)>);

impl Counts {
    pub(crate) fn add(&mut self, counter: &'static str, amount: u64) {
        match self.0.iter_mut().find(|(name, _)| *name == counter) {
            Some((_, sum)) => *sum = sum.saturating_add(amount),
            None => self.0.push((counter, amount)),
        }
    }

    /// Takes everything out, the storage stays.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.drain(..)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
