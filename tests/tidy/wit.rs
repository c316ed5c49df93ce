//! The contract's rule: every item has a doc comment.

use crate::files::Text;

/// Items of the contract without `///` above them.
pub(crate) fn undocumented(files: &[Text]) -> Vec<String> {
    let contract: Vec<&Text> =
        files.iter().filter(|file| file.path.starts_with("wit/") && file.extension() == "wit").collect();
    assert!(!contract.is_empty(), "no contract in wit/");
    contract.into_iter().flat_map(|file| bare(&file.path, &file.text)).collect()
}

/// The declarations that do not follow a `///` line. An attribute may stand between; the lines of a declaration that
/// goes on over several are part of it; `use`, `import`, `export` and `include` name what is documented elsewhere.
fn bare(path: &str, text: &str) -> Vec<String> {
    let (mut documented, mut nested, mut broken) = (false, 0_i64, Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let code = line.split("//").next().unwrap_or_default().trim();
        let elsewhere = ["use ", "import ", "export ", "include ", "@", "}", "package "];
        let declares = nested == 0 && !code.is_empty() && !elsewhere.iter().any(|word| code.starts_with(word));
        if declares && !documented {
            broken.push(format!("{path}:{number}: {line}"));
        }
        documented = line.starts_with("///") || (documented && line.starts_with('@'));
        let count = |brackets: [char; 2]| i64::try_from(code.matches(brackets).count()).unwrap_or_default();
        nested += count(['(', '<']) - count([')', '>']) + i64::try_from(code.matches("->").count()).unwrap_or_default();
    }
    broken
}

#[test]
fn an_item_without_a_doc_is_found_and_a_long_one_is_one() {
    let text = "/// Why.\n@since(version = 0.1.0)\ninterface a {\n  use b.{c};\n  record d {\n    /// What.\n    e: u32, // f\n    g: u8,\n  }\n  \
                /// Long.\n  h: func(\n    i: u32,\n  ) -> result<list<u8>,\n    string>;\n}\n";
    assert_eq!(bare("wit/a.wit", text), ["wit/a.wit:5: record d {", "wit/a.wit:8: g: u8,"]);
}
