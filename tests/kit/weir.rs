//! The program under test, run as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::process::{Process, command};
use crate::scratch::Scratch;

/// A running `weir`; it is killed when this is dropped.
#[derive(Debug)]
pub struct Weir {
    process: Process,
    _folder: Scratch,
}

impl Weir {
    /// The program: `$WEIR_BINARY`, which `tests/run` sets, or else built now beside the running test.
    pub fn binary() -> &'static Path {
        static BINARY: OnceLock<PathBuf> = OnceLock::new();
        BINARY.get_or_init(|| std::env::var_os("WEIR_BINARY").map_or_else(build, PathBuf::from))
    }

    /// Starts `weir` with arguments in the background.
    pub fn start<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Self {
        let mut weir = command(Self::binary());
        weir.args(args);
        Self::start_command(weir)
    }

    /// Starts a command made by [`crate::process::command`] of [`Weir::binary`]: for an environment or a folder.
    pub fn start_command(weir: Command) -> Self {
        let folder = Scratch::new("weir");
        let process = Process::start("weir", weir, &folder.join("weir.log"));
        Self { process, _folder: folder }
    }

    /// Runs `weir` with arguments to its end.
    pub fn output<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
        let mut weir = command(Self::binary());
        weir.args(args).stdin(Stdio::null()).output().expect("weir runs")
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// All that it has written to standard output and error so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until it has written `text`.
    ///
    /// # Panics
    /// When it ends before, or `limit` passes; the end of the log is in the message.
    pub fn wait_log(&mut self, text: &str, limit: Duration) {
        let Self { process, _folder } = self;
        let log = _folder.join("weir.log");
        process.wait_ready(limit, || std::fs::read_to_string(&log).is_ok_and(|written| written.contains(text)));
    }

    /// Waits until `ready`, while it runs.
    ///
    /// # Panics
    /// When it ends before, or `limit` passes; the end of the log is in the message.
    pub fn wait(&mut self, limit: Duration, ready: impl FnMut() -> bool) {
        self.process.wait_ready(limit, ready);
    }

    /// Kills it with SIGKILL, as a crash would.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        self.process.stop()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When `limit` passes.
    pub fn wait_end(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait_end(limit)
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Freezes it, as a long pause of its machine would.
    pub fn pause(&mut self) {
        self.process.signal("STOP");
    }

    /// Lets it go on after [`Weir::pause`].
    pub fn resume(&mut self) {
        self.process.signal("CONT");
    }
}

fn build() -> PathBuf {
    // This test is target/PROFILE/deps/suite-HASH.
    let test = std::env::current_exe().expect("a path of this program");
    let profile = test.parent().and_then(Path::parent).expect("a target folder");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "weir", "--bin", "weir"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.arg("--target-dir").arg(profile.parent().expect("a target folder"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo runs").success(), "weir does not build: cargo build -p weir");
    profile.join("weir")
}
