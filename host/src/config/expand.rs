//! `${VAR}`, `${VAR:-default}` and `${file:path}` in strings; `$${` stands for `${` itself.

use super::document::Document;
use super::flaw::Flaw;
use super::location::absolute;

const HELP: &str = "write ${VAR}, ${VAR:-default} or ${file:path}; $${ stands for ${ itself";

/// A reference that cannot be resolved, as it stands in the text.
pub(super) struct Unresolved {
    pub(super) reference: String,
    pub(super) flaw: Flaw,
}

/// Replaces every reference.
///
/// # Errors
/// Each reference that cannot be resolved. Neither variables' nor files' contents are in it.
pub(super) fn expand(text: &str, document: &Document<'_>) -> Result<String, Vec<Unresolved>> {
    let mut expanded = String::new();
    let mut unresolved = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            expanded.push_str(&rest[..at - 1]);
            expanded.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        expanded.push_str(&rest[..at]);
        let Some(length) = rest[at..].find('}') else {
            let flaw = Flaw::new("`${` is not closed", HELP);
            unresolved.push(Unresolved { reference: rest[at..].to_owned(), flaw });
            return Err(unresolved);
        };
        let reference = &rest[at..=at + length];
        match resolve(&reference[2..reference.len() - 1], document) {
            Ok(value) => expanded.push_str(&value),
            Err(flaw) => unresolved.push(Unresolved { reference: reference.to_owned(), flaw }),
        }
        rest = &rest[at + length + 1..];
    }
    expanded.push_str(rest);
    if unresolved.is_empty() { Ok(expanded) } else { Err(unresolved) }
}

fn resolve(inside: &str, document: &Document<'_>) -> Result<String, Flaw> {
    if let Some(path) = inside.strip_prefix("file:") {
        let path = absolute(document.folder(), path);
        return match (document.around().read)(&path) {
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(why) => Err(Flaw::new(
                format!("cannot read {}: {why}", path.display()),
                "a path in ${file:path} stands against the folder of this file",
            )),
        };
    }
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_variable) {
        return Err(Flaw::new(format!("`{name}` is not a variable's name"), HELP));
    }
    // As in a shell, `:-` steps in for an empty variable too.
    match ((document.around().variable)(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Flaw::new(
            format!("the environment variable {name} is not set"),
            format!("set it, or give a default: ${{{name}:-default}}"),
        )),
    }
}

fn is_variable(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
