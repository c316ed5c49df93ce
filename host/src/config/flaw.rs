//! What is wrong with one value, before it is known where it stands.

/// A reason and what to write instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Flaw {
    /// What is wrong, in lower case.
    pub(super) message: String,
    /// What to write.
    pub(super) help: String,
}

impl Flaw {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}
