//! The map's rule: what it names is there.

use std::path::Path;

/// The paths in backticks in `host/ARCHITECTURE.md` that are neither below the root nor below `host`.
pub(crate) fn missing(root: &Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(root.join("host/ARCHITECTURE.md")) else { return Vec::new() };
    let there = |path: &str| root.join(path).exists() || root.join("host").join(path).exists();
    paths(&text).into_iter().filter(|path| !there(path)).collect()
}

/// What stands in backticks and looks like a path: with a slash inside, or with the ending of a source file.
fn paths(text: &str) -> Vec<String> {
    // Code blocks are drawings and examples, not references.
    let prose = text.split("```").step_by(2).collect::<String>();
    let quoted = prose.split('`').skip(1).step_by(2);
    let spelled = |path: &&str| path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let endings = [".rs", ".toml", ".md", ".wit", ".py"];
    let is_path = |path: &&str| {
        !path.starts_with('/') && (path.contains('/') || endings.iter().any(|ending| path.ends_with(ending)))
    };
    quoted.filter(spelled).filter(is_path).map(str::to_owned).collect()
}

#[test]
fn a_path_is_told_from_other_words() {
    let text = "`host/src/main.rs` `run` `/metrics` `weir:plugin@0.1.0` `a::b`\n```\n`no/path`\n```\n`wit/`";
    assert_eq!(paths(text), ["host/src/main.rs", "wit/"]);
}
