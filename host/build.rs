//! Builds the shipped plugins for the sandbox and puts them into the binary.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The shipped plugins: packages under `plugins/`.
const PLUGINS: [&str; 7] = [
    "flatten-spans",
    "flatten-logs",
    "flatten-metrics",
    "drop-health-checks",
    "redact-attributes",
    "flag-slow-spans",
    "keep-columns",
];
const TARGET: &str = "wasm32-unknown-unknown";

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("..");
    for watched in ["guest-sdk", "plugins", "wit", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let out = PathBuf::from(variable("OUT_DIR"));
    // A target folder of its own: the one in use is locked by the cargo that runs this. Kept beside it, so that a
    // change of the host does not build the plugins anew.
    let folder = out.ancestors().nth(4).unwrap_or(&out).join("guests");
    build(&root, &folder);
    for plugin in PLUGINS {
        let file = format!("{}.wasm", plugin.replace('-', "_"));
        let built = folder.join(TARGET).join("guest").join(&file);
        if let Err(why) = std::fs::copy(&built, out.join(&file)) {
            fail(&format!("the plugin {plugin} is not at {}: {why}", built.display()));
        }
    }
}

fn build(root: &Path, folder: &Path) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(root).args(["build", "--quiet", "--locked", "--profile", "guest", "--target", TARGET]);
    cargo.arg("--target-dir").arg(folder);
    for plugin in PLUGINS {
        cargo.args(["--package", plugin]);
    }
    // What is set for the host's own build, a linter's wrapper among it, is not for the plugins.
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_ENCODED_") || name.contains("RUSTFLAGS") || name.starts_with("RUSTC") {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", component_linker());
    match cargo.output() {
        Ok(done) if done.status.success() => {}
        Ok(done) => fail(&format!(
            "the plugins do not build for {TARGET}; where the target is missing: rustup target add {TARGET}\n{}",
            String::from_utf8_lossy(&done.stderr)
        )),
        Err(why) => fail(&format!("cargo cannot be started for the plugins: {why}")),
    }
}

/// The linker in the Rust toolchain that makes a component of a module.
fn component_linker() -> PathBuf {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output();
    let sysroot = sysroot.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string()).unwrap_or_default();
    PathBuf::from(sysroot).join("lib/rustlib").join(variable("HOST")).join("bin/wasm-component-ld")
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

fn fail(why: &str) -> ! {
    for line in why.lines() {
        println!("cargo::error={line}");
    }
    std::process::exit(1)
}
