//! Chains: the plugins, with their settings, that make an epoch's rows, and how one takes the place of another.
//!
//! A chain is named by its digests, one for each plugin: the sha256 of the component, a `+`, and a digest of its
//! settings. The same names stand in a commit's summary, and in a further data table's entries.

use std::sync::Arc;

use tokio::sync::oneshot;

/// Plugins with their settings, checked, and warm on every worker. Cheap to clone.
#[derive(Debug)]
pub struct Chain<X> {
    /// Their digests, comma-separated.
    pub digests: Arc<str>,
    /// The workers that run them.
    pub transformer: Arc<X>,
}

impl<X> Clone for Chain<X> {
    fn clone(&self) -> Self {
        Self { digests: Arc::clone(&self.digests), transformer: Arc::clone(&self.transformer) }
    }
}

impl<X> Chain<X> {
    /// Names what workers run.
    pub fn new(digests: impl Into<Arc<str>>, transformer: Arc<X>) -> Self {
        Self { digests: digests.into(), transformer }
    }

    /// Whether both are the same workers.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.transformer, &other.transformer)
    }
}

/// The chains that a run begins with.
#[derive(Debug)]
pub struct Chains<X> {
    /// What epochs are made by.
    pub live: Chain<X>,
    /// Former ones, where a further data table has records of them that the primary has not.
    pub former: Vec<Chain<X>>,
}

impl<X> Chains<X> {
    /// One chain, and no former one.
    pub fn of(live: Chain<X>) -> Self {
        Self { live, former: Vec::new() }
    }
}

/// An order to make epochs by another chain from the next one on. A newer order takes the place of one that has not
/// taken effect yet: the older one's `done` is dropped.
#[derive(Debug)]
pub struct Swap<X> {
    /// Checked, and warm.
    pub chain: Chain<X>,
    /// Told when the first epoch is to be made by it.
    pub done: oneshot::Sender<()>,
}

/// Records of one partition that a further data table has and the primary has not yet: only the chain that made the
/// one's rows may make the other's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    /// The chain's digests, as the table names them.
    pub chain: Arc<str>,
    /// The first offset that any chain may make.
    pub below: i64,
}

/// Whether a chain that a table names is `ours`. Before digests covered settings a table named the components alone:
/// then these are all that can be compared.
pub fn is_named(theirs: &str, ours: &str) -> bool {
    let (mut left, mut right) = (theirs.split(','), ours.split(','));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(theirs), Some(ours)) if theirs == ours => {}
            (Some(theirs), Some(ours))
                if !theirs.contains('+') && ours.split_once('+').is_some_and(|(component, _)| component == theirs) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;
