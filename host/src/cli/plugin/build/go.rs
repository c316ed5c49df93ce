//! Plugins in Go: `go build` makes a core module with the SDK's glue in it; Go's runtime is answered by stubs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::super::Failure;
use super::super::stubs::Stubs;
use super::{component, sdk};

/// The module `weir`, which a plugin's go.mod replaces by the folder that they are put into.
pub(super) const SDK: [sdk::File; 14] = [
    ("go.mod", include_str!("../../../../../guest-sdk/go/go.mod")),
    ("weir.go", include_str!("../../../../../guest-sdk/go/weir.go")),
    ("settings.go", include_str!("../../../../../guest-sdk/go/settings.go")),
    ("log_guest.go", include_str!("../../../../../guest-sdk/go/log_guest.go")),
    ("log_native.go", include_str!("../../../../../guest-sdk/go/log_native.go")),
    ("abi/abi.go", include_str!("../../../../../guest-sdk/go/abi/abi.go")),
    ("otlp/edit.go", include_str!("../../../../../guest-sdk/go/otlp/edit.go")),
    ("otlp/value.go", include_str!("../../../../../guest-sdk/go/otlp/value.go")),
    ("otlp/wire.go", include_str!("../../../../../guest-sdk/go/otlp/wire.go")),
    ("otlptootlp/plugin.go", include_str!("../../../../../guest-sdk/go/otlptootlp/plugin.go")),
    ("otlptootlp/guest.go", include_str!("../../../../../guest-sdk/go/otlptootlp/guest.go")),
    ("arrowtoarrow/plan.go", include_str!("../../../../../guest-sdk/go/arrowtoarrow/plan.go")),
    ("arrowtoarrow/rows.go", include_str!("../../../../../guest-sdk/go/arrowtoarrow/rows.go")),
    ("arrowtoarrow/guest.go", include_str!("../../../../../guest-sdk/go/arrowtoarrow/guest.go")),
];

/// The first version whose programs can export functions to WebAssembly.
const VERSION_MIN: (u32, u32) = (1, 24);

/// Builds a module; its component is named after the folder.
pub(super) fn build(folder: &Path, stubs: Stubs) -> Result<PathBuf, Failure> {
    check_version()?;
    let core = sdk::put(folder, &SDK)?.join("core.wasm");
    let mut go = Command::new("go");
    go.current_dir(folder).args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-w", "-o"]);
    go.arg(Path::new(sdk::FOLDER).join("core.wasm")).arg(".");
    go.env("GOOS", "wasip1").env("GOARCH", "wasm").env("GOWORK", "off").stdin(Stdio::null());
    super::run_tool(go, "go")?;
    component::of_file(&core, folder, stubs)
}

fn check_version() -> Result<(), Failure> {
    let (major, minor) = VERSION_MIN;
    let missing = |what: String| {
        Failure::failed(format!("{what}; plugins in Go need Go {major}.{minor} or newer, of https://go.dev/dl"))
    };
    let mut go = Command::new("go");
    let told = go.args(["env", "GOVERSION"]).stdin(Stdio::null()).output();
    let told = told.map_err(|e| missing(format!("go cannot be started: {e}")))?;
    let told = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    match version(&told) {
        Some(found) if found >= VERSION_MIN => Ok(()),
        _ => Err(missing(format!("this is {told}"))),
    }
}

/// The version in a text as `go1.26.8`.
fn version(told: &str) -> Option<(u32, u32)> {
    let (major, rest) = told.strip_prefix("go")?.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}
