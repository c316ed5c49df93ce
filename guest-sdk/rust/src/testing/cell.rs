//! One value of a table, for a test to look at.

use std::fmt;

/// A value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A missing value.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer, a date in days or a timestamp in microseconds.
    Int(i64),
    /// A number of either size.
    Float(f64),
    /// Text; what was not UTF-8 is replaced by U+FFFD, as the host does.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Cell>),
    /// A struct.
    Struct(Vec<(String, Cell)>),
    /// A map.
    Map(Vec<(Cell, Cell)>),
}

impl Cell {
    /// The text; none if it is something else.
    pub fn text(&self) -> Option<&str> {
        if let Cell::Text(text) = self { Some(text) } else { None }
    }

    /// The value of a key in a map, or of a field in a struct; none if there is no such.
    pub fn get(&self, name: &str) -> Option<&Cell> {
        match self {
            Cell::Map(entries) => entries.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value),
            Cell::Struct(fields) => fields.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

/// As JSON, in the order of the columns; bytes as `b"..."`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => f.write_str("null"),
            Cell::Bool(value) => write!(f, "{value}"),
            Cell::Int(value) => write!(f, "{value}"),
            Cell::Float(value) => write!(f, "{value:?}"),
            Cell::Text(text) => write!(f, "{text:?}"),
            Cell::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            Cell::List(cells) => write_all(f, "[]", cells.iter(), |f, cell| write!(f, "{cell}")),
            Cell::Struct(fields) => write_all(f, "{}", fields.iter(), |f, (name, cell)| write!(f, "{name:?}:{cell}")),
            Cell::Map(entries) => write_all(f, "{}", entries.iter(), |f, (key, cell)| write!(f, "{key}:{cell}")),
        }
    }
}

fn write_all<T>(
    f: &mut fmt::Formatter<'_>,
    brackets: &str,
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    let (open, close) = brackets.split_at(1);
    f.write_str(open)?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        write(f, item)?;
    }
    f.write_str(close)
}
