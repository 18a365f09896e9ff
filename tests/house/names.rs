//! Rules about names: one type a name, constants in one form, no names of the old vocabulary.

use std::collections::BTreeMap;

use crate::source::{File, Kind, assert_none, is_word, line, lines, occurrences, pieces, rust};

const CRATES: [&str; 4] = ["common", "httpd", "smtp-send", "ping"];

/// Types whose name was replaced by the word of the field, by crate.
const REPLACED_TYPES: [(&str, &str); 3] = [
    (
        "httpd",
        "Admission Attempt Brake Carrier Channel Crew Document Done Door Found Gate Greeting Guard Home \
         Judged Keeper KeepAliveTold Kept Known Lane Leave Memory Misdirected NotANetwork Outlet Preface Rest \
         Seen Standing Tally Ticket Turn Verdict Wanted",
    ),
    (
        "smtp-send",
        "Board Circumstances Composition Door End Facts Fate Job Judge Letter Manner Origin Outbox Parcel \
         Person Protection Ready Reception Scan Sent Stamp Supply Task Teller Ticket Told Trouble Typed Way",
    ),
    (
        "ping",
        "Answered Backlog Bridge Course Heard Hosts Ledger Link Moment Notice Noticed Outcome Scene Seal \
         Settings Slots Sweep Tally Told Turn Watch What Words",
    ),
];

/// Functions, modules and fields whose name was replaced, in all crates.
const REPLACED_NAMES: &str = "\
    bring_back bury carry_out come_back complain_again_at converse follow_name give_back has_another_way \
    heed_signals in_hand is_meant left_out make_way postpone say_goodbye send_sign_of_life take_any \
    take_back tell_listeners turn_away CALM DOZE LAST_WORDS PULSE";

/// Beginnings and ends of constants whose form is `MAX_X`, `MIN_X` or `X_TIMEOUT`.
const CONSTANT_PREFIXES: [&str; 5] = ["MOST_", "LONGEST_", "LARGEST_", "SHORTEST_", "FEWEST_"];
const CONSTANT_SUFFIXES: [&str; 3] = ["_MAX", "_MIN", "_PATIENCE"];

fn sources(name: &str) -> Vec<File> {
    rust(&[&format!("crates/{name}/src")]).into_iter().filter(|file| !file.is_test()).collect()
}

/// The word that begins at `at`, without leading blanks.
fn word(code: &str, at: usize) -> &str {
    let rest = code[at..].trim_start();
    &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
}

/// Types that a source defines outside of functions and impl blocks, each with its line.
fn types(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for keyword in ["struct", "enum", "trait"] {
        for at in occurrences(code, keyword) {
            let depth = code[..at].matches('{').count() - code[..at].matches('}').count();
            if depth == 0 {
                found.push((word(code, at + keyword.len()).to_owned(), line(code, at)));
            }
        }
    }
    found
}

#[test]
fn a_type_name_has_one_meaning_in_a_crate() {
    let mut found = Vec::new();
    for name in CRATES {
        let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in sources(name) {
            for (name, line) in types(&file.code()) {
                places.entry(name).or_default().push(format!("{}:{line}", file.path));
            }
        }
        let several = places.into_iter().filter(|(_, places)| places.len() > 1);
        found.extend(several.map(|(name, places)| format!("{name}: {}", places.join(", "))));
    }
    assert_none(&found, "one type name means one thing within a crate");
}

#[test]
fn replaced_names_stay_away() {
    let mut found = Vec::new();
    for (name, replaced) in REPLACED_TYPES {
        for file in sources(name) {
            let old =
                types(&file.code()).into_iter().filter(|(name, _)| replaced.split_whitespace().any(|old| old == name));
            found.extend(old.map(|(name, line)| format!("{}:{line}: {name}", file.path)));
        }
    }
    for file in rust(&["crates"]) {
        let code = file.code();
        for old in REPLACED_NAMES.split_whitespace() {
            found.extend(lines(&code, old).map(|line| format!("{}:{line}: {old}", file.path)));
        }
    }
    assert_none(&found, "a name is the word of the field (tests/house/names.rs lists what was replaced)");
}

#[test]
fn limits_are_named_max_and_min() {
    let mut found = Vec::new();
    for file in rust(&["crates", "tests"]) {
        let code = crate::source::code(&file.text);
        for at in occurrences(&code, "const").chain(occurrences(&code, "static")) {
            let name = word(&code, at + "const".len()).to_owned();
            if CONSTANT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                || CONSTANT_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
                || name == "PATIENCE"
            {
                found.push(format!("{}:{}: {name}", file.path, line(&code, at)));
            }
        }
    }
    assert_none(&found, "constants are MAX_X, MIN_X, X_TIMEOUT");
}

#[test]
fn rfcs_are_cited_in_one_form() {
    let mut found = Vec::new();
    for file in rust(&["crates", "tests"]) {
        for comment in pieces(&file.text).iter().filter(|piece| piece.kind == Kind::Comment) {
            for (at, _) in comment.text.match_indices("RFC ") {
                let rest = comment.text[at + "RFC ".len()..].trim_start_matches(|c: char| c.is_ascii_digit());
                if rest.starts_with(" section") || rest.starts_with(" §") || rest.starts_with(", §") {
                    found.push(format!("{}:{}: {}", file.path, comment.line, comment.text.trim()));
                }
            }
        }
    }
    assert_none(&found, "the form is \"RFC 9110, section 8.3\"");
}
