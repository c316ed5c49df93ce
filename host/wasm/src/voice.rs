//! What a guest may say: lines of log, and counters. Everything else it could import is not there.

use std::collections::BTreeMap;

use crate::bindings::log::Level;
use crate::bindings::{columns, counters, log, records, settings};
use crate::instance::State;

/// The longest line, in bytes, as the contract says.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Lines of one call, as the contract says.
const LINES_MAX: u64 = 100;

/// Names that one call may count under: as many as the plugin may have in all.
const NAMES_MAX: usize = 64;

/// The longest name of a counter, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What was said in the call that is running.
#[derive(Debug)]
pub(crate) struct Voice {
    plugin: String,
    lines: u64,
    last_error: Option<String>,
    amounts: BTreeMap<String, u64>,
    refused_counter: Option<String>,
}

impl Voice {
    pub(crate) fn new(plugin: String) -> Self {
        Self { plugin, lines: 0, last_error: None, amounts: BTreeMap::new(), refused_counter: None }
    }

    /// Starts a call from nothing.
    pub(crate) fn begin_call(&mut self) {
        self.lines = 0;
        self.last_error = None;
        self.amounts.clear();
    }

    /// Ends a call, says what was refused in it, and gives the number of lines that were dropped.
    pub(crate) fn end_call(&mut self) -> u64 {
        let dropped = self.lines.saturating_sub(LINES_MAX);
        if dropped > 0 {
            tracing::warn!(plugin = self.plugin, dropped, limit = LINES_MAX, "plugin logged too much in one call");
        }
        if let Some(counter) = self.refused_counter.take() {
            tracing::warn!(plugin = self.plugin, counter, "plugin counts under a name that is refused");
        }
        dropped
    }

    /// What the call counted, by name.
    pub(crate) fn take_amounts(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.amounts)
    }

    /// The last line that was logged as an error in this call: the SDK's panic hook logs there why it traps.
    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    fn write(&mut self, level: Level, message: &str) {
        self.lines += 1;
        if self.lines > LINES_MAX {
            return;
        }
        let plugin = self.plugin.as_str();
        let line = one_line(cut(message, LINE_BYTES_MAX));
        match level {
            Level::Error => tracing::error!(target: "weir::plugin", plugin, "{line}"),
            Level::Warn => tracing::warn!(target: "weir::plugin", plugin, "{line}"),
            Level::Info => tracing::info!(target: "weir::plugin", plugin, "{line}"),
            Level::Debug => tracing::debug!(target: "weir::plugin", plugin, "{line}"),
        }
        if level == Level::Error {
            self.last_error = Some(line);
        }
    }

    fn add(&mut self, name: String, amount: u64) {
        if let Some(sum) = self.amounts.get_mut(&name) {
            *sum = sum.saturating_add(amount);
        } else if is_counter_name(&name) && self.amounts.len() < NAMES_MAX {
            self.amounts.insert(name, amount);
        } else {
            self.refused_counter.get_or_insert_with(|| one_line(cut(&name, NAME_BYTES_MAX)));
        }
    }
}

fn is_counter_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The text, cut to at most so many bytes between two characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// The text without what could forge a line of the log or move a terminal's cursor.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

impl log::Host for State {
    fn write(&mut self, level: Level, message: String) {
        self.voice.write(level, &message);
    }
}

impl counters::Host for State {
    fn add(&mut self, name: String, amount: u64) {
        self.voice.add(name, amount);
    }
}

// These interfaces have types only.
impl settings::Host for State {}
impl records::Host for State {}
impl columns::Host for State {}

#[cfg(test)]
mod tests;
