//! Reads the sources of the workspace as text and separates code, comments and string literals.
//!
//! Text instead of a parser: the rules also apply to code that no test compiles.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no text of the project: build output, test data and its expected output.
const NOT_READ: [&str; 6] = ["target", "seeds", "artifacts", "corpus", "golden", "fixtures"];

/// The workspace folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A text file of the project.
pub(crate) struct File {
    /// From the workspace folder, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// The program part of a Rust source: comments, string literals and unit tests are replaced by spaces.
    pub(crate) fn code(&self) -> String {
        without_tests(&code(&self.text))
    }

    pub(crate) fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|end| end == "rs")
    }

    /// Whether the whole file is compiled for tests only.
    pub(crate) fn is_test(&self) -> bool {
        !self.path.starts_with("crates/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

/// Every readable text file below these folders, sorted by path.
pub(crate) fn files(folders: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = pending.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !NOT_READ.contains(&&*name) {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            found.push(File { path, text });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!found.is_empty(), "no files below {folders:?}");
    found
}

/// The Rust sources below these folders.
pub(crate) fn rust(folders: &[&str]) -> Vec<File> {
    files(folders).into_iter().filter(File::is_rust).collect()
}

/// Fails with one offence a line, so that a run lists all of them.
pub(crate) fn assert_none(offences: &[String], rule: &str) {
    assert!(offences.is_empty(), "{rule}; {} offences:\n{}", offences.len(), offences.join("\n"));
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Code,
    Comment,
    Literal,
}

/// A run of bytes of one kind.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: Kind,
    /// Line number of its first byte, from 1.
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// Splits a Rust source; literals are pieces without their quotes.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut start, mut at, mut line) = (0, 0, 1);
    while at < text.len() {
        let Some((kind, opening, inside, closing)) = opens(text, at) else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        for (kind, text) in [
            (Kind::Code, &text[start..at + opening]),
            (kind, &text[at + opening..at + opening + inside]),
            (Kind::Code, &text[at + opening + inside..at + opening + inside + closing]),
        ] {
            found.push(Piece { kind, line, text });
            line += text.matches('\n').count();
        }
        at += opening + inside + closing;
        start = at;
    }
    found.push(Piece { kind: Kind::Code, line, text: &text[start..] });
    found
}

/// What begins at `at`, if it is a comment or a literal: its kind and the lengths of opening, content and closing.
fn opens(text: &str, at: usize) -> Option<(Kind, usize, usize, usize)> {
    let rest = &text[at..];
    if rest.starts_with("//") {
        return Some((Kind::Comment, 0, rest.find('\n').unwrap_or(rest.len()), 0));
    }
    if rest.starts_with("/*") {
        return Some((Kind::Comment, 0, rest.find("*/").map_or(rest.len(), |end| end + 2), 0));
    }
    let is_inside_word = text[..at].chars().next_back().is_some_and(is_word);
    if !is_inside_word && (rest.starts_with('r') || rest.starts_with("br")) {
        let prefix = rest.find('r')? + 1;
        let hashes = rest[prefix..].len() - rest[prefix..].trim_start_matches('#').len();
        if rest[prefix + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let opening = prefix + hashes + 1;
            return Some((Kind::Literal, opening, rest[opening..].find(&end)?, end.len()));
        }
        return None;
    }
    if let Some(content) = rest.strip_prefix('"') {
        return Some((Kind::Literal, 1, unescaped(content, '"')?, 1));
    }
    if let Some(content) = rest.strip_prefix('\'') {
        let length = content.chars().next()?.len_utf8();
        let is_character = content.starts_with('\\') || content[length..].starts_with('\'');
        return is_character.then(|| unescaped(content, '\'')).flatten().map(|inside| (Kind::Literal, 1, inside, 1));
    }
    None
}

/// Where `end` stands first without a backslash in front of it.
fn unescaped(content: &str, end: char) -> Option<usize> {
    let mut escaped = false;
    content.char_indices().find_map(|(at, c)| {
        let found = c == end && !escaped;
        escaped = c == '\\' && !escaped;
        found.then_some(at)
    })
}

/// The code with everything else replaced by spaces, so that lines keep their numbers.
pub(crate) fn code(text: &str) -> String {
    let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
    let mut code = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece.kind {
            Kind::Code => code.push_str(piece.text),
            Kind::Comment | Kind::Literal => code.extend(piece.text.chars().map(blank)),
        }
    }
    code
}

/// Removes each item behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = item_end(rest);
        kept.extend(rest[..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    kept + rest
}

/// Where the first item of `code` ends: its semicolon or its closing brace.
pub(crate) fn item_end(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `item` stands in `text` as a whole word or path.
pub(crate) fn occurrences<'a>(text: &'a str, item: &'a str) -> impl Iterator<Item = usize> + 'a {
    let ends_in_word = item.chars().next_back().is_some_and(is_word);
    text.match_indices(item).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back().is_none_or(|c| !is_word(c));
        let after = text[at + item.len()..].chars().next().is_none_or(|c| !is_word(c));
        before && (after || !ends_in_word)
    })
}

/// The line of the byte at `at`, from 1.
pub(crate) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The lines in which `item` stands as a whole word or path.
pub(crate) fn lines<'a>(text: &'a str, item: &'a str) -> impl Iterator<Item = usize> + 'a {
    occurrences(text, item).map(|at| line(text, at))
}

#[test]
fn code_comments_and_literals_are_separated() {
    let text = "let a = \"x // y\"; // 'z\nfn f<'a>(c: char) { c == '\"' } r#\"\"q\"\"#;";
    let of = |kind| pieces(text).into_iter().filter(|p| p.kind == kind).map(|p| p.text).collect::<Vec<_>>();
    assert_eq!(of(Kind::Comment), ["// 'z"]);
    assert_eq!(of(Kind::Literal), ["x // y", "\"", "\"q\""]);
    assert_eq!(code("a/*b*/c"), "a     c");
    assert_eq!(without_tests("a;\n#[cfg(test)]\nmod tests {\n { }\n}\nb;"), "a;\n\n\n\n\nb;");
}
