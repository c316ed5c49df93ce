//! The newest warnings and errors of this process, for who asks how it is.
//!
//! What goes wrong is logged once, where it is handled: this listens to the log.

use std::collections::VecDeque;
use std::fmt::{Debug, Write};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use weir_pipeline::clock::{Clock, SystemClock};

/// How many are kept: enough to see what repeats.
const KEPT: usize = 20;
/// What is kept of each.
const TEXT_MAX: usize = 600;

static KEEPER: Mutex<VecDeque<Said>> = Mutex::new(VecDeque::new());

/// Something that was logged.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Said {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// `warn` or `error`.
    pub level: &'static str,
    /// The message and its fields.
    pub message: String,
}

/// Notes an error that ends something and is not logged.
pub fn note(message: String) {
    keep("error", message);
}

/// What was noted and logged, the oldest first.
pub fn said() -> Vec<Said> {
    KEEPER.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

fn keep(level: &'static str, mut message: String) {
    if let Some((end, _)) = message.char_indices().nth(TEXT_MAX) {
        message.truncate(end);
    }
    let at_ms = SystemClock::default().now_ms();
    let mut kept = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(Said { at_ms, level, message });
}

/// The part of the log that keeps.
#[derive(Debug)]
pub struct Recent;

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            _ => return,
        };
        // Kafka's client says everything through Weir, and says it again.
        if event.metadata().target().starts_with("rdkafka") {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        keep(level, text.message + &text.fields);
    }
}

/// A message and its fields, as a line of the log has them.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests;
