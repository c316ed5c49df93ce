//! `weir plugin new`.

use std::path::{Path, PathBuf};

use super::super::{Failure, say};

/// Makes a folder with a plugin that works, to be changed.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The plugin's name, verb first: `drop-debug-logs`. The folder has it too.
    name: String,
    /// The language.
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// What it does: OTLP to OTLP (filter, redact, enrich), OTLP to rows, or rows to rows.
    #[arg(long, value_enum, default_value = "otlp-to-otlp")]
    world: WorldArgument,
    /// Where weir-sdk is; beside the source that this program was built of, where it is not said.
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Language {
    Rust,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum WorldArgument {
    OtlpToOtlp,
    OtlpToArrow,
    ArrowToArrow,
}

/// A record to try a new plugin on.
const SAMPLE: &str = include_str!("templates/traces.json");

impl WorldArgument {
    fn source(self) -> &'static str {
        match self {
            Self::OtlpToOtlp => include_str!("templates/rust/otlp-to-otlp.rs.txt"),
            Self::OtlpToArrow => include_str!("templates/rust/otlp-to-arrow.rs.txt"),
            Self::ArrowToArrow => include_str!("templates/rust/arrow-to-arrow.rs.txt"),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, lang: Language::Rust, world, sdk } = arguments;
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_name {
        return Err(Failure::wrong(format!(
            "`{name}` is no name for a plugin: write small letters, digits and hyphens"
        )));
    }
    let sdk = find_sdk(sdk.as_deref())?;
    let folder = Path::new(name);
    if folder.exists() {
        return Err(Failure::wrong(format!("{name} is there already")));
    }
    let manifest = include_str!("templates/rust/Cargo.toml.txt");
    let manifest = manifest.replace("{name}", name).replace("{sdk}", &sdk.display().to_string());
    let files = [
        ("Cargo.toml", manifest.as_str()),
        (".gitignore", "/target\n*.wasm\n"),
        ("src/lib.rs", world.source()),
        ("cases/first/traces.json", SAMPLE),
    ];
    for (file, text) in files {
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(folder);
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text));
        written.map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    }
    say(format_args!(
        "{name}/src/lib.rs is the plugin. Then:\n  weir plugin test {name} --accept   # builds it, runs it on \
         {name}/cases/first, keeps what comes out\n  weir plugin test {name}            # compares from now on"
    ));
    Ok(())
}

fn find_sdk(told: Option<&Path>) -> Result<PathBuf, Failure> {
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
