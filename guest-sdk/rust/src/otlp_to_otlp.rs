//! Plugins that turn OTLP into OTLP: they filter, redact, sample and enrich.

use crate::message::{Batch, Message};
use crate::otlp::{Fault, merge};
use crate::plugin::{Context, Counts, Reason, Refusal};
use crate::settings::{Setting, Settings};

/// A plugin that turns OTLP into OTLP.
///
/// ```
/// use weir_sdk::prelude::*;
///
/// /// Drops what took less than a millisecond.
/// struct DropFast;
///
/// impl OtlpToOtlp for DropFast {
///     fn configure(_: &mut Settings) -> Result<Self, String> { Ok(DropFast) }
///     fn transform(&mut self, message: &Message, _: &mut Context<'_>) -> Result<Outcome, Refusal> {
///         Ok(otlp::keep_spans(&message.value, |span, _| {
///             Ok(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) >= 1_000_000)
///         })?)
///     }
/// }
///
/// weir_sdk::export!(DropFast as OtlpToOtlp);
/// ```
pub trait OtlpToOtlp: Sized {
    /// Reads the settings and makes the plugin. A setting that nothing asked for is refused afterwards, by name.
    ///
    /// # Errors
    /// A mistake in the settings, for whoever wrote them: the pipeline does not start.
    fn configure(settings: &mut Settings) -> Result<Self, String>;

    /// Says what becomes of one record. [`crate::otlp::edit_attributes`] and [`crate::otlp::keep_spans`] give an outcome.
    ///
    /// A record may be shown twice: a protobuf message that repeats a singular part is merged, then shown again.
    ///
    /// # Errors
    /// The record is refused: it becomes a dead letter, and whatever this call counted is taken back.
    fn transform(&mut self, message: &Message, context: &mut Context<'_>) -> Result<Outcome, Refusal>;
}

/// What becomes of a record's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on as it is, and is not copied.
    Unchanged,
    /// This goes on in its place; empty where nothing is left.
    Changed(Vec<u8>),
}

impl Outcome {
    /// The value that goes on.
    pub fn value<'a>(&'a self, given: &'a [u8]) -> &'a [u8] {
        match self {
            Outcome::Unchanged => given,
            Outcome::Changed(value) => value,
        }
    }
}

/// A configured plugin. The same code runs it in a component and natively, in tests.
pub struct Rewriter<P> {
    plugin: P,
    staged: Counts,
}

impl<P: OtlpToOtlp> Rewriter<P> {
    /// Makes a plugin of its settings.
    ///
    /// # Errors
    /// A mistake in the settings, for whoever wrote them.
    pub fn configure(given: Vec<Setting>) -> Result<Self, String> {
        let mut settings = Settings::new(given);
        let plugin = P::configure(&mut settings)?;
        settings.refuse_the_rest()?;
        Ok(Rewriter { plugin, staged: Counts::default() })
    }

    /// What becomes of each record, or why it is refused. Counters go out at the end.
    pub fn transform(&mut self, batch: &Batch) -> Vec<Result<Outcome, String>> {
        let mut counts = Counts::default();
        let mut one = |message| {
            let outcome = self.transform_message(batch, message);
            match outcome {
                Ok(_) => self.staged.drain().for_each(|(counter, amount)| counts.add(counter, amount)),
                Err(_) => self.staged.clear(),
            }
            outcome
        };
        let outcomes = batch.messages.iter().map(&mut one).collect();
        counts.drain().for_each(|(counter, amount)| crate::log::count(counter, amount));
        outcomes
    }

    fn transform_message(&mut self, batch: &Batch, message: &Message) -> Result<Outcome, String> {
        match self.show(batch, message) {
            Err(Refusal(Reason::Malformed(malformed))) if malformed.fault == Fault::Split => {
                self.staged.clear();
                let value = merge(batch.signal, &message.value);
                let value = value.map_err(|malformed| malformed.describe_in(&message.value))?;
                let merged = Message { value, ..message.clone() };
                self.show(batch, &merged).map_err(|refusal| refusal.0.text(&merged.value))
            }
            shown => shown.map_err(|refusal| refusal.0.text(&message.value)),
        }
    }

    fn show(&mut self, batch: &Batch, message: &Message) -> Result<Outcome, Refusal> {
        let Batch { signal, topic, partition, .. } = batch;
        let mut context = Context { signal: *signal, topic, partition: *partition, counts: &mut self.staged };
        self.plugin.transform(message, &mut context)
    }
}
