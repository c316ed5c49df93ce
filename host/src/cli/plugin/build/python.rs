//! Plugins in Python: componentize-py puts the source and the interpreter into a component.

use std::path::{Path, PathBuf};

use super::super::super::Failure;
use super::super::stubs::{self, Stubs};
use super::sdk;
use super::toolchain::{self, Tool};

/// The package `weir`, and the contract.
pub(in super::super) const SDK: [sdk::File; 14] = [
    ("sdk/weir/__init__.py", include_str!("../../../../../guest-sdk/python/weir/__init__.py")),
    ("sdk/weir/column.py", include_str!("../../../../../guest-sdk/python/weir/column.py")),
    ("sdk/weir/guest.py", include_str!("../../../../../guest-sdk/python/weir/guest.py")),
    ("sdk/weir/host.py", include_str!("../../../../../guest-sdk/python/weir/host.py")),
    ("sdk/weir/item.py", include_str!("../../../../../guest-sdk/python/weir/item.py")),
    ("sdk/weir/log.py", include_str!("../../../../../guest-sdk/python/weir/log.py")),
    ("sdk/weir/otlp.py", include_str!("../../../../../guest-sdk/python/weir/otlp.py")),
    ("sdk/weir/plan.py", include_str!("../../../../../guest-sdk/python/weir/plan.py")),
    ("sdk/weir/rows.py", include_str!("../../../../../guest-sdk/python/weir/rows.py")),
    ("sdk/weir/settings.py", include_str!("../../../../../guest-sdk/python/weir/settings.py")),
    ("sdk/weir/absent.py", include_str!("../../../../../guest-sdk/python/weir/absent.py")),
    ("sdk/weir/value.py", include_str!("../../../../../guest-sdk/python/weir/value.py")),
    ("sdk/weir/wire.py", include_str!("../../../../../guest-sdk/python/weir/wire.py")),
    ("wit/weir.wit", include_str!("../../../../../wit/weir.wit")),
];

const TOOL: Tool = Tool {
    program: "componentize-py",
    inside: "bin/componentize-py",
    beside: ".venv",
    language: "python",
    install: "python3 -m venv {folder} && {folder}/bin/pip install componentize-py==0.25.1",
    needs: "Python 3.10 or newer and its venv",
};

/// What begins the line of a plugin's source that exports it.
const WORLDS: [(&str, &str); 2] =
    [("@weir.otlp_to_otlp", "otlp-to-otlp-plugin"), ("@weir.arrow_to_arrow", "arrow-to-arrow-plugin")];

/// Makes the component of a folder's `plugin.py` and what it imports.
pub(super) fn build(folder: &Path, stubs: Stubs) -> Result<PathBuf, Failure> {
    let world = toolchain::world_of(&folder.join("plugin.py"), WORLDS)?;
    let name = format!("{}.wasm", toolchain::name_of(folder)?);
    let mut tool = TOOL.command(folder)?;
    let ours = sdk::put(folder, &SDK)?;
    let source = ours.join("source");
    // A copy: the interpreter writes beside the sources that it is given.
    let trouble = |e| Failure::failed(format!("{} cannot be filled: {e}", source.display()));
    let emptied = std::fs::remove_dir_all(&source);
    emptied.or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) }).map_err(trouble)?;
    copy_sources(folder, &source).map_err(trouble)?;
    let made = ours.join(&name);
    tool.arg("--wit-path").arg(ours.join("wit")).args(["--world", world, "componentize"]);
    if stubs == Stubs::Linked {
        tool.arg("--stub-wasi");
    }
    tool.arg("--python-path").arg(&source).arg("--python-path").arg(ours.join("sdk"));
    tool.args(["plugin", "--output"]).arg(&made);
    super::run_tool(tool, TOOL.program)?;
    stubs::take_over(&made, &folder.join(name))
}

/// Copies a folder's modules and packages, and the data beside them. Hidden files and cases are no part of a plugin.
fn copy_sources(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_hidden = name.to_string_lossy().starts_with('.');
        if is_hidden || name == "cases" || name == "__pycache__" || name.to_string_lossy().ends_with(".wasm") {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => copy_sources(&entry.path(), &to.join(name))?,
            false => drop(std::fs::copy(entry.path(), to.join(name))?),
        }
    }
    Ok(())
}
