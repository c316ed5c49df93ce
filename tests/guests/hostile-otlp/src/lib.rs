//! A plugin of the world `otlp-to-otlp` that misbehaves as its settings tell it: `misbehave` says how, `only` restricts
//! that to calls with a message of this value.
//!
//! When it is honest, what follows `change:` goes on in a message's place, `no` is rejected, and all else is unchanged.

use std::cell::RefCell;
use std::hint::black_box;

wit_bindgen::generate!({ path: "../../../wit", world: "otlp-to-otlp-plugin" });

use exports::weir::plugin::otlp_to_otlp::{Guest, Outcome};
use weir::plugin::records::Batch;
use weir::plugin::settings::Setting;
use weir::plugin::{counters, log};

thread_local! {
    static TOLD: RefCell<(String, Option<String>)> = RefCell::default();
}

struct Hostile;

export!(Hostile);

impl Guest for Hostile {
    fn configure(settings: Vec<Setting>) -> Result<(), String> {
        std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
        let value = |key: &str| settings.iter().find(|s| s.key == key).and_then(|s| s.values.first()).cloned();
        TOLD.set((value("misbehave").unwrap_or_default(), value("only")));
        match value("misbehave").as_deref() {
            Some("configure: error") => Err("no such setting: color".to_owned()),
            _ => Ok(()),
        }
    }

    fn transform(batch: Batch) -> Result<Vec<Outcome>, String> {
        let misbehave = TOLD.with_borrow(|(misbehave, only)| {
            let met = only.as_ref().is_none_or(|only| batch.messages.iter().any(|m| m.value == only.as_bytes()));
            if met { misbehave.clone() } else { String::new() }
        });
        counters::add("messages", batch.messages.len() as u64);
        let mut outcomes: Vec<Outcome> = batch.messages.iter().map(|m| honest(&m.value)).collect();
        match misbehave.as_str() {
            "panic" => panic!("told to by record {}", batch.messages[0].offset),
            "loop" => loop {
                black_box(0);
            },
            "error" => return Err("this batch is not to its liking".to_owned()),
            "too few" => drop(outcomes.pop()),
            "too many" => outcomes.push(Outcome::Unchanged),
            "huge" => outcomes[0] = Outcome::Changed(vec![7; 8 << 20]),
            _ => {}
        }
        Ok(outcomes)
    }
}

fn honest(value: &[u8]) -> Outcome {
    match value.strip_prefix(b"change:") {
        Some(rest) => Outcome::Changed(rest.to_vec()),
        None if value == b"no" => Outcome::Rejected("it says no".to_owned()),
        None => Outcome::Unchanged,
    }
}
