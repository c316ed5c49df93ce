//! Plugins in Rust: cargo makes the component.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::super::super::Failure;
use super::name_of;

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds a package; its component is named after it.
pub(super) fn build(folder: &Path) -> Result<PathBuf, Failure> {
    let built = cargo(folder)?;
    // Cargo writes the hyphens of a package's name as underscores.
    let component = folder.join(format!("{}.wasm", name_of(&built).replace('_', "-")));
    std::fs::copy(&built, &component).map_err(|e| {
        Failure::failed(format!("{} cannot be copied to {}: {e}", built.display(), component.display()))
    })?;
    Ok(component)
}

/// Cargo with the linker that makes components, which the compiler brings along.
fn cargo(folder: &Path) -> Result<PathBuf, Failure> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder).args(["build", "--release", "--target", TARGET]);
    cargo.arg("--message-format=json-render-diagnostics");
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", component_linker(folder)?);
    cargo.stdin(Stdio::null()).stderr(Stdio::inherit());
    let done = cargo.output().map_err(|e| missing(&format!("cargo cannot be started: {e}")))?;
    if !done.status.success() {
        return Err(Failure::failed("the plugin does not build: cargo says why above"));
    }
    let told = String::from_utf8_lossy(&done.stdout);
    let mut component = None;
    for line in told.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let mut files = line["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str).map(PathBuf::from);
        // The plugin itself is built last.
        component = files.find(|file| file.extension() == Some("wasm".as_ref())).or(component);
    }
    component.ok_or_else(|| Failure::failed("cargo made no component: [lib] needs crate-type = [\"cdylib\", \"rlib\"]"))
}

/// `wasm-component-ld` of the compiler that builds the folder; says how to get what is missing.
fn component_linker(folder: &Path) -> Result<PathBuf, Failure> {
    let rustc = |arguments: &[&str]| {
        let told = Command::new("rustc").current_dir(folder).args(arguments).stdin(Stdio::null()).output();
        let told = told.map_err(|e| missing(&format!("rustc cannot be started: {e}")))?;
        Ok::<_, Failure>(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    };
    let target = PathBuf::from(rustc(&["--print", "target-libdir", "--target", TARGET])?);
    if !target.is_dir() {
        let why = format!("the compiler has no library for {TARGET}: rustup target add {TARGET}");
        return Err(Failure::failed(why));
    }
    let version = rustc(&["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let linker =
        Path::new(&rustc(&["--print", "sysroot"])?).join("lib/rustlib").join(host).join("bin/wasm-component-ld");
    if linker.is_file() {
        return Ok(linker);
    }
    Err(missing(&format!("{} is not there", linker.display())))
}

fn missing(what: &str) -> Failure {
    Failure::failed(format!(
        "{what}; plugins in Rust need Rust {} or newer, of https://rustup.rs",
        env!("CARGO_PKG_RUST_VERSION")
    ))
}
