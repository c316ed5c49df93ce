//! Columns that are made of columns.

use super::Column;
use super::bytes::Offsets;
use super::validity::Validity;
use crate::output::{DataType, RecordBatch};
use crate::plugin::{Columns, Visit};

/// Lists. Push to `items`, then `close` the list.
#[derive(Debug, Default)]
pub struct List<C> {
    /// The elements of all lists, one list after the other.
    pub items: C,
    validity: Validity,
    offsets: Offsets,
}

impl<C: Column> List<C> {
    /// An empty column whose lists have such elements.
    pub fn new(items: C) -> Self {
        List { items, validity: Validity::default(), offsets: Offsets::default() }
    }

    /// The same, without nulls.
    pub fn required(items: C) -> Self {
        let mut list = Self::new(items);
        list.validity.nullable = false;
        list
    }

    /// Appends the list of what was pushed to `items` since the last one; an empty list if that is nothing.
    #[inline]
    pub fn close(&mut self) {
        self.offsets.push(self.items.len());
        self.validity.push(true);
    }

    /// Appends a missing list.
    #[inline]
    pub fn push_null(&mut self) {
        self.items.truncate(self.offsets.start(self.validity.len()));
        self.offsets.push(self.items.len());
        self.validity.push(false);
    }

    /// The items of one list.
    pub(crate) fn range(&self, index: usize) -> std::ops::Range<usize> {
        self.offsets.start(index)..self.offsets.start(index + 1)
    }
}

impl<C: Column> Column for List<C> {
    fn data_type(&self) -> DataType {
        DataType::List
    }

    fn nullable(&self) -> bool {
        self.validity.nullable
    }

    fn len(&self) -> usize {
        self.validity.len()
    }

    fn truncate(&mut self, len: usize) {
        let len = len.min(self.len());
        self.items.truncate(self.offsets.start(len));
        self.offsets.truncate(len);
        self.validity.truncate(len);
    }

    fn take(&mut self, into: &mut RecordBatch) {
        self.validity.take(into);
        self.offsets.take(into);
    }

    fn children(&mut self, visit: &mut dyn Visit) {
        visit.column("element", "", &mut self.items);
    }

    fn child_len(&self) -> Option<usize> {
        Some(self.offsets.start(self.len()))
    }
}

/// Structs. Push to each of the `fields`, then `push` the struct.
#[derive(Debug, Default)]
pub struct Struct<T> {
    /// The struct's own columns.
    pub fields: T,
    pub(crate) validity: Validity,
}

impl<T: Columns> Struct<T> {
    /// An empty column of such structs.
    pub fn new(fields: T) -> Self {
        Struct { fields, validity: Validity::default() }
    }

    /// The same, without nulls.
    pub fn required(fields: T) -> Self {
        let mut column = Self::new(fields);
        column.validity.nullable = false;
        column
    }

    /// Appends the struct of what was pushed to each field.
    #[inline]
    pub fn push(&mut self) {
        self.validity.push(true);
    }

    /// Appends a missing struct. Arrow wants a value in each field nevertheless: push nulls there first.
    #[inline]
    pub fn push_null(&mut self) {
        self.validity.push(false);
    }
}

impl<T: Columns> Column for Struct<T> {
    fn data_type(&self) -> DataType {
        DataType::Struct
    }

    fn nullable(&self) -> bool {
        self.validity.nullable
    }

    #[inline]
    fn len(&self) -> usize {
        self.validity.len()
    }

    fn truncate(&mut self, len: usize) {
        self.validity.truncate(len);
        self.fields.columns(&mut Truncate(len));
    }

    fn take(&mut self, into: &mut RecordBatch) {
        self.validity.take(into);
    }

    fn children(&mut self, visit: &mut dyn Visit) {
        self.fields.columns(visit);
    }

    fn child_len(&self) -> Option<usize> {
        Some(self.len())
    }
}

/// Cuts columns back to one length.
pub(crate) struct Truncate(pub(crate) usize);

impl Visit for Truncate {
    fn column(&mut self, _: &str, _: &str, column: &mut dyn Column) {
        column.truncate(self.0);
    }
}

/// The two columns that a map is made of.
#[derive(Debug, Default)]
pub(crate) struct Entries<K, V> {
    pub(crate) keys: K,
    pub(crate) values: V,
}

impl<K: Column, V: Column> Columns for Entries<K, V> {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("key", "", &mut self.keys);
        visit.column("value", "", &mut self.values);
    }
}

/// Maps. Push entries, then `close` the map. Keys must be made `required`, and should differ within a map.
#[derive(Debug, Default)]
pub struct Map<K, V> {
    pub(crate) entries: List<Struct<Entries<K, V>>>,
}

impl<K: Column, V: Column> Map<K, V> {
    /// An empty column of maps.
    pub fn new(keys: K, values: V) -> Self {
        Map { entries: List::new(Struct::required(Entries { keys, values })) }
    }

    /// The same, without nulls.
    pub fn required(keys: K, values: V) -> Self {
        Map { entries: List::required(Struct::required(Entries { keys, values })) }
    }

    /// Adds an entry to the map that is open: the closure pushes one key and one value.
    #[inline]
    pub fn push_entry(&mut self, push: impl FnOnce(&mut K, &mut V)) {
        let entries = &mut self.entries.items;
        push(&mut entries.fields.keys, &mut entries.fields.values);
        entries.push();
    }

    /// Appends the map of the entries since the last one; an empty map if there are none.
    #[inline]
    pub fn close(&mut self) {
        self.entries.close();
    }

    /// Appends a missing map.
    #[inline]
    pub fn push_null(&mut self) {
        self.entries.push_null();
    }
}

impl<K: Column, V: Column> Column for Map<K, V> {
    fn data_type(&self) -> DataType {
        DataType::Map
    }

    fn nullable(&self) -> bool {
        self.entries.nullable()
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn truncate(&mut self, len: usize) {
        self.entries.truncate(len);
    }

    fn take(&mut self, into: &mut RecordBatch) {
        self.entries.take(into);
    }

    fn children(&mut self, visit: &mut dyn Visit) {
        visit.column("entries", "", &mut self.entries.items);
    }

    fn child_len(&self) -> Option<usize> {
        self.entries.child_len()
    }
}
