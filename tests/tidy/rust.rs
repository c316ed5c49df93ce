//! Rules for Rust source.

use crate::code::Code;
use crate::files::{Text, is_test, test_modules};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Names that could stand over anything.
const VAGUE: &[&str] = &["util", "utils", "common", "helper", "helpers", "types", "misc"];

/// The modules in which `unsafe` may stand, with their submodules, and why it is needed there.
const UNSAFE: &[(&str, &str)] = &[
    ("host/wasm/src/compiled", "loads precompiled components, which wasmtime trusts"),
    ("host/demo/src/broker/mock", "settings of librdkafka's mock cluster that rdkafka does not wrap"),
    ("host/kafka/src/ffi", "calls of librdkafka that rdkafka does not wrap, DescribeTopics among them"),
];

/// Plugins that misbehave on purpose, in a sandbox.
const HOSTILE: &str = "tests/guests/";

/// Files and functions that are too large.
pub(crate) fn large(files: &[Text]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in rust(files) {
        let code = Code::new(&file.text);
        let lines = code.line_count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{}: {lines} lines", file.path));
        }
        let functions = code.functions();
        let long = functions.iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
        broken.extend(long.map(|long| format!("{}:{}: {} lines in {}", file.path, long.line, long.lines, long.name)));
    }
    broken
}

/// Modules with a vague name.
pub(crate) fn vague(files: &[Text]) -> Vec<String> {
    let vague = |file: &&Text| {
        let path = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
        VAGUE.contains(&path.rsplit('/').next().unwrap_or(path))
    };
    rust(files).filter(vague).map(|file| file.path.clone()).collect()
}

/// Calls of `unwrap()` in code that is no test.
pub(crate) fn unwraps(files: &[Text]) -> Vec<String> {
    let modules = test_modules(files);
    let shipped = rust(files).filter(|file| !is_test(file, &modules));
    let lines = shipped.map(|file| (file, Code::new(&file.text).lines_with(|line| line.contains(".unwrap()"))));
    lines.flat_map(|(file, lines)| at(file, lines)).collect()
}

/// Unsafe code outside its list, or without an argument in the comment above it.
pub(crate) fn unsafes(files: &[Text]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in rust(files).filter(|file| !file.path.starts_with(HOSTILE)) {
        let lines = Code::new(&file.text).lines_with(|line| words(line).any(|word| word == "unsafe"));
        let argued = UNSAFE.iter().any(|(module, _)| file.is_of(module));
        broken.extend(at(file, lines.into_iter().filter(|line| !argued || !has_argument(&file.text, *line)).collect()));
    }
    broken
}

/// Whether the comment on or directly above a line says why it is sound.
fn has_argument(text: &str, line: usize) -> bool {
    let lines: Vec<&str> = text.lines().take(line).collect();
    let above = lines.iter().rev().skip(1).take_while(|line| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with("#[")
    });
    lines.last().into_iter().chain(above).any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn at(file: &Text, lines: Vec<usize>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{}:{line}", file.path)).collect()
}

fn rust(files: &[Text]) -> impl Iterator<Item = &Text> {
    files.iter().filter(|file| file.extension() == "rs")
}

#[test]
fn the_rules_find_what_they_look_for() {
    let file = |path: &str, text: String| Text { path: path.to_owned(), text };
    let long = format!("fn long() {{\n{}}}\n", "    step();\n".repeat(71));
    let files = [
        file("host/src/utils.rs", "fn a() { b.unwrap(); }\n".to_owned()),
        file("host/src/long.rs", long),
        file("host/src/a.rs", "#[cfg(test)]\nmod tests;\n".to_owned()),
        file("host/src/a/tests.rs", "fn a() { b.unwrap(); }\n".to_owned()),
        file("host/src/bad.rs", "// SAFETY: none\nunsafe { a() }\n".to_owned()),
        file("host/wasm/src/compiled.rs", "// SAFETY: argued\nunsafe { a() }\nunsafe { b() }\n".to_owned()),
    ];
    assert_eq!(vague(&files), ["host/src/utils.rs"]);
    assert_eq!(unwraps(&files), ["host/src/utils.rs:1"]);
    assert_eq!(large(&files), ["host/src/long.rs:1: 71 lines in long"]);
    assert_eq!(unsafes(&files), ["host/src/bad.rs:2", "host/wasm/src/compiled.rs:3"]);
}
