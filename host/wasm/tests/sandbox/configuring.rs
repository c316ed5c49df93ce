//! Plugins that fail before their first call.

use weir_wasm::{Limits, PluginError, Signal};

use crate::kit::{assert_works, limits, plugin, stage, try_stage};

fn configure(misbehave: &str) -> PluginError {
    let error = try_stage(&plugin(), &[("misbehave", misbehave)]).unwrap_err();
    assert!(error.to_string().len() < 4096);
    error
}

#[test]
fn a_trap_in_configure_is_told_with_its_message() {
    let error = configure("configure: trap");
    assert!(matches!(&error, PluginError::Configure { failure, .. } if failure.kind() == "trap"), "{error}");
    assert!(error.to_string().contains("configure was told to"), "{error}");
}

#[test]
fn an_endless_configure_ends_at_its_deadline() {
    let error = configure("configure: loop");
    assert!(matches!(&error, PluginError::Configure { failure, .. } if failure.kind() == "deadline"), "{error}");
}

#[test]
fn a_plugin_that_cannot_start_within_its_memory_is_told_so() {
    let limits = Limits { memory_bytes: 1000, ..limits() };
    let error = plugin().configure(Signal::Logs, Vec::new(), limits).unwrap_err();
    assert!(matches!(&error, PluginError::Configure { failure, .. } if failure.kind() == "memory"), "{error}");
    assert!(error.to_string().contains("its limit is 1000 bytes"), "{error}");
}

#[test]
fn settings_that_are_refused_are_told_as_the_plugin_says_it() {
    let error = configure("configure: error");
    assert_eq!(error.to_string(), "plugin hostile refuses its settings: no such setting: color");
}

#[test]
fn tables_that_cannot_be_are_refused_and_named() {
    for (misbehave, says) in [
        ("configure: no tables", "there is no table"),
        ("configure: no columns", "table t: it has no column"),
        ("configure: many tables", "there are 1000 tables, more than 64"),
        ("configure: deep", "nested more than 12 deep"),
        ("configure: twins", "table t: two fields beside each other are called a"),
        ("configure: children missing", "table t: field a: it has 4294967295 children, and 0 fields follow"),
    ] {
        let error = configure(misbehave);
        assert!(matches!(error, PluginError::Schema { .. }), "{misbehave}: {error}");
        assert!(error.to_string().contains(says), "{misbehave}: {error}");
    }
}

#[test]
fn a_giant_schema_is_refused() {
    // A hundred thousand fields are more than may cross, and more than a table may have.
    let error = configure("configure: many fields");
    assert!(matches!(error, PluginError::Schema { .. } | PluginError::Configure { .. }), "{error}");
}

#[test]
fn a_refused_configuration_leaves_the_plugin_usable() {
    let plugin = plugin();
    try_stage(&plugin, &[("misbehave", "configure: trap")]).unwrap_err();
    assert_works(&mut stage(&plugin, "panic"));
}

#[test]
fn tables_come_with_their_docs() {
    let stage = stage(&plugin(), "");
    let [table] = stage.tables() else { panic!("one table") };
    assert_eq!((table.name.as_str(), table.doc.as_str()), ("rows", "one a message"));
    let field = table.schema.field(0);
    assert_eq!(field.metadata().get("doc").map(String::as_str), Some("where the record was"));
    assert!(!field.is_nullable());
}
