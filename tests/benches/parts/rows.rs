//! OTLP protobuf to rows: the plugin compiled in, in the sandbox, and what one would write with prost.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use arrow::array::RecordBatch;
use flatten_spans::FlattenSpans;
use weir::config::PluginRef;
use weir_pipeline::transform::{Effort, Message, Stage, TableSchema};
use weir_sdk::{Batch, Instance, OtlpToArrow, testing};
use weir_wasm::native::{NativeOutput, NativeRows, NativeStage};
use weir_wasm::{Engine, Limits, Plugin, Signal, WasmStage};

use crate::signals::Calls;
use crate::traces::Traces;
use crate::{Part, owned, signals};

/// The parts, and what the sandboxed plugin's answers have cost to check so far.
pub(crate) fn parts(traces: &Traces) -> (Vec<Part>, impl Fn() -> Duration + use<>) {
    let (interrupted, plugin) = sandboxed(&Engine::new(None).unwrap());
    let (uninterrupted, _) = sandboxed(&Engine::without_interruption().unwrap());
    owned::agree(&traces.protobuf[0], &rows(&mut interrupted.clone(), &traces.protobuf[0]));
    let tables = interrupted.tables().to_vec();
    let bytes = Some(traces.protobuf_bytes());
    let protobuf = Rc::clone(&traces.protobuf);
    let by_prost = move || protobuf.iter().for_each(|call| drop(black_box(owned::rows(call))));
    let parts = vec![
        Part::new("flatten-spans, native", bytes, compiled_in::<FlattenSpans>(batches(traces))).first(),
        Part::new("flatten-spans, native, checked by the host", bytes, compiled_in_and_checked(traces, tables)),
        Part::new("flatten-spans in Wasm, checked by the host", bytes, called(&traces.protobuf, interrupted)),
        Part::new("the same without the means to interrupt it", bytes, called(&traces.protobuf, uninterrupted)),
        Part::new("prost's structs, then Arrow's builders", bytes, by_prost),
    ];
    (parts, move || plugin.usage().cpu_checking)
}

/// The plugin that the binary ships, as a stage.
pub(crate) fn sandboxed(engine: &Engine) -> (WasmStage, Plugin) {
    shipped(engine, "flatten-spans", Signal::Traces)
}

/// A plugin that the binary ships, as a stage.
pub(crate) fn shipped(engine: &Engine, name: &str, signal: Signal) -> (WasmStage, Plugin) {
    let plugin = weir::plugins::load(engine, &PluginRef::Named(name.into()), &[]).unwrap();
    let stage = plugin.configure(signal, Vec::new(), Limits::default()).unwrap();
    (stage, plugin)
}

/// What a call gives to the plugin's one table.
pub(crate) fn rows(stage: &mut WasmStage, call: &[Vec<u8>]) -> RecordBatch {
    all_rows(stage, call).remove(0)
}

/// What a call gives to each of the plugin's tables.
fn all_rows(stage: &mut WasmStage, call: &[Vec<u8>]) -> Vec<RecordBatch> {
    let output = stage.call("topic", 0, &messages(call), Effort::Normal).unwrap();
    assert!(output.rejections.is_empty(), "{:?}", output.rejections);
    output.tables.into_iter().map(|table| table.rows).collect()
}

fn messages(call: &[Vec<u8>]) -> Vec<Message<'_>> {
    let message = |(offset, value)| Message { offset, timestamp_ms: None, key: None, headers: &[], value };
    (0..).zip(call.iter().map(Vec::as_slice)).map(message).collect()
}

/// The plugin in the sandbox, on all calls.
pub(crate) fn called(calls: &Calls, mut stage: WasmStage) -> impl FnMut() + use<> {
    let calls = Rc::clone(calls);
    move || calls.iter().for_each(|call| drop(black_box(all_rows(&mut stage, call))))
}

/// The plugin compiled in, on all batches.
pub(crate) fn compiled_in<P: OtlpToArrow + 'static>(batches: Vec<Batch>) -> impl FnMut() + use<P> {
    let (mut instance, _) = Instance::<P>::configure(Vec::new()).unwrap();
    move || batches.iter().for_each(|batch| drop(black_box(instance.transform(batch).unwrap())))
}

fn batches(traces: &Traces) -> Vec<Batch> {
    signals::batches(&traces.protobuf, testing::traces)
}

/// As [`compiled_in`]; then the columns are checked and become Arrow's, as those of a guest are.
fn compiled_in_and_checked(traces: &Traces, tables: Vec<TableSchema>) -> impl FnMut() + use<> {
    let (mut instance, _) = Instance::<FlattenSpans>::configure(Vec::new()).unwrap();
    let (protobuf, batches) = (Rc::clone(&traces.protobuf), batches(traces));
    let mut next = 0;
    let mut stage = NativeStage::new(tables, move |_: &str, _, _: &[Message<'_>]| -> Result<NativeOutput, String> {
        let output = instance.transform(&batches[next])?;
        next = (next + 1) % batches.len();
        let tables = output.tables.into_iter().map(|t| NativeRows {
            rows: t.rows.rows,
            nodes: t.rows.nodes.iter().map(|n| (n.length, n.null_count)).collect(),
            buffers: t.rows.buffers,
            rows_per_message: t.rows_per_message,
        });
        Ok((tables.collect(), output.rejections.into_iter().map(|r| (r.index, r.reason)).collect()))
    });
    move || {
        for call in &*protobuf {
            drop(black_box(stage.call("spans", 0, &messages(call), Effort::Normal).unwrap()));
        }
    }
}
