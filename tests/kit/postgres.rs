//! A real PostgreSQL server, for the SQL catalog: the system's programs, a data folder of its own.

use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::install::component;
use crate::process::{Process, command_as, free_port};
use crate::scratch::Scratch;
use crate::wait::until;

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server with the database `weir`; it ends when this is dropped, and its data with it.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    folder: Scratch,
    port: u16,
}

impl Postgres {
    /// Starts a server with an empty database. Run by root, it runs as the user `postgres`.
    pub fn start() -> Self {
        let folder = Scratch::new("postgres");
        if is_root() {
            let owner = std::fs::metadata(folder.path()).map(|_| id(&["-u", "postgres"])).expect("a folder");
            chown(folder.path(), Some(owner), Some(id(&["-g", "postgres"]))).expect("root may change an owner");
        }
        let mut initdb = as_owner("initdb");
        initdb.arg("-D").arg(folder.join("data"));
        initdb.args(["-U", "weir", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]);
        let output = initdb.output().expect("initdb runs");
        assert!(output.status.success(), "initdb fails: {output:?}");
        let port = free_port();
        let process = run(folder.path(), port);
        let mut createdb = as_owner("createdb");
        let output = createdb.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "weir", "weir"]).output();
        let output = output.expect("createdb runs");
        assert!(output.status.success(), "createdb fails: {output:?}");
        Self { process, folder, port }
    }

    /// The database's URL; it wants no password.
    pub fn url(&self) -> String {
        format!("postgresql://weir@127.0.0.1:{}/weir", self.port)
    }

    /// The same for PyIceberg.
    pub fn sqlalchemy_url(&self) -> String {
        format!("postgresql+psycopg2://weir@127.0.0.1:{}/weir", self.port)
    }

    /// Runs a statement and returns its rows as `psql` prints them unaligned.
    pub fn sql(&self, statement: &str) -> String {
        let mut psql = Command::new(component("postgres").join("psql"));
        let output = psql.args([&self.url(), "-AtXq", "-v", "ON_ERROR_STOP=1", "-c", statement]).output();
        let output = output.expect("psql runs");
        assert!(output.status.success(), "psql fails: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Kills the server with SIGKILL, as a crash would; its data stays.
    pub fn kill9(&mut self) {
        // Its children lead groups of their own: they hold its shared memory until they have noticed that it is gone.
        let id = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        self.process.kill9();
        // One that has ended and was not waited for has no command line.
        let is_gone =
            |child: &str| std::fs::read(format!("/proc/{child}/cmdline")).map_or(true, |line| line.is_empty());
        until("the server's children to end", START_LIMIT, || children.split_whitespace().all(is_gone).then_some(()));
    }

    /// Starts the server again, with its data and on its port, after [`Postgres::kill9`].
    pub fn restart(&mut self) {
        self.process = run(self.folder.path(), self.port);
    }
}

fn run(folder: &Path, port: u16) -> Process {
    let mut server = as_owner("postgres");
    server.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
    server.args(["-c", "unix_socket_directories="]);
    let mut process = Process::start("postgres", server, &folder.join("server.log"));
    let isready = component("postgres").join("pg_isready");
    process.wait_ready(START_LIMIT, || {
        let mut ask = Command::new(&isready);
        ask.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).status().is_ok_and(|status| status.success())
    });
    process
}

/// A command for one of PostgreSQL's programs: the server refuses to be run by root.
fn as_owner(program: &str) -> Command {
    let options: &[&str] =
        if is_root() { &["--reuid", "postgres", "--regid", "postgres", "--init-groups"] } else { &[] };
    let mut command = command_as(options, component("postgres").join(program));
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    id(&["-u"]) == 0
}

fn id(args: &[&str]) -> u32 {
    let output = Command::new("id").args(args).output().expect("id runs");
    let number = String::from_utf8_lossy(&output.stdout).trim().parse();
    number.unwrap_or_else(|_| panic!("no such user, install postgresql: id {args:?} says {output:?}"))
}
