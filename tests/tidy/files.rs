//! The files of the tree, without what is built or ignored.

use std::path::{Path, PathBuf};

use crate::root;

/// What may stand at the top level, besides dotfiles and what `.gitignore` names.
const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "guest-sdk",
    "host",
    "pipelines",
    "plugins",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
    "wit",
];

/// Folders that builds and package managers fill.
const BUILT: &[&str] = &["target", "node_modules", "__pycache__", "lake"];

/// A text file of the tree.
#[derive(Debug)]
pub(crate) struct Text {
    /// Its path from the root, with `/` between folders.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

impl Text {
    /// The part of the name after its last dot.
    pub(crate) fn extension(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// Whether it is the module of a path without `.rs`, or a submodule of it.
    pub(crate) fn is_of(&self, module: &str) -> bool {
        self.path.strip_prefix(module).is_some_and(|rest| rest.starts_with(['.', '/']))
    }

    /// The folder that the file's submodules are in.
    fn submodules(&self) -> &str {
        let path = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        ["/lib", "/main", "/mod"].iter().find_map(|root| path.strip_suffix(root)).unwrap_or(path)
    }
}

/// The paths, without their `.rs`, of the modules that are compiled for tests only.
pub(crate) fn test_modules(files: &[Text]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.extension() == "rs") {
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let gated = pair[0].starts_with("#[cfg(test)]") || pair[0].starts_with("#[cfg(any(test,");
            let module = pair[1].split("mod ").nth(1).and_then(|rest| rest.strip_suffix(';'));
            found.extend(module.filter(|_| gated).map(|module| format!("{}/{module}", file.submodules())));
        }
    }
    found
}

/// Whether a file is code that only tests and measurements run: by its folder, or as one of the `modules` that [`test_modules`] gives.
pub(crate) fn is_test(file: &Text, modules: &[String]) -> bool {
    let mut folders = file.path.split('/');
    folders.any(|folder| ["tests", "benches", "examples", "fuzz"].contains(&folder))
        || modules.iter().any(|module| file.is_of(module))
}

/// All text files of the tree, dotfiles and what is built left out.
pub(crate) fn all() -> Vec<Text> {
    let mut found = Vec::new();
    walk(root(), "", &mut found);
    assert!(found.iter().any(|file| file.path == "Cargo.toml"), "no tree at {}", root().display());
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<Text>) {
    let entries = std::fs::read_dir(folder).expect("a folder");
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if name.starts_with('.') || BUILT.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type().expect("a type").is_dir() {
            walk(&entry.path(), &format!("{path}/"), found);
        } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
            found.push(Text { path, text });
        }
    }
}

/// The entries of the top level that are not in the list.
pub(crate) fn strangers(root: &Path) -> Vec<String> {
    let ignored = std::fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let ignored: Vec<PathBuf> = ignored.lines().filter_map(|line| line.strip_prefix('/')).map(PathBuf::from).collect();
    let entries = std::fs::read_dir(root).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()))
        .filter(|name| !ignored.contains(&PathBuf::from(name)))
        .collect()
}

#[test]
fn code_for_tests_is_told_by_its_folder_or_by_its_parent() {
    let file = |path: &str, text: &str| Text { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("a/src/lib.rs", "mod run;\n#[cfg(test)]\nmod sim;\n"),
        file("a/src/run.rs", "#[cfg(test)]\nmod tests;\n"),
        file("a/src/run/tests.rs", ""),
        file("a/src/sim/world.rs", ""),
        file("a/src/similar.rs", ""),
        file("tests/kit/lib.rs", ""),
    ];
    let modules = test_modules(&files);
    assert_eq!(modules, ["a/src/sim", "a/src/run/tests"]);
    assert_eq!(files.each_ref().map(|file| is_test(file, &modules)), [false, false, true, true, false, true]);
}
