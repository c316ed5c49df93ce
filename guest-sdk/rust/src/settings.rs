//! What a pipeline's TOML says under a transform's `config`.

use std::str::FromStr;

/// One key of the configuration, nested tables joined by dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// A scalar gives one value, an array one value an element, an empty array none.
    pub values: Vec<String>,
}

/// Reads settings by name and kind, and remembers which were asked for: a plugin refuses the others, and can say
/// which there are, without listing them anywhere.
#[derive(Debug)]
pub struct Settings {
    given: Vec<Setting>,
    asked: Vec<&'static str>,
}

impl Settings {
    /// The settings of one pipeline.
    pub fn new(given: Vec<Setting>) -> Self {
        Settings { given, asked: Vec::new() }
    }

    /// All values of an array, or the one of a scalar; none where the key is missing.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.ask(key).map(|setting| setting.values.clone())
    }

    /// One value as it is written.
    ///
    /// # Errors
    /// The setting is an array of another length than one.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>, String> {
        match self.ask(key) {
            None => Ok(None),
            Some(Setting { values, .. }) if values.len() == 1 => Ok(values.first().cloned()),
            Some(Setting { values, .. }) => {
                Err(format!("setting `{key}` takes one value, not an array of {}", values.len()))
            }
        }
    }

    /// One value of `true` or `false`.
    ///
    /// # Errors
    /// The setting is something else.
    pub fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, String> {
        match self.text(key)?.as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(format!("setting `{key}` is true or false, not `{other}`")),
        }
    }

    /// One number.
    ///
    /// # Errors
    /// The setting is no number, or does not fit.
    pub fn number<T: FromStr>(&mut self, key: &'static str, default: T) -> Result<T, String> {
        match self.text(key)? {
            None => Ok(default),
            Some(text) => {
                text.replace('_', "").parse().map_err(|_| format!("setting `{key}` is a number, not `{text}`"))
            }
        }
    }

    /// Refuses what nothing asked for.
    ///
    /// # Errors
    /// Names the first such setting, what was meant if that can be guessed, and those that there are.
    pub fn refuse_the_rest(&self) -> Result<(), String> {
        let mut seen: Vec<&str> = Vec::with_capacity(self.given.len());
        for setting in &self.given {
            let key = setting.key.as_str();
            if seen.contains(&key) {
                return Err(format!("setting `{key}` is given twice"));
            }
            seen.push(key);
            if self.asked.contains(&key) {
                continue;
            }
            let mut known = self.asked.clone();
            known.sort_unstable();
            let meant = known.iter().filter(|name| is_near(name, key)).min_by_key(|name| distance(name, key));
            let meant = meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            return Err(match known.is_empty() {
                true => format!("unknown setting `{key}`; this plugin has none"),
                false => format!("unknown setting `{key}`{meant} (there are: {})", known.join(", ")),
            });
        }
        Ok(())
    }

    fn ask(&mut self, key: &'static str) -> Option<&Setting> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.given.iter().find(|setting| setting.key == key)
    }
}

/// Near enough to be a slip of the finger: a third of the letters.
fn is_near(name: &str, key: &str) -> bool {
    distance(name, key) <= name.len().div_ceil(3)
}

/// How many letters to insert, delete or change (Levenshtein), by bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
