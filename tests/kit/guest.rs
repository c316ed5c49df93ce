//! Plugins of `tests/guests`, built when a test first asks for one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Builds `tests/guests/NAME` and gives the component's file.
pub fn guest(name: &str) -> PathBuf {
    // One at a time: they share a target folder.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one = BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = tests.join("../target/guests");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--locked", "--target", "wasm32-unknown-unknown"])
        .arg("--manifest-path")
        .arg(tests.join("guests").join(name).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker())
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the guest {name} does not build");
    target.join("wasm32-unknown-unknown/release").join(format!("{}.wasm", name.replace('-', "_")))
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
