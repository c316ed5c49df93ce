//! The languages that plugins are written in, and how a folder's is told.

use std::path::Path;

use super::super::Failure;

/// A language with an SDK, a template, and a toolchain that `weir plugin build` calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    Rust,
    C,
    Go,
    Javascript,
    Python,
}

impl Language {
    const ALL: [Self; 5] = [Self::Rust, Self::C, Self::Go, Self::Javascript, Self::Python];

    /// The file that a plugin's folder in this language has, and none in another one.
    fn mark(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::C => "plugin.c",
            Self::Go => "go.mod",
            Self::Javascript => "plugin.js",
            Self::Python => "plugin.py",
        }
    }

    /// The file that a plugin's author writes.
    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::C => "plugin.c",
            Self::Go => "main.go",
            Self::Javascript => "plugin.js",
            Self::Python => "plugin.py",
        }
    }

    /// The language of a folder's plugin.
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        Self::ALL.into_iter().find(|language| folder.join(language.mark()).is_file()).ok_or_else(|| {
            let marks = Self::ALL.map(Self::mark).join(", ");
            Failure::wrong(format!("{} has no plugin: none of {marks} is there", folder.display()))
        })
    }
}
