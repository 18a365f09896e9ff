//! The rules of the house that a machine can check: who may import whom, how long a file may be, what the top level holds.
//!
//! The rules stand in the CONTRIBUTING section of the README. Each check reads the sources as text, so it also sees code
//! that no test compiles.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All Rust sources below these folders of the workspace, as (path from the top, text).
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no sources below {folders:?}");
    found
}

/// The program part of a source, without its unit tests and without comments.
fn code(text: &str) -> String {
    let program = text.split("#[cfg(test)]").next().unwrap();
    program.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether `code` names the path `item`, as a whole word.
fn names(code: &str, item: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(item).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_none_or(|c| !is_word(c));
        let after = code[at + item.len()..].chars().next().is_none_or(|c| !is_word(c));
        before && after
    })
}

/// Fails for every file that `applies` picks and that names one of the forbidden things.
fn nobody_names(forbidden: &[&str], why: &str, applies: impl Fn(&str) -> bool) {
    let mut checked = 0;
    let mut offences = Vec::new();
    for (path, text) in sources(&["crates"]).iter().filter(|(path, _)| applies(path)) {
        checked += 1;
        let code = code(text);
        offences.extend(forbidden.iter().filter(|item| names(&code, item)).map(|item| format!("{path} names {item}")));
    }
    assert!(checked > 0, "the rule applies to no file: {why}");
    assert!(offences.is_empty(), "{why}:\n{}", offences.join("\n"));
}

const PROTOCOL: [&str; 12] = [
    "std::io",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "TcpStream",
    "UdpSocket",
    "SystemTime::now",
    "Instant::now",
    "log::",
    "anyhow",
    "nix",
];
/// Engines decide and do not act: the same as the protocol, and no sockets or terminals by way of a crate either.
const ENGINES: [&str; 21] = [
    "httpd/src/archive/header.rs",
    "httpd/src/live/page.rs",
    "httpd/src/rate.rs",
    "httpd/src/site.rs",
    "httpd/src/representation.rs",
    "httpd/src/page.rs",
    "smtp-send/src/session.rs",
    "smtp-send/src/session/",
    "ping/src/pinger.rs",
    "ping/src/pinger/plan.rs",
    "ping/src/pinger/slot.rs",
    "ping/src/pinger/tally.rs",
    "ping/src/stats.rs",
    "ping/src/stats/",
    "ping/src/many/answered.rs",
    "ping/src/many/heard.rs",
    "ping/src/many/hosts.rs",
    "ping/src/many/ledger.rs",
    "ping/src/many/outcome.rs",
    "ping/src/many/slots.rs",
    "ping/src/many/target.rs",
];

#[test]
fn protocol_code_and_engines_do_no_io() {
    let is_pure = |path: &str| path.contains("/src/proto/") || ENGINES.iter().any(|engine| path.contains(engine));
    nobody_names(&PROTOCOL, "protocol code and engines are free of I/O, clock, environment and log", is_pure);
    nobody_names(&["socket2", "rustls", "clap", "chrono"], "protocol code and engines know no sockets", is_pure);
}

#[test]
fn only_the_command_line_knows_clap() {
    let others = |path: &str| {
        !path.ends_with("/cli.rs")
            && !path.contains("/cli/")
            && !path.ends_with("/lib.rs")
            && !path.starts_with("crates/common/")
    };
    nobody_names(&["clap"], "clap belongs into cli.rs and lib.rs", others);
}

#[test]
fn anyhow_is_for_the_edge() {
    let edge = ["/main.rs", "/lib.rs", "/config.rs", "common/src/exit.rs"];
    let inside = |path: &str| !edge.iter().any(|end| path.ends_with(end)) && !path.contains("/config/");
    nobody_names(&["anyhow"], "anyhow belongs into main, lib, config and common::exit", inside);
}

#[test]
fn programs_never_import_each_other_and_common_imports_none() {
    let programs = ["httpd", "smtp_send", "ping"];
    for (path, text) in sources(&["crates"]) {
        let own = path.split('/').nth(1).unwrap().replace('-', "_");
        for program in programs.iter().filter(|program| **program != own && own != "fuzz") {
            assert!(!names(&code(&text), &format!("{program}::")), "{path} imports {program}");
        }
    }
}

#[test]
fn main_is_short_and_no_file_is_long() {
    for (path, text) in sources(&["crates", "tests"]) {
        let lines = text.lines().count();
        let limit = if path.ends_with("/src/main.rs") { 15 } else { 800 };
        assert!(lines <= limit, "{path} has {lines} lines, more than {limit}");
        assert!(text.starts_with("//!"), "{path} does not say what it is");
    }
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    for member in ["crates/common", "crates/httpd", "crates/smtp-send", "crates/ping", "tests/support"] {
        let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member} does not take the lints of the workspace");
    }
}

#[test]
fn the_top_level_holds_what_it_may() {
    let allowed = ["Cargo.lock", "Cargo.toml", "README.md", "crates", "target", "tests", "www"];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || allowed.contains(&name.as_str()), "{name} does not belong to the top level");
    }
}
