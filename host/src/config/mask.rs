//! Keeps secrets out of the lines that diagnostics show.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::shape::is_public;

/// The parts of a file's text that no diagnostic shows, in order: values of keys that may be secret, and URLs with a
/// password.
pub(super) fn hidden(root: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    walk_table(&mut Vec::new(), root, &mut ranges);
    ranges.sort_by_key(|range| range.start);
    ranges
}

fn walk_table<'a>(path: &mut Vec<&'a str>, table: &'a DeTable<'_>, ranges: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        walk_value(path, name, is_public(path, name), value, ranges);
    }
}

fn walk_value<'a>(
    path: &mut Vec<&'a str>,
    key: &'a str,
    public: bool,
    value: &'a toml::Spanned<DeValue<'_>>,
    ranges: &mut Vec<Range<usize>>,
) {
    match value.get_ref() {
        DeValue::Table(table) if public => {
            path.push(key);
            walk_table(path, table, ranges);
            path.pop();
        }
        // A table with a header of its own has the header for its span: its values are hidden one by one.
        DeValue::Table(table) => table.values().for_each(|value| walk_value(path, key, false, value, ranges)),
        DeValue::Array(values) => values.iter().for_each(|value| walk_value(path, key, public, value, ranges)),
        DeValue::String(text) if public && !has_password(text) => {}
        DeValue::Boolean(_) => {}
        _ if public && !matches!(value.get_ref(), DeValue::String(_)) => {}
        _ => ranges.push(value.span()),
    }
}

fn has_password(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
}

/// The parts to hide of a text whose syntax is broken, where nobody knows whose value is what.
pub(super) fn hidden_roughly_in(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut ranges = Vec::new();
    for line in text.split_inclusive('\n') {
        let range = hidden_roughly(line.trim_end_matches(['\r', '\n']));
        ranges.extend(range.map(|range| start + range.start..start + range.end));
        start += line.len();
    }
    ranges
}

/// The part of a line to hide: what follows the equals sign (or colon) if a word for a secret is on the line; the whole
/// line if it looks like no key, header or element.
fn hidden_roughly(line: &str) -> Option<Range<usize>> {
    let start = line.trim_start();
    let is_element = start.is_empty() || start.starts_with(['[', ']', '{', '}', '"', '\'', '#', ',']);
    let is_key = start.split_once(['=', ':']).is_some_and(|(key, _)| {
        key.trim_end().chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\''))
    });
    let is_word = start.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | ' '));
    if !is_element && !is_key && !is_word {
        return Some(0..line.len());
    }
    const SECRETS: &[&str] = &["token", "cred", "secret", "key", "pass", "header", "uri", "sasl", "auth", "ssl", "://"];
    let lower = line.to_ascii_lowercase();
    if !SECRETS.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let value = line.find(['=', ':']).map_or(0, |at| at + 1);
    (value < line.len()).then_some(value..line.len())
}

#[cfg(test)]
mod tests;
