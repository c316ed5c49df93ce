//! The least and the greatest of some values, as bytes that compare like the values: text, or bytes.

/// None yet, or both.
#[derive(Default, Clone, Debug)]
pub(super) struct Bounds {
    both: Option<Both>,
}

#[derive(Clone, Debug)]
struct Both {
    low: Vec<u8>,
    high: Vec<u8>,
    /// Their first eight bytes, which tell most values apart from them.
    low_word: u64,
    high_word: u64,
}

impl Bounds {
    /// Takes in a value.
    #[inline]
    pub(super) fn note(&mut self, value: &[u8]) {
        let word = word(value);
        match &mut self.both {
            None => {
                let (low, high) = (value.to_vec(), value.to_vec());
                self.both = Some(Both { low, high, low_word: word, high_word: word });
            }
            Some(both) => {
                if word <= both.low_word && value < &both.low[..] {
                    both.low_word = word;
                    both.low.clear();
                    both.low.extend_from_slice(value);
                }
                if word >= both.high_word && value > &both.high[..] {
                    both.high_word = word;
                    both.high.clear();
                    both.high.extend_from_slice(value);
                }
            }
        }
    }

    /// Both, if there were values.
    pub(super) fn both(&self) -> Option<(&[u8], &[u8])> {
        self.both.as_ref().map(|both| (&both.low[..], &both.high[..]))
    }
}

/// The first eight bytes as a number that compares like them; what is shorter is filled up with zeros.
#[inline]
fn word(value: &[u8]) -> u64 {
    match value.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => value.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)) << (8 * (8 - value.len())).min(63),
    }
}
