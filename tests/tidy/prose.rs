//! Rules for the words in all files.

use crate::files::Text;

/// Notes and macros of unfinished work; written in halves so that this file does not break its own rule.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// Lines that speak of unfinished work.
pub(crate) fn unfinished(files: &[Text]) -> Vec<String> {
    let mut broken = Vec::new();
    // A lock file's hashes may hold any letters.
    for file in files.iter().filter(|file| !["lock", "sum"].contains(&file.extension())) {
        for (number, line) in (1..).zip(file.text.lines()) {
            if UNFINISHED.iter().any(|word| has_word(line, word)) {
                broken.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    broken
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !letter(line[..at].chars().next_back()) && !letter(line[at + word.len()..].chars().next())
    })
}

#[test]
fn a_note_is_a_word_of_its_own() {
    let text = format!("a {} here\nmkTemp_{}\n", UNFINISHED[0], UNFINISHED[2]);
    let files = [Text { path: "a.md".to_owned(), text }];
    assert_eq!(unfinished(&files), [format!("a.md:1: a {} here", UNFINISHED[0])]);
}
