//! What a swap needs to know beside the head: whether the staged files still mean what they meant, and which files of
//! failed attempts nobody can need any more.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use iceberg::spec::TableMetadata;

use crate::metadata;

#[cfg(test)]
mod tests;

/// Failed attempts remembered; the files of older ones are left to orphan removal.
const ATTEMPTS_MAX: usize = 64;

/// Checks that files written for `written_for` mean the same in `head`: its partition spec and every field, by id.
///
/// # Errors
/// What is gone, or is something else now.
pub fn check_fresh(head: &TableMetadata, written_for: &TableMetadata) -> Result<(), String> {
    let spec = written_for.default_partition_spec();
    match head.partition_spec_by_id(spec.spec_id()) {
        None => return Err(format!("partition spec {} is gone", spec.spec_id())),
        Some(now) if now.fields() != spec.fields() => {
            return Err(format!("partition spec {} is another now", spec.spec_id()));
        }
        Some(_) => {}
    }
    let (then, now) = (written_for.current_schema(), head.current_schema());
    for (id, name) in then.field_id_to_name_map() {
        let (Some(was), Some(is)) = (then.field_by_id(*id), now.field_by_id(*id)) else {
            return Err(format!("column {name} (id {id}) is gone"));
        };
        // The same id for another column: two writers gave it out at once. A renamed column looks the same, and costs
        // no more than an epoch.
        if was.name != is.name {
            return Err(format!("column {name} (id {id}) is now {}", is.name));
        }
        let nested = was.field_type.is_nested() || is.field_type.is_nested();
        if !nested && was.field_type != is.field_type {
            return Err(format!("column {name} (id {id}) was {} and is now {}", was.field_type, is.field_type));
        }
        if is.required && !was.required {
            return Err(format!("column {name} (id {id}) has become required"));
        }
    }
    Ok(())
}

/// A swap that was sent and did not succeed as far as is known.
#[derive(Debug)]
struct Attempt {
    /// The snapshot that was `main`'s head then.
    base: Option<i64>,
    /// The snapshot it would have added.
    snapshot: i64,
    /// The manifests and list written for it.
    files: Vec<String>,
}

/// The failed attempts of a table whose files may be clutter.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<VecDeque<Attempt>>);

impl Attempts {
    /// Remembers an attempt on the head `base`.
    pub fn failed(&self, base: Option<i64>, snapshot: i64, files: Vec<String>) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() == ATTEMPTS_MAX {
            attempts.pop_front();
        }
        attempts.push_back(Attempt { base, snapshot, files });
    }

    /// The files that may be deleted now that `head` is known: of attempts that its history shows to be lost. Attempts of
    /// which it does not tell are forgotten, and their files left to orphan removal.
    pub fn settle(&self, head: &TableMetadata) -> Vec<String> {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut clutter = Vec::new();
        attempts.retain_mut(|attempt| {
            if attempt.base == head.current_snapshot_id() {
                return true;
            }
            if metadata::was_never_applied(head, attempt.base, attempt.snapshot) {
                clutter.append(&mut attempt.files);
            }
            false
        });
        clutter
    }
}
