//! Removes or hashes attributes by name, before there are rows: those of resources, scopes, spans, events, links, log
//! records, metrics, data points and exemplars.
//!
//! `drop = ["user.email"]` removes them. `hash = ["user.id"]` puts the sha256 of their text, in hex, in its place: equal
//! values stay equal. Who can guess a value can check the guess, so what few values are possible of is better dropped.

use sha2::{Digest, Sha256};
use weir_sdk::otlp::{Change, Oddities};
use weir_sdk::prelude::*;

/// The plugin.
pub struct RedactAttributes {
    drop: Vec<Vec<u8>>,
    hash: Vec<Vec<u8>>,
}

impl OtlpToOtlp for RedactAttributes {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let mut names = |key| -> Vec<Vec<u8>> {
            settings.list(key).unwrap_or_default().into_iter().map(String::into_bytes).collect()
        };
        let (drop, hash) = (names("drop"), names("hash"));
        if drop.is_empty() && hash.is_empty() {
            return Err("setting `drop` or `hash` says which attributes to redact; there is neither".to_owned());
        }
        if let Some(both) = drop.iter().find(|name| hash.contains(name)) {
            return Err(format!("`{}` is both in `drop` and in `hash`", String::from_utf8_lossy(both)));
        }
        Ok(RedactAttributes { drop, hash })
    }

    fn transform(&mut self, message: &Message, context: &mut Context<'_>) -> Result<Outcome, Refusal> {
        let (mut dropped, mut hashed) = (0, 0);
        let outcome = otlp::edit_attributes(context.signal(), &message.value, |_, attribute| {
            if self.drop.iter().any(|name| name == attribute.key) {
                dropped += 1;
                return Ok(Change::Drop);
            }
            if self.hash.iter().any(|name| name == attribute.key) {
                hashed += 1;
                let mut text = Vec::new();
                attribute.value.write_text(&mut text, &mut Oddities::default())?;
                return Ok(Change::Text(hex::encode(Sha256::digest(&text)).into_bytes()));
            }
            Ok(Change::Keep)
        })?;
        context.count("attributes_dropped", dropped);
        context.count("attributes_hashed", hashed);
        Ok(outcome)
    }
}

weir_sdk::export!(RedactAttributes as OtlpToOtlp);

#[cfg(test)]
mod tests;
