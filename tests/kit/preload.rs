//! What a machine does to the programs on it: its clock is set, its disk is full, its power goes. A library that is
//! preloaded does it to one process, so that no right of the machine's owner is needed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::install::kit;
use crate::scratch::Scratch;

/// Has the clock of a command's process set by `seconds` once it has run for `after` seconds. Other clocks than the time
/// of day go on as they did.
pub fn set_clock(command: &mut Command, seconds: i64, after: u32) {
    load(command, "clock");
    command.env("CLOCK_STEP", seconds.to_string()).env("CLOCK_AFTER", after.to_string());
}

/// Has no file below a folder made or grow by a command's process as long as the file `while_there` exists.
pub fn fill_disk(command: &mut Command, below: &Path, while_there: &Path) {
    load(command, "disk");
    command.env("DISK_BELOW", below).env("DISK_FULL", while_there);
}

/// Has a library of `preload/` loaded into a command's process.
pub(crate) fn load(command: &mut Command, name: &str) {
    command.env("LD_PRELOAD", library(name));
}

fn library(name: &str) -> PathBuf {
    static LIBRARIES: OnceLock<Scratch> = OnceLock::new();
    let folder = LIBRARIES.get_or_init(|| {
        let folder = Scratch::new("preload");
        for name in ["clock", "disk", "power"] {
            let source = kit().join(format!("preload/{name}.c"));
            let mut cc = Command::new("cc");
            cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(folder.join(&format!("{name}.so"))).arg(&source);
            let made = cc.arg("-ldl").status().is_ok_and(|status| status.success());
            assert!(made, "cc does not make {}", source.display());
        }
        folder
    });
    folder.join(&format!("{name}.so"))
}
