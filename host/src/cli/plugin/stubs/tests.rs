use super::{listed, note};

/// A component with a module in it that has a section of the same name.
fn component() -> Vec<u8> {
    wat::parse_str(r#"(component (core module (@custom "weir:stubs" "not its own")))"#).unwrap()
}

#[test]
fn what_is_noted_is_listed_and_what_lies_in_a_module_is_not() {
    let mut component = component();
    assert_eq!(listed(&component), [""; 0]);
    note(&mut component, &[]);
    let many: Vec<String> = (0..40).map(|at| format!("wasi_snapshot_preview1 function_{at}")).collect();
    note(&mut component, &many);
    assert_eq!(listed(&component), many);
}

#[test]
fn what_is_no_component_lists_nothing() {
    assert_eq!(listed(b"what is this?"), [""; 0]);
    let mut cut = component();
    note(&mut cut, &["a".repeat(200)]);
    cut.truncate(cut.len() - 1);
    assert_eq!(listed(&cut), [""; 0]);
}

#[test]
fn wasi_within_a_component_is_told_from_what_it_wants_itself() {
    let module = r#"(core module (import "wasi:cli/exit@0.2.0" "exit" (func)) (import "env" "f" (func)))"#;
    let stubbed = wat::parse_str(format!(r#"(component {module} (component {module}))"#)).unwrap();
    let found = super::wasi(&stubbed);
    assert_eq!(Vec::from_iter(found.inside), ["wasi:cli/exit@0.2.0"]);
    assert!(found.wanted.is_empty());
    let wants = r#"(component (import "wasi:cli/exit@0.2.0" (instance)) (import "weir:plugin/log" (instance)))"#;
    let found = super::wasi(&wat::parse_str(wants).unwrap());
    assert_eq!(Vec::from_iter(found.wanted), ["wasi:cli/exit@0.2.0"]);
    assert!(found.inside.is_empty());
}
