//! `weir plugin new`.

use std::path::{Path, PathBuf};

use super::super::{Failure, say};
use super::build;
use super::language::Language;
use super::templates::{self, WorldArgument};

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
    /// Where weir-sdk for Rust is; beside the source that this program was built of, where it is not said.
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, lang, world, sdk } = arguments;
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_name {
        return Err(Failure::wrong(format!(
            "`{name}` is no name for a plugin: write small letters, digits and hyphens"
        )));
    }
    let files = templates::files(*lang, *world, name, sdk.as_deref())?;
    let folder = Path::new(name);
    if folder.exists() {
        return Err(Failure::wrong(format!("{name} is there already")));
    }
    for (file, text) in &files {
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(folder);
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text));
        written.map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    }
    build::put_sdk(*lang, folder)?;
    let source = lang.source();
    say(format_args!(
        "{name}/{source} is the plugin. Then:\n  weir plugin test {name} --accept   # builds it, runs it on \
         {name}/cases/first, keeps what comes out\n  weir plugin test {name}            # compares from now on"
    ));
    Ok(())
}
