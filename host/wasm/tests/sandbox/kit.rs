//! The hostile guest, built once, and calls of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use weir_pipeline::transform::{Effort, Failure, Message, Output, Stage};
use weir_wasm::{Engine, Limits, Plugin, PluginError, Setting, Signal, WasmStage};

/// Builds `tests/guests/hostile` and gives the component.
pub(crate) fn guest() -> &'static [u8] {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    GUEST.get_or_init(|| build("hostile"))
}

fn build(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = root.join("target/guests");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--locked", "--target", "wasm32-unknown-unknown"])
        .arg("--manifest-path")
        .arg(root.join("tests/guests").join(name).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker())
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the guest {name} does not build");
    let file = format!("wasm32-unknown-unknown/release/{}.wasm", name.replace('-', "_"));
    std::fs::read(target.join(file)).expect("it was built")
}

/// The linker that makes components, which rustup's toolchain carries.
fn linker() -> PathBuf {
    let rustc = |arguments: &[&str]| {
        let told = Command::new("rustc").args(arguments).output().expect("rustc runs").stdout;
        String::from_utf8(told).expect("text")
    };
    let version = rustc(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let libraries = Path::new(rustc(&["--print", "sysroot"]).trim()).join("lib/rustlib");
    libraries.join(host).join("bin/wasm-component-ld")
}

pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(None).expect("an engine"))
}

/// A plugin of its own, whose usage no other test touches; it is compiled once.
pub(crate) fn plugin() -> Plugin {
    Plugin::from_bytes(cached(), "hostile", guest()).expect("a plugin")
}

/// The plugin of the world `otlp-to-otlp`, likewise.
pub(crate) fn otlp_plugin() -> Plugin {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    Plugin::from_bytes(cached(), "hostile-otlp", GUEST.get_or_init(|| build("hostile-otlp"))).expect("a plugin")
}

/// The plugin of the world `arrow-to-arrow`, likewise.
pub(crate) fn rows_plugin() -> Plugin {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    Plugin::from_bytes(cached(), "hostile-rows", GUEST.get_or_init(|| build("hostile-rows"))).expect("a plugin")
}

/// An engine that compiles each component once.
fn cached() -> &'static Engine {
    static CACHED: OnceLock<(tempfile::TempDir, Engine)> = OnceLock::new();
    let (_, engine) = CACHED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::new(Some(folder.path().join("compiled"))).expect("an engine");
        (folder, engine)
    });
    engine
}

/// Limits that a hostile guest meets soon.
pub(crate) fn limits() -> Limits {
    Limits { memory_bytes: 64 << 20, deadline: Duration::from_millis(200), output_bytes: 4 << 20 }
}

pub(crate) fn try_stage(plugin: &Plugin, settings: &[(&str, &str)]) -> Result<WasmStage, PluginError> {
    plugin.configure(Signal::Traces, to_settings(settings), limits())
}

pub(crate) fn to_settings(settings: &[(&str, &str)]) -> Vec<Setting> {
    let setting = |(key, value): &(&str, &str)| Setting { key: (*key).to_owned(), values: vec![(*value).to_owned()] };
    settings.iter().map(setting).collect()
}

/// A stage that misbehaves so in calls with a message `bad`.
pub(crate) fn stage(plugin: &Plugin, misbehave: &str) -> WasmStage {
    try_stage(plugin, &[("misbehave", misbehave), ("only", "bad")]).expect("a stage")
}

pub(crate) fn call_with(stage: &mut WasmStage, values: &[&[u8]], effort: Effort) -> Result<Output, Failure> {
    let messages: Vec<Message<'_>> = (7..)
        .zip(values)
        .map(|(offset, value)| Message { offset, timestamp_ms: None, key: None, headers: &[], value })
        .collect();
    stage.call("topic", 3, &messages, effort)
}

pub(crate) fn call(stage: &mut WasmStage, values: &[&str]) -> Result<Output, Failure> {
    let values: Vec<&[u8]> = values.iter().map(|v| v.as_bytes()).collect();
    call_with(stage, &values, Effort::Normal)
}

/// Holds that a call without `bad` is right to the last value.
pub(crate) fn assert_works(stage: &mut WasmStage) {
    let output = call(stage, &["one", "", "reject", "fünf"]).expect("an honest call");
    let table = &output.tables[0];
    assert_eq!(table.rows_per_message, [1, 1, 0, 1]);
    assert_eq!(output.rejections.len(), 1);
    assert_eq!((output.rejections[0].index, output.rejections[0].reason.as_str()), (2, "it says so"));
    assert_eq!(output.repaired_strings, 0);
    let rows = &table.rows;
    let offsets = rows.column_by_name("offset").expect("offset").as_primitive::<Int64Type>();
    assert_eq!(offsets.values(), &[7, 8, 10]);
    let text = rows.column_by_name("text").expect("text").as_string::<i32>();
    assert_eq!(text.iter().collect::<Vec<_>>(), [Some("one"), None, Some("fünf")]);
    let kinds = rows.column_by_name("kind").expect("kind").as_dictionary::<arrow_array::types::Int32Type>();
    let kinds = kinds.downcast_dict::<arrow_array::StringArray>().expect("strings");
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [Some("odd"), Some("even"), Some("even")]);
}

/// Holds that a call with `bad` fails so, that its text says why, and that the stage then works as before.
pub(crate) fn assert_fails(misbehave: &str, kind: &str, says: &str) {
    let plugin = plugin();
    let mut stage = stage(&plugin, misbehave);
    assert_works(&mut stage);
    let failure = call(&mut stage, &["good", "bad"]).expect_err(misbehave);
    assert_eq!(failure.kind(), kind, "{misbehave}: {failure}");
    let text = failure.to_string();
    assert!(text.contains(says), "{misbehave}: {text:?} does not say {says:?}");
    assert!(text.len() < 4096, "{misbehave}: {} bytes of text", text.len());
    assert_works(&mut stage);
    let usage = plugin.usage();
    assert_eq!((usage.calls, usage.instances), (3, 2), "{misbehave}: a failure ends the instance, and only that");
    assert_eq!(usage.failures.get(kind), Some(&1));
}
