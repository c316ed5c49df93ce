//! Why a document was refused, and where.

use std::fmt::{self, Write as _};

use thiserror::Error;

use crate::Signal;

/// A document that cannot be converted.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{problem}, at byte {offset}{}", Within(path))]
pub struct JsonError {
    /// What is wrong.
    pub problem: JsonProblem,
    /// Where in the document, in bytes from its start.
    pub offset: usize,
    /// The field that was being read, like `resourceSpans[0].scopeSpans[2].spans[17].kind`. Empty at the top.
    pub path: String,
}

impl JsonError {
    /// A problem with the document as a whole.
    pub(super) fn at_start(problem: JsonProblem) -> Self {
        Self { problem, offset: 0, path: String::new() }
    }
}

/// What is wrong with a document.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum JsonProblem {
    /// The value has no bytes, or nothing but white space.
    #[error("the value is empty, which is not JSON")]
    Empty,
    /// The value begins with a byte order mark, UTF-8's or UTF-16's.
    #[error("the document begins with a byte order mark")]
    ByteOrderMark,
    /// The value is not JSON but protobuf.
    #[error("the value is not JSON, it looks like protobuf {signal}: is the topic's encoding otlp_proto?")]
    Protobuf {
        /// The topic's signal.
        signal: Signal,
    },
    /// The document is sound, and of another signal.
    #[error("the document holds {found}, not {wanted}")]
    OtherSignal {
        /// What it holds.
        found: Signal,
        /// The topic's signal.
        wanted: Signal,
    },
    /// The document ends before it is complete.
    #[error("the document ends too early")]
    Truncated,
    /// Something else follows the document.
    #[error("bytes follow the document's end, the first is {}", Byte(*found))]
    Trailing {
        /// The first byte that is too much.
        found: u8,
    },
    /// Another document follows.
    #[error("a second document follows the first")]
    SecondDocument,
    /// Another byte than JSON's grammar or the field's type allows.
    #[error("expected {wanted}, found {}", Byte(*found))]
    Unexpected {
        /// What may stand here.
        wanted: &'static str,
        /// What does.
        found: u8,
    },
    /// A backslash that begins no escape sequence.
    #[error("the escape sequence is not one of JSON's")]
    InvalidEscape,
    /// Something that is no number where one is wanted.
    #[error("this is not {wanted}")]
    InvalidNumber {
        /// What the field holds.
        wanted: &'static str,
    },
    /// A number that the field cannot hold.
    #[error("the number is out of range for {wanted}")]
    OutOfRange {
        /// What the field holds.
        wanted: &'static str,
    },
    /// Bytes that are neither standard nor URL-safe base64.
    #[error("the bytes are not base64")]
    InvalidBase64,
    /// Values nest deeper than this crate follows.
    #[error("values nest deeper than {max}")]
    TooDeep {
        /// The deepest that is followed.
        max: u32,
    },
}

/// A byte as a person reads it.
struct Byte(u8);

impl fmt::Display for Byte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_ascii_graphic() {
            write!(f, "'{}'", char::from(self.0))
        } else {
            write!(f, "byte {:#04x}", self.0)
        }
    }
}

/// The path as the end of a message, or nothing.
struct Within<'a>(&'a str);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ", in {}", self.0) }
    }
}

/// One step of the way from the document's top to a field.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// Into a field.
    Field(&'static str),
    /// Into an element of a list.
    Element(usize),
}

/// How many steps of a way are shown at its beginning, and at its end where something is left out between them.
const SHOWN: (usize, usize) = (16, 4);

/// The way as text, from its steps in reverse: that is the order in which a failing conversion meets them.
pub(super) fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    let hidden = SHOWN.0..steps.len().saturating_sub(SHOWN.1);
    for (place, step) in steps.iter().rev().enumerate() {
        match step {
            _ if hidden.contains(&place) => {
                if place == hidden.start {
                    path.push_str("...");
                }
            }
            Step::Field(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            // Writing to a string cannot fail.
            Step::Element(at) => {
                let _ = write!(path, "[{at}]");
            }
        }
    }
    path
}
