//! The pipeline with the plugin compiled in.

use std::path::Path;

use flatten_spans::FlattenSpans;
use weir::assemble::{Chain, Wishes, assemble_with, load_chain};
use weir::config::{Surroundings, load};
use weir::progress::Format;
use weir::supervisor::supervise;
use weir_pipeline::holdings::Accept;
use weir_pipeline::transform::Message;
use weir_sdk::{Batch, Instance, Signal};
use weir_wasm::Engine;
use weir_wasm::native::{NativeOutput, NativeRows, NativeStage};

/// Runs a pipeline file to the end.
pub(crate) fn run(file: &Path) {
    let pipeline = load(file, &Surroundings::process()).expect("a right file");
    let wishes = Wishes {
        until_end: true,
        accept: Accept::default(),
        plugin_path: Vec::new(),
        instance_id: None,
        workers: None,
        shelf: None,
    };
    // The sandboxed plugin says what the tables are; it runs nothing else.
    let engine = Engine::new(None).expect("an engine");
    let sandboxed = load_chain(&engine, &pipeline, &wishes).expect("a chain");
    let stages = sandboxed.stages.iter().map(|_| NativeStage::new(sandboxed.tables.clone(), compiled_in()));
    let chain = Chain {
        stages: stages.collect(),
        tables: sandboxed.tables.clone(),
        digests: "native".into(),
        plugins: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let assembled = assemble_with(chain, &pipeline, &wishes).await.expect("a world that plays along");
        supervise(vec![assembled], Format::Json).await
    });
    assert!(ended.iter().all(|e| e.failure.is_none()), "{ended:?}");
}

fn compiled_in() -> impl FnMut(&str, i32, &[Message<'_>]) -> Result<NativeOutput, String> + Send {
    let (mut instance, _) = Instance::<FlattenSpans>::configure(Vec::new()).expect("no settings are right");
    move |topic, partition, messages| {
        let messages = messages.iter().map(|m| weir_sdk::Message {
            value: m.value.to_vec(),
            key: m.key.map(<[u8]>::to_vec),
            headers: Vec::new(),
            timestamp_ms: m.timestamp_ms,
            offset: m.offset,
        });
        let batch = Batch { signal: Signal::Traces, topic: topic.into(), partition, messages: messages.collect() };
        let output = instance.transform(&batch)?;
        let tables = output.tables.into_iter().map(|t| NativeRows {
            rows: t.rows.rows,
            nodes: t.rows.nodes.iter().map(|n| (n.length, n.null_count)).collect(),
            buffers: t.rows.buffers,
            rows_per_message: t.rows_per_message,
        });
        let rejections = output.rejections.into_iter().map(|r| (r.index, r.reason));
        Ok((tables.collect(), rejections.collect()))
    }
}
