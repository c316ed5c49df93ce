//! What is told to the person who wrote the file.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// One mistake: where it is, what it is, what to write.
///
/// `Display` shows it with the line and a caret; `Serialize` gives the fields.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub help: Option<String>,
    /// The line's text without secrets, and where the caret goes.
    #[serde(skip)]
    excerpt: Excerpt,
}

impl Diagnostic {
    pub(super) fn new(file: &Path, excerpt: Excerpt, message: String, help: Option<String>) -> Self {
        Self { file: file.to_owned(), line: excerpt.line, column: excerpt.column, message, help, excerpt }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self.line.to_string().len();
        writeln!(f, "error: {}", self.message)?;
        writeln!(f, "{:gutter$}--> {}:{}:{}", "", self.file.display(), self.line, self.column)?;
        if !self.excerpt.text.is_empty() {
            writeln!(f, "{:gutter$} |", "")?;
            writeln!(f, "{} | {}", self.line, self.excerpt.text)?;
            let caret = "^".repeat(self.excerpt.caret.len());
            writeln!(f, "{:gutter$} | {:before$}{caret}", "", "", before = self.excerpt.caret.start)?;
        }
        match &self.help {
            Some(help) => writeln!(f, "{:gutter$} = help: {help}", ""),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A line of a file and a place in it.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Excerpt {
    pub(super) line: usize,
    pub(super) column: usize,
    text: String,
    /// In characters of `text`; never empty.
    caret: Range<usize>,
}

impl Excerpt {
    /// The line in which `span` begins, what `hidden` covers replaced by an ellipsis. Spans are bytes of `text`.
    pub(super) fn new(text: &str, span: &Range<usize>, hidden: &[Range<usize>]) -> Self {
        let start = text.floor_char_boundary(span.start);
        let bounds = line_bounds(text, start);
        let line = text[..bounds.start].matches('\n').count() + 1;
        let column = text[bounds.start..start].chars().count() + 1;
        let end = span.end.clamp(start, bounds.end.max(start));
        let mut shown = String::new();
        let mut width = 0;
        let (mut caret, mut caret_end) = (None, None);
        let mut ellipsis_to = 0;
        for (offset, c) in text[bounds.clone()].char_indices() {
            let at = bounds.start + offset;
            let hides = hidden.iter().find(|range| range.contains(&at));
            let continues = at < ellipsis_to;
            // What follows on an ellipsis in the same hidden part stands under it.
            let column = if continues { width - 1 } else { width };
            if at >= start {
                caret.get_or_insert(column);
            }
            if at >= end {
                caret_end.get_or_insert(column);
            }
            match hides {
                Some(_) if continues => continue,
                Some(range) => {
                    ellipsis_to = range.end;
                    shown.push('…');
                }
                None => shown.push(if c == '\t' { ' ' } else { c }),
            }
            width += 1;
        }
        let caret = caret.unwrap_or(width);
        let caret_end = caret_end.unwrap_or(width).max(caret + 1);
        Self { line, column, text: shown.trim_end().to_owned(), caret: caret..caret_end }
    }
}

/// The line that holds a byte, without its end.
pub(super) fn line_bounds(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let end = if text[start..end].ends_with('\r') { end - 1 } else { end };
    start..end.max(start)
}

/// Every mistake that was found, in the files' order.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    pub(super) fn unreadable(file: &Path, why: &io::Error) -> Self {
        let help = "give the path of a pipeline's TOML file".to_owned();
        let message = format!("cannot read the file: {why}");
        let excerpt = Excerpt { line: 1, column: 1, ..Excerpt::default() };
        Self { diagnostics: vec![Diagnostic::new(file, excerpt, message, Some(help))] }
    }

    /// Adds one, for checks that need more than the file: a plugin that cannot be found, say.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds another report's.
    pub fn extend(&mut self, other: Report) {
        self.diagnostics.extend(other.diagnostics);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// What was found.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// A JSON array of objects with `file`, `line`, `column`, `message` and `help`.
    pub fn to_json(&self) -> serde_json::Value {
        let objects = self.diagnostics.iter().map(|found| {
            serde_json::json!({
                "file": found.file.display().to_string(), "line": found.line, "column": found.column,
                "message": found.message, "help": found.help,
            })
        });
        serde_json::Value::Array(objects.collect())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "{diagnostic}")?;
        }
        match self.diagnostics.len() {
            1 => writeln!(f, "1 error"),
            count => writeln!(f, "{count} errors"),
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests;
