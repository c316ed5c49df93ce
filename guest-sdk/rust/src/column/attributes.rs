//! OTLP attributes as a map of text.

use super::{Column, Dictionary, Key, Map, Utf8};
use crate::append::append_again;
use crate::otlp::{AnyValue, Attributes, KeyValue, Malformed};
use crate::output::{DataType, RecordBatch};
use crate::plugin::Visit;

pub use crate::otlp::Oddities;

/// A column that holds the texts of attributes: [`Utf8`], or [`Dictionary`] where they repeat.
pub trait Text: Column {
    /// Appends a value.
    fn push_text(&mut self, value: &[u8]);

    /// Appends a value that a closure writes.
    ///
    /// # Errors
    /// The writer's own: the column is as it was.
    fn push_written<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E>;

    /// Appends values that are there, all of them present, once more.
    fn push_range_again(&mut self, range: std::ops::Range<usize>);
}

impl Text for Utf8 {
    #[inline]
    fn push_text(&mut self, value: &[u8]) {
        self.push(value);
    }

    #[inline]
    fn push_written<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.push_with(write)
    }

    fn push_range_again(&mut self, range: std::ops::Range<usize>) {
        for index in range {
            let (start, end) = (self.offsets.start(index), self.offsets.start(index + 1));
            append_again(&mut self.bytes, start, end);
            self.offsets.push(self.bytes.len());
            self.validity.push(true);
        }
    }
}

impl Text for Dictionary {
    #[inline]
    fn push_text(&mut self, value: &[u8]) {
        self.push(value);
    }

    #[inline]
    fn push_written<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.push_with(write)
    }

    fn push_range_again(&mut self, range: std::ops::Range<usize>) {
        Dictionary::push_range_again(self, range);
    }
}

/// A map of attributes, by key, each value as text (OpenTelemetry specification, "AnyValue representation for
/// non-OTLP protocols"). Of attributes with one key the last is kept.
#[derive(Debug)]
pub struct AttributeMap<V = Utf8> {
    map: Map<Dictionary, V>,
    /// For each key the row in which it was met last, plus one.
    met: Vec<u32>,
}

impl<V: Text + Default> Default for AttributeMap<V> {
    fn default() -> Self {
        Self::seeded(Vec::new())
    }
}

impl<V: Text + Default> AttributeMap<V> {
    /// An empty column.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty column that knows these attribute keys by the numbers 0, 1 and so on. They must differ.
    pub fn seeded(keys: Vec<Vec<u8>>) -> Self {
        AttributeMap { map: Map::new(Dictionary::seeded(keys).into_required(), V::default()), met: Vec::new() }
    }
}

impl<V: Text> AttributeMap<V> {
    /// Appends the map of these attributes.
    ///
    /// # Errors
    /// An attribute is malformed. The row is left half-written: refuse the record.
    #[inline]
    pub fn push(&mut self, attributes: Attributes<'_>, oddities: &mut Oddities) -> Result<(), Malformed> {
        self.push_if(attributes, oddities, |_, _| true)
    }

    /// Appends the map of those attributes that `keep` keeps.
    ///
    /// `keep` is shown each attribute with its key's number, a key perhaps more than once: its last answer counts.
    ///
    /// # Errors
    /// As [`Self::push`].
    #[inline]
    pub fn push_if<'a>(
        &mut self,
        attributes: Attributes<'a>,
        oddities: &mut Oddities,
        mut keep: impl FnMut(Key, &KeyValue<'a>) -> bool,
    ) -> Result<(), Malformed> {
        let start = self.map.entries.items.len();
        let before = *oddities;
        let mut left = attributes.clone();
        while let Some(message) = left.next_message()? {
            // Two calls, so that the common one has its key and text in registers.
            let is_new = if let Some((key, text)) = KeyValue::short_text(message) {
                let attribute = KeyValue { key, value: AnyValue::String(text), has_key_index: false };
                self.entry(&attribute, oddities, &mut keep)?
            } else {
                self.any_entry(message, oddities, &mut keep)?
            };
            if !is_new {
                self.map.entries.items.truncate(start);
                *oddities = before;
                return self.push_last_of_each(attributes, oddities, &mut keep);
            }
        }
        self.map.close();
        Ok(())
    }

    #[inline(never)]
    fn any_entry<'a>(
        &mut self,
        message: &'a [u8],
        oddities: &mut Oddities,
        keep: &mut impl FnMut(Key, &KeyValue<'a>) -> bool,
    ) -> Result<bool, Malformed> {
        self.entry(&KeyValue::read_any(message)?, oddities, keep)
    }

    /// Adds one entry; answers false, and adds nothing, where the row has met its key.
    #[inline(always)]
    fn entry<'a>(
        &mut self,
        attribute: &KeyValue<'a>,
        oddities: &mut Oddities,
        keep: &mut impl FnMut(Key, &KeyValue<'a>) -> bool,
    ) -> Result<bool, Malformed> {
        let row = self.map.len() as u32 + 1;
        let entries = &mut self.map.entries.items;
        let key = entries.fields.keys.intern(attribute.key);
        match self.met.get_mut(key.index()) {
            Some(met) if *met == row => return Ok(false),
            Some(met) => *met = row,
            None => {
                self.met.resize(entries.fields.keys.distinct(), 0);
                self.met[key.index()] = row;
            }
        }
        oddities.note(attribute);
        if keep(key, attribute) {
            attribute.value.push_text(&mut entries.fields.values, oddities)?;
            entries.fields.keys.push_key(key);
            entries.push();
        }
        Ok(true)
    }

    /// The same with the duplicates taken out first. The row's keys have been met: forget that.
    #[cold]
    fn push_last_of_each<'a>(
        &mut self,
        attributes: Attributes<'a>,
        oddities: &mut Oddities,
        keep: &mut impl FnMut(Key, &KeyValue<'a>) -> bool,
    ) -> Result<(), Malformed> {
        let row = self.map.len() as u32 + 1;
        self.met.iter_mut().filter(|met| **met == row).for_each(|met| *met = 0);
        for attribute in attributes.last_of_each_key(oddities)? {
            self.entry(&attribute, oddities, keep)?;
        }
        self.map.close();
        Ok(())
    }

    /// Appends the last map once more. An empty column stays empty.
    #[inline]
    pub fn push_again(&mut self) {
        let Some(last) = self.map.len().checked_sub(1) else { return };
        let list = &mut self.map.entries;
        let range = list.range(last);
        list.items.fields.keys.push_range_again(range.clone());
        list.items.fields.values.push_range_again(range.clone());
        list.items.validity.push_valid(range.len());
        list.close();
    }
}

impl<V: Text> Column for AttributeMap<V> {
    fn data_type(&self) -> DataType {
        self.map.data_type()
    }

    fn nullable(&self) -> bool {
        self.map.nullable()
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    fn truncate(&mut self, len: usize) {
        self.map.truncate(len);
        // The rows that are taken back may come again with the same numbers.
        self.met.fill(0);
    }

    fn take(&mut self, into: &mut RecordBatch) {
        self.map.take(into);
        self.met.clear();
    }

    fn children(&mut self, visit: &mut dyn Visit) {
        self.map.children(visit);
    }

    fn child_len(&self) -> Option<usize> {
        self.map.child_len()
    }
}
