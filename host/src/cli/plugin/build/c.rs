//! Plugins in C: clang, or zig, makes a core module of the folder's sources and the SDK's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::super::Failure;
use super::super::stubs::Stubs;
use super::{component, sdk};

/// The header, and what is compiled with each plugin.
pub(super) const SDK: [sdk::File; 5] = [
    ("weir.h", include_str!("../../../../../guest-sdk/c/weir.h")),
    ("weir.c", include_str!("../../../../../guest-sdk/c/weir.c")),
    ("otlp.c", include_str!("../../../../../guest-sdk/c/otlp.c")),
    ("value.c", include_str!("../../../../../guest-sdk/c/value.c")),
    ("rows.c", include_str!("../../../../../guest-sdk/c/rows.c")),
];

/// Compilers that may have a C library for WebAssembly, the quickest first, and what each needs to be told beyond
/// [`FLAGS`]: where the stack lies first, an overflow is a trap. Zig puts it there unasked.
const COMPILERS: [(&[&str], &[&str]); 4] = [
    (&["clang-19"], &["-Wl,--stack-first"]),
    (&["clang"], &["-Wl,--stack-first"]),
    (&["zig", "cc"], &[]),
    (&["python3", "-m", "ziglang", "cc"], &[]),
];

/// An exported function is called before any other code: a reactor.
const FLAGS: [&str; 8] = [
    "-target",
    "wasm32-wasi",
    "-mexec-model=reactor",
    "-std=c11",
    "-O3",
    "-fno-sanitize=undefined",
    "-Wl,-z,stack-size=131072",
    "-o",
];

/// What a compiler must be able to make.
const PROBE: &str =
    "#include <stdlib.h>\n__attribute__((export_name(\"probe\"))) void *probe(void) { return malloc(1); }\n";

/// Compiles all `.c` files of a folder; the component is named after it.
pub(super) fn build(folder: &Path, stubs: Stubs) -> Result<PathBuf, Failure> {
    let sdk = sdk::put(folder, &SDK)?;
    let mut cc = compiler(&sdk)?;
    let core = sdk.join("core.wasm");
    cc.arg(&core).arg("-Wall").arg("-I").arg(&sdk).args(sources(folder)?);
    cc.args(SDK.iter().map(|(name, _)| sdk.join(name)).filter(|path| is_c(path)));
    super::run_tool(cc, "the compiler")?;
    component::of_file(&core, folder, stubs)
}

fn is_c(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "c")
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|e| Failure::failed(format!("{}: {e}", folder.display())))?;
    let mut sources: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|path| is_c(path)).collect();
    sources.sort();
    Ok(sources)
}

/// The first compiler that makes what a plugin needs; says what is wrong with each where there is none.
fn compiler(folder: &Path) -> Result<Command, Failure> {
    let probe = folder.join("probe.c");
    std::fs::write(&probe, PROBE).map_err(|e| Failure::failed(format!("{}: {e}", probe.display())))?;
    let mut faults = Vec::new();
    for (words, more) in COMPILERS {
        let mut cc = command(words, more);
        cc.arg(folder.join("probe.wasm")).arg(&probe).stdin(Stdio::null());
        match cc.output() {
            Ok(done) if done.status.success() => return Ok(command(words, more)),
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr);
                faults.push(format!("{}: {}", words.join(" "), said.lines().next().unwrap_or("fails without a word")));
            }
            Err(e) => faults.push(format!("{}: {e}", words.join(" "))),
        }
    }
    Err(Failure::failed(format!(
        "there is no C compiler with a library for WebAssembly. Debian has one: apt-get install clang-19 lld-19 wasi-libc \
         libclang-rt-19-dev-wasm32. Zig is one: pip install ziglang, or https://ziglang.org/download\n{}",
        faults.join("\n")
    )))
}

fn command(words: &[&str], more: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(more).args(FLAGS);
    command
}
