//! Child processes that never outlive the test process.
//!
//! Two nets: dropping a [`Process`] kills its process group, and the kernel kills the process when the test process
//! ends in any way, `kill -9` included (`setpriv --pdeathsig`, Linux only). The kernel's signal comes when the thread
//! that started the child ends, not the process, so one thread, which never ends, starts them all.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use crate::wait::until;

/// A clean end takes a JVM a few seconds, on a busy machine more.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A running child process and the file that its output goes to.
#[derive(Debug)]
pub struct Process {
    child: Child,
    what: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, made by [`command`], with standard output and error appended to `log`.
    pub fn start(what: &str, mut command: Command, log: &Path) -> Self {
        let open = || File::options().create(true).append(true).open(log);
        let out = open().unwrap_or_else(|error| panic!("cannot write {}: {error}", log.display()));
        let err = open().unwrap_or_else(|error| panic!("cannot write {}: {error}", log.display()));
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        Self::spawn(what, command, log)
    }

    /// Starts `command`, made by [`command`], with standard input and output piped and standard error in `log`.
    pub(crate) fn start_piped(what: &str, mut command: Command, log: &Path) -> Self {
        let err = File::create(log).unwrap_or_else(|error| panic!("cannot write {}: {error}", log.display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(err);
        Self::spawn(what, command, log)
    }

    fn spawn(what: &str, command: Command, log: &Path) -> Self {
        let program = format!("{command:?}");
        let child = spawn(command).unwrap_or_else(|error| panic!("{what} does not start: {error}: {program}"));
        Self { child, what: what.to_owned(), log: log.to_owned() }
    }

    /// The process id, which is also the id of its process group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// All that it has written so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|error| panic!("cannot wait for {}: {error}", self.what))
    }

    /// Waits until `ready`.
    ///
    /// # Panics
    /// When it ends before, or `limit` passes; the end of the log is in the message.
    pub fn wait_ready(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) {
        let started = std::time::Instant::now();
        let outcome =
            until(&format!("{} to be ready", self.what), limit + Duration::from_secs(5), || match self.ended() {
                Some(status) => Some(Err(format!("ended with {status}"))),
                None if ready() => Some(Ok(())),
                None => (started.elapsed() > limit).then(|| Err(format!("was not ready after {limit:?}"))),
            });
        if let Err(why) = outcome {
            panic!("{} {why}: {}\n{}", self.what, self.log.display(), last_lines(&self.log(), 30));
        }
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When `limit` passes.
    pub fn wait_end(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} to end, log {}", self.what, self.log.display());
        until(&what, limit, || self.ended())
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_end(STOP_LIMIT)
    }

    /// Kills the process group with SIGKILL, as a crash would, and waits for the end.
    pub fn kill9(&mut self) {
        self.signal("KILL");
        self.wait_end(STOP_LIMIT);
    }

    /// Sends a signal, named without SIG, to the process group; does nothing when the process has ended.
    pub fn signal(&mut self, name: &str) {
        if self.ended().is_none() {
            signal(name, &format!("-{}", self.id()));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal("KILL", &format!("-{}", self.id()));
            let _ = self.child.wait();
        }
    }
}

/// A command for `program` in a process group of its own, killed by the kernel when the test process ends.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    command_as(&[], program)
}

/// As [`command`], with further options of `setpriv`, such as another user.
pub(crate) fn command_as(options: &[&str], program: impl AsRef<OsStr>) -> Command {
    let mut command = if cfg!(target_os = "linux") {
        let mut command = Command::new("setpriv");
        command.args(options).args(["--pdeathsig", "KILL"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.process_group(0);
    command
}

/// A port of 127.0.0.1 on which nothing listens, below those that the kernel gives to outgoing connections.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run at the same time begin far from each other.
    let start = (std::process::id().wrapping_mul(613) % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// Whether something accepts connections on a port of 127.0.0.1.
pub fn answers(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn signal(name: &str, target: &str) {
    // The shell's own kill: there need not be a program of that name.
    let _ = Command::new("sh").args(["-c", "kill -s \"$0\" -- \"$1\" 2>/dev/null", name, target]).status();
}

type Request = (Command, SyncSender<io::Result<Child>>);

/// Starts a child from the thread that never ends.
fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<SyncSender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (requests, received) = sync_channel::<Request>(0);
        std::thread::spawn(move || {
            for (mut command, answer) in received {
                let _ = answer.send(command.spawn());
            }
        });
        requests
    });
    let (answer, answered) = sync_channel(1);
    spawner.send((command, answer)).map_err(io::Error::other)?;
    answered.recv().map_err(io::Error::other)?
}
