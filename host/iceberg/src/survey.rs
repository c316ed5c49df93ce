//! How a table's files lie: how large they are, how far they overlap in its order, what typical questions would read of
//! them, and what compaction would win.
//!
//! Sizes and ranges come from the manifests. What a question reads is planned as a reader plans it, by partitions and
//! bounds; then the footers and bloom filters of the files that are left are asked.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use iceberg::TableIdent;
use iceberg::spec::{Datum, TableMetadata, Transform};
use serde::Serialize;

use crate::catalog::{Catalog, CatalogError};
use crate::compact::{self, CompactError, Held, Live, Options, Strategy};
use crate::properties::WriteProperties;

mod questions;
#[cfg(test)]
mod tests;

pub use questions::Question;

/// Why nothing is said of a table.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The catalog said no.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// What it names cannot be read.
    #[error(transparent)]
    Files(#[from] CompactError),
    /// A file or a manifest cannot be read.
    #[error("{0}")]
    Read(String),
}

/// How a table's files lie.
#[derive(Clone, Debug, Serialize)]
pub struct Survey {
    /// The live data files.
    pub files: Sizes,
    /// Files that compaction takes for too small.
    pub small: usize,
    /// Files of older partition specs.
    pub older_specs: usize,
    /// Files in another order than the table's, or in none that they name.
    pub other_orders: usize,
    /// `write.target-file-size-bytes`.
    pub target_bytes: u64,
    /// The column whose ranges are looked at: the first that the table is sorted by.
    pub sorted_by: Option<String>,
    /// The partitions, in order of their names.
    pub partitions: Vec<Partition>,
    /// What typical questions read.
    pub questions: Vec<Question>,
    /// What compaction would make of it.
    pub gains: Vec<Gain>,
}

/// So many files, and how large.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sizes {
    /// How many.
    pub count: usize,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes of the smallest.
    pub smallest: u64,
    /// The bytes of the one in the middle.
    pub median: u64,
    /// The bytes of the largest.
    pub largest: u64,
}

/// The files of one partition.
#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    /// As its folder is called; empty where the table has no partitions.
    pub name: String,
    /// The partition spec that its files were written for.
    pub spec_id: i32,
    /// They.
    pub files: Sizes,
    /// So many of them hold one and the same value of the order's first column, at the most: 1 where none overlap. None
    /// where the table has no order that bounds tell of.
    pub overlap: Option<usize>,
    /// Files without bounds of that column, which may hold any value.
    pub unbounded: usize,
}

/// What a compaction would make of the files.
#[derive(Clone, Debug, Serialize)]
pub struct Gain {
    /// `binpack` or `sort`.
    pub strategy: &'static str,
    /// Files that it would take.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that would come of them, about.
    pub files_after: usize,
    /// Files that the table would have then.
    pub files_left: usize,
    /// Why it would do nothing.
    pub refused: Option<String>,
}

/// Looks at a table.
///
/// # Errors
/// See [`SurveyError`].
pub async fn survey(catalog: &Catalog, ident: &TableIdent) -> Result<Survey, SurveyError> {
    let head = catalog.load(ident).await?;
    let metadata = &head.metadata;
    let held = Held::read(catalog.store(), metadata, i64::MAX).await?;
    let mut live: Vec<&Live> = held.files.values().collect();
    live.sort_by(|a, b| (a.sequence, a.file.file_path()).cmp(&(b.sequence, b.file.file_path())));
    let target_bytes = WriteProperties::read(metadata.properties())
        .map_err(|e| SurveyError::Read(format!("{ident}: {e}")))?
        .target_file_bytes;
    let order_id = metadata.default_sort_order_id();
    let sorted = sorted_by(metadata);
    let count = |keep: &dyn Fn(&Live) -> bool| live.iter().filter(|live| keep(live)).count();
    let mut gains = Vec::new();
    for (strategy, name) in [(Strategy::Binpack, "binpack"), (Strategy::Sort, "sort")] {
        gains.push(gain(catalog, ident, strategy, name, live.len()).await?);
    }
    Ok(Survey {
        files: Sizes::of(&live),
        small: count(&|live| compact::is_small(live, target_bytes)),
        older_specs: count(&|live| live.spec_id != metadata.default_partition_spec_id()),
        other_orders: match sorted {
            Some(_) => count(&|live| live.file.sort_order_id().map(i64::from) != Some(order_id)),
            None => 0,
        },
        target_bytes,
        sorted_by: sorted.and_then(|id| metadata.current_schema().name_by_field_id(id)).map(str::to_string),
        partitions: partitions(metadata, &live, sorted),
        questions: questions::ask(catalog, ident, metadata, &live).await?,
        gains,
    })
}

/// The first column of the order, where its values, or what grows with them, come in order.
fn sorted_by(metadata: &TableMetadata) -> Option<i32> {
    let first = metadata.default_sort_order().fields.first()?;
    (!matches!(first.transform, Transform::Bucket(_) | Transform::Void | Transform::Unknown)).then_some(first.source_id)
}

fn partitions(metadata: &TableMetadata, live: &[&Live], sorted: Option<i32>) -> Vec<Partition> {
    let mut by_name: BTreeMap<(String, i32), Vec<&Live>> = BTreeMap::new();
    for file in live {
        let spec = metadata.partition_spec_by_id(file.spec_id);
        let name = spec.map_or_else(String::new, |spec| crate::writer::partition_name(spec, file.file.partition()));
        by_name.entry((name, file.spec_id)).or_default().push(file);
    }
    let view = |((name, spec_id), files): ((String, i32), Vec<&Live>)| {
        let ranges = sorted.map(|id| {
            let bounds = |live: &&Live| {
                Some((live.file.lower_bounds().get(&id)?.clone(), live.file.upper_bounds().get(&id)?.clone()))
            };
            files.iter().filter_map(bounds).collect::<Vec<_>>()
        });
        Partition {
            unbounded: ranges.as_ref().map_or(0, |ranges| files.len() - ranges.len()),
            overlap: ranges.map(overlap),
            files: Sizes::of(&files),
            name,
            spec_id,
        }
    };
    by_name.into_iter().map(view).collect()
}

/// How many ranges hold one value, at the most.
fn overlap(ranges: Vec<(Datum, Datum)>) -> usize {
    let by = |a: &Datum, b: &Datum| a.partial_cmp(b).unwrap_or(Ordering::Equal);
    let (mut lower, mut upper): (Vec<Datum>, Vec<Datum>) = ranges.into_iter().unzip();
    lower.sort_by(by);
    upper.sort_by(by);
    let mut ended = 0;
    let open_at = |(begun, from): (usize, &Datum)| {
        while upper.get(ended).is_some_and(|to| by(to, from).is_lt()) {
            ended += 1;
        }
        begun + 1 - ended
    };
    lower.iter().enumerate().map(open_at).max().unwrap_or(0)
}

impl Sizes {
    fn of(files: &[&Live]) -> Self {
        let mut bytes: Vec<u64> = files.iter().map(|live| live.file.file_size_in_bytes()).collect();
        bytes.sort_unstable();
        Self {
            count: files.len(),
            rows: files.iter().map(|live| live.file.record_count()).sum(),
            bytes: bytes.iter().sum(),
            smallest: bytes.first().copied().unwrap_or(0),
            median: bytes.get(bytes.len() / 2).copied().unwrap_or(0),
            largest: bytes.last().copied().unwrap_or(0),
        }
    }
}

async fn gain(
    catalog: &Catalog,
    ident: &TableIdent,
    strategy: Strategy,
    name: &'static str,
    all: usize,
) -> Result<Gain, SurveyError> {
    let options = Options { strategy, ..Options::default() };
    let mut gain = Gain { strategy: name, files: 0, bytes: 0, files_after: 0, files_left: all, refused: None };
    match compact::plan(catalog, ident, &options).await {
        Ok(plan) => {
            gain.files = plan.files_before;
            gain.bytes = plan.bytes_before;
            gain.files_after = plan.files_after;
            gain.files_left = (all + plan.files_after).saturating_sub(plan.files_before);
        }
        Err(CompactError::Refused(why)) => gain.refused = Some(why),
        Err(e) => return Err(e.into()),
    }
    Ok(gain)
}
