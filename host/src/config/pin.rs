//! A plugin that is held to its content.

use super::flaw::Flaw;
use super::pipeline::Origin;

/// What a file says of a plugin's content, and where: the line of the sha256, or the one beside which it would stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    sha256: Option<String>,
    origin: Origin,
}

impl Pin {
    /// No content but this one.
    pub fn to(sha256: &str, origin: &Origin) -> Self {
        Self { sha256: Some(sha256.to_owned()), origin: origin.clone() }
    }

    /// Whatever is found.
    pub(super) fn none(origin: Origin) -> Self {
        Self { sha256: None, origin }
    }

    /// The same place, and whatever is found.
    pub fn lifted(&self) -> Self {
        Self::none(self.origin.clone())
    }

    /// The sha256 that the component must have, 64 hex digits in lower case; `None` where it may be any.
    pub fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }

    /// The line to point at.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// A sha256 in hex.
pub(super) fn sha256(text: &str) -> Result<String, Flaw> {
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Flaw::new(
            format!("`{text}` is no sha256"),
            "write the 64 hex digits that `weir plugin inspect PLUGIN` shows, or sha256sum",
        ))
    }
}
