//! Where a component's files are: asks `tests/kit/install`, which downloads and builds what is missing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The kit's own folder in the source tree: templates and scripts.
pub(crate) fn kit() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/kit"))
}

/// The folder of `component`, installed now if it is not there yet.
///
/// # Panics
/// When it cannot be had; the message is that of `tests/kit/install` and says what to install.
pub fn component(name: &'static str) -> PathBuf {
    static FOUND: Mutex<Option<HashMap<&'static str, PathBuf>>> = Mutex::new(None);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    found.get_or_insert_with(HashMap::new).entry(name).or_insert_with(|| install(name)).clone()
}

fn install(name: &str) -> PathBuf {
    let output = Command::new(kit().join("install"))
        .arg(name)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("tests/kit/install does not run, bash is needed: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the component {name} cannot be had:\n{said}");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}
