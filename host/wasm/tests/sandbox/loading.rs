//! Files that are no plugins.

use std::path::Path;

use weir_wasm::{Plugin, PluginError, World};

use crate::kit::{assert_works, engine, guest, plugin, stage};

fn load(bytes: &[u8]) -> PluginError {
    let error = Plugin::from_bytes(engine(), "p", bytes).unwrap_err();
    assert_works(&mut stage(&plugin(), ""));
    error
}

fn load_text(component: &str) -> PluginError {
    load(&wat::parse_str(component).unwrap())
}

#[test]
fn garbage_is_told_apart_from_webassembly() {
    assert_eq!(load(b"#!/bin/sh\n").to_string(), "plugin p is not WebAssembly: it begins with 23212f62696e2f73");
    assert_eq!(load(b"").to_string(), "plugin p is not WebAssembly: it begins with nothing");
    assert!(matches!(load(b"\0asm"), PluginError::NotWasm { .. }));
}

#[test]
fn a_core_module_is_told_apart_from_a_component() {
    let error = load_text("(module)");
    assert!(matches!(error, PluginError::CoreModule { .. }));
    assert!(error.to_string().contains("link it with wasm-component-ld"));
}

#[test]
fn a_damaged_component_does_not_compile() {
    let half = &guest()[..guest().len() / 2];
    assert!(matches!(load(half), PluginError::Compile { .. }));
}

#[test]
fn another_world_is_named_by_the_export_it_lacks() {
    let error = load_text("(component)");
    let worlds = "otlp-to-otlp, otlp-to-arrow, arrow-to-arrow of weir:plugin@0.1.0";
    assert_eq!(error.to_string(), format!("plugin p exports none of {worlds}; its exports: none"));
    let error = load_text(r#"(component (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#);
    assert!(error.to_string().ends_with("its exports: wasi:cli/run@0.2.0"), "{error}");
}

#[test]
fn a_plugin_of_two_worlds_is_refused() {
    let error = load_text(
        r#"(component (instance $i) (export "weir:plugin/otlp-to-otlp@0.1.0" (instance $i))
            (export "weir:plugin/arrow-to-arrow@0.1.0" (instance $i)))"#,
    );
    let both = "exports both weir:plugin/otlp-to-otlp@0.1.0 and weir:plugin/arrow-to-arrow@0.1.0";
    assert!(error.to_string().contains(both), "{error}");
}

#[test]
fn a_plugin_is_known_by_the_world_whose_interface_it_exports() {
    assert_eq!(super::kit::otlp_plugin().world(), World::OtlpToOtlp);
    assert_eq!(plugin().world(), World::OtlpToArrow);
    assert_eq!(super::kit::rows_plugin().world(), World::ArrowToArrow);
}

#[test]
fn another_version_of_the_contract_is_named() {
    let error = load_text(r#"(component (instance $i) (export "weir:plugin/otlp-to-arrow@0.2.0" (instance $i)))"#);
    assert_eq!(
        error.to_string(),
        "plugin p is built for weir:plugin/otlp-to-arrow@0.2.0, and this Weir offers weir:plugin/otlp-to-arrow@0.1.0"
    );
}

#[test]
fn an_import_that_is_not_offered_is_named() {
    let error = load_text(
        r#"(component
            (import "wasi:filesystem/preopens@0.2.0" (instance))
            (import "weir:plugin/clock@0.1.0" (instance))
            (instance $i) (export "weir:plugin/otlp-to-arrow@0.1.0" (instance $i)))"#,
    );
    let PluginError::Import { imports, .. } = &error else { panic!("{error}") };
    assert_eq!(imports, "wasi:filesystem/preopens@0.2.0, weir:plugin/clock@0.1.0");
}

#[test]
fn an_import_of_ours_with_another_function_does_not_fit() {
    let error = load_text(
        r#"(component
            (import "weir:plugin/log@0.1.0" (instance (export "read" (func (result string)))))
            (instance $i) (export "weir:plugin/otlp-to-arrow@0.1.0" (instance $i)))"#,
    );
    assert!(matches!(error, PluginError::Contract { .. }), "{error}");
}

#[test]
fn an_export_without_the_functions_does_not_fit() {
    let error = load_text(r#"(component (instance $i) (export "weir:plugin/otlp-to-arrow@0.1.0" (instance $i)))"#);
    assert!(matches!(error, PluginError::Contract { .. }), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Plugin::from_file(engine(), "p", Path::new("/nowhere/p.wasm")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read plugin p from /nowhere/p.wasm: "), "{error}");
}

#[test]
fn a_file_beyond_the_bound_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.wasm");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let error = Plugin::from_file(engine(), "p", &path).unwrap_err();
    assert!(matches!(error, PluginError::TooLarge { size_bytes, .. } if size_bytes == 1 << 40));
}

#[test]
fn a_plugin_is_known_by_the_digest_of_its_bytes() {
    let plugin = plugin();
    assert_eq!(plugin.digest().len(), 64);
    assert_eq!(plugin.digest(), super::kit::plugin().digest());
    assert_eq!(plugin.name(), "hostile");
}
