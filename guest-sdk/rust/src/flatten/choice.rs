//! The settings that choose columns, checked.

use crate::settings::Settings;

/// What a pipeline asks for beyond the columns that are always there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Further columns, by name, each once (`columns`).
    pub columns: Vec<String>,
    /// Attributes of spans, log records or data points with a column of their own (`promote`).
    pub promote: Vec<Promote>,
    /// Resource attributes with a column of their own (`promote_resource`).
    pub promote_resource: Vec<Promote>,
    /// Whether what is promoted stays out of its map (`promote_only`).
    pub promote_only: bool,
}

/// An attribute with a column of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promote {
    /// The attribute's key.
    pub key: String,
    /// The column's name: the key, with an underscore for all but letters and digits, so that SQL needs no quotes.
    pub column: String,
    /// The column's type.
    pub kind: Kind,
}

/// What a promoted attribute must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// An integer of 64 bits.
    Long,
    /// A double.
    Double,
    /// True or false.
    Boolean,
}

impl Choice {
    /// Reads the four settings. `always` are the columns that are there anyway, `further` those to choose from.
    ///
    /// # Errors
    /// Says which entry of which setting is wrong, and what may stand there.
    pub fn read(settings: &mut Settings, always: &[&str], further: &[&str]) -> Result<Self, String> {
        let columns = settings.list("columns").unwrap_or_default();
        for (index, name) in columns.iter().enumerate() {
            if !further.contains(&name.as_str()) {
                let why = if always.contains(&name.as_str()) { "is always there" } else { "is not a column" };
                return Err(format!("`columns`: `{name}` {why}; choose from {}", further.join(", ")));
            }
            if columns.iter().take(index).any(|earlier| earlier == name) {
                return Err(format!("`columns` names `{name}` twice"));
            }
        }
        let promote = Promote::read_all(settings, "promote")?;
        let promote_resource = Promote::read_all(settings, "promote_resource")?;
        let mut taken: Vec<&str> = always.iter().chain(further).copied().collect();
        for (setting, promoted) in [("promote", &promote), ("promote_resource", &promote_resource)] {
            for Promote { key, column, .. } in promoted {
                // Query engines fold case, so names must differ by more.
                if taken.iter().any(|name| name.eq_ignore_ascii_case(column)) {
                    return Err(format!("`{setting}`: `{key}` would be the column `{column}`, which there is already"));
                }
                taken.push(column);
            }
        }
        let promote_only = settings.flag("promote_only", false)?;
        Ok(Choice { columns, promote, promote_resource, promote_only })
    }
}

impl Promote {
    fn read_all(settings: &mut Settings, setting: &'static str) -> Result<Vec<Self>, String> {
        let entries = settings.list(setting).unwrap_or_default();
        entries.iter().map(|entry| Self::read(entry).map_err(|why| format!("`{setting}`: {why}"))).collect()
    }

    /// Reads `key` or `key:type`. A key may hold colons of its own.
    fn read(entry: &str) -> Result<Self, String> {
        let (key, kind) = match entry.rsplit_once(':') {
            None => (entry, Kind::String),
            Some((key, "string")) => (key, Kind::String),
            Some((key, "long")) => (key, Kind::Long),
            Some((key, "double")) => (key, Kind::Double),
            Some((key, "boolean")) => (key, Kind::Boolean),
            Some((_, other)) => {
                return Err(format!("`{entry}` asks for `{other}`; a type is string, long, double or boolean"));
            }
        };
        if !key.contains(|letter: char| letter.is_ascii_alphanumeric()) {
            return Err(format!("`{entry}` names no attribute"));
        }
        let column = key.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
        Ok(Promote { key: key.to_owned(), column, kind })
    }
}

#[cfg(test)]
mod tests;
