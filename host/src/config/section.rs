//! A table of the file, and a value in it: each getter gives the value or notes what is wrong, and goes on.

use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::expand::expand;
use super::flaw::Flaw;
use super::shape::{Shape, example, in_section, nearest, suggestion};

/// A table whose keys are all known.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) document: &'a Document<'a>,
    table: &'a DeTable<'a>,
    shape: &'static Shape,
    /// The header, or the inline table.
    start: usize,
    end: usize,
}

impl<'a> Section<'a> {
    /// The file itself.
    pub(super) fn root(document: &'a Document<'a>, table: &'a DeTable<'a>, shape: &'static Shape) -> Self {
        let section = Self { document, table, shape, start: 0, end: 0 };
        section.note_unknown_keys();
        section
    }

    /// A value that must be a table of that shape. Keys that are not in the shape are noted.
    pub(super) fn open(item: Item<'a>, shape: &'static Shape) -> Option<Self> {
        let DeValue::Table(table) = item.value else {
            item.wrong_type("a table");
            return None;
        };
        let section = Self { document: item.document, table, shape, start: item.span.start, end: item.span.end };
        section.note_unknown_keys();
        Some(section)
    }

    /// The value of a key, where it is there.
    pub(super) fn get(&self, key: &str) -> Option<Item<'a>> {
        debug_assert!(self.shape.keys.contains(&key), "{key} is in no shape");
        let (name, value) = self.table.get_key_value(key)?;
        Some(Item::new(self.document, name.get_ref(), value, name.span()))
    }

    /// The value of a key that must be there. Where it is misspelt, that is all that is said.
    pub(super) fn need(&self, key: &str, help: &str) -> Option<Item<'a>> {
        let item = self.get(key);
        let unknown = self.table.keys().filter(|other| !self.shape.keys.contains(&other.get_ref().as_ref()));
        let is_misspelt = unknown.map(|other| nearest(self.shape, other.get_ref())).any(|meant| meant == Some(key));
        if item.is_none() && !is_misspelt {
            let place = match self.shape.section {
                "" => String::new(),
                section => format!(" {}", in_section(section)),
            };
            self.document.missing(&self.span(), Flaw::new(format!("`{key}` is missing{place}"), help));
        }
        item
    }

    /// A sub-table, where it is there.
    pub(super) fn section(&self, key: &str, shape: &'static Shape) -> Option<Section<'a>> {
        self.get(key).and_then(|item| Section::open(item, shape))
    }

    /// A checked string, where it is there and right.
    pub(super) fn parse<T>(&self, key: &str, read: impl FnOnce(&str) -> Result<T, Flaw>) -> Option<T> {
        self.get(key)?.parse(read)
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    fn note_unknown_keys(&self) {
        for key in self.table.keys().filter(|key| !self.shape.keys.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let place = match self.shape.section {
                "" => "at the top of the file".to_owned(),
                section => in_section(section),
            };
            let flaw = Flaw::new(format!("unknown key `{name}` {place}"), suggestion(self.shape, name));
            self.document.flaw(&key.span(), flaw);
        }
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Item<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) key: &'a str,
    pub(super) key_span: Range<usize>,
    pub(super) span: Range<usize>,
    pub(super) value: &'a DeValue<'a>,
    is_element: bool,
}

impl<'a> Item<'a> {
    fn new(document: &'a Document<'a>, key: &'a str, value: &'a Spanned<DeValue<'a>>, key_span: Range<usize>) -> Self {
        Self { document, key, key_span, span: value.span(), value: value.get_ref(), is_element: false }
    }

    /// Notes what is wrong with the value.
    pub(super) fn flaw(&self, flaw: Flaw) {
        self.document.flaw(&self.span, flaw);
    }

    /// Notes that the value is of another type.
    pub(super) fn wrong_type(&self, wanted: &str) {
        let found = self.value.type_str();
        let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
        let (key, example) = (self.key, example(self.key));
        let help = match wanted {
            "a table" => format!("write {key} = {{ … }}, or a section with a header of its own"),
            _ => format!("write {key} = {example}"),
        };
        let subject = if self.is_element { format!("an element of `{key}`") } else { format!("`{key}`") };
        self.flaw(Flaw::new(format!("{subject} must be {wanted}, not {article} {found}"), help));
    }

    /// A string, its references replaced.
    pub(super) fn string(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => self.expand(text),
            _ => {
                self.wrong_type("a string");
                None
            }
        }
    }

    /// A checked string.
    pub(super) fn parse<T>(&self, read: impl FnOnce(&str) -> Result<T, Flaw>) -> Option<T> {
        match read(&self.string()?) {
            Ok(value) => Some(value),
            Err(flaw) => {
                self.flaw(flaw);
                None
            }
        }
    }

    /// A boolean, or a string that a reference made one.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => return Some(*value),
            DeValue::String(text) if text.contains("${") => match self.expand(text)?.as_str() {
                "true" => return Some(true),
                "false" => return Some(false),
                _ => {}
            },
            _ => {}
        }
        self.wrong_type("true or false");
        None
    }

    /// A whole number within bounds, or a string that a reference made one.
    pub(super) fn number(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let number = match self.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse::<u32>().ok(),
            DeValue::String(text) if text.contains("${") => self.expand(text)?.parse().ok(),
            _ => {
                self.wrong_type("a whole number");
                return None;
            }
        };
        let within = number.filter(|number| range.contains(number));
        if within.is_none() {
            let help = format!("write a whole number from {} to {}", range.start(), range.end());
            self.flaw(Flaw::new(format!("`{}` is out of range", self.key), help));
        }
        within
    }

    /// The elements of an array of strings, each checked. Wrong elements are noted, all of them.
    pub(super) fn parse_each<T>(&self, mut read: impl FnMut(&str) -> Result<T, Flaw>) -> Option<Vec<T>> {
        let elements = self.elements("an array of strings")?;
        let values: Vec<T> = elements.iter().filter_map(|element| element.parse(&mut read)).collect();
        (values.len() == elements.len()).then_some(values)
    }

    /// The elements of an array.
    pub(super) fn elements(&self, wanted: &str) -> Option<Vec<Item<'a>>> {
        let DeValue::Array(values) = self.value else {
            self.wrong_type(wanted);
            return None;
        };
        let item = |value: &'a Spanned<DeValue<'a>>| Item {
            is_element: true,
            ..Item::new(self.document, self.key, value, value.span())
        };
        Some(values.iter().map(item).collect())
    }

    /// The entries of a table with keys of the user's choice.
    pub(super) fn entries(&self) -> Option<Vec<Item<'a>>> {
        let DeValue::Table(table) = self.value else {
            self.wrong_type("a table");
            return None;
        };
        let item = |(key, value): (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            Item::new(self.document, key.get_ref(), value, key.span())
        };
        Some(table.iter().map(item).collect())
    }

    /// A scalar as text: a string with its references replaced, anything else as the file writes it.
    pub(super) fn scalar(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => self.expand(text),
            DeValue::Integer(number) if number.radix() == 10 => {
                Some(number.as_str().trim_start_matches('+').to_owned())
            }
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Some(number.to_string()),
                Err(_) => {
                    self.flaw(Flaw::new(format!("`{}` is too large", self.key), "write a number of at most 64 bits"));
                    None
                }
            },
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            DeValue::Boolean(value) => Some(value.to_string()),
            DeValue::Datetime(time) => Some(time.to_string()),
            DeValue::Array(_) | DeValue::Table(_) => {
                self.wrong_type("a string");
                None
            }
        }
    }

    fn expand(&self, text: &str) -> Option<String> {
        match expand(text, self.document) {
            Ok(text) => Some(text),
            Err(unresolved) => {
                for one in unresolved {
                    let at = self.document.source(&self.span).find(&one.reference);
                    let span = at.map_or(self.span.clone(), |at| {
                        self.span.start + at..self.span.start + at + one.reference.len()
                    });
                    self.document.flaw(&span, one.flaw);
                }
                None
            }
        }
    }
}
