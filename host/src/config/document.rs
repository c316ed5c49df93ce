//! One file while it is checked: its text, what it stands in, and what was found so far.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, Error};

use super::Surroundings;
use super::diagnostic::{Diagnostic, Excerpt, Report, line_bounds};
use super::flaw::Flaw;
use super::mask;

/// A file's text and the mistakes found in it.
pub(super) struct Document<'a> {
    file: &'a Path,
    folder: PathBuf,
    text: &'a str,
    around: Surroundings<'a>,
    hidden: Vec<Range<usize>>,
    /// The lines whose syntax is broken, as spans; from an open bracket on, the rest of the file. What is said of the
    /// values there would mislead.
    broken: Vec<Range<usize>>,
    found: RefCell<Vec<Found>>,
}

struct Found {
    span: Range<usize>,
    message: String,
    help: Option<String>,
}

impl<'a> Document<'a> {
    pub(super) fn new(
        file: &'a Path,
        text: &'a str,
        around: Surroundings<'a>,
        root: &DeTable<'_>,
        errors: &[Error],
    ) -> Self {
        let folder = file.parent().unwrap_or(Path::new(""));
        let folder = std::path::absolute(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        let mut document = Self {
            file,
            folder: folder.unwrap_or_else(|_| PathBuf::from("/")),
            text,
            around,
            hidden: mask::hidden(root),
            broken: Vec::new(),
            found: RefCell::default(),
        };
        if !errors.is_empty() {
            // The tree is a guess now: what holds a secret is told by the looks of each line.
            document.hidden.extend(mask::hidden_roughly_in(text));
        }
        // An open bracket swallows the rest of the file: what is said after it is an echo.
        let first_open = errors.iter().position(|error| echoes(error.message())).unwrap_or(errors.len());
        for error in errors.iter().take(first_open + 1) {
            document.syntax(error);
        }
        document
    }

    /// The folder that relative paths stand against, absolute.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn file(&self) -> &Path {
        self.file
    }

    pub(super) fn around(&self) -> &Surroundings<'a> {
        &self.around
    }

    /// The bytes of a span as they stand in the file.
    pub(super) fn source(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    pub(super) fn excerpt(&self, span: &Range<usize>) -> Excerpt {
        Excerpt::new(self.text, span, &self.hidden)
    }

    /// Notes what is wrong with a value.
    pub(super) fn flaw(&self, span: &Range<usize>, flaw: Flaw) {
        if !self.is_broken_at(span) {
            self.note(span, flaw.message, Some(flaw.help));
        }
    }

    /// Notes what is not there. Said only of a file whose syntax is right: elsewhere it may be there, unread.
    pub(super) fn missing(&self, span: &Range<usize>, flaw: Flaw) {
        if self.broken.is_empty() {
            self.note(span, flaw.message, Some(flaw.help));
        }
    }

    /// Everything found, by its place.
    pub(super) fn into_report(self) -> Report {
        let mut found = self.found.take();
        found.sort_by_key(|found| found.span.start);
        let mut report = Report::default();
        for Found { span, message, help } in found {
            report.push(Diagnostic::new(self.file, self.excerpt(&span), message, help));
        }
        report
    }

    fn note(&self, span: &Range<usize>, message: String, help: Option<String>) {
        self.found.borrow_mut().push(Found { span: span.clone(), message, help });
    }

    fn is_broken_at(&self, span: &Range<usize>) -> bool {
        self.broken.iter().any(|line| line.start <= span.start && span.start <= line.end)
    }

    /// Notes what the TOML parser says; one for each line, since what follows on it is mostly an echo.
    fn syntax(&mut self, error: &Error) {
        let span = error.span().unwrap_or_default();
        let start = self.text.floor_char_boundary(span.start);
        let line = line_bounds(self.text, start);
        if self.is_broken_at(&line) {
            return;
        }
        let help = match echoes(error.message()) {
            true => Some("is the bracket or brace before it closed?".to_owned()),
            false => syntax_help(&self.text[line.clone()]),
        };
        self.note(&(start..span.end), format!("not TOML: {}", error.message()), help);
        let end = if echoes(error.message()) { self.text.len() } else { line.end };
        self.broken.push(line.start..end);
    }
}

/// Whether the parser says that it is still inside a bracket.
fn echoes(message: &str) -> bool {
    message.starts_with("missing comma") || message.starts_with("missing key for inline")
}

/// The slips behind most of them: text without quotes, and YAML.
fn syntax_help(line: &str) -> Option<String> {
    let Some((_, value)) = line.split_once('=') else {
        return line.contains(':').then(|| "write key = value".to_owned());
    };
    let value = value.trim_start();
    let is_bare = value.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '$'));
    is_bare.then(|| "text, durations and sizes stand in double quotes: \"30s\"".to_owned())
}
