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

/// What a plugin's folder begins with.
pub(super) fn files(
    language: Language,
    world: WorldArgument,
    name: &str,
    sdk: Option<&Path>,
) -> Result<Vec<File>, Failure> {
    let mut files = match language {
        Language::Rust => rust(world, name, sdk)?,
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
