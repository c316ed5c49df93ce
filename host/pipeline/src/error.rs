//! What the loop does about a failure, which is all that distinguishes one error from another here.

use std::fmt;

/// What a failure makes the loop do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Back off and do the same again: the world may be better then.
    Retry,
    /// Somebody else owns what this process thought its own: drop what is uncommitted, recover from the table.
    Fenced,
    /// Stop this pipeline and say why: going on could lose or double rows, or cannot work.
    Fatal,
}

/// A failure, named by what it makes the loop do.
///
/// Rejected records are no errors: they are [`crate::transform::Rejection`]s.
#[derive(Clone, Debug)]
pub struct Error {
    /// What to do.
    pub kind: Kind,
    /// What was found, what it means and, where there is one, the flag that overrides it. Lower case, facts last.
    pub message: String,
}

impl Error {
    /// Do the same again later.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Retry, message: message.to_string() }
    }

    /// Drop what is uncommitted and recover.
    pub fn fenced(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Fenced, message: message.to_string() }
    }

    /// Stop.
    pub fn fatal(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Fatal, message: message.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
