//! Values of fields that OTLP does not have: read past, checked, never followed by recursion.

use super::conversion::{Conversion, Outcome};
use super::{JsonProblem, scan};

/// How deep an unknown value may nest. One bit of stack is kept for each level.
const DEPTH_MAX: u32 = 1024;

/// The arrays and objects that are open: a bit each, set for an object.
struct Nesting {
    kinds: [u64; DEPTH_MAX as usize / 64],
    depth: u32,
}

impl Nesting {
    /// Opens one; `None` if that is one too many.
    fn open(&mut self, is_object: bool) -> Option<()> {
        let word = self.kinds.get_mut(self.depth as usize / 64)?;
        let bit = 1 << (self.depth % 64);
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth += 1;
        Some(())
    }

    /// Whether the innermost is an object; `None` if none is open.
    fn is_object(&self) -> Option<bool> {
        let innermost = self.depth.checked_sub(1)?;
        let word = self.kinds.get(innermost as usize / 64)?;
        Some(word >> (innermost % 64) & 1 == 1)
    }
}

impl Conversion<'_> {
    /// Goes past one value, whatever it is.
    #[cold]
    pub(super) fn skip_value(&mut self) -> Outcome {
        let mut nesting = Nesting { kinds: [0; DEPTH_MAX as usize / 64], depth: 0 };
        loop {
            let is_open = match self.peek() {
                b'{' => self.skip_opening(&mut nesting, true)?,
                b'[' => self.skip_opening(&mut nesting, false)?,
                b'"' => {
                    self.at += 1;
                    self.skip_string()?;
                    false
                }
                b'n' => self.literal(b"null").map(|()| false)?,
                b't' => self.literal(b"true").map(|()| false)?,
                b'f' => self.literal(b"false").map(|()| false)?,
                _ => self.skip_number().map(|()| false)?,
            };
            if !is_open && !self.skip_closing(&mut nesting)? {
                return Ok(());
            }
        }
    }

    /// Goes past a bracket, and past the first key behind it. `false` if nothing is inside: it is closed again.
    fn skip_opening(&mut self, nesting: &mut Nesting, is_object: bool) -> Outcome<bool> {
        if nesting.open(is_object).is_none() {
            return self.fail(JsonProblem::TooDeep { max: DEPTH_MAX });
        }
        self.at += 1;
        match self.peek() {
            b'}' if is_object => {}
            b']' if !is_object => {}
            _ if is_object => return self.skip_key().map(|()| true),
            _ => return Ok(true),
        }
        self.at += 1;
        nesting.depth -= 1;
        Ok(false)
    }

    /// Goes past what may follow a value, up to the next one. `false` if there is none: all is closed.
    fn skip_closing(&mut self, nesting: &mut Nesting) -> Outcome<bool> {
        while let Some(is_object) = nesting.is_object() {
            match self.peek() {
                b',' => {
                    self.at += 1;
                    if is_object {
                        self.peek();
                        self.skip_key()?;
                    }
                    return Ok(true);
                }
                b'}' if is_object => {}
                b']' if !is_object => {}
                _ => return self.unexpected(if is_object { "',' or '}'" } else { "',' or ']'" }),
            }
            self.at += 1;
            nesting.depth -= 1;
        }
        Ok(false)
    }

    fn skip_key(&mut self) -> Outcome {
        self.expect(b'"', "a field name")?;
        self.skip_string()?;
        self.peek();
        self.expect(b':', "':'")
    }

    /// Goes past the rest of a string.
    fn skip_string(&mut self) -> Outcome {
        loop {
            self.at = scan::special(self.input, self.at);
            match (self.input.get(self.at), self.input.get(self.at + 1)) {
                (Some(b'"'), _) => {
                    self.at += 1;
                    return Ok(());
                }
                (Some(b'\\'), Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u')) => self.at += 2,
                (Some(b'\\'), Some(_)) => return self.fail(JsonProblem::InvalidEscape),
                (Some(b'\\') | None, None) => return self.fail(JsonProblem::Truncated),
                _ => self.at += 1,
            }
        }
    }
}
