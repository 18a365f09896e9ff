//! The word list: metaphors, persons for things and old-fashioned English in comments, messages, help, names and tests.

use crate::source::{File, Kind, assert_none, files, pieces};

/// What is read: sources, scripts, manuals, manifests.
const READ: [&str; 5] = [".ci", "Cargo.toml", "README.md", "crates", "tests"];
/// Ends of paths that are not read: the word data, names of dependencies, the licence.
const NOT_READ: [&str; 4] = ["house/words.rs", "house/names.rs", "Cargo.lock", "copyright"];
/// Completions, which are generated from the help.
const GENERATED: [&str; 3] = [".bash", ".fish", "/dist/_"];

/// Words and phrases that are not used, in lower case; upper-case words (MUST, SHALL) are quotes from an RFC.
const UNWANTED: &[&str] = &[
    // Persons for things.
    "whoever",
    "whomever",
    "nobody",
    "somebody",
    "anybody",
    "everybody",
    "doorkeeper",
    "stranger",
    "strangers",
    "judge",
    "judges",
    "judged",
    "innocent",
    // Speech and hearing for I/O.
    "told",
    "hears",
    "heard",
    "goodbye",
    "sign of life",
    "signs of life",
    // Turns of phrase.
    "shall",
    "whence",
    "thereof",
    "anew",
    "in vain",
    "wish",
    "wishes",
    "of its own",
    "of their own",
    "its own affair",
    "affair",
    "affairs",
    "comes to an end",
    "come to an end",
    "goes home",
    "go home",
    "at the door",
    "of this world",
    "none of our",
    "stands for",
    "stands in for",
    "is let in",
    "are let in",
    "lets in",
    "turned away",
    "turns away",
    "outweighs",
    "outweigh",
    "the other side",
    "and the like",
    "for good",
    "in good hands",
    "patience",
    "how-maniest",
    "maniest",
    // RFC 9110 and RFC 5321 are read in bytes here.
    "octet",
    "octets",
];

/// Where such a word is right.
const ALLOWED: &[(&str, &str)] = &[
    ("--user nobody", "the Unix user"),
    ("user nobody", "the Unix user"),
    ("\"nobody\"", "the Unix user"),
    ("nobody:", "the Unix user"),
    (".octets()", "the method of the standard library"),
    ("octet-stream", "the media type"),
    ("octet\\-stream", "the media type in a man page"),
    ("octet_stream", "the media type"),
];

/// The words of a text, in lower case and with their lines; names are split at `_` and at capitals.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut line = line.to_owned();
        for (phrase, _) in ALLOWED {
            line = line.replace(phrase, " ");
        }
        let mut split = String::new();
        let mut previous = ' ';
        for c in line.chars() {
            if previous.is_lowercase() && c.is_uppercase() {
                split.push(' ');
            }
            split.push(c);
            previous = c;
        }
        let words = split.split(|c: char| !c.is_alphabetic() && c != '\'').filter(|word| !word.is_empty());
        let is_quote = |word: &str| word.len() > 1 && word.chars().all(char::is_uppercase);
        found.extend(
            words
                .filter(|word| !is_quote(word))
                .map(|word| (number + 1, word.trim_end_matches("'s").trim_matches('\'').to_lowercase())),
        );
    }
    found
}

/// The text in which a phrase of several words can occur: in Rust everything but code (`for good in list`).
fn prose(file: &File) -> String {
    if !file.is_rust() {
        return file.text.clone();
    }
    let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
    let prose = |text: &str, kind| if kind == Kind::Code { text.chars().map(blank).collect() } else { text.to_owned() };
    pieces(&file.text).iter().map(|piece| prose(piece.text, piece.kind)).collect()
}

fn unwanted(file: &File) -> Vec<(usize, &'static str)> {
    let (all, prose) = (words(&file.text), words(&prose(file)));
    let mut found = Vec::new();
    for phrase in UNWANTED {
        let parts: Vec<&str> = phrase.split(' ').collect();
        let words = if parts.len() > 1 { &prose } else { &all };
        for window in words.windows(parts.len()) {
            if window.iter().map(|(_, word)| word.as_str()).eq(parts.iter().copied()) {
                found.push((window[0].0, *phrase));
            }
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn plain_words_are_used() {
    let is_generated = |path: &str| path.contains("/dist/") && GENERATED.iter().any(|part| path.contains(part));
    let is_read = |path: &str| !NOT_READ.iter().any(|end| path.ends_with(end)) && !is_generated(path);
    let mut found = Vec::new();
    for file in files(&READ).iter().filter(|file| is_read(&file.path)) {
        found.extend(unwanted(file).into_iter().map(|(line, word)| format!("{}:{line}: {word}", file.path)));
    }
    assert_none(&found, "these words are not used here (tests/house/words.rs)");
}

#[test]
fn words_are_found_in_names_and_across_lines() {
    let text =
        "fn whoever_asks() { for good in list {} } struct SomebodyElse; // comes to\n// an end, nobody: x, RFC SHALL";
    let file = File { path: "a.rs".to_owned(), text: text.to_owned() };
    assert_eq!(unwanted(&file), [(1, "comes to an end"), (1, "somebody"), (1, "whoever")]);
}
