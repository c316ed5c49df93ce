//! The files of a new plugin: for each language and each kind one that works.

use std::path::{Path, PathBuf};

use super::super::Failure;
use super::language::Language;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum WorldArgument {
    OtlpToOtlp,
    OtlpToArrow,
    ArrowToArrow,
}

/// A file's path in the plugin's folder, and what is in it.
type File = (&'static str, String);

/// A record to try a new plugin on.
const SAMPLE: &str = include_str!("templates/traces.json");

/// What git leaves out where the SDK is put into the folder.
const SDK_IGNORED: &str = "/.weir\n*.wasm\n";

/// What a plugin's folder begins with.
pub(super) fn files(
    language: Language,
    world: WorldArgument,
    name: &str,
    sdk: Option<&Path>,
) -> Result<Vec<File>, Failure> {
    let mut files = match language {
        Language::Rust => rust(world, name, sdk)?,
        Language::C => c(world)?,
        Language::Go => go(world, name)?,
        Language::Javascript => javascript(world)?,
        Language::Python => python(world)?,
    };
    files.push(("cases/first/traces.json", SAMPLE.to_owned()));
    Ok(files)
}

fn rust(world: WorldArgument, name: &str, sdk: Option<&Path>) -> Result<Vec<File>, Failure> {
    let manifest = include_str!("templates/rust/Cargo.toml.txt");
    let manifest = manifest.replace("{name}", name).replace("{sdk}", &rust_sdk(sdk)?.display().to_string());
    let source = match world {
        WorldArgument::OtlpToOtlp => include_str!("templates/rust/otlp-to-otlp.rs.txt"),
        WorldArgument::OtlpToArrow => include_str!("templates/rust/otlp-to-arrow.rs.txt"),
        WorldArgument::ArrowToArrow => include_str!("templates/rust/arrow-to-arrow.rs.txt"),
    };
    Ok(vec![
        ("Cargo.toml", manifest),
        (".gitignore", "/target\n*.wasm\n".to_owned()),
        (Language::Rust.source(), source.to_owned()),
    ])
}

fn c(world: WorldArgument) -> Result<Vec<File>, Failure> {
    let source = match world {
        WorldArgument::OtlpToOtlp => include_str!("templates/c/otlp-to-otlp.c.txt"),
        WorldArgument::ArrowToArrow => include_str!("templates/c/arrow-to-arrow.c.txt"),
        WorldArgument::OtlpToArrow => return Err(no_rows("C")),
    };
    Ok(vec![
        // What editors ask.
        ("compile_flags.txt", "-std=c11\n-I.weir\n".to_owned()),
        (".gitignore", SDK_IGNORED.to_owned()),
        (Language::C.source(), source.to_owned()),
    ])
}

fn go(world: WorldArgument, name: &str) -> Result<Vec<File>, Failure> {
    let source = match world {
        WorldArgument::OtlpToOtlp => include_str!("templates/go/otlp-to-otlp.go.txt"),
        WorldArgument::ArrowToArrow => include_str!("templates/go/arrow-to-arrow.go.txt"),
        WorldArgument::OtlpToArrow => return Err(no_rows("Go")),
    };
    Ok(vec![
        ("go.mod", include_str!("templates/go/go.mod.txt").replace("{name}", name)),
        (".gitignore", SDK_IGNORED.to_owned()),
        (Language::Go.source(), source.to_owned()),
    ])
}

fn javascript(world: WorldArgument) -> Result<Vec<File>, Failure> {
    let source = match world {
        WorldArgument::OtlpToOtlp => include_str!("templates/javascript/otlp-to-otlp.js.txt"),
        WorldArgument::ArrowToArrow => include_str!("templates/javascript/arrow-to-arrow.js.txt"),
        WorldArgument::OtlpToArrow => return Err(no_rows("JavaScript")),
    };
    Ok(vec![
        ("package.json", "{ \"private\": true, \"type\": \"module\" }\n".to_owned()),
        (".gitignore", format!("{SDK_IGNORED}/node_modules\n")),
        (Language::Javascript.source(), source.to_owned()),
    ])
}

fn python(world: WorldArgument) -> Result<Vec<File>, Failure> {
    let source = match world {
        WorldArgument::OtlpToOtlp => include_str!("templates/python/otlp-to-otlp.py.txt"),
        WorldArgument::ArrowToArrow => include_str!("templates/python/arrow-to-arrow.py.txt"),
        WorldArgument::OtlpToArrow => return Err(no_rows("Python")),
    };
    Ok(vec![
        (".gitignore", format!("{SDK_IGNORED}/.venv\n__pycache__\n")),
        (Language::Python.source(), source.to_owned()),
    ])
}

fn no_rows(language: &str) -> Failure {
    Failure::wrong(format!(
        "the SDK for {language} has otlp-to-otlp and arrow-to-arrow: rows are made by the flatten plugins, or in Rust"
    ))
}

fn rust_sdk(told: Option<&Path>) -> Result<PathBuf, Failure> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/rust");
    let sdk = told.unwrap_or(&beside);
    match sdk.canonicalize() {
        Ok(sdk) if sdk.join("Cargo.toml").is_file() => Ok(sdk),
        _ => Err(Failure::wrong(format!(
            "weir-sdk is not at {}: --sdk says where guest-sdk/rust of Weir's source is",
            sdk.display()
        ))),
    }
}
