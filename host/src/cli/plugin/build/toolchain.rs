//! Where a language's own tool is that makes components, for the languages whose compilers do not come with a system.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::super::{Failure, cache_folder};

/// A tool that makes components.
pub(super) struct Tool {
    /// The program's name.
    pub(super) program: &'static str,
    /// Where it lies in a folder that its package manager filled.
    pub(super) inside: &'static str,
    /// Where a plugin's folder has what its package manager filled: beside the plugin, relative to it.
    pub(super) beside: &'static str,
    /// The folder of its own among the toolchains in the user's cache.
    pub(super) language: &'static str,
    /// The commands that put it into a folder, which `{folder}` stands for.
    pub(super) install: &'static str,
    /// What these commands need.
    pub(super) needs: &'static str,
}

impl Tool {
    /// The program: of the plugin's folder, of the toolchains in the cache, or on the path.
    ///
    /// # Errors
    /// It is in none of these places; the text has the commands that get it.
    fn find(&self, plugin: &Path) -> Result<PathBuf, Failure> {
        let cached = cache_folder().map(|cache| cache.join("toolchains").join(self.language));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places = [Some(plugin.join(self.beside)), cached.clone()];
        let places = places.into_iter().flatten().map(|folder| folder.join(self.inside));
        let on_path = std::env::split_paths(&path).map(|folder| folder.join(self.program));
        let found = places.chain(on_path).find(|program| program.is_file());
        found.and_then(|program| std::path::absolute(program).ok()).ok_or_else(|| {
            let folder = cached.unwrap_or_else(|| PathBuf::from(self.beside));
            Failure::failed(format!(
                "there is no {} beside the plugin, in the cache or on the path. This gets it, with {}:\n  {}",
                self.program,
                self.needs,
                self.install.replace("{folder}", &folder.display().to_string())
            ))
        })
    }

    /// The program, to be run for a plugin's folder.
    ///
    /// # Errors
    /// As [`Tool::find`].
    pub(super) fn command(&self, plugin: &Path) -> Result<Command, Failure> {
        let mut command = Command::new(self.find(plugin)?);
        // What it says of the plugin is enough.
        command.env("RUST_BACKTRACE", "0");
        Ok(command)
    }
}

/// The name of a folder, whose component has it too.
pub(super) fn name_of(folder: &Path) -> Result<String, Failure> {
    let whole = folder.canonicalize().map_err(|e| Failure::failed(format!("{}: {e}", folder.display())))?;
    Ok(whole.file_name().unwrap_or("plugin".as_ref()).to_string_lossy().into_owned())
}

/// Of the lines with which a plugin's source says what it is, the world of the one that is there.
///
/// # Errors
/// None is there, or several are.
pub(super) fn world_of(source: &Path, worlds: [(&str, &'static str); 2]) -> Result<&'static str, Failure> {
    let text = std::fs::read_to_string(source).map_err(|e| Failure::failed(format!("{}: {e}", source.display())))?;
    let is_there = |begin: &str| text.lines().any(|line| line.starts_with(begin));
    match worlds.map(|(begin, world)| is_there(begin).then_some(world)) {
        [Some(world), None] | [None, Some(world)] => Ok(world),
        found => Err(Failure::failed(format!(
            "{} says {} what it is: one line begins with `{}` or with `{}`",
            source.display(),
            if found[0].is_none() { "nowhere" } else { "twice" },
            worlds[0].0,
            worlds[1].0
        ))),
    }
}
