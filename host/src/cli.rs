//! The command line. Exit codes: 0 done, 1 failed, 2 wrong configuration.

mod capture;
mod check;
mod dead_letters;
mod demo;
mod generate;
mod invoke;
mod plugin;
mod query;
mod records;
mod run;
mod status;
mod subject;
mod table;
mod trial;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};
use weir_wasm::{CompileLimits, Compiler, Engine};

use crate::assemble::Refusal;
use crate::config::{Pipeline, Report, Surroundings};
use crate::progress::{Format, line_out};
use crate::recent::Recent;

/// OpenTelemetry from Kafka through sandboxed plugins into Apache Iceberg, exactly once.
#[derive(Parser, Debug)]
#[command(name = "weir", version, about, max_term_width = 100)]
struct Arguments {
    /// How results and progress are written.
    #[arg(long, global = true, value_enum, default_value = "human")]
    output: Format,
    /// What is logged to standard error: error, warn, info, debug, or a filter such as weir_iceberg=debug.
    #[arg(long, global = true, env = "WEIR_LOG", default_value = "warn", value_name = "LEVEL")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs pipelines until they are stopped.
    Run(run::Arguments),
    /// Checks pipeline files and shows every mistake in them.
    Check(check::Arguments),
    /// Shows the whole way on this machine, with nothing else installed.
    Demo(demo::Arguments),
    /// Shows where pipelines stand.
    Status(status::Arguments),
    /// Proves or refutes from the tables alone that each row is there once.
    Verify(verify::Arguments),
    /// Lists, shows and replays records that were refused.
    DeadLetters(dead_letters::Arguments),
    /// Looks after tables.
    Table(table::Arguments),
    /// Runs a query over a catalog's tables.
    Query(query::Arguments),
    /// Runs a plugin, or a pipeline's whole chain, on captured files and prints the rows, the time and the memory.
    Invoke(invoke::Arguments),
    /// Takes records of a pipeline's topics to a file, beside the pipeline.
    Capture(capture::Arguments),
    /// Makes, builds, tests, measures, compares, shows and swaps plugins.
    Plugin(plugin::Arguments),
    /// Writes realistic traces to a topic.
    Generate(generate::Arguments),
    /// Compiles the component at standard input for the process that asks.
    #[command(name = "compile-component", hide = true)]
    Compile,
}

/// Why a command ends without having done its work.
#[derive(Debug)]
enum Failure {
    /// Exit code 2: what was asked for cannot be.
    Wrong(String),
    /// Exit code 1: it could be, and was not.
    Failed(String),
    /// The same two, already shown.
    Shown(u8),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Wrong(m) => Self::Wrong(m),
            Refusal::Failed(m) => Self::Failed(m),
        }
    }
}

impl Failure {
    fn failed(why: impl std::fmt::Display) -> Self {
        Self::Failed(why.to_string())
    }

    fn wrong(why: impl std::fmt::Display) -> Self {
        Self::Wrong(why.to_string())
    }
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(e) => {
            let wrong = e.use_stderr();
            let _ = e.print();
            return ExitCode::from(if wrong { 2 } else { 0 });
        }
    };
    start_log(&arguments.log, arguments.output);
    #[cfg(debug_assertions)]
    if let Err(why) = arm_faults() {
        return end(arguments.output, &Failure::Wrong(why));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return end(arguments.output, &Failure::failed(format!("no runtime: {e}"))),
    };
    let output = arguments.output;
    let result = runtime.block_on(dispatch(arguments));
    // What still blocks (a broker that does not answer) must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(output, &failure),
    }
}

/// For tests, in builds with debug assertions only: what is to go wrong, and where.
#[cfg(debug_assertions)]
fn arm_faults() -> Result<(), String> {
    std::env::var("WEIR_FAULT").map_or(Ok(()), |faults| weir_pipeline::fault::arm(&faults))
}

async fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let output = arguments.output;
    match arguments.command {
        Command::Run(a) => run::run(a, output).await,
        Command::Check(a) => check::run(&a, output),
        Command::Demo(a) => demo::run(a, output).await,
        Command::Status(a) => status::run(a, output).await,
        Command::Verify(a) => verify::run(a, output).await,
        Command::Compile => compile(),
        Command::DeadLetters(a) => dead_letters::run(a, output).await,
        Command::Table(a) => table::run(a, output).await,
        Command::Query(a) => query::run(a, output).await,
        Command::Invoke(a) => invoke::run(&a, output),
        Command::Capture(a) => capture::run(&a, output).await,
        Command::Plugin(a) => plugin::run(a, output).await,
        Command::Generate(a) => generate::run(a, output).await,
    }
}

fn end(output: Format, failure: &Failure) -> ExitCode {
    let (code, message) = match failure {
        Failure::Wrong(m) => (2, Some(m)),
        Failure::Failed(m) => (1, Some(m)),
        Failure::Shown(code) => (*code, None),
    };
    if let Some(message) = message {
        match output {
            Format::Human => {
                let _ = writeln!(std::io::stderr(), "weir: {message}");
            }
            Format::Json => line_out(&serde_json::json!({ "event": "error", "code": code, "message": message })),
        }
    }
    ExitCode::from(code)
}

fn start_log(filter: &str, output: Format) {
    // What Kafka's client has to say comes as errors and warnings of Weir's own.
    let filter = EnvFilter::try_new(format!("{filter},rdkafka=off")).unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let log = match output {
        Format::Human => log.with_target(false).with_filter(filter).boxed(),
        Format::Json => log.json().with_filter(filter).boxed(),
    };
    // A layer without a level wants all of them, and what compiles plugins says a million things at the lowest.
    let recent = Recent.with_filter(LevelFilter::WARN);
    let _ = tracing_subscriber::registry().with(log).with(recent).try_init();
}

/// Loads pipeline files, or shows what is wrong with them.
fn load(files: &[PathBuf], output: Format) -> Result<Vec<Pipeline>, Failure> {
    let around = Surroundings { refused_property: &refused_property, ..Surroundings::process() };
    crate::config::load_all(files, &around).map_err(|report| show_report(&report, output))
}

/// Shows what is wrong with pipeline files.
fn show_report(report: &Report, output: Format) -> Failure {
    match output {
        Format::Human => {
            let _ = write!(std::io::stderr(), "{report}");
        }
        Format::Json => line_out(&serde_json::json!({ "event": "error", "code": 2, "diagnostics": report.to_json() })),
    }
    Failure::Shown(2)
}

fn refused_property(name: &str) -> Option<String> {
    weir_kafka::forbidden_property(name).map(str::to_string)
}

/// The engine, with compiled plugins kept in the user's cache.
/// Runs plugins, and has them compiled by this program in a process of its own.
fn engine() -> Result<Engine, Failure> {
    let engine = Engine::new(cache_folder().map(|folder| folder.join("compiled"))).map_err(Failure::failed)?;
    // The program that is running, though its file may have been replaced meanwhile.
    Ok(engine
        .with_compiler(Compiler { program: "/proc/self/exe".into(), arguments: vec!["compile-component".to_owned()] }))
}

fn compile() -> Result<(), Failure> {
    let limits = CompileLimits::default();
    #[cfg(debug_assertions)]
    let limits = CompileLimits { cpu: compile_cpu().unwrap_or(limits.cpu), ..limits };
    weir_wasm::compile(limits).map_err(|why| {
        let _ = writeln!(std::io::stderr(), "{why}");
        Failure::Shown(1)
    })
}

/// For tests, in builds with debug assertions only: a shorter time, in milliseconds.
#[cfg(debug_assertions)]
fn compile_cpu() -> Option<std::time::Duration> {
    std::env::var("WEIR_COMPILE_CPU_MS").ok()?.parse().ok().map(std::time::Duration::from_millis)
}

fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache"))).map(|cache| cache.join("weir"))
}

fn plugin_path() -> Vec<PathBuf> {
    let variable: Option<OsString> = std::env::var_os("WEIR_PLUGIN_PATH");
    crate::plugins::search_path(variable.as_deref())
}

fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
