//! Attributes as a table has them: some in columns of their own, all or the others in a map.

use super::{Odd, Promote, Promoted};
use crate::column::{AttributeMap, Column, Key, Text, Utf8};
use crate::otlp::{Attributes, KeyValue, Malformed};

/// The attributes of one kind of thing. A table shows the map and the promoted columns each in its place.
#[derive(Debug)]
pub struct AttributeColumns<V = Utf8> {
    /// By key, as text.
    pub map: AttributeMap<V>,
    /// Those with a column of their own.
    pub promoted: Promoted,
}

impl<V: Text + Default> AttributeColumns<V> {
    /// Empty columns; `of` says whose attributes they are, `only` whether what is promoted stays out of the map.
    pub fn new(promote: &[Promote], of: &str, only: bool) -> Self {
        Self::seeded(promote, of, only, None)
    }

    /// The same; the key `next` has the number that follows those of the promoted ones.
    pub(super) fn seeded(promote: &[Promote], of: &str, only: bool, next: Option<&[u8]>) -> Self {
        let keys = promote.iter().map(|one| one.key.as_bytes()).chain(next).map(<[u8]>::to_vec).collect();
        AttributeColumns { map: AttributeMap::seeded(keys), promoted: Promoted::new(promote, of, only) }
    }
}

impl<V: Text> AttributeColumns<V> {
    /// Appends the row of these attributes.
    ///
    /// # Errors
    /// An attribute is malformed. The row is left half-written: refuse the record.
    #[inline]
    pub fn push(&mut self, attributes: Attributes<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        self.push_watched(attributes, odd, |_, _| {})
    }

    /// The same; `watch` is shown each attribute with its key's number, a key perhaps more than once, the last of
    /// them last.
    #[inline]
    pub(super) fn push_watched<'a>(
        &mut self,
        attributes: Attributes<'a>,
        odd: &mut Odd,
        mut watch: impl FnMut(Key, &KeyValue<'a>),
    ) -> Result<(), Malformed> {
        let (row, promoted) = (self.map.len(), &mut self.promoted);
        self.map.push_if(attributes, &mut odd.attributes, |key, attribute| {
            watch(key, attribute);
            promoted.set(key.index(), row, attribute)
        })?;
        promoted.close(row, odd);
        Ok(())
    }

    /// Appends the last row once more.
    #[inline]
    pub fn push_again(&mut self) {
        self.map.push_again();
        self.promoted.push_again();
    }
}
