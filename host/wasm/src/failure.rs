//! What ended a call, from wasmtime's error: which limit was passed, or where the guest trapped.

use std::fmt::Write;

use wasmtime::{Error, Trap, WasmBacktrace};
use weir_pipeline::transform::Failure;

use crate::instance::State;
use crate::limits::Limits;
use crate::voice::{cut, one_line};

/// The longest text of a failure, in bytes: it goes to logs and into dead letters.
const TEXT_BYTES_MAX: usize = 2 << 10;

/// The longest name of a function in it.
const NAME_BYTES_MAX: usize = 120;

/// The longest last word of the guest in it.
const LAST_WORD_BYTES_MAX: usize = 512;

/// The failure that an error is, by its cause: a refused growth is seen before the trap that follows it.
pub(crate) fn from_error(error: &Error, state: &State, limits: &Limits) -> Failure {
    let text = bounded(describe(error, state));
    if let Some(wanted) = state.memory.refused_bytes() {
        return Failure::Memory(bounded(format!(
            "it wanted {wanted} bytes, and its limit is {} bytes; then: {text}",
            state.memory.limit_bytes()
        )));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            Failure::Deadline(bounded(format!("it used more than {:?} of CPU time; {text}", limits.deadline)))
        }
        Some(_) => Failure::Trap(text),
        None if is_output_limit(error) => {
            Failure::Output(format!("it gave the host more than {} bytes", limits.output_bytes))
        }
        None => Failure::Invalid(text),
    }
}

/// Whether wasmtime stopped a call because more came out than may. Its type is private, so its text decides; a test
/// with a real guest holds this to it.
fn is_output_limit(error: &Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

/// The trap, what the guest last logged as an error, and the functions it was in, innermost first.
fn describe(error: &Error, state: &State) -> String {
    let mut text = one_line(&error.root_cause().to_string());
    if let Some(word) = state.voice.last_error() {
        let _ = write!(text, ": {}", cut(word, LAST_WORD_BYTES_MAX));
    }
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    for (depth, frame) in frames.iter().enumerate() {
        text.push_str(if depth == 0 { "; in " } else { " < " });
        match frame.func_name() {
            Some(name) => {
                let name = format!("{:#}", rustc_demangle::demangle(name));
                text.push_str(cut(&one_line(&name), NAME_BYTES_MAX));
            }
            None => {
                let _ = write!(text, "function {}", frame.func_index());
            }
        }
    }
    text
}

/// The text, no longer than a failure may be.
pub(crate) fn bounded(mut text: String) -> String {
    text.truncate(cut(&text, TEXT_BYTES_MAX).len());
    text
}
