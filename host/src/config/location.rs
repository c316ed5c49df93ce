//! Where a catalog's tables are: a URI, whatever the file said.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::flaw::Flaw;

/// A warehouse as a URI without a trailing slash: `file:///...`, `s3://...` or `s3a://...`.
///
/// Kept as written otherwise (`s3a://` stays `s3a://`), because table locations begin with it and other engines
/// compare them as text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location(String);

impl Location {
    /// A URI as it is, or a path, which is made absolute against `folder`.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Self, Flaw> {
        const HELP: &str = "write a folder (\"./lake\"), file:///path, s3://bucket/path or s3a://bucket/path";
        if text.trim().is_empty() {
            return Err(Flaw::new("the warehouse is empty", HELP));
        }
        let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return Ok(Self(format!("file://{}", absolute(folder, text).display())));
        };
        let rest = rest.trim_end_matches('/');
        match scheme {
            "file" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.len() > 1 && path.starts_with('/') {
                    Ok(Self(format!("file://{path}")))
                } else {
                    Err(Flaw::new(format!("`{text}` names no absolute path"), "write file:///path, with three slashes"))
                }
            }
            "s3" | "s3a" => match rest.strip_prefix("//") {
                Some(path) if !path.is_empty() && !path.starts_with('/') => Ok(Self(format!("{scheme}://{path}"))),
                _ => Err(Flaw::new(format!("`{text}` names no bucket"), "write s3://bucket/path")),
            },
            _ => Err(Flaw::new(format!("weir does not write to `{scheme}:` locations"), HELP)),
        }
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder, where it is on this machine.
    pub fn local_path(&self) -> Option<&Path> {
        self.0.strip_prefix("file://").map(Path::new)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A path without `.` and `..`, against a folder where it is relative. Nothing is looked up: symbolic links stay.
pub(super) fn absolute(folder: &Path, path: &str) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            other => whole.push(other),
        }
    }
    whole
}

/// A URI's scheme has two letters or more; one letter is a drive.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests;
