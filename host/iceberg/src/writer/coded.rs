//! Text or bytes that come as a dictionary, in a dictionary of the column chunk.
//!
//! Arrow's writer for Parquet looks each value up by its bytes, though a dictionary knows its number; for the keys of
//! attribute maps that is most of its work. Here a number becomes a number. As there, a dictionary comes first, and plain
//! values once it is too large.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BinaryArray};
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};

use super::bounds::Bounds;
use super::hybrid;

/// The values of a growing page, and the dictionary of its chunk.
#[derive(Default)]
pub(super) struct Coded {
    /// The values that keys mean now, and the number in the chunk's dictionary of each that has one.
    values: Option<ArrayRef>,
    numbers: Vec<u32>,
    /// The dictionary page, and where each of its values begins.
    dictionary: Vec<u8>,
    starts: Vec<u32>,
    is_plain: bool,
    keys: Vec<u32>,
    plain: Vec<u8>,
    plain_bounds: Bounds,
    has_bounds: bool,
}

/// No number yet.
const UNKNOWN: u32 = u32::MAX;

impl Coded {
    pub(super) fn new(has_bounds: bool) -> Self {
        Self { has_bounds, ..Self::default() }
    }

    /// Bytes of the page that grows.
    pub(super) fn page_bytes(&self) -> usize {
        self.keys.len() * 2 + self.plain.len()
    }

    /// About how many encoded bytes there are, the dictionary among them.
    pub(super) fn bytes(&self) -> usize {
        let width = hybrid::width_of(self.starts.len()) as usize;
        self.plain.len() + self.keys.len() * width / 8 + self.dictionary.len()
    }

    /// Whether the dictionary has become too large. The page ends before [`Self::give_up`].
    pub(super) fn is_beyond(&self, dictionary_bytes: usize) -> bool {
        self.dictionary.len() >= dictionary_bytes && !self.is_plain
    }

    /// From here on values are plain.
    pub(super) fn give_up(&mut self) {
        self.is_plain = true;
    }

    /// Adds the values of these ranges, which are all there.
    pub(super) fn write(&mut self, array: &ArrayRef, there: &[Range<usize>]) -> Result<()> {
        let dictionary = array.as_dictionary::<Int32Type>();
        let (keys, values) = (dictionary.keys().values(), dictionary.values());
        if !self.values.as_ref().is_some_and(|known| Arc::ptr_eq(known, values)) {
            self.values = Some(Arc::clone(values));
            self.numbers.clear();
            self.numbers.resize(values.len(), UNKNOWN);
        }
        let values = values.as_binary::<i32>();
        for range in there {
            let keys = &keys[range.clone()];
            if self.is_plain {
                keys.iter().try_for_each(|key| self.write_plain(*key as usize, values))?;
                continue;
            }
            for key in keys {
                match self.numbers.get(*key as usize) {
                    Some(&UNKNOWN) => self.add(*key as usize, values),
                    Some(_) => {}
                    None => return Err(beyond(*key as usize)),
                }
            }
            let numbers = &self.numbers;
            self.keys.extend(keys.iter().map(|key| numbers[*key as usize]));
        }
        Ok(())
    }

    fn write_plain(&mut self, key: usize, values: &BinaryArray) -> Result<()> {
        if key >= values.len() {
            return Err(beyond(key));
        }
        let value = values.value(key);
        self.plain.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.plain.extend_from_slice(value);
        if self.has_bounds {
            self.plain_bounds.note(value);
        }
        Ok(())
    }

    /// Meets a value for the first time.
    fn add(&mut self, key: usize, values: &BinaryArray) {
        let value = values.value(key);
        self.numbers[key] = self.starts.len() as u32;
        self.starts.push(self.dictionary.len() as u32);
        self.dictionary.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.dictionary.extend_from_slice(value);
    }

    /// Appends the page's values and forgets them; gives their bounds, if they were asked for.
    pub(super) fn end_page(&mut self, out: &mut Vec<u8>) -> (Encoding, Bounds) {
        if self.is_plain {
            out.append(&mut self.plain);
            return (Encoding::PLAIN, std::mem::take(&mut self.plain_bounds));
        }
        // Keys of no width would do for one value, but not for every reader.
        let width = hybrid::width_of(self.starts.len().saturating_sub(1)).max(1);
        out.push(width as u8);
        hybrid::encode(&self.keys, width, out);
        let bounds = if self.has_bounds { self.page_bounds() } else { Bounds::default() };
        self.keys.clear();
        (Encoding::RLE_DICTIONARY, bounds)
    }

    fn page_bounds(&self) -> Bounds {
        let mut is_used = vec![false; self.starts.len()];
        self.keys.iter().for_each(|key| is_used[*key as usize] = true);
        let mut bounds = Bounds::default();
        for (number, start) in self.starts.iter().enumerate().filter(|(number, _)| is_used[*number]) {
            let end = self.starts.get(number + 1).map_or(self.dictionary.len(), |next| *next as usize);
            bounds.note(&self.dictionary[*start as usize + 4..end]);
        }
        bounds
    }

    /// The dictionary page and the count of its values.
    pub(super) fn take_dictionary(&mut self) -> (Vec<u8>, u32) {
        (std::mem::take(&mut self.dictionary), self.starts.len() as u32)
    }
}

fn beyond(key: usize) -> ParquetError {
    ParquetError::General(format!("key {key} is beyond its dictionary"))
}
