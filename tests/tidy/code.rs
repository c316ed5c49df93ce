//! Rust source with its comments and literals blanked, which is as much parsing as the rules need.

/// Source whose comments are spaces and whose literals are `x`; lines and columns are those of the source.
#[derive(Debug)]
pub(crate) struct Code {
    masked: String,
}

/// A function and the size of its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    /// How many lines of code are between its braces.
    pub(crate) lines: usize,
}

impl Code {
    /// Reads source.
    pub(crate) fn new(source: &str) -> Self {
        Self { masked: Mask { rest: source, out: String::with_capacity(source.len()) }.run() }
    }

    /// How many lines are neither blank nor comment.
    pub(crate) fn line_count(&self) -> usize {
        count(&self.masked)
    }

    /// The lines, from 1, that hold `needle` outside comments, literals and inline test modules.
    pub(crate) fn lines_with(&self, needle: impl Fn(&str) -> bool) -> Vec<usize> {
        let mut ends_at = None;
        let mut found = Vec::new();
        for (at, line) in self.offsets() {
            if ends_at.is_none() && line.trim_start().starts_with("#[cfg(test)]") {
                ends_at = body(&self.masked[at..]).map(|(_, end)| at + end);
            }
            if ends_at.is_none_or(|end| at > end) {
                ends_at = None;
                if needle(line) {
                    found.push(self.masked[..at].matches('\n').count() + 1);
                }
            }
        }
        found
    }

    /// All functions with a body, nested ones too.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (at, _) in self.masked.match_indices("fn ") {
            let before = self.masked[..at].chars().next_back();
            let rest = &self.masked[at + 3..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') || name.is_empty() {
                continue;
            }
            if let Some((start, end)) = body(rest) {
                let line = self.masked[..at].matches('\n').count() + 1;
                found.push(Function { name, line, lines: count(&rest[start + 1..end]) });
            }
        }
        found
    }

    fn offsets(&self) -> impl Iterator<Item = (usize, &str)> {
        self.masked.split('\n').scan(0, |at, line| {
            let start = *at;
            *at += line.len() + 1;
            Some((start, line))
        })
    }
}

fn count(code: &str) -> usize {
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

/// Where the braces of the item that `code` begins with open and close; none for an item that ends in a semicolon.
fn body(code: &str) -> Option<(usize, usize)> {
    let (mut nested, mut open) = (0_i32, None);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => nested += 1,
            ')' | ']' => nested -= 1,
            ';' if nested == 0 && open.is_none() => return None,
            '{' => {
                open.get_or_insert((at, nested));
                nested += 1;
            }
            '}' => {
                nested -= 1;
                if let Some((start, _)) = open.filter(|(_, depth)| *depth == nested) {
                    return Some((start, at));
                }
            }
            _ => {}
        }
    }
    None
}

struct Mask<'a> {
    rest: &'a str,
    out: String,
}

impl Mask<'_> {
    fn run(mut self) -> String {
        while let Some(c) = self.rest.chars().next() {
            if self.rest.starts_with("//") {
                self.blank(self.rest.find('\n').unwrap_or(self.rest.len()), ' ');
            } else if self.rest.starts_with("/*") {
                self.blank(block_comment(self.rest), ' ');
            } else if let Some(length) = self.begins_word().then(|| raw_string(self.rest)).flatten() {
                self.blank(length, 'x');
            } else if c == '"' {
                self.blank(quoted(self.rest, '"'), 'x');
            } else if c == '\'' && is_char(self.rest) {
                self.blank(quoted(self.rest, '\''), 'x');
            } else {
                self.out.push(c);
                self.rest = &self.rest[c.len_utf8()..];
            }
        }
        self.out
    }

    fn begins_word(&self) -> bool {
        !self.out.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    }

    fn blank(&mut self, length: usize, with: char) {
        self.out.extend(self.rest[..length].chars().map(|c| if c == '\n' { c } else { with }));
        self.rest = &self.rest[length..];
    }
}

fn block_comment(code: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < code.len() {
        match &code.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    code.len()
}

/// The length of the raw string that `code` begins with.
fn raw_string(code: &str) -> Option<usize> {
    let hashes = code.strip_prefix("br").or_else(|| code.strip_prefix('r'))?;
    let quote = hashes.trim_start_matches('#').strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes.len() - quote.len() - 1));
    Some(quote.find(&end).map_or(code.len(), |at| code.len() - quote.len() + at + end.len()))
}

fn quoted(code: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Whether a quote begins a character rather than a lifetime.
fn is_char(code: &str) -> bool {
    let mut next = code.chars().skip(1);
    match next.next() {
        Some('\\') => true,
        Some(_) => next.next() == Some('\''),
        None => false,
    }
}

#[test]
fn comments_and_literals_are_no_code() {
    let code = Code::new(
        "// fn a() {\nlet s = \"{ unsafe\"; /* { /* nested */\n} */\nlet c = '{'; let l: &'a str = r#\"}\"#;\n",
    );
    assert_eq!(code.line_count(), 2);
    assert!(code.lines_with(|line| line.contains(['{', '}']) || line.contains("unsafe")).is_empty());
}

#[test]
fn a_function_is_as_long_as_the_code_between_its_braces() {
    let code =
        Code::new("fn one(a: [u8; 3]) {\n    // why\n\n    if a {\n        b();\n    }\n}\nfn none();\nfn two() {}\n");
    let function = |name: &str, line, lines| Function { name: name.to_owned(), line, lines };
    assert_eq!(code.functions(), [function("one", 1, 3), function("two", 9, 0)]);
}

#[test]
fn an_inline_test_module_is_left_out() {
    let code = Code::new("a.unwrap();\n#[cfg(test)]\nmod tests {\n    b.unwrap();\n}\nc.unwrap();\n");
    assert_eq!(code.lines_with(|line| line.contains(".unwrap()")), [1, 6]);
}
