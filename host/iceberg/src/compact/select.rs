//! Which files are worth rewriting, and which of them together.
//!
//! As Iceberg's own procedure has it: files below three quarters of the target and above 1.8 times it. The files that
//! come of it lie between, so that they are not rewritten again.

use std::collections::HashMap;

use iceberg::spec::{DataFileFormat, FormatVersion, Struct, TableMetadata};

use super::held::{Held, Live};
use super::{CompactError, Options, Strategy};
use crate::properties::WriteProperties;

const SMALL: f64 = 0.75;
const LARGE: f64 = 1.8;

/// Files of one partition whose rows go into `outputs` others.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) partition: Struct,
    pub(super) files: Vec<Live>,
    pub(super) outputs: usize,
}

impl Group {
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|live| live.file.file_size_in_bytes()).sum()
    }

    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|live| live.file.record_count()).sum()
    }

    /// As messages name it.
    pub(super) fn name(&self) -> String {
        let first = self.files.first().map_or("", |live| live.file.file_path());
        format!("{} files, {first} the first of them", self.files.len())
    }
}

/// What is to be done in a table.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) groups: Vec<Group>,
    /// Live files of older partition specs, which stay as they are.
    pub(super) older_specs: usize,
    /// Other live files that stay as they are.
    pub(super) untouched: usize,
}

/// Refuses what cannot be rewritten without changing what the table says.
pub(super) fn check(head: &TableMetadata, held: &Held, options: &Options) -> Result<(), CompactError> {
    let refused = |why: String| Err(CompactError::Refused(why));
    match head.format_version() {
        FormatVersion::V1 => return refused("it has format version 1, which is not written here".to_string()),
        FormatVersion::V3 => {
            return refused(
                "it has format version 3, in which rows have ids that a rewrite must keep: that is not done here yet"
                    .to_string(),
            );
        }
        FormatVersion::V2 => {}
    }
    if let Some(manifest) = &held.deletes {
        return refused(format!(
            "it has delete files ({manifest} lists them): rows that they delete would be back; an engine that applies \
             them has to rewrite the files first"
        ));
    }
    if options.strategy == Strategy::Sort && head.default_sort_order().is_unsorted() {
        return refused("it has no sort order: the strategy `sort` needs one, `binpack` does not".to_string());
    }
    let mut odd: Vec<&Live> = held.files.values().collect();
    odd.retain(|live| live.file.file_format() != DataFileFormat::Parquet || live.file.key_metadata().is_some());
    odd.sort_by_key(|live| live.file.file_path().to_string());
    match odd.first() {
        Some(Live { file, .. }) if file.key_metadata().is_some() => {
            refused(format!("its data file {} is encrypted", file.file_path()))
        }
        Some(Live { file, .. }) => refused(format!(
            "its data file {} is of format {}, and only parquet is read here",
            file.file_path(),
            file.file_format()
        )),
        None => Ok(()),
    }
}

/// Chooses.
pub(super) fn select(head: &TableMetadata, held: Held, options: &Options) -> Result<Selection, CompactError> {
    let properties = WriteProperties::read(head.properties()).map_err(|e| CompactError::Refused(e.to_string()))?;
    let target = options.target_file_bytes.unwrap_or(properties.target_file_bytes) as f64;
    let spec_id = head.default_partition_spec_id();
    let mut selection = Selection::default();
    let mut partitions: HashMap<Struct, Vec<Live>> = HashMap::new();
    for live in held.files.into_values() {
        let bytes = live.file.file_size_in_bytes() as f64;
        if live.spec_id != spec_id {
            selection.older_specs += 1;
        } else if options.rewrite_all || bytes < SMALL * target || bytes > LARGE * target {
            partitions.entry(live.file.partition().clone()).or_default().push(live);
        } else {
            selection.untouched += 1;
        }
    }
    for (partition, mut files) in partitions {
        // Rows that came together stay together.
        files.sort_by(|a, b| (a.sequence, a.file.file_path()).cmp(&(b.sequence, b.file.file_path())));
        for files in split(files, options.group_bytes_max as f64) {
            let group = Group { partition: partition.clone(), outputs: outputs(&files, target), files };
            if !is_worth_it(&group, target, options) {
                selection.untouched += group.files.len();
                continue;
            }
            for group in packed(group, options.strategy) {
                // One file among others that has its size already.
                if is_worth_it(&group, target, &Options { input_files_min: 2, ..options.clone() }) {
                    selection.groups.push(group);
                } else {
                    selection.untouched += group.files.len();
                }
            }
        }
    }
    selection.groups.sort_by_key(|group| group.files.first().map(|live| live.sequence));
    Ok(selection)
}

/// Whether a file is below the sizes that stay as they are.
pub(crate) fn is_small(live: &Live, target_bytes: u64) -> bool {
    (live.file.file_size_in_bytes() as f64) < SMALL * target_bytes as f64
}

fn bytes_of(files: &[Live]) -> f64 {
    files.iter().map(|live| live.file.file_size_in_bytes() as f64).sum()
}

/// So many that each has between three quarters of the target and one and a half times it, if there are as many bytes.
fn outputs(files: &[Live], target: f64) -> usize {
    ((bytes_of(files) / target).round() as usize).max(1)
}

fn is_worth_it(group: &Group, target: f64, options: &Options) -> bool {
    let count = group.files.len();
    let has_large = group.files.iter().any(|live| live.file.file_size_in_bytes() as f64 > LARGE * target);
    let enough = count >= options.input_files_min || (count > 1 && bytes_of(&group.files) > target);
    options.rewrite_all || has_large || (enough && group.outputs < count)
}

/// For `binpack` one group for each output: files that follow each other.
fn packed(group: Group, strategy: Strategy) -> Vec<Group> {
    if strategy == Strategy::Sort || group.outputs == 1 || group.files.len() <= group.outputs {
        return vec![group];
    }
    let bytes_max = bytes_of(&group.files) / group.outputs as f64;
    split(group.files, bytes_max)
        .into_iter()
        .map(|files| Group { partition: group.partition.clone(), files, outputs: 1 })
        .collect()
}

/// Cuts where so many bytes are together.
fn split(files: Vec<Live>, bytes_max: f64) -> Vec<Vec<Live>> {
    let mut parts: Vec<Vec<Live>> = Vec::new();
    let mut room = 0.0;
    for live in files {
        let bytes = live.file.file_size_in_bytes() as f64;
        match parts.last_mut() {
            // A file belongs to the side on which more than half of it lies.
            Some(part) if bytes / 2.0 <= room => part.push(live),
            _ => {
                parts.push(vec![live]);
                room = bytes_max;
            }
        }
        room -= bytes;
    }
    parts
}
