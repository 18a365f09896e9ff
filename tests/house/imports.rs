//! Rules about imports: the pure floors, the edge, the order of the modules and no loops.

use crate::graph::Graph;
use crate::source::{assert_none, lines, rust};

/// What makes code impure: I/O, clock, environment, log.
const IMPURE: [&str; 16] = [
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
    "socket2",
    "rustls",
    "clap",
    "chrono",
];

/// Engines decide and do not act; like `proto/` they are free of I/O. Files and folders below `crates/`.
const ENGINES: [&str; 25] = [
    "httpd/src/content/archive/header.rs",
    "httpd/src/content/error_page.rs",
    "httpd/src/content/representation.rs",
    "httpd/src/content/routing.rs",
    "httpd/src/live_reload/page.rs",
    "httpd/src/net/token_bucket.rs",
    "smtp-send/src/session.rs",
    "smtp-send/src/session/",
    "ping/src/multi/alive_set.rs",
    "ping/src/multi/probe_ring.rs",
    "ping/src/multi/target_set.rs",
    "ping/src/multi/target_spec.rs",
    "ping/src/multi/target_stats.rs",
    "ping/src/multi/tracker.rs",
    "ping/src/rtt.rs",
    "ping/src/single/scheduler.rs",
    "ping/src/single/scheduler/",
    "ping/src/single/plan.rs",
    "ping/src/single/sent_probe.rs",
    "ping/src/single/sequence_stats.rs",
    "ping/src/multi/tracker/",
    "ping/src/probe_state.rs",
    "ping/src/stats.rs",
    "ping/src/stats/",
    "common/src/values.rs",
];

/// A floor: modules that may import only from floors before theirs. A name covers the folder of the module, except parts
/// of the folder that another floor names.
type Floor = &'static [&'static str];

/// The floors of each program from the bottom up.
const FLOORS: [(&str, &[Floor]); 3] = [
    (
        "httpd",
        &[
            &["proto", "cli", "exit_code", "file_version", "shutdown", "waker"],
            &["clock", "tls"],
            &["content", "net"],
            &["auth", "live_reload"],
            &["connection", "telemetry"],
            &["handler"],
            &["blocking", "config"],
            &["startup", "worker"],
            &["threads"],
            &["lib"],
        ],
    ),
    (
        "smtp-send",
        &[
            &["proto", "errors", "exit_code", "progress_bar"],
            &["dns", "host", "message", "run_id", "session"],
            &["cli", "secret"],
            &["net"],
            &["config"],
            &["account", "report", "source"],
            &["journal"],
            &["delivery"],
            &["mx"],
            &["sendmail"],
            &["lib"],
        ],
    ),
    (
        "ping",
        &[
            &["proto", "cli", "exit_code", "family", "privilege", "rtt", "signals", "stats"],
            &["clock", "multi::target_spec", "output", "probe_state", "single::plan"],
            &["json", "multi::target_set"],
            &["config"],
            &["resolve", "socket"],
            &["multi", "single"],
            &["lib"],
        ],
    ),
];

/// One offence for each of `forbidden` in the code of the files that `applies` picks.
fn offences(forbidden: &[&str], applies: impl Fn(&str) -> bool) -> Vec<String> {
    let files: Vec<_> = rust(&["crates"]).into_iter().filter(|file| !file.is_test() && applies(&file.path)).collect();
    assert!(!files.is_empty(), "the rule about {forbidden:?} applies to no file");
    let mut found = Vec::new();
    for file in files {
        let code = file.code();
        for item in forbidden {
            found.extend(lines(&code, item).map(|line| format!("{}:{line}: {item}", file.path)));
        }
    }
    found
}

#[test]
fn protocol_code_and_engines_do_no_io() {
    let is_engine = |path: &str| ENGINES.iter().any(|engine| path["crates/".len()..].starts_with(engine));
    let found = offences(&IMPURE, |path| path.contains("/src/proto/") || is_engine(path));
    assert_none(&found, "proto/ and engines are free of I/O, sockets, clock, environment and log");
}

#[test]
fn each_engine_exists() {
    let files = rust(&["crates"]);
    let is_there = |engine: &str| files.iter().any(|file| file.path["crates/".len()..].starts_with(engine));
    let missing: Vec<String> = ENGINES.iter().filter(|engine| !is_there(engine)).map(|&name| name.to_owned()).collect();
    assert_none(&missing, "the list of engines names files that exist");
}

#[test]
fn only_the_command_line_imports_clap() {
    let is_inside = |path: &str| {
        !path.ends_with("/cli.rs")
            && !path.contains("/cli/")
            && !path.ends_with("/lib.rs")
            && !path.starts_with("crates/common/")
    };
    assert_none(&offences(&["clap"], is_inside), "clap belongs into cli, lib.rs and common");
}

#[test]
fn only_the_configuration_imports_the_command_line() {
    let is_inside = |path: &str| {
        !path.ends_with("/lib.rs")
            && !path.ends_with("/src/config.rs")
            && !path.contains("/config/")
            && !path.ends_with("/src/cli.rs")
            && !path.contains("/src/cli/")
            && !path.starts_with("crates/fuzz")
            && !path.starts_with("crates/common")
    };
    assert_none(&offences(&["cli"], is_inside), "types of cli belong into config and lib.rs");
}

#[test]
fn only_the_edge_uses_anyhow() {
    let edge = ["/main.rs", "/lib.rs", "/config.rs", "common/src/exit.rs"];
    let is_inside = |path: &str| !edge.iter().any(|end| path.ends_with(end)) && !path.contains("/config/");
    assert_none(&offences(&["anyhow"], is_inside), "anyhow belongs into main, lib, config and common::exit");
}

#[test]
fn programs_do_not_import_each_other() {
    let mut found = Vec::new();
    for own in ["common", "httpd", "smtp-send", "ping"] {
        let others: Vec<&str> = ["httpd::", "smtp_send::", "ping::"]
            .into_iter()
            .filter(|program| !program.starts_with(&own.replace('-', "_")))
            .collect();
        let paths = offences(&others, |path| path.starts_with(&format!("crates/{own}/")));
        // A path that begins with another name (`crate::ping::`) is of this crate.
        found.extend(paths);
    }
    assert_none(&found, "programs share code by way of common only");
}

#[test]
fn modules_do_not_import_in_loops() {
    let mut found = Vec::new();
    for name in ["common", "httpd", "smtp-send", "ping"] {
        let graph = Graph::of(name);
        found.extend(graph.loops().iter().map(|group| format!("{name}: {group:?}")));
    }
    assert_none(&found, "the modules of a crate import each other in one direction");
}

/// The name that covers this module and the height of its floor: the longest one counts.
fn floor<'a>(floors: &[&[&'a str]], module: &str) -> Option<(&'a str, usize)> {
    let names = floors.iter().enumerate().flat_map(|(height, names)| names.iter().map(move |name| (*name, height)));
    let covers = |name: &str| module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    names.filter(|(name, _)| covers(name)).max_by_key(|(name, _)| name.len())
}

#[test]
fn modules_import_only_from_lower_floors() {
    let mut found = Vec::new();
    for (name, floors) in FLOORS {
        for (module, imports) in &Graph::of(name).imports {
            let Some((own, height)) = floor(floors, module) else {
                found.push(format!("{name}: {module} is on no floor"));
                continue;
            };
            for import in imports {
                if floor(floors, import).is_some_and(|(other, lower)| other != own && lower >= height) {
                    found.push(format!("{name}: {module} imports {import}, which is not below it"));
                }
            }
        }
    }
    assert_none(
        &found,
        "a module imports from its own folder and from lower floors (FLOORS in tests/house/imports.rs)",
    );
}
