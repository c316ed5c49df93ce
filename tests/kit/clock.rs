//! A machine's clock that is set while a program runs.

use std::process::Command;
use std::sync::OnceLock;

use crate::install::kit;
use crate::scratch::Scratch;

/// Has the clock of a command's process set by `seconds` once it has run for `after` seconds. Other clocks than the time
/// of day go on as they did.
pub fn set_clock(command: &mut Command, seconds: i64, after: u32) {
    static LIBRARY: OnceLock<Scratch> = OnceLock::new();
    let folder = LIBRARY.get_or_init(|| {
        let folder = Scratch::new("clock");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(folder.join("clock.so")).arg(kit().join("clock/clock.c"));
        assert!(
            cc.arg("-ldl").status().is_ok_and(|status| status.success()),
            "cc does not make tests/kit/clock/clock.c"
        );
        folder
    });
    command.env("LD_PRELOAD", folder.join("clock.so"));
    command.env("CLOCK_STEP", seconds.to_string()).env("CLOCK_AFTER", after.to_string());
}
