//! The delivery protocol under everything that can go wrong, from a seed.
//!
//! The loop, the holdings and the commits are the real ones. Around them: a Kafka with a group coordinator, a catalog
//! with compare-and-swap, processes that are killed or stopped at any moment, requests that are applied late, twice
//! answered, or never answered. Half of the lives fill two data tables; in some processes run two versions
//! of the plugin, in others they swap between three while they run. Time is virtual, all randomness comes from the seed, and one thread runs it: a seed
//! replays. `WEIR_SEEDS=10000 cargo test -p weir-pipeline sim` runs more seeds, `WEIR_SEED=7` one.
//!
//! Known limits: a file that was closed is durable; two clocks differ by minutes at most; the catalog's
//! compare-and-swap itself is right (the committers have tests of their own).

mod broker;
mod catalog;
mod compaction;
mod interleavings;
mod life;
mod plugin;
mod process;
mod tests;
mod world;

/// Protocols known to be wrong. The simulation must catch each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    /// The guard lets pass an entry that is further on.
    GuardAtMost,
    /// V is believed only where the current snapshot has it.
    MarkerOnCurrent,
    /// The guard is checked on one head and the append made on whatever head there is then.
    CheckThenAppend,
    /// Processing starts at the group's offsets, not at V.
    GroupOffsets,
    /// A range ends at the consumer's position, not where the last transformed batch ends.
    PositionAhead,
    /// Taking a partition leaves no mark.
    NoHolder,
    /// A further data table takes rows of records below its own entry once more.
    NoFloor,
    /// A swap takes effect although a partition stands below a further data table's entry.
    SwapBelowEntry,
    /// A swap takes effect in the middle of an epoch.
    SwapWithinEpoch,
    /// A compaction's replace carries V as it was when the compaction began.
    ReplaceCarriesV,
}
