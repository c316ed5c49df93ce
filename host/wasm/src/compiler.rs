//! Compiling, in a process of its own: a compiler cannot be interrupted, and what a hostile component makes it do has
//! no bound but its time and memory. A process has both, and can be ended.
//!
//! The other process is this very program, so that compiler and settings are the same; it watches itself, and nothing
//! that it does can be seen from here but what it writes.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use cpu_time::ProcessTime;
use wasmtime::{Engine, format_err};

/// How often the other process looks at what it has used.
const LOOK: Duration = Duration::from_millis(20);

/// What it says of a component that is wrong, and of itself, is cut at this.
const WORDS_BYTES_MAX: u64 = 4 << 10;

/// A program that compiles, and what it may use.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// Its file.
    pub program: PathBuf,
    /// Arguments with which it calls [`compile`].
    pub arguments: Vec<String>,
}

/// What compiling one component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// CPU time, of all threads together.
    pub cpu: Duration,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
}

impl Default for CompileLimits {
    /// Ten times what a component of Python's interpreter takes: two minutes, 4 GiB.
    fn default() -> Self {
        Self { cpu: Duration::from_secs(120), memory_bytes: 4 << 30 }
    }
}

impl Compiler {
    /// The machine code of a component.
    pub(crate) fn compile(&self, bytes: &[u8]) -> wasmtime::Result<Vec<u8>> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format_err!("the compiler cannot be started: {e}"))?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let (mut code, mut words) = (Vec::new(), Vec::new());
        let read = std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(bytes)));
            scope.spawn(|| stderr.map(|stderr| stderr.take(WORDS_BYTES_MAX).read_to_end(&mut words)));
            child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut code))
        });
        let ended = child.wait().map_err(|e| format_err!("the compiler is lost: {e}"))?;
        if ended.success() && read.is_ok() {
            return Ok(code);
        }
        let words = String::from_utf8_lossy(&words);
        match words.trim() {
            "" => Err(format_err!("the compiler ended with {ended}")),
            words => Err(format_err!("{words}")),
        }
    }
}

/// What the program of a [`Compiler`] does: reads a component from standard input, and writes its machine code to
/// standard output. Beyond a limit the process ends, with the reason on standard error.
///
/// # Errors
/// What is wrong with the component.
pub fn compile(limits: CompileLimits) -> Result<(), String> {
    std::thread::Builder::new()
        .name("weir-compile-watch".to_owned())
        .spawn(move || watch(limits))
        .map_err(|e| format!("its time cannot be watched: {e}"))?;
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let engine = Engine::new(&crate::engine::config()).map_err(|e| format!("{e:#}"))?;
    let code = engine.precompile_component(&bytes).map_err(|e| format!("{e:#}"))?;
    io::stdout().lock().write_all(&code).map_err(|e| e.to_string())
}

/// Ends the process when it has used more than it may.
fn watch(limits: CompileLimits) -> ! {
    let clock = ProcessTime::now();
    loop {
        std::thread::sleep(LOOK);
        if clock.elapsed() > limits.cpu {
            give_up(&format!("it takes more than {:?} of CPU time to compile", limits.cpu));
        }
        if resident_bytes() > limits.memory_bytes {
            give_up(&format!("it takes more than {} bytes of memory to compile", limits.memory_bytes));
        }
    }
}

fn give_up(why: &str) -> ! {
    let _ = writeln!(io::stderr(), "{why}");
    std::process::exit(1)
}

/// The memory that this process holds; 0 where the system does not say.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1 << 10)
}
