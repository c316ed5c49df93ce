use wasmparser::{Validator, WasmFeatures};

use super::super::super::super::Failure;
use super::super::super::stubs::{self, Stubs};
use super::{inert, of_core, shape, without_debug_information};

/// A core module that exports the functions of `otlp-to-otlp`, with `imports` before them.
fn core(imports: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {imports}
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
            (func (export "weir:plugin/otlp-to-otlp@0.1.0#configure") (param i32 i32) (result i32) i32.const 0)
            (func (export "weir:plugin/otlp-to-otlp@0.1.0#transform") (param i32 i32 i32 i32 i32 i32) (result i32)
              i32.const 0))"#
    );
    wat::parse_str(text).unwrap()
}

/// What a component imports.
fn imports(component: &[u8]) -> Vec<String> {
    let mut imports = Vec::new();
    let mut depth = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            wasmparser::Payload::ModuleSection { .. } | wasmparser::Payload::ComponentSection { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            wasmparser::Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map(|import| import.unwrap().name.0.to_owned()));
            }
            _ => {}
        }
    }
    imports
}

fn refused(core: Vec<u8>, stubs: Stubs) -> String {
    match of_core(core, stubs) {
        Err(Failure::Failed(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_module_wants_of_wasi_is_answered_inside_and_noted() {
    let core = core(
        r#"(import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
           (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
           (import "wasi_snapshot_preview1" "lend_line" (func (param i32 i32)))"#,
    );
    let component = of_core(core, Stubs::Linked).unwrap();
    Validator::new_with_features(WasmFeatures::all()).validate_all(&component).unwrap();
    assert_eq!(stubs::listed(&component), ["clock_time_get", "fd_write"]);
    assert!(imports(&component).iter().all(|name| name.starts_with("weir:plugin/")), "{:?}", imports(&component));
}

#[test]
fn a_module_that_wants_nothing_has_no_stubs() {
    for stubs in [Stubs::Linked, Stubs::Refused] {
        assert_eq!(stubs::listed(&of_core(core(""), stubs).unwrap()), [""; 0]);
    }
}

#[test]
fn what_no_plugin_gets_is_refused_by_name() {
    let write = r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#;
    let why = refused(core(write), Stubs::Refused);
    assert_eq!(why, "the plugin imports what no plugin gets without stubs, of wasi_snapshot_preview1: fd_write");
    let send = r#"(import "wasi_snapshot_preview1" "sock_send" (func (param i32 i32 i32 i32 i32) (result i32)))"#;
    let why = refused(core(send), Stubs::Linked);
    assert_eq!(why, "the plugin imports what no plugin gets, of wasi_snapshot_preview1: sock_send");
    let why = refused(core(r#"(import "env" "fork" (func))"#), Stubs::Linked);
    assert_eq!(why, "the plugin imports what no plugin gets: env fork");
    let why = refused(wat::parse_str("(module)").unwrap(), Stubs::Linked);
    assert!(why.starts_with("it exports no plugin"), "{why}");
}

#[test]
fn the_stubs_call_nothing_but_the_log() {
    let stubs = inert(&[], Stubs::Linked).unwrap();
    let shape = shape(&stubs).unwrap();
    let imports: Vec<&str> = shape.imports.iter().map(|(module, _)| module.as_str()).collect();
    assert_eq!(imports, ["env", "weir:plugin/log@0.1.0"]);
    assert!(!shape.exports.iter().any(|name| name == "sock_send"));
}

#[test]
fn what_debuggers_read_is_left_out_and_names_stay() {
    let text = |module: &[u8]| String::from_utf8_lossy(module).into_owned();
    let core = core(
        r#"(@custom ".debug_info" (before first) "far too much") (func $named) (@custom ".debug_line" (after last) "more")
           (@custom "producers" "\00")"#,
    );
    assert!(text(&core).contains("far too much"));
    let kept = without_debug_information(&core).unwrap();
    assert!(text(&kept).contains("named") && text(&kept).contains("producers"), "{}", text(&kept));
    assert!(!text(&kept).contains(".debug") && !text(&kept).contains("more"), "{}", text(&kept));
    Validator::new_with_features(WasmFeatures::all()).validate_all(&kept).unwrap();
}
