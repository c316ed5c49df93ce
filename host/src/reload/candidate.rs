//! Loading a candidate and holding it against the pipeline's tables.

use std::sync::Arc;
use std::time::Duration;

use weir_iceberg::table::{IcebergTable, OpenError};
use weir_pipeline::stats::Stats;
use weir_pipeline::transform::{Effort, Message, Stage, TableSchema};
use weir_wasm::{Engine, WasmStage};

use crate::assemble::{Refusal, Wishes, codec};
use crate::chain::{Chain, load_chain};
use crate::codec::OtlpCodec;
use crate::compare;
use crate::config::Pipeline;

#[cfg(test)]
mod tests;

/// How often a catalog that does not answer is asked again, a second apart: long enough for it to be started anew.
const ATTEMPTS_MAX: u32 = 60;

/// Reads, compiles and configures a chain and calls each of its instances once, on a thread where that may take its
/// time. `None` where its digests are `but`.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn load(
    engine: Engine,
    pipeline: Pipeline,
    wishes: Wishes,
    but: Option<String>,
) -> Result<Option<Chain<WasmStage>>, String> {
    let load = move || {
        let mut chain = load_chain(&engine, &pipeline, &wishes).map_err(|e: Refusal| e.message().to_string())?;
        if but.is_some_and(|digests| digests == chain.digests) {
            return Ok(None);
        }
        for stage in &mut chain.stages {
            warm_up(stage)?;
        }
        Ok(Some(chain))
    };
    tokio::task::spawn_blocking(load).await.map_err(|e| format!("it cannot be loaded: {e}"))?
}

/// A message without content is OTLP too: it starts the instance and says nothing.
fn warm_up(stage: &mut WasmStage) -> Result<(), String> {
    let empty = Message { offset: 0, timestamp_ms: None, key: None, headers: &[], value: &[] };
    let called = stage.call("warm-up", 0, &[empty], Effort::Normal);
    called.map(drop).map_err(|failure| format!("it fails at a message without content: {failure}"))
}

/// Whether a candidate fills the tables that the pipeline has, and its rows fit, or would if columns were added; and
/// whether it gives every column that the live plugins give, as the same type.
///
/// # Errors
/// What does not fit.
pub(super) async fn check_tables(
    live: &[TableSchema],
    wanted: &[TableSchema],
    tables: &[IcebergTable],
    may_drop_columns: bool,
) -> Result<(), String> {
    let names = |schemas: &[TableSchema]| schemas.iter().map(|s| s.name.clone()).collect::<Vec<_>>().join(", ");
    if names(live) != names(wanted) {
        return Err(format!(
            "it fills the tables {}, and the pipeline's are {}: that takes a new start",
            names(wanted),
            names(live)
        ));
    }
    for (table, schema) in tables.iter().zip(wanted) {
        patiently(|| table.check_plugin(schema)).await?;
    }
    live.iter().zip(wanted).try_for_each(|(live, wanted)| check_columns(live, wanted, may_drop_columns))
}

/// A schema may grow. Whatever else changes is more likely a slip than meant: readers would see it, and nobody else.
fn check_columns(live: &TableSchema, wanted: &TableSchema, may_drop_columns: bool) -> Result<(), String> {
    let (table, given) = (&live.name, wanted.schema.fields());
    let gone = live.schema.fields().iter().filter(|field| given.find(field.name()).is_none());
    let gone: Vec<&str> = gone.map(|field| field.name().as_str()).collect();
    if !gone.is_empty() && !may_drop_columns {
        return Err(format!(
            "it no longer gives {} of table {table}, which the live plugin gives: NULL from then on. A new start takes \
             it, and so does may_drop_columns = true in its [[transform]]",
            gone.join(", ")
        ));
    }
    for (old, new) in live.schema.fields().iter().filter_map(|old| Some((old, given.find(old.name())?.1))) {
        let (old, new) = (compare::column(old), compare::column(new));
        if old != new {
            return Err(format!(
                "it gives the column {new} of table {table}, and the live plugin {old}: that takes a new start"
            ));
        }
    }
    Ok(())
}

/// Makes the tables fit a candidate, each in a commit of its own where it lacks columns.
///
/// # Errors
/// What does not fit.
pub(super) async fn accept_tables(wanted: &[TableSchema], tables: &[IcebergTable]) -> Result<(), String> {
    for (table, schema) in tables.iter().zip(wanted) {
        patiently(|| table.accept_plugin(schema)).await?;
    }
    Ok(())
}

async fn patiently<F: Future<Output = Result<(), OpenError>>>(ask: impl Fn() -> F) -> Result<(), String> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match ask().await {
            Ok(()) => return Ok(()),
            Err(e) if e.is_passing() && attempts < ATTEMPTS_MAX => tokio::time::sleep(Duration::from_secs(1)).await,
            Err(e) => return Err(e.to_string()),
        }
    }
}

/// A codec whose findings are counted nowhere: the live one counts them.
pub(super) fn uncounted_codec(pipeline: &Pipeline) -> OtlpCodec {
    codec(pipeline, &Arc::<Stats>::default())
}
