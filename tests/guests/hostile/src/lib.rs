//! A plugin that misbehaves as its settings tell it.
//!
//! `misbehave` names what it does, in `configure` or in `transform`; `only` restricts that to calls with a message of
//! this value, and without it every call is met. Without `misbehave` it is honest: one row a message, see [`rows`].

mod lies;
mod misdeeds;
mod rows;
mod shapes;

use std::cell::RefCell;

wit_bindgen::generate!({ path: "../../../wit", world: "otlp-to-arrow-plugin" });

use exports::weir::plugin::otlp_to_arrow::{Guest, Output};
use weir::plugin::columns::Table;
use weir::plugin::records::Batch;
use weir::plugin::settings::Setting;

#[derive(Default)]
struct Told {
    misbehave: String,
    only: Option<String>,
}

thread_local! {
    static TOLD: RefCell<Told> = RefCell::default();
}

struct Hostile;

export!(Hostile);

impl Guest for Hostile {
    fn configure(settings: Vec<Setting>) -> Result<Vec<Table>, String> {
        let value = |key: &str| settings.iter().find(|s| s.key == key).and_then(|s| s.values.first()).cloned();
        let told = Told { misbehave: value("misbehave").unwrap_or_default(), only: value("only") };
        std::panic::set_hook(Box::new(|panic| {
            weir::plugin::log::write(weir::plugin::log::Level::Error, &panic.to_string());
        }));
        let tables = shapes::tables(&told.misbehave)?;
        TOLD.set(told);
        Ok(tables)
    }

    fn transform(batch: Batch) -> Result<Output, String> {
        let misbehave = TOLD.with_borrow(|told| {
            let met = told.only.as_ref().is_none_or(|only| batch.messages.iter().any(|m| m.value == only.as_bytes()));
            if met { told.misbehave.clone() } else { String::new() }
        });
        misdeeds::commit(&misbehave, &batch)?;
        let mut output = rows::honest(&batch);
        lies::tell(&misbehave, &mut output);
        Ok(output)
    }
}
