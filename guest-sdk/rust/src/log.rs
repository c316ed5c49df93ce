//! A plugin's voice in Weir's own log, and its numbers in Weir's metrics. Natively both are kept for a test to
//! look at ([`captured`], [`counted`]).

/// How loud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is lost or wrong.
    Error,
    /// Something looks wrong.
    Warn,
    /// A person may care.
    Info,
    /// For whoever writes the plugin.
    Debug,
}

/// Something is lost or wrong.
pub fn error(message: &str) {
    write(Level::Error, message);
}

/// Something looks wrong.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// A person may care.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// For whoever writes the plugin.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Writes one line. The host cuts lines beyond 4 KiB and drops those beyond 100 a call.
pub fn write(level: Level, message: &str) {
    voice::write(level, message);
}

/// Adds to a counter at once. Within `transform` prefer [`crate::Context::count`], which is taken back with the
/// rows of a record that is refused.
pub fn count(counter: &str, amount: u64) {
    voice::count(counter, amount);
}

#[cfg(target_arch = "wasm32")]
mod voice {
    use super::Level;
    use crate::bindings::weir::plugin::{counters, log};

    pub(super) fn write(level: Level, message: &str) {
        let level = match level {
            Level::Error => log::Level::Error,
            Level::Warn => log::Level::Warn,
            Level::Info => log::Level::Info,
            Level::Debug => log::Level::Debug,
        };
        log::write(level, message);
    }

    pub(super) fn count(counter: &str, amount: u64) {
        counters::add(counter, amount);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod voice {
    use super::Level;
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    /// As many lines as the host lets one call write.
    const LINES_MAX: usize = 100;

    thread_local! {
        pub(super) static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
        pub(super) static COUNTS: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    pub(super) fn write(level: Level, message: &str) {
        LINES.with_borrow_mut(|lines| {
            if lines.len() < LINES_MAX {
                lines.push((level, message.to_owned()));
            }
        });
    }

    pub(super) fn count(counter: &str, amount: u64) {
        COUNTS.with_borrow_mut(|counts| {
            if let Some(sum) = counts.get_mut(counter) {
                *sum = sum.saturating_add(amount);
            } else {
                counts.insert(counter.to_owned(), amount);
            }
        });
    }
}

/// Takes what this thread has logged, at most 100 lines since the last call. Natively only.
#[cfg(not(target_arch = "wasm32"))]
pub fn captured() -> Vec<(Level, String)> {
    voice::LINES.take()
}

/// Takes what this thread has counted since the last call. Natively only.
#[cfg(not(target_arch = "wasm32"))]
pub fn counted() -> std::collections::BTreeMap<String, u64> {
    voice::COUNTS.take()
}
