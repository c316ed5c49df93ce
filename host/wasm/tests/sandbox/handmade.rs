//! What no compiler makes: guests by hand that lie to the canonical ABI itself, misbehave while the host puts records into
//! their memory or reads their answer, or before they are asked anything.

use weir_pipeline::transform::{Failure, Output};
use weir_wasm::{Link, Plugin, PluginError, Signal, WasmStage};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::kit::{assert_works, call, engine, limits, plugin, stage};

/// The honest guest with misdeeds in their places.
fn handmade(misdeeds: &[(&str, &str)]) -> Vec<u8> {
    let mut text = include_str!("handmade.wat").to_owned();
    for (place, honest) in [("memory", "2 1024"), ("table", "2")] {
        if misdeeds.iter().all(|(at, _)| *at != place) {
            put(&mut text, place, honest);
        }
    }
    misdeeds.iter().for_each(|(place, deed)| put(&mut text, place, deed));
    let mut core = wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut resolve = Resolve::default();
    let package = resolve.push_str("weir.wit", include_str!("../../../../wit/weir.wit")).unwrap();
    let world = resolve.select_world(&[package], Some("otlp-to-otlp-plugin")).unwrap();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(false).module(&core).unwrap().encode().unwrap()
}

fn put(text: &mut String, place: &str, deed: &str) {
    let mark = format!(";;@{place}\n");
    assert!(text.contains(&mark), "there is no place {place}");
    *text = text.replace(&mark, &format!("{mark}{deed}\n"));
}

/// The guest in front of the honest one that makes rows.
fn chain(plugin: &Plugin) -> Result<WasmStage, PluginError> {
    let link = |plugin: &Plugin| Link { plugin: plugin.clone(), settings: Vec::new(), limits: limits() };
    let links = vec![link(plugin), link(&crate::kit::plugin())];
    WasmStage::chain(Signal::Traces, links).map_err(|broken| broken.error)
}

fn load(misdeeds: &[(&str, &str)]) -> Plugin {
    Plugin::from_bytes(engine(), "handmade", &handmade(misdeeds)).unwrap()
}

fn texts(output: &Output) -> Vec<String> {
    use arrow_array::cast::AsArray;
    let text = output.tables[0].rows.column_by_name("text").unwrap().as_string::<i32>();
    text.iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

/// Holds that a misdeed ends its own call, in its own instance, and is told with plugin, function and records: what was
/// running before, what runs beside it and what runs after it is right.
fn assert_fails(misdeeds: &[(&str, &str)], kind: &str, says: &str) {
    let guest = load(misdeeds);
    let (mut stage, mut beside) = (chain(&guest).unwrap(), chain(&guest).unwrap());
    let works =
        |stage: &mut WasmStage| assert_eq!(texts(&call(stage, &["one", "three", "x"]).unwrap()), ["one", "three", "x"]);
    works(&mut stage);
    works(&mut beside);
    let failure: Failure = call(&mut stage, &["good", "badbad7"]).expect_err(&format!("{misdeeds:?}"));
    assert_eq!(failure.kind(), kind, "{misdeeds:?}: {failure}");
    let text = failure.to_string();
    assert!(text.contains(says), "{misdeeds:?}: {text:?} does not say {says:?}");
    let place = "plugin handmade, step 1 of 2, transform of 2 records from topic/3@7 to @8: ";
    assert!(text.contains(place) && text.len() < 4096 && !text.contains('\n'), "{misdeeds:?}: {text}");
    works(&mut beside);
    works(&mut stage);
    let usage = guest.usage();
    assert_eq!((usage.calls, usage.instances), (5, 3), "{misdeeds:?}: a failure ends the instance, and only that");
    assert_eq!(usage.failures.get(kind), Some(&1), "{misdeeds:?}");
}

/// While the record of seven bytes is put into memory.
fn in_realloc(deed: &str) -> String {
    format!("(if (i32.eq (local.get $size) (i32.const 7)) (then {deed}))")
}

#[test]
fn a_guest_that_misbehaves_while_it_is_given_records_harms_nobody_else() {
    let address = |at: &str| in_realloc(&format!("(return (i32.const {at}))"));
    for (deed, kind, says) in [
        (in_realloc("unreachable"), "trap", "unreachable"),
        (in_realloc("(loop $for_ever (br $for_ever))"), "deadline", "more than 200ms of CPU time"),
        (in_realloc("(call $log (i32.const 0) (i32.const 0) (i32.const 0))"), "trap", "cannot leave component"),
        (address("0xffff0000"), "invalid", "realloc return: beyond end of memory"),
        (address("0xffffffff"), "invalid", "realloc return: beyond end of memory"),
        (
            "(if (i32.eq (local.get $size) (i32.const 112)) (then (return (i32.const 4097))))".to_owned(),
            "invalid",
            "not aligned",
        ),
        (
            in_realloc("(if (i32.eq (memory.grow (i32.const 2000)) (i32.const -1)) (then unreachable))"),
            "memory",
            "its limit is 67108864 bytes",
        ),
    ] {
        assert_fails(&[("realloc", &deed), ("memory", "2")], kind, says);
    }
}

#[test]
fn an_answer_that_is_no_answer_is_refused() {
    let store = |at: &str, value: &str| format!("(i32.store {at} (i32.const {value}))");
    let outcome = "(local.get $outcomes)";
    let changed = |at: &str, length: &str| {
        format!(
            "(i32.store {outcome} (i32.const 1)) (i32.store offset=4 {outcome} (i32.const {at})) \
             (i32.store offset=8 {outcome} (i32.const {length}))"
        )
    };
    for (deed, kind, says) in [
        ("(return (i32.const 0xfffffff0))".to_owned(), "invalid", "pointer out of bounds"),
        ("(return (i32.const 33))".to_owned(), "invalid", "not aligned"),
        (store("(i32.const 32)", "7"), "invalid", "invalid expected discriminant"),
        (store(outcome, "9"), "invalid", "unexpected discriminant: 9"),
        (store("(i32.const 40)", "0x7fffffff"), "invalid", "out of bounds"),
        (store("(i32.const 40)", "0xffffffff"), "invalid", "out of bounds"),
        (store("(i32.const 36)", "0xfffffff0"), "invalid", "out of bounds"),
        (store("(i32.const 36)", "4097"), "invalid", "not aligned"),
        (store("(i32.const 40)", "1"), "invalid", "it gave 1 outcomes, and there were 2 messages"),
        (changed("0xffff0000", "100"), "invalid", "out of bounds"),
        (changed("0", "0xffffffff"), "invalid", "out of bounds"),
    ] {
        assert_fails(&[("transform", &deed)], kind, says);
    }
}

#[test]
fn a_trap_of_any_kind_ends_the_call_and_the_instance() {
    let deep = "(func $deeper (param i64 i64 i64 i64) (result i64) (i64.add (local.get 0) (call $deeper (local.get 1) \
                (local.get 2) (local.get 3) (i64.add (local.get 0) (i64.const 1)))))";
    for (deed, more, kind, says) in [
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "", "trap", "integer divide by zero"),
        ("(drop (i32.trunc_f64_s (f64.const nan)))", "", "trap", "invalid conversion to integer"),
        ("(call_indirect $table (type $nothing) (i32.const 1))", "", "trap", "uninitialized element"),
        ("(call_indirect $table (type $nothing) (i32.const 99))", "", "trap", "undefined element"),
        (
            "(call_indirect $table (type $nothing) (i32.const 0))",
            "(elem (i32.const 0) $alloc)",
            "trap",
            "indirect call type mismatch",
        ),
        ("(memory.fill (i32.const 0) (i32.const 0) (i32.const -1))", "", "trap", "out of bounds memory access"),
        ("(memory.copy (i32.const -9) (i32.const 0) (i32.const 99))", "", "trap", "out of bounds memory access"),
        (
            "(drop (call $deeper (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))",
            deep,
            "trap",
            "call stack exhausted",
        ),
        (
            "(if (i32.eq (table.grow $table (ref.null func) (i32.const 10000000)) (i32.const -1)) (then unreachable))",
            "",
            "memory",
            "its limit is 67108864 bytes",
        ),
        (
            "(loop $again (drop (table.grow $table (ref.null func) (i32.const 1000))) (br $again))",
            "",
            "memory",
            "its limit is 67108864 bytes",
        ),
        ("(call $log (i32.const 9) (i32.const 0) (i32.const 0))", "", "invalid", "unexpected discriminant: 9"),
        ("(call $log (i32.const 0) (i32.const 0xffff0000) (i32.const 99))", "", "invalid", "out of bounds"),
        (
            "(i32.store (i32.const 64) (i32.const -1)) (call $log (i32.const 0) (i32.const 64) (i32.const 4))",
            "",
            "invalid",
            "utf-8",
        ),
        ("(global.set $next (i32.const 0)) (loop $for_ever (br $for_ever))", "", "deadline", "CPU time"),
    ] {
        assert_fails(&[("transform", deed), ("module", more)], kind, says);
    }
}

#[test]
fn a_guest_that_fails_after_its_answer_has_not_answered() {
    for (deed, kind, says) in [
        ("unreachable", "trap", "unreachable"),
        ("(loop $for_ever (br $for_ever))", "deadline", "CPU time"),
        ("(call $log (i32.const 0) (i32.const 0) (i32.const 0))", "trap", "cannot leave component"),
    ] {
        assert_fails(&[("post", deed)], kind, says);
    }
}

#[test]
fn a_name_of_a_function_forges_no_line_of_the_log() {
    let evil = r#"(func $"a\0a\1b[2Jerror: the disk is full" unreachable)"#;
    let deed = r#"(call $"a\0a\1b[2Jerror: the disk is full")"#;
    assert_fails(&[("module", evil), ("transform", deed)], "trap", r"; in a\n\u{1b}[2Jerror: the disk is full < ");
    let long = format!("$a{}", "b".repeat(100_000));
    let (function, deed) = (format!("(func {long} unreachable)"), format!("(call {long})"));
    assert_fails(&[("module", &function), ("transform", &deed)], "trap", "; in abbb");
}

#[test]
fn values_that_overlap_are_copied_each_for_itself() {
    let changed = |at: usize, from: usize, length: usize| {
        let (tag, address, bytes) = (12 * at, 12 * at + 4, 12 * at + 8);
        format!(
            "(i32.store offset={tag} (local.get $outcomes) (i32.const 1)) \
             (i32.store offset={address} (local.get $outcomes) (i32.const {from})) \
             (i32.store offset={bytes} (local.get $outcomes) (i32.const {length}))"
        )
    };
    let deed = format!("{} {}", changed(0, 100, 5), changed(1, 102, 5));
    let mut stage = chain(&load(&[("transform", &deed), ("module", "(data (i32.const 100) \"abcdefg\")")])).unwrap();
    let output = call(&mut stage, &["good", "badbad7"]).unwrap();
    assert_eq!(texts(&output), ["abcde", "cdefg"]);
    // Records that are all put at one place spoil the guest's own view, and no other.
    let mut stage = chain(&load(&[("realloc", &in_realloc("(return (i32.const 4096))"))])).unwrap();
    assert_eq!(texts(&call(&mut stage, &["badbad7", "goodgod"]).unwrap()), ["badbad7", "goodgod"]);
}

#[test]
fn what_an_instance_remembers_no_other_one_sees() {
    // Each value is changed into the number of calls.
    let deed = "(i32.store8 (i32.const 100) (i32.add (i32.const 48) (global.get $calls))) \
                (i32.store (local.get $outcomes) (i32.const 1)) (i32.store offset=4 (local.get $outcomes) (i32.const 100)) \
                (i32.store offset=8 (local.get $outcomes) (i32.const 1))";
    let mut one = chain(&load(&[("always", deed), ("transform", "unreachable")])).unwrap();
    let mut other = one.clone();
    let calls = |stage: &mut WasmStage| texts(&call(stage, &["x"]).unwrap()).concat();
    assert_eq!([calls(&mut one), calls(&mut one), calls(&mut other), calls(&mut one)], ["1", "2", "1", "3"]);
    call(&mut one, &["badbad7"]).unwrap_err();
    assert_eq!([calls(&mut one), calls(&mut other), calls(&mut one)], ["1", "2", "2"]);
}

#[test]
fn a_guest_that_fails_before_it_is_asked_anything_is_told_so() {
    for (place, deed, kind, says) in [
        ("module", "(func $begin unreachable) (start $begin)", "trap", "unreachable"),
        ("module", "(func $begin (loop $for_ever (br $for_ever))) (start $begin)", "deadline", "CPU time"),
        ("module", "(data (i32.const 0x7fffffff) \"beyond\")", "trap", "out of bounds memory access"),
        ("module", "(elem (i32.const 99) $alloc)", "trap", "out of bounds table access"),
        ("memory", "2000", "memory", "its limit is 67108864 bytes"),
        ("memory", "65536", "memory", "its limit is 67108864 bytes"),
        ("table", "10000000", "memory", "its limit is 67108864 bytes"),
        ("configure", "unreachable", "trap", "unreachable"),
        ("configure", "(loop $for_ever (br $for_ever))", "deadline", "CPU time"),
        ("configure", "(return (i32.const 0xfffffff0))", "invalid", "out of bounds"),
    ] {
        let guest = load(&[(place, deed)]);
        let error = chain(&guest).unwrap_err();
        let PluginError::Configure { plugin: named, failure } = &error else { panic!("{deed}: {error}") };
        assert_eq!((named.as_str(), failure.kind()), ("handmade", kind), "{deed}: {error}");
        assert!(error.to_string().contains(says), "{deed}: {error}");
        assert_works(&mut stage(&plugin(), ""));
    }
}

fn refused(component: &[u8], says: &str) {
    let error = Plugin::from_bytes(engine(), "p", component).unwrap_err();
    assert!(matches!(error, PluginError::Compile { .. }) && error.to_string().contains(says), "no {says}: {error}");
    assert!(error.to_string().len() < 4096, "{} bytes of text", error.to_string().len());
    assert_works(&mut stage(&plugin(), ""));
}

fn refused_module(module: &str, says: &str) {
    refused(&wat::parse_str(format!("(component (core module {module}))")).unwrap(), says);
}

#[test]
fn what_the_sandbox_does_not_offer_does_not_compile() {
    refused_module("(memory i64 1)", "memory64");
    refused_module("(memory 1 1 shared)", "threads");
    // The stack is the host's only bound on a function: it may not have more of it than the compiler allows.
    let mut locals = String::new();
    (0..50_001).for_each(|_| locals.push_str(" i64"));
    refused_module(&format!("(func (local{locals}))"), "too many locals");
    let many = 1_000_001;
    let functions = section(3, &[number(many), vec![0; many]].concat());
    let module = [MODULE, &section(1, &[1, 0x60, 0, 0]), &functions].concat();
    refused(&[COMPONENT, &section(1, &module)].concat(), "functions");
}

#[test]
fn components_in_each_other_cost_nobody_the_stack() {
    let nested = (0..10_000).fold(COMPONENT.to_vec(), |inner, _| [COMPONENT, &section(4, &inner)].concat());
    let error = Plugin::from_bytes(engine(), "p", &nested).unwrap_err();
    assert!(error.to_string().ends_with("its exports: none"), "{error}");
    assert_works(&mut stage(&plugin(), ""));
}

/// How a core module and a component begin.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A section of either.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &number(content.len()), content].concat()
}

/// As WebAssembly writes numbers, LEB128.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
