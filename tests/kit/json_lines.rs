//! A helper process that answers requests, one line of JSON each, so that its slow start is paid once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::process::Process;
use crate::scratch::Scratch;

/// A process that reads `{"op": ...}` and writes `{"ok": ...}` or `{"error": "..."}`, line by line.
#[derive(Debug)]
pub(crate) struct JsonLines {
    what: &'static str,
    pipes: Mutex<Pipes>,
}

#[derive(Debug)]
struct Pipes {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    process: Process,
    _folder: Scratch,
}

impl JsonLines {
    /// Starts the process that `command`, made by `process::command`, describes.
    pub(crate) fn start(what: &'static str, command: Command) -> Self {
        let folder = Scratch::new(what);
        let mut process = Process::start_piped(what, command, &folder.join("stderr.log"));
        let stdin = process.child().stdin.take().expect("a pipe");
        let stdout = BufReader::new(process.child().stdout.take().expect("a pipe"));
        Self { what, pipes: Mutex::new(Pipes { stdin, stdout, process, _folder: folder }) }
    }

    /// Asks, and returns what is under `ok`, or the text under `error`. Requests of several threads take turns.
    ///
    /// # Panics
    /// When the process has died.
    pub(crate) fn try_ask(&self, request: &Value) -> Result<Value, String> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = String::new();
        let sent = writeln!(pipes.stdin, "{request}").and_then(|()| pipes.stdin.flush());
        if sent.and_then(|()| pipes.stdout.read_line(&mut line)).unwrap_or(0) == 0 {
            panic!("{} has died, asked {request}:\n{}", self.what, pipes.process.log());
        }
        let mut answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{} answers what is no JSON ({error}): {line}", self.what));
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }

    /// As [`JsonLines::try_ask`], for requests that must succeed.
    pub(crate) fn ask(&self, request: &Value) -> Value {
        self.try_ask(request).unwrap_or_else(|error| panic!("{} fails at {request}:\n{error}", self.what))
    }
}
