//! The two roles that are given OTLP: `otlp-to-otlp` and `otlp-to-arrow`.

use cpu_time::ThreadTime;
use weir_pipeline::fault::{self, Point};
use weir_pipeline::transform::{Effort, Failure, Message, Output, TableSchema};

use crate::answer;
use crate::bindings::otlp_to_otlp::Outcome;
use crate::bindings::records::{self, Batch, Header};
use crate::bindings::{otlp_to_arrow, otlp_to_otlp, settings};
use crate::contract::Exported;
use crate::failure::bounded;
use crate::instance::{Instance, Load};
use crate::schema;
use crate::step::{Misfit, Role, Step};

/// Where the messages of a call come from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) signal: records::Signal,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
}

/// OTLP in, OTLP out.
pub(crate) struct OtlpToOtlp;

impl Role for OtlpToOtlp {
    type Guest = otlp_to_otlp::Guest;
    type Given = ();
    type Description = ();
    const LOAD: Load<Self::Guest> = |exported, store, instance| match exported {
        Exported::OtlpToOtlp(functions) => functions.load(store, instance),
        _ => Err(wasmtime::Error::msg("it is of another world")),
    };

    fn describe(
        instance: &mut Instance<Self::Guest>,
        settings: &[settings::Setting<'_>],
        (): &(),
    ) -> Result<(), Misfit> {
        instance.call(|guest, store| guest.call_configure(store, settings))?.map_err(Misfit::Refused)
    }
}

impl Step<OtlpToOtlp> {
    /// What becomes of each message.
    pub(crate) fn call(
        &mut self,
        origin: Origin<'_>,
        messages: &[Message<'_>],
        effort: Effort,
    ) -> Result<Vec<Outcome>, Failure> {
        self.run(effort, bytes_of(messages), |_, instance, done| {
            let outcomes =
                with_batch(origin, messages, |batch| instance.call(|guest, store| guest.call_transform(store, batch)))?;
            let outcomes = outcomes.map_err(|reason| Failure::Failed(bounded(reason)))?;
            if outcomes.len() != messages.len() {
                return Err(Failure::Invalid(format!(
                    "it gave {} outcomes, and there were {} messages",
                    outcomes.len(),
                    messages.len()
                )));
            }
            let changed = outcomes.iter().map(|outcome| match outcome {
                Outcome::Changed(value) => value.len() as u64,
                Outcome::Unchanged | Outcome::Rejected(_) => 0,
            });
            done.bytes_out = changed.sum();
            Ok(outcomes)
        })
    }
}

/// OTLP in, rows out.
pub(crate) struct OtlpToArrow;

impl Role for OtlpToArrow {
    type Guest = otlp_to_arrow::Guest;
    type Given = ();
    type Description = Vec<TableSchema>;
    const LOAD: Load<Self::Guest> = |exported, store, instance| match exported {
        Exported::OtlpToArrow(functions) => functions.load(store, instance),
        _ => Err(wasmtime::Error::msg("it is of another world")),
    };

    fn describe(
        instance: &mut Instance<Self::Guest>,
        settings: &[settings::Setting<'_>],
        (): &(),
    ) -> Result<Vec<TableSchema>, Misfit> {
        let tables = instance.call(|guest, store| guest.call_configure(store, settings))?;
        schema::tables(&tables.map_err(Misfit::Refused)?).map_err(Misfit::Impossible)
    }
}

impl Step<OtlpToArrow> {
    /// The rows of the messages, and those that are refused.
    pub(crate) fn call(
        &mut self,
        origin: Origin<'_>,
        messages: &[Message<'_>],
        effort: Effort,
    ) -> Result<Output, Failure> {
        self.run(effort, bytes_of(messages), |shared, instance, done| {
            let given =
                with_batch(origin, messages, |batch| instance.call(|guest, store| guest.call_transform(store, batch)))?;
            let given = given.map_err(|reason| Failure::Failed(bounded(reason)))?;
            fault::pass(Point::Answered).map_err(Failure::Invalid)?;
            let clock = ThreadTime::now();
            let answer = answer::check(shared.description(), messages.len(), given);
            shared.plugin().meter().checking(clock.elapsed());
            let answer = answer.map_err(|reason| Failure::Invalid(bounded(reason)))?;
            (done.bytes_out, done.rows_out) = (answer.bytes, answer.rows);
            Ok(answer.output)
        })
    }
}

fn bytes_of(messages: &[Message<'_>]) -> u64 {
    messages.iter().map(|message| message.value.len() as u64).sum()
}

/// The messages as the contract has them.
fn with_batch<T>(origin: Origin<'_>, messages: &[Message<'_>], call: impl FnOnce(Batch<'_>) -> T) -> T {
    let headers: Vec<Header<'_>> = messages
        .iter()
        .flat_map(|message| message.headers)
        .map(|(key, value)| Header { key, value: value.as_deref() })
        .collect();
    let mut rest = headers.as_slice();
    let mut lowered = Vec::with_capacity(messages.len());
    for message in messages {
        let (headers, others) = rest.split_at(message.headers.len());
        rest = others;
        lowered.push(records::Message {
            value: message.value,
            key: message.key,
            headers,
            timestamp_ms: message.timestamp_ms,
            offset: message.offset,
        });
    }
    let Origin { signal, topic, partition } = origin;
    call(Batch { signal, topic, partition, messages: &lowered })
}
