//! Text, and the two things that JSON writes as text: ids in hexadecimal and bytes in base64.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::conversion::{Conversion, Outcome};
use super::{JsonProblem, emit, scan};
use crate::schema::Field;

/// U+FFFD, which stands for what is not text.
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

static BASE64: GeneralPurpose = lenient(&STANDARD);
static BASE64_URL: GeneralPurpose = lenient(&URL_SAFE);

/// A decoder that takes text with and without padding.
const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

impl Conversion<'_> {
    /// Reads text and appends it as the field's value.
    #[inline]
    pub(super) fn string(&mut self, field: &Field, keeps_default: bool) -> Outcome {
        self.expect(b'"', "a string")?;
        let end = scan::special(self.input, self.at);
        let text = match self.input.get(self.at..end) {
            Some(text) if self.is_utf8 && self.input.get(end) == Some(&b'"') => text,
            _ => return self.rough_string(field, keeps_default),
        };
        self.at = end + 1;
        if !text.is_empty() || keeps_default {
            emit::prefix(self.out, field, text.len());
            self.out.extend_from_slice(text);
        }
        Ok(())
    }

    /// Reads text with escapes, or text that may not be UTF-8.
    #[cold]
    fn rough_string(&mut self, field: &Field, keeps_default: bool) -> Outcome {
        self.unescape_to_scratch()?;
        if !self.scratch.is_empty() || keeps_default {
            emit::prefix(self.out, field, self.scratch.len());
            self.out.extend_from_slice(self.scratch);
        }
        Ok(())
    }

    /// Reads an id of usually `length` bytes. What is no id at all is left out and counted: the row stays.
    #[inline]
    pub(super) fn id(&mut self, field: &Field, length: usize, keeps_default: bool) -> Outcome {
        if self.input.get(self.at) != Some(&b'"') {
            self.found.invalid_ids += 1;
            return self.skip_value();
        }
        self.at += 1;
        let digits = match self.input.get(self.at..).and_then(|rest| rest.split_at_checked(2 * length)) {
            Some((digits, [b'"', ..])) => digits,
            _ => return self.rough_id(field, keeps_default),
        };
        let before = self.out.len();
        emit::prefix(self.out, field, length);
        if scan::hex(digits, self.out).is_none() {
            self.out.truncate(before);
            return self.rough_id(field, keeps_default);
        }
        self.at += 2 * length + 1;
        Ok(())
    }

    /// Reads an id of another length, or one that is no id.
    #[cold]
    fn rough_id(&mut self, field: &Field, keeps_default: bool) -> Outcome {
        self.unescape_to_scratch()?;
        let digits = self.scratch.as_slice();
        if digits.is_empty() && !keeps_default {
            return Ok(());
        }
        let before = self.out.len();
        emit::prefix(self.out, field, digits.len() / 2);
        if scan::hex(digits, self.out).is_none() {
            self.out.truncate(before);
            self.found.invalid_ids += 1;
            if keeps_default {
                emit::prefix(self.out, field, 0);
            }
        }
        Ok(())
    }

    /// Reads bytes in base64, either alphabet, padded or not.
    pub(super) fn bytes(&mut self, field: &Field, keeps_default: bool) -> Outcome {
        self.expect(b'"', "a string of base64")?;
        let begin = self.at;
        self.unescape_to_scratch()?;
        if self.scratch.is_empty() && !keeps_default {
            return Ok(());
        }
        let is_url_safe = memchr::memchr2(b'-', b'_', self.scratch).is_some();
        let engine = if is_url_safe { &BASE64_URL } else { &BASE64 };
        let open = emit::open(self.out, field, 1);
        let before = self.out.len();
        self.out.resize(before + base64::decoded_len_estimate(self.scratch.len()), 0);
        let room = self.out.get_mut(before..).unwrap_or_default();
        match engine.decode_slice(self.scratch.as_slice(), room) {
            Ok(length) => {
                self.out.truncate(before + length);
                emit::close(self.out, open);
                Ok(())
            }
            Err(_) => {
                self.at = begin;
                self.fail(JsonProblem::InvalidBase64)
            }
        }
    }

    /// Reads the rest of a string into the scratch space, its escapes resolved and what is not UTF-8 replaced.
    pub(super) fn unescape_to_scratch(&mut self) -> Outcome {
        self.scratch.clear();
        loop {
            let end = scan::special(self.input, self.at);
            let run = self.input.get(self.at..end).unwrap_or_default();
            if self.is_utf8 {
                self.scratch.extend_from_slice(run);
            } else {
                self.replace_invalid(run);
            }
            self.at = end;
            match self.input.get(end) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(control) => {
                    self.scratch.push(*control);
                    self.found.control_characters += 1;
                    self.at += 1;
                }
                None => return self.fail(JsonProblem::Truncated),
            }
        }
    }

    /// Appends bytes to the scratch space, each sequence that is not UTF-8 replaced and counted.
    fn replace_invalid(&mut self, run: &[u8]) {
        for chunk in run.utf8_chunks() {
            self.scratch.extend_from_slice(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.scratch.extend_from_slice(REPLACEMENT);
                self.found.invalid_utf8 += 1;
            }
        }
    }

    /// Resolves the escape sequence at hand.
    fn escape(&mut self) -> Outcome {
        let resolved = match self.input.get(self.at + 1) {
            Some(same @ (b'"' | b'\\' | b'/')) => *same,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.unicode_escape(),
            Some(_) => return self.fail(JsonProblem::InvalidEscape),
            None => return self.fail(JsonProblem::Truncated),
        };
        self.scratch.push(resolved);
        self.at += 2;
        Ok(())
    }

    /// Resolves `\uXXXX`, and the second half of a pair with it.
    fn unicode_escape(&mut self) -> Outcome {
        let Some(unit) = self.unicode_unit(self.at) else {
            let is_cut = self.input.len() < self.at + 6;
            return self.fail(if is_cut { JsonProblem::Truncated } else { JsonProblem::InvalidEscape });
        };
        let second = if (0xd800..0xdc00).contains(&unit) { self.unicode_unit(self.at + 6) } else { None };
        let (character, length) = match second {
            Some(low @ 0xdc00..0xe000) => (char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)), 12),
            _ => (char::from_u32(unit), 6),
        };
        self.found.lone_surrogates += u64::from(character.is_none());
        let mut encoded = [0; 4];
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut encoded);
        self.scratch.extend_from_slice(character.as_bytes());
        self.at += length;
        Ok(())
    }

    /// The UTF-16 unit that `\uXXXX` at `at` spells.
    fn unicode_unit(&self, at: usize) -> Option<u32> {
        let digits = self.input.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }
}
