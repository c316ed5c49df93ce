//! The rules of this repository, as tests: what depends on what, how large a file may be, what must be documented.
//!
//! Each rule is a function from the tree to the places that break it, so that a failure lists them all at once.

mod architecture;
mod code;
mod edges;
mod files;
mod prose;
mod rust;
mod wit;

use std::path::Path;

/// Fails with every place that breaks a rule.
fn none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn dependencies_point_down() {
    none("a package depends on what it must not see", &edges::internal(&edges::packages()));
}

#[test]
fn each_large_library_has_its_one_user() {
    none("a library is used outside the package that wraps it", &edges::external(&edges::packages()));
}

#[test]
fn files_and_functions_are_small() {
    none("a file has more than 500 lines of code, or a function more than 70", &rust::large(&files::all()));
}

#[test]
fn modules_are_named_after_what_they_do() {
    none("a module's name says nothing", &rust::vague(&files::all()));
}

#[test]
fn nothing_outside_tests_unwraps() {
    none("`unwrap()` outside tests: return the error, or `expect` with the reason", &rust::unwraps(&files::all()));
}

#[test]
fn unsafe_code_is_where_it_is_argued() {
    none("`unsafe` without its place in the list, or without a `SAFETY:` comment", &rust::unsafes(&files::all()));
}

#[test]
fn nothing_is_left_to_do() {
    none("a note of unfinished work: do it, or open an issue", &prose::unfinished(&files::all()));
}

#[test]
fn the_contract_is_documented() {
    none("an item of the contract has no `///` above it", &wit::undocumented(&files::all()));
}

#[test]
fn every_path_in_the_architecture_exists() {
    none("host/ARCHITECTURE.md names what is not there", &architecture::missing(root()));
}

#[test]
fn the_top_level_is_what_the_readme_shows() {
    none("an entry of the top level that does not belong there", &files::strangers(root()));
}
