//! Text or bytes that come as they are.
//!
//! In a column of its own values are plain, which every reader takes. Inside lists and maps, where those readers that
//! take plain values only do not go, lengths stand apart from the bytes (DELTA_LENGTH_BYTE_ARRAY): all values of a row
//! are copied at once, and the codec does not stumble over a length between any two of them.

use std::ops::Range;

use arrow_array::BinaryArray;
use parquet::basic::Encoding;
use parquet::bloom_filter::Sbbf;

use super::bounds::Bounds;
use super::delta;

/// The values of a growing page.
#[derive(Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    lengths: Option<Vec<i64>>,
    bounds: Option<Bounds>,
    /// The filter of the chunk, and the share of absent values that it lets through.
    filter: Option<(Sbbf, f64)>,
}

impl Text {
    pub(super) fn new(is_apart: bool, has_bounds: bool, filter: Option<(Sbbf, f64)>) -> Self {
        let lengths = is_apart.then(Vec::new);
        Self { bytes: Vec::new(), lengths, bounds: has_bounds.then(Bounds::default), filter }
    }

    /// Bytes of the page that grows.
    pub(super) fn page_bytes(&self) -> usize {
        self.bytes.len() + self.lengths.as_ref().map_or(0, Vec::len)
    }

    /// Adds the values of these ranges, which are all there.
    pub(super) fn write(&mut self, values: &BinaryArray, there: &[Range<usize>]) {
        let (offsets, bytes) = (values.value_offsets(), values.value_data());
        for range in there {
            let offsets = &offsets[range.start..=range.end];
            let (start, end) = (offsets[0] as usize, offsets[range.len()] as usize);
            match &mut self.lengths {
                Some(lengths) => {
                    self.bytes.extend_from_slice(&bytes[start..end]);
                    lengths.extend(offsets.windows(2).map(|ends| i64::from(ends[1] - ends[0])));
                }
                None => {
                    self.bytes.reserve(end - start + 4 * range.len());
                    for ends in offsets.windows(2) {
                        self.bytes.extend_from_slice(&(ends[1] - ends[0]).to_le_bytes());
                        self.bytes.extend_from_slice(&bytes[ends[0] as usize..ends[1] as usize]);
                    }
                }
            }
            if self.bounds.is_none() && self.filter.is_none() {
                continue;
            }
            for ends in offsets.windows(2) {
                let value = &bytes[ends[0] as usize..ends[1] as usize];
                if let Some(bounds) = &mut self.bounds {
                    bounds.note(value);
                }
                if let Some((filter, _)) = &mut self.filter {
                    filter.insert(value);
                }
            }
        }
    }

    /// Appends the page's values and forgets them; gives their bounds, if they were asked for.
    pub(super) fn end_page(&mut self, out: &mut Vec<u8>) -> (Encoding, Bounds) {
        let encoding = match &mut self.lengths {
            None => Encoding::PLAIN,
            Some(lengths) => {
                delta::encode(lengths, out);
                lengths.clear();
                Encoding::DELTA_LENGTH_BYTE_ARRAY
            }
        };
        out.extend_from_slice(&self.bytes);
        self.bytes.clear();
        (encoding, self.bounds.as_mut().map(std::mem::take).unwrap_or_default())
    }

    /// The filter of all that was written, no larger than it must be.
    pub(super) fn take_filter(&mut self) -> Option<Sbbf> {
        let (mut filter, false_positives) = self.filter.take()?;
        filter.fold_to_target_fpp(false_positives);
        Some(filter)
    }
}
