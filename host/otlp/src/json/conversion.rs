//! The walk over a document: objects are messages, keys are fields, and the tables say what each one is.

use super::anomalies::Anomalies;
use super::emit::{self, Open};
use super::error::{JsonError, JsonProblem, Step, path};
use super::{ANY_VALUE_DEPTH_MAX, scan};
use crate::schema::{Field, Kind, Message, Presence};

/// What a failing step gives back. The reason is in `Conversion::failure`, so that results stay as small as a flag.
pub(super) struct Failed;

/// The outcome of one step.
pub(super) type Outcome<T = ()> = Result<T, Failed>;

/// One document on its way.
pub(super) struct Conversion<'a> {
    pub(super) input: &'a [u8],
    /// The next byte to read.
    pub(super) at: usize,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) scratch: &'a mut Vec<u8>,
    /// Whether all of the input is UTF-8: text then needs no check of its own.
    pub(super) is_utf8: bool,
    pub(super) found: Anomalies,
    /// How many `AnyValue`s are open.
    depth: u32,
    failure: Option<(usize, JsonProblem)>,
    /// Where the failure was, innermost first.
    path: Vec<Step>,
}

impl<'a> Conversion<'a> {
    pub(super) fn new(input: &'a [u8], out: &'a mut Vec<u8>, scratch: &'a mut Vec<u8>) -> Self {
        let is_utf8 = simdutf8::basic::from_utf8(input).is_ok();
        let found = Anomalies::default();
        Self { input, at: 0, out, scratch, is_utf8, found, depth: 0, failure: None, path: Vec::new() }
    }

    /// Converts the whole input, which is one object and nothing else.
    pub(super) fn document(mut self, root: &'static Message) -> Result<Anomalies, JsonError> {
        match self.whole(root) {
            Ok(()) => Ok(self.found),
            Err(Failed) => {
                let (offset, problem) = self.failure.unwrap_or((self.at, JsonProblem::Truncated));
                Err(JsonError { problem, offset, path: path(&self.path) })
            }
        }
    }

    fn whole(&mut self, root: &'static Message) -> Outcome {
        let is_marked =
            [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| self.input.starts_with(mark));
        if is_marked {
            return self.fail(JsonProblem::ByteOrderMark);
        }
        self.peek();
        if self.at == self.input.len() {
            self.at = 0;
            return self.fail(JsonProblem::Empty);
        }
        self.message(root)?;
        match self.peek() {
            0 if self.at == self.input.len() => Ok(()),
            b'{' => self.fail(JsonProblem::SecondDocument),
            found => self.fail(JsonProblem::Trailing { found }),
        }
    }

    /// Reads an object and appends the fields of the message that it stands for.
    fn message(&mut self, message: &'static Message) -> Outcome {
        self.expect(b'{', "an object")?;
        if message.nests {
            self.depth += 1;
            if self.depth > ANY_VALUE_DEPTH_MAX {
                return self.fail(JsonProblem::TooDeep { max: ANY_VALUE_DEPTH_MAX });
            }
        }
        if self.peek() == b'}' {
            self.at += 1;
        } else {
            self.members(message)?;
        }
        if message.nests {
            self.depth -= 1;
        }
        Ok(())
    }

    /// Reads the members of an object that has any, and its closing brace.
    fn members(&mut self, message: &'static Message) -> Outcome {
        // The fields seen, by their place in the table; and the place that is likely next.
        let (mut seen, mut next) = (0u32, 0);
        loop {
            self.expect(b'"', "a field name")?;
            match self.field_name(message, next)? {
                Some((place, field)) => {
                    next = place + 1;
                    let is_again = seen & 1 << place != 0;
                    match self.field(field, is_again) {
                        Ok(true) => {
                            let is_rival = field.presence == Presence::Oneof && seen & message.oneof != 0;
                            self.found.duplicate_fields += u64::from(is_again || is_rival);
                            seen |= 1 << place;
                        }
                        Ok(false) => {}
                        Err(Failed) => return self.within(Step::Field(field.name)),
                    }
                }
                None => {
                    self.found.unknown_fields += 1;
                    self.skip_value()?;
                }
            }
            match self.peek() {
                b',' => {
                    self.at += 1;
                    self.peek();
                }
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.unexpected("',' or '}'"),
            }
        }
    }

    /// Reads a key, whose opening quote is behind, and its colon. `None` is a field that OTLP does not have.
    #[inline]
    fn field_name(&mut self, message: &'static Message, next: usize) -> Outcome<Option<(usize, &'static Field)>> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        if let Some(head) = rest.first_chunk::<16>() {
            let head = u128::from_le_bytes(*head);
            let count = message.fields.len();
            for step in 0..count {
                let place = if next + step < count { next + step } else { next + step - count };
                let Some(field) = message.fields.get(place) else { break };
                if let Some(length) = field.matches(head, rest) {
                    self.at += length;
                    return Ok(Some((place, field)));
                }
            }
        }
        self.spelled_field_name(message)
    }

    /// Reads a key that is unknown, escaped, near the document's end or followed by white space.
    #[cold]
    fn spelled_field_name(&mut self, message: &'static Message) -> Outcome<Option<(usize, &'static Field)>> {
        let end = scan::special(self.input, self.at);
        let place = if self.input.get(end) == Some(&b'"') {
            let place = message.by_name(self.input.get(self.at..end).unwrap_or_default());
            self.at = end + 1;
            place
        } else {
            self.unescape_to_scratch()?;
            message.by_name(self.scratch)
        };
        self.peek();
        self.expect(b':', "':'")?;
        Ok(place.and_then(|place| Some((place, message.fields.get(place)?))))
    }

    /// Reads a field's value and appends the field; `false` if it was null.
    #[inline]
    fn field(&mut self, field: &'static Field, is_again: bool) -> Outcome<bool> {
        if self.peek() == b'n' {
            self.literal(b"null")?;
            if is_again && field.presence == Presence::Implicit {
                // The last one wins, and null is the default: said outright, it undoes the one before.
                emit::tag(self.out, field);
                match field.kind {
                    Kind::Scalar(scalar) => emit::number(self.out, scalar.wire(), 0),
                    _ => self.out.push(0),
                }
            }
            return Ok(false);
        }
        match field.presence {
            Presence::Repeated => self.list(field)?,
            Presence::Implicit => self.value(field, is_again)?,
            Presence::Explicit | Presence::Oneof => self.value(field, true)?,
        }
        Ok(true)
    }

    /// Reads one value and appends it with its field's tag; a default value only if it is to be kept.
    #[inline]
    fn value(&mut self, field: &'static Field, keeps_default: bool) -> Outcome {
        match field.kind {
            Kind::String => self.string(field, keeps_default),
            Kind::Id(length) => self.id(field, length, keeps_default),
            Kind::Bytes => self.bytes(field, keeps_default),
            Kind::Scalar(scalar) => {
                let number = self.scalar(scalar)?;
                if number != 0 || keeps_default {
                    emit::tag(self.out, field);
                    emit::number(self.out, scalar.wire(), number);
                }
                Ok(())
            }
            Kind::Message(message) => {
                let open = emit::open(self.out, field, message.length_width);
                self.message(message)?;
                emit::close(self.out, open);
                Ok(())
            }
        }
    }

    /// Reads an array and appends its elements, numbers packed.
    fn list(&mut self, field: &'static Field) -> Outcome {
        self.expect(b'[', "an array")?;
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        let packed = match field.kind {
            Kind::Scalar(_) => Some(emit::open(self.out, field, 1)),
            _ => None,
        };
        let mut element = 0;
        loop {
            if self.element(field, packed.as_ref()).is_err() {
                return self.within(Step::Element(element));
            }
            element += 1;
            match self.peek() {
                b',' => {
                    self.at += 1;
                    self.peek();
                }
                b']' => break,
                _ => return self.unexpected("',' or ']'"),
            }
        }
        self.at += 1;
        if let Some(open) = packed {
            emit::close(self.out, open);
        }
        Ok(())
    }

    /// Reads one element of an array. A null stands for the default, and keeps its place.
    #[inline]
    fn element(&mut self, field: &'static Field, packed: Option<&Open>) -> Outcome {
        let is_null = self.peek() == b'n';
        if is_null {
            self.literal(b"null")?;
        }
        match (field.kind, packed) {
            (Kind::Scalar(scalar), Some(_)) => {
                let number = if is_null { 0 } else { self.scalar(scalar)? };
                emit::number(self.out, scalar.wire(), number);
                Ok(())
            }
            _ if is_null => {
                emit::tag(self.out, field);
                self.out.push(0);
                Ok(())
            }
            _ => self.value(field, true),
        }
    }

    /// Skips white space and gives the byte after it, 0 at the document's end.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        match self.input.get(self.at) {
            // The Collector writes no white space.
            Some(byte) if *byte > b' ' => *byte,
            _ => self.skip_space(),
        }
    }

    #[inline(never)]
    fn skip_space(&mut self) -> u8 {
        loop {
            match self.input.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(byte) => return *byte,
                None => return 0,
            }
        }
    }

    /// Goes past one byte, which has to be `byte`.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8, wanted: &'static str) -> Outcome {
        if self.input.get(self.at) == Some(&byte) {
            self.at += 1;
            return Ok(());
        }
        self.unexpected(wanted)
    }

    /// Goes past `null`, `true` or `false`.
    #[inline]
    pub(super) fn literal(&mut self, literal: &'static [u8]) -> Outcome {
        if self.input.get(self.at..).is_some_and(|rest| rest.starts_with(literal)) {
            self.at += literal.len();
            return Ok(());
        }
        self.unexpected("null, true, false or another value")
    }

    /// Fails because of the byte at hand.
    #[cold]
    pub(super) fn unexpected<T>(&mut self, wanted: &'static str) -> Outcome<T> {
        match self.input.get(self.at) {
            Some(found) => self.fail(JsonProblem::Unexpected { wanted, found: *found }),
            None => self.fail(JsonProblem::Truncated),
        }
    }

    /// Fails where the conversion stands.
    #[cold]
    pub(super) fn fail<T>(&mut self, problem: JsonProblem) -> Outcome<T> {
        self.failure = Some((self.at, problem));
        Err(Failed)
    }

    /// Passes a failure on, and notes where it came from.
    #[cold]
    fn within<T>(&mut self, step: Step) -> Outcome<T> {
        self.path.push(step);
        Err(Failed)
    }
}
