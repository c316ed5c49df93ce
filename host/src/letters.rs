//! Dead letters by hand: listing them, and giving them to the pipeline's present plugins once more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogError};
use weir_iceberg::letters::{self, Selection};
use weir_pipeline::clock::SystemClock;
use weir_pipeline::commit::Committer;
use weir_pipeline::dead_letter::Stored;
use weir_pipeline::replay::{Origin, Outcome, Replayer};
use weir_pipeline::stats::Stats;
use weir_pipeline::work::{Known, Worker};
use weir_wasm::Engine;

use crate::assemble::{Refusal, Wishes, load_chain, open_catalog, open_proven, otlp_signal};
use crate::codec::OtlpCodec;
use crate::config::Pipeline;

/// Letters that are replayed in one commit of each table.
const COMMIT_LETTERS_MAX: usize = 10_000;
/// Their offsets span no more than this, so that what is read to find them stays small.
const COMMIT_OFFSETS_MAX: i64 = 1_000_000;

/// A letter, and whether it was replayed.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The letter.
    pub letter: Stored,
    /// When it was replayed, in microseconds since 1970.
    pub replayed_at: Option<i64>,
}

/// The letters that were selected, in order.
///
/// # Errors
/// A pipeline without dead letters, a catalog or table that cannot be read.
pub async fn list(pipeline: &Pipeline, selection: &Selection, is_whole: bool) -> Result<Vec<Listed>, Refusal> {
    let catalog = open_catalog(pipeline).await?;
    let mut listed: Vec<Listed> = Vec::new();
    let mut marks: BTreeMap<(Origin, i64), i64> = BTreeMap::new();
    for stored in read(&catalog, pipeline, selection, is_whole).await? {
        match stored.replayed_at {
            Some(at) => drop(marks.insert((stored.origin, stored.record.offset), at)),
            None => listed.push(Listed { letter: stored, replayed_at: None }),
        }
    }
    for Listed { letter, replayed_at } in &mut listed {
        *replayed_at = marks.get(&(letter.origin.clone(), letter.record.offset)).copied();
    }
    Ok(listed)
}

/// Replays the letters that were selected and not replayed before. `told` hears of each origin's part when it is
/// committed.
///
/// # Errors
/// As for [`list`]; plugins that do not load; tables that contradict themselves.
pub async fn replay(
    engine: &Engine,
    pipeline: &Pipeline,
    wishes: &Wishes,
    selection: &Selection,
    is_trial: bool,
    mut told: impl FnMut(&Origin, Outcome),
) -> Result<(), Refusal> {
    let waiting = list(pipeline, selection, false).await?;
    let waiting = waiting.into_iter().filter(|l| l.replayed_at.is_none()).map(|l| l.letter);
    let mut by_origin: BTreeMap<Origin, BTreeSet<i64>> = BTreeMap::new();
    for letter in waiting {
        by_origin.entry(letter.origin).or_default().insert(letter.record.offset);
    }
    if by_origin.is_empty() {
        return Ok(());
    }
    let chain = load_chain(engine, pipeline, &Wishes { workers: Some(1), ..wishes.clone() })?;
    let catalog = open_catalog(pipeline).await?;
    let tables = open_proven(&catalog, pipeline, &chain.tables).await?;
    let stats = Arc::new(Stats::default());
    let committer = Committer {
        pipeline: pipeline.name.clone(),
        clock: Arc::new(SystemClock::default()),
        stats: Arc::clone(&stats),
        accept_rollback: wishes.accept.rollback,
    };
    let replayer = Replayer::new(tables, committer, chain.digests.as_str().into());
    let codec = OtlpCodec::new(otlp_signal(pipeline.source.signal), pipeline.source.encoding, stats);
    let stage = chain.stages.into_iter().next().ok_or_else(|| Refusal::Failed("there is no plugin".into()))?;
    let mut worker = Worker::new(stage, codec);
    for (origin, offsets) in by_origin {
        for (first, last) in spans(&offsets) {
            let part = Selection {
                topic: Some(origin.key.topic.to_string()),
                partition: Some(origin.key.partition),
                offsets: Some((first, last)),
            };
            let mut whole = read(&catalog, pipeline, &part, true).await?;
            whole.retain(|l| l.origin == origin && l.replayed_at.is_none() && offsets.contains(&l.record.offset));
            whole.dedup_by_key(|l| l.record.offset);
            // The plugin computes; the runtime's other threads have the rest.
            let apply = |batch: &_| tokio::task::block_in_place(|| worker.apply(batch, &Known::default()));
            let outcome = replayer.pass(&origin, &whole, is_trial, apply).await;
            told(&origin, outcome.map_err(|e| Refusal::Failed(e.to_string()))?);
        }
    }
    Ok(())
}

/// Offsets in parts, each from its first to its last.
fn spans(offsets: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64, usize)> = Vec::new();
    for &offset in offsets {
        match spans.last_mut() {
            Some((first, last, count)) if *count < COMMIT_LETTERS_MAX && offset - *first < COMMIT_OFFSETS_MAX => {
                (*last, *count) = (offset, *count + 1);
            }
            _ => spans.push((offset, offset, 1)),
        }
    }
    spans.into_iter().map(|(first, last, _)| (first, last)).collect()
}

async fn read(
    catalog: &Catalog,
    pipeline: &Pipeline,
    selection: &Selection,
    is_whole: bool,
) -> Result<Vec<Stored>, Refusal> {
    let failed = |why: String| Refusal::Failed(why);
    let Some(section) = &pipeline.dead_letter else {
        let file = pipeline.origin.file().display();
        return Err(Refusal::Wrong(format!("{file}: the pipeline has no [dead_letter]: no record is set aside")));
    };
    let parts = section.table.namespace().iter().map(String::as_str).chain([section.table.table()]);
    let ident = TableIdent::from_strs(parts).map_err(|e| failed(e.to_string()))?;
    let loaded = match catalog.load(&ident).await {
        Ok(loaded) => loaded,
        Err(CatalogError::NotFound(_)) => return Err(failed(format!("there is no table {ident} yet"))),
        Err(e) => return Err(failed(e.to_string())),
    };
    let read = letters::read(catalog.store(), &ident, &loaded, &pipeline.name, selection, is_whole).await;
    read.map_err(|e| failed(e.to_string()))
}
