//! Logs and metrics to rows: as many log records and data points as there are spans, from the same made-up shop.

use std::rc::Rc;

use flatten_logs::FlattenLogs;
use flatten_metrics::FlattenMetrics;
use weir_demo::generate::{LogGenerator, MetricGenerator, Options, encode_proto};
use weir_sdk::{Batch, OtlpToArrow, testing};
use weir_wasm::{Engine, Signal};

use crate::traces::{SPANS_PER_MESSAGE, Traces};
use crate::{Part, rows};

/// OTLP protobuf, by call and message.
pub(crate) type Calls = Rc<Vec<Vec<Vec<u8>>>>;

/// Messages in one call of a plugin: some megabytes, as a worker gives it.
pub(crate) const MESSAGES_PER_CALL: usize = 40;

/// Messages put together as a worker gives them.
pub(crate) fn calls(messages: Vec<Vec<u8>>) -> Calls {
    Rc::new(messages.chunks(MESSAGES_PER_CALL).map(<[_]>::to_vec).collect())
}

/// The same for a plugin that is compiled in; `batch` makes one of a call's values.
pub(crate) fn batches(calls: &Calls, batch: fn(Vec<Vec<u8>>) -> Batch) -> Vec<Batch> {
    calls.iter().map(|call| batch(call.clone())).collect()
}

/// The parts of both signals.
pub(crate) fn parts(traces: &Traces) -> Vec<Part> {
    let (options, messages) = (
        Options { seed: 1, items_per_message: SPANS_PER_MESSAGE, ..Options::default() },
        traces.spans / SPANS_PER_MESSAGE,
    );
    let logs = calls(LogGenerator::new(options).take(messages).map(|message| encode_proto(&message)).collect());
    let metrics = calls(MetricGenerator::new(options).take(messages).map(|message| encode_proto(&message)).collect());
    let logs = of::<FlattenLogs>("flatten-logs", Signal::Logs, &logs, testing::logs);
    let metrics = of::<FlattenMetrics>("flatten-metrics", Signal::Metrics, &metrics, testing::metrics);
    logs.into_iter().chain(metrics).collect()
}

fn of<P: OtlpToArrow + 'static>(
    name: &str,
    signal: Signal,
    calls: &Calls,
    batch: fn(Vec<Vec<u8>>) -> Batch,
) -> [Part; 2] {
    let bytes = Some(calls.iter().flatten().map(Vec::len).sum());
    let (sandboxed, _) = rows::shipped(&Engine::new(None).unwrap(), name, signal);
    [
        Part::new(format!("{name}, native"), bytes, rows::compiled_in::<P>(batches(calls, batch))).first(),
        Part::new(format!("{name} in Wasm, checked by the host"), bytes, rows::called(calls, sandboxed)),
    ]
}
