//! Rules about files: what the top level holds, how long a file, a function and the README may be.

use std::fs;

use crate::source::{Kind, assert_none, files, item_end, line, lines, occurrences, pieces, root, rust};

const TOP_LEVEL: [&str; 7] = ["Cargo.lock", "Cargo.toml", "README.md", "crates", "target", "tests", "www"];
const MEMBERS: [&str; 5] = ["crates/common", "crates/httpd", "crates/smtp-send", "crates/ping", "tests/support"];

/// How the output of a skipped test begins, split so that this literal is none.
const SKIPPED: &str = concat!("skip", "ped: ");

const MAX_FILE_LINES: usize = 800;
const MAX_MAIN_LINES: usize = 15;
const MAX_README_LINES: usize = 150;
const MAX_FUNCTION_LINES: usize = 60;

#[test]
fn the_top_level_holds_only_what_is_listed() {
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || TOP_LEVEL.contains(&name.as_str()), "{name} does not belong to the top level");
    }
}

#[test]
fn the_readme_of_the_top_level_is_short() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= MAX_README_LINES, "README.md has {lines} lines, more than {MAX_README_LINES}");
}

#[test]
fn files_are_short_and_begin_with_their_purpose() {
    let mut offences = Vec::new();
    for file in rust(&["crates", "tests"]) {
        let lines = file.text.lines().count();
        let limit = if file.path.ends_with("/src/main.rs") { MAX_MAIN_LINES } else { MAX_FILE_LINES };
        if lines > limit {
            offences.push(format!("{}: {lines} lines, more than {limit}", file.path));
        }
        if !file.text.starts_with("//!") {
            offences.push(format!("{}: no //! in the first line", file.path));
        }
    }
    assert_none(&offences, "a file has at most 800 lines (main.rs 15) and begins with //!");
}

#[test]
fn modules_are_named_by_their_own_file() {
    let files = files(&["crates", "tests"]);
    let offences: Vec<String> =
        files.iter().filter(|file| file.path.ends_with("/mod.rs")).map(|file| file.path.clone()).collect();
    assert_none(&offences, "a module with a folder is foo.rs beside foo/, not foo/mod.rs");
}

#[test]
fn functions_fit_on_a_screen() {
    let mut offences = Vec::new();
    for file in rust(&["crates"]).iter().filter(|file| !file.is_test()) {
        let code = file.code();
        for at in occurrences(&code, "fn") {
            let lines = code[at..at + item_end(&code[at..])].lines().count();
            if lines > MAX_FUNCTION_LINES {
                offences.push(format!("{}:{}: a function of {lines} lines", file.path, line(&code, at)));
            }
        }
    }
    assert_none(&offences, "a function has at most 60 lines");
}

#[test]
fn unsafe_code_is_forbidden_and_lints_are_shared() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    for member in MEMBERS {
        let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member} does not take the lints of the workspace");
    }
}

#[test]
fn programs_do_not_unwrap() {
    let mut offences = Vec::new();
    for file in rust(&["crates"]).iter().filter(|file| !file.is_test() && !file.path.starts_with("crates/fuzz")) {
        let code = file.code();
        offences.extend(lines(&code, "unwrap()").map(|line| format!("{}:{line}: unwrap", file.path)));
    }
    assert_none(&offences, "unwrap is for tests");
}

#[test]
fn skipped_tests_are_counted() {
    let mut offences = Vec::new();
    for file in rust(&["crates", "tests"]).iter().filter(|file| !file.path.ends_with("support/src/skip.rs")) {
        let printed = pieces(&file.text);
        let printed = printed.iter().filter(|piece| piece.kind == Kind::Literal && piece.text.starts_with(SKIPPED));
        offences.extend(printed.map(|piece| format!("{}:{}: {}", file.path, piece.line, piece.text)));
    }
    assert_none(&offences, "a test that cannot run calls testkit::skip or testkit::skip_for_kernel");
}
