//! What a plugin with its settings is called in tables.

use sha2::{Digest, Sha256};

use crate::plugin::{Plugin, Setting};

/// Bytes of the settings' digest: enough to tell apart what one operator configures.
const SETTINGS_BYTES: usize = 8;

/// The digest of a plugin and its settings: the component's sha256, a `+`, and a digest of the settings, whatever order
/// the keys come in. Equal digests make equal rows of equal records.
pub fn digest(plugin: &Plugin, settings: &[Setting]) -> String {
    format!("{}+{}", plugin.digest(), of_settings(settings))
}

fn of_settings(settings: &[Setting]) -> String {
    let mut sorted: Vec<&Setting> = settings.iter().collect();
    sorted.sort_by_key(|setting| &setting.key);
    let mut hash = Sha256::new();
    // Each text with its length before it: no two lists of settings are the same bytes.
    let mut text = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    for setting in sorted {
        text(&setting.key);
        text(&setting.values.len().to_string());
        setting.values.iter().for_each(|value| text(value));
    }
    hex::encode(&hash.finalize()[..SETTINGS_BYTES])
}

#[cfg(test)]
mod tests;
