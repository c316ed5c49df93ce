//! What a plugin may use, and the part of it that wasmtime asks about: memory.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// What one instance and one call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory of an instance: all linear memories and tables together, in bytes.
    pub memory_bytes: usize,
    /// CPU time of a call. Time in which the process is stopped or starved does not count; checked every
    /// ten milliseconds, so a call may run that much longer.
    pub deadline: Duration,
    /// What a call may return, in bytes as the host holds it.
    pub output_bytes: usize,
}

impl Default for Limits {
    /// Room for a batch of some megabytes: 256 MiB, 2 s, 64 MiB.
    fn default() -> Self {
        Self { memory_bytes: 256 << 20, deadline: Duration::from_secs(2), output_bytes: 64 << 20 }
    }
}

impl Limits {
    /// Ten times as much of each: what a record gets before it is blamed.
    pub(crate) fn tenfold(self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.saturating_mul(10),
            deadline: self.deadline.saturating_mul(10),
            output_bytes: self.output_bytes.saturating_mul(10),
        }
    }
}

/// What a table's element costs the host; wasmtime stores a pointer.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Core instances of one component. A plugin from Rust has four, from Python sixty.
const INSTANCES_MAX: usize = 256;

/// Linear memories of one component: each reserves 4 GiB of addresses. Adapters have one of their own.
const MEMORIES_MAX: usize = 8;

/// Tables of one component.
const TABLES_MAX: usize = 64;

/// Sums what one store holds. (wasmtime's own `StoreLimits` counts each memory apart.)
#[derive(Debug)]
pub(crate) struct Memory {
    limit_bytes: usize,
    now_bytes: usize,
    peak_bytes: usize,
    refused_bytes: Option<usize>,
}

impl Memory {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, now_bytes: 0, peak_bytes: 0, refused_bytes: None }
    }

    pub(crate) fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    pub(crate) fn now_bytes(&self) -> usize {
        self.now_bytes
    }

    pub(crate) fn peak_bytes(&self) -> usize {
        self.peak_bytes
    }

    /// What the instance would have held, had it been let: the trap that follows a refusal is its consequence.
    pub(crate) fn refused_bytes(&self) -> Option<usize> {
        self.refused_bytes
    }

    /// Forgets a refusal that the guest lived with.
    pub(crate) fn forgive(&mut self) {
        self.refused_bytes = None;
    }

    fn grow(&mut self, more_bytes: usize) -> bool {
        let next = self.now_bytes.saturating_add(more_bytes);
        if next > self.limit_bytes {
            self.refused_bytes = Some(next);
            return false;
        }
        self.now_bytes = next;
        self.peak_bytes = self.peak_bytes.max(next);
        true
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // What is beyond the memory's own maximum fails whatever is answered: it is neither counted nor refused here.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES)))
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests;
