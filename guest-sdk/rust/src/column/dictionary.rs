//! Text that repeats: each distinct value once, and its number in every row.

use super::validity::Validity;
use super::{Column, Utf8};
use crate::append::append_again;
use crate::output::{DataType, RecordBatch};
use crate::plugin::Visit;

/// The number of a value in a [`Dictionary`]. It holds until the rows are taken, at the end of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub(crate) u32);

impl Key {
    /// The number.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A column of text that repeats, such as names and keys.
///
/// Finding a value's number is cheap: rows of telemetry come in patterns, so the value that followed the last one
/// the time before is tried first, and only then a hash table asked. Where nearly every value is different, use
/// [`Utf8`]: it costs less.
#[derive(Debug, Default)]
pub struct Dictionary {
    validity: Validity,
    keys: Vec<u8>,
    values: Utf8,
    seed: Vec<Vec<u8>>,
    entries: Vec<Entry>,
    slots: Vec<Slot>,
    last: u32,
    guess: u32,
    scratch: Vec<u8>,
}

/// Where a value lies, and which one followed it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    len: u32,
    hash: u32,
    next: u32,
}

/// A place in the hash table: an entry's number plus one, or 0.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u32,
    entry: u32,
}

impl Dictionary {
    /// An empty column.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty column that holds no nulls.
    pub fn required() -> Self {
        let mut column = Self::default();
        column.validity.nullable = false;
        column
    }

    /// An empty column whose dictionary begins, in each batch, with these values: their keys are 0, 1 and so on.
    /// They must differ.
    pub fn seeded(values: Vec<Vec<u8>>) -> Self {
        Dictionary { seed: values, ..Self::default() }
    }

    pub(crate) fn into_required(mut self) -> Self {
        self.validity.nullable = false;
        self
    }

    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        let key = self.intern(value);
        self.push_key(key);
    }

    /// Appends the value of a key.
    #[inline]
    pub fn push_key(&mut self, key: Key) {
        self.keys.extend_from_slice(&key.0.to_le_bytes());
        self.validity.push(true);
    }

    /// Appends a missing value.
    #[inline]
    pub fn push_null(&mut self) {
        self.keys.extend_from_slice(&[0; 4]);
        self.validity.push(false);
    }

    /// Appends a value or its absence.
    #[inline]
    pub fn push_option(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }

    /// Appends the last value, or its absence, once more. An empty column stays empty.
    #[inline]
    pub fn push_again(&mut self) {
        if let Some(last) = self.len().checked_sub(1) {
            let valid = self.validity.is_valid(last);
            append_again(&mut self.keys, last * 4, (last + 1) * 4);
            self.validity.push(valid);
        }
    }

    /// Appends a value that a closure writes to an empty buffer.
    ///
    /// # Errors
    /// The writer's own: the column is as it was.
    #[inline]
    pub fn push_with<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let written = write(&mut scratch);
        if written.is_ok() {
            self.push(&scratch);
        }
        self.scratch = scratch;
        written
    }

    /// Appends the values from `range` once more, which are all present.
    pub(crate) fn push_range_again(&mut self, range: std::ops::Range<usize>) {
        self.validity.push_valid(range.len());
        append_again(&mut self.keys, range.start * 4, range.end * 4);
    }

    /// The number of a value, which is added to the dictionary where it is new. No row is appended.
    #[inline]
    pub fn intern(&mut self, value: &[u8]) -> Key {
        if let Some(entry) = self.entries.get(self.guess as usize)
            && self.holds(*entry, value)
        {
            self.last = self.guess;
            self.guess = entry.next;
            return Key(self.last);
        }
        self.find_or_add(value)
    }

    #[inline(always)]
    fn holds(&self, entry: Entry, value: &[u8]) -> bool {
        let start = entry.start as usize;
        entry.len as usize == value.len()
            && self.values.bytes.get(start..start + value.len()).is_some_and(|held| same(held, value))
    }

    #[inline(never)]
    fn find_or_add(&mut self, value: &[u8]) -> Key {
        if self.entries.is_empty() && !self.seed.is_empty() {
            let seed = std::mem::take(&mut self.seed);
            seed.iter().for_each(|value| self.add(value, hash(value)));
            self.seed = seed;
        }
        let hash = hash(value);
        let found = self.find(value, hash).unwrap_or_else(|| {
            self.add(value, hash);
            self.entries.len() as u32 - 1
        });
        if let Some(last) = self.entries.get_mut(self.last as usize) {
            last.next = found;
        }
        self.last = found;
        self.guess = self.entries.get(found as usize).map_or(0, |entry| entry.next);
        Key(found)
    }

    fn find(&self, value: &[u8], hash: u32) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots.get(at)?;
            let index = slot.entry.checked_sub(1)?;
            if slot.hash == hash && self.entries.get(index as usize).is_some_and(|entry| self.holds(*entry, value)) {
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a value that is not there yet.
    fn add(&mut self, value: &[u8], hash: u32) {
        let index = self.entries.len() as u32;
        let start = self.values.bytes.len() as u32;
        self.entries.push(Entry { start, len: value.len() as u32, hash, next: index });
        self.values.push(value);
        // At most half full, so that a search ends soon; 64 to begin with, about what a service's keys need.
        if self.entries.len() * 2 > self.slots.len() {
            let len = (self.slots.len() * 2).max(64);
            self.slots.clear();
            self.slots.resize(len, Slot::default());
            for (index, entry) in self.entries.iter().enumerate() {
                place(&mut self.slots, Slot { hash: entry.hash, entry: index as u32 + 1 });
            }
        } else {
            place(&mut self.slots, Slot { hash, entry: index + 1 });
        }
    }

    /// How many distinct values there are.
    pub fn distinct(&self) -> usize {
        self.entries.len()
    }
}

fn place(slots: &mut [Slot], slot: Slot) {
    let mask = slots.len() - 1;
    let mut at = slot.hash as usize & mask;
    while slots[at].entry != 0 {
        at = (at + 1) & mask;
    }
    slots[at] = slot;
}

impl Column for Dictionary {
    fn data_type(&self) -> DataType {
        DataType::Dictionary
    }

    fn nullable(&self) -> bool {
        self.validity.nullable
    }

    #[inline]
    fn len(&self) -> usize {
        self.validity.len()
    }

    /// The dictionary itself stays as it is: a value that no row has is harmless.
    fn truncate(&mut self, len: usize) {
        self.validity.truncate(len);
        self.keys.truncate(len * 4);
    }

    fn take(&mut self, into: &mut RecordBatch) {
        self.validity.take(into);
        into.buffers.push(std::mem::take(&mut self.keys));
        self.entries.clear();
        // A table that one odd batch blew up is not worth clearing for each batch that follows.
        if self.slots.len() > 4096 {
            self.slots = Vec::new();
        } else {
            self.slots.fill(Slot::default());
        }
        self.last = 0;
        self.guess = 0;
    }

    fn children(&mut self, visit: &mut dyn Visit) {
        self.values.validity.nullable = false;
        visit.column("values", "", &mut self.values);
    }
}

/// Whether two values of one length are the same. Words at a time: on Wasm the library's comparison goes byte by byte.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    match a.len() {
        0..4 => a.iter().zip(b).all(|(x, y)| x == y),
        4..8 => match (a.first_chunk::<4>(), b.first_chunk::<4>(), a.last_chunk::<4>(), b.last_chunk::<4>()) {
            (Some(x), Some(y), Some(p), Some(q)) => {
                u32::from_le_bytes(*x) == u32::from_le_bytes(*y) && u32::from_le_bytes(*p) == u32::from_le_bytes(*q)
            }
            _ => false,
        },
        8..=16 => same_ends::<8>(a, b),
        17..=32 => same_ends::<16>(a, b),
        _ => {
            let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
            same_ends::<32>(a, b) && words.skip(4).all(|(x, y)| u64::from_le_bytes(*x) == u64::from_le_bytes(*y))
        }
    }
}

/// Whether the first bytes are the same, and the last. Without a loop, which costs a check for interruption each time
/// round.
#[inline(always)]
fn same_ends<const LEN: usize>(a: &[u8], b: &[u8]) -> bool {
    let difference = |x: Option<&[u8; LEN]>, y: Option<&[u8; LEN]>| match (x, y) {
        (Some(x), Some(y)) => {
            let words = x.as_chunks::<8>().0.iter().zip(y.as_chunks::<8>().0);
            words.fold(0, |all, (x, y)| all | (u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y)))
        }
        _ => u64::MAX,
    };
    difference(a.first_chunk(), b.first_chunk()) | difference(a.last_chunk(), b.last_chunk()) == 0
}

/// A quick hash: a multiplication for each eight bytes. Not safe against someone who wants collisions; those cost
/// their own batch its deadline and nobody else anything.
#[inline(always)]
fn hash(value: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |state: u64, word: u64| {
        let mixed = (state ^ word).wrapping_mul(FACTOR);
        mixed ^ (mixed >> 32)
    };
    let (words, rest) = value.as_chunks::<8>();
    let mut state = words.iter().fold(value.len() as u64, |state, word| mix(state, u64::from_le_bytes(*word)));
    let tail = match (value.last_chunk::<8>(), rest) {
        (_, []) => 0,
        (Some(last), _) => u64::from_le_bytes(*last),
        (None, rest) => rest.iter().fold(1, |tail, byte| tail << 8 | u64::from(*byte)),
    };
    state = mix(state, tail);
    state as u32
}
