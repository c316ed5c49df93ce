//! Plugins in JavaScript: componentize-qjs puts the source and the engine QuickJS into a component.

use std::path::{Path, PathBuf};

use super::super::super::Failure;
use super::super::stubs::{self, Stubs};
use super::sdk;
use super::toolchain::{self, Tool};

/// What a plugin imports as `./.weir/weir.js`, and the contract.
pub(in super::super) const SDK: [sdk::File; 14] = [
    ("weir.js", include_str!("../../../../../guest-sdk/javascript/weir.js")),
    ("absent.js", include_str!("../../../../../guest-sdk/javascript/absent.js")),
    ("column.js", include_str!("../../../../../guest-sdk/javascript/column.js")),
    ("guest.js", include_str!("../../../../../guest-sdk/javascript/guest.js")),
    ("item.js", include_str!("../../../../../guest-sdk/javascript/item.js")),
    ("otlp.js", include_str!("../../../../../guest-sdk/javascript/otlp.js")),
    ("package.json", include_str!("../../../../../guest-sdk/javascript/package.json")),
    ("plan.js", include_str!("../../../../../guest-sdk/javascript/plan.js")),
    ("rows.js", include_str!("../../../../../guest-sdk/javascript/rows.js")),
    ("settings.js", include_str!("../../../../../guest-sdk/javascript/settings.js")),
    ("text.js", include_str!("../../../../../guest-sdk/javascript/text.js")),
    ("value.js", include_str!("../../../../../guest-sdk/javascript/value.js")),
    ("wire.js", include_str!("../../../../../guest-sdk/javascript/wire.js")),
    ("wit/weir.wit", include_str!("../../../../../wit/weir.wit")),
];

const TOOL: Tool = Tool {
    program: "componentize-qjs",
    inside: "node_modules/.bin/componentize-qjs",
    beside: "",
    language: "javascript",
    install: "npm install --prefix {folder} componentize-qjs@0.4.5",
    needs: "Node 18 or newer, of https://nodejs.org",
};

/// What begins the line of a plugin's source that exports it.
const WORLDS: [(&str, &str); 2] =
    [("export const otlpToOtlp", "otlp-to-otlp-plugin"), ("export const arrowToArrow", "arrow-to-arrow-plugin")];

/// Makes the component of a folder's `plugin.js` and what it imports.
pub(super) fn build(folder: &Path, stubs: Stubs) -> Result<PathBuf, Failure> {
    let world = toolchain::world_of(&folder.join("plugin.js"), WORLDS)?;
    let name = format!("{}.wasm", toolchain::name_of(folder)?);
    let mut tool = TOOL.command(folder)?;
    sdk::put(folder, &SDK)?;
    let made = Path::new(sdk::FOLDER).join(&name);
    tool.current_dir(folder).args(["--sync", "--module-root", ".", "--js", "plugin.js", "--world", world]);
    tool.arg("--wit").arg(Path::new(sdk::FOLDER).join("wit")).arg("--output").arg(&made);
    if stubs == Stubs::Linked {
        tool.arg("--stub-wasi");
    }
    super::run_tool(tool, TOOL.program)?;
    stubs::take_over(&folder.join(made), &folder.join(name))
}
