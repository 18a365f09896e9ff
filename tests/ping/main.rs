//! The behaviour of the real `ping`, run against this host and against networks made for the purpose.
//!
//! - `text`: what is printed, byte for byte, times aside
//! - `command_line`: wrong input, one line each
//! - `run`: when a run ends, with which code, and signals
//! - `modes`: flood and other ways of sending, and what ends a run
//! - `network`: routers, loss, late replies, dead hosts, in network namespaces (root only)
//! - `fates`: replies that are late, doubled, broken or forged, from a responder on a TUN device (root only)
//! - `faults`: a silent resolver, a link that goes down, outputs that take nothing
//! - `truth`: every fate distinguished, for programs
//! - `many_fates`: the same scenarios among many targets
//! - `targets`, `sweep`: runs of many targets: who they are, how they end, what they cost
//! - `permission`: raw socket, datagram socket, neither (root only)
//! - `dist`: the man page and the completions are those of the options

mod command_line;
mod dist;
mod fates;
mod faults;
mod many_fates;
mod modes;
mod network;
mod permission;
mod run;
mod sweep;
mod targets;
mod text;
mod truth;

use std::process::Command;

use testkit::process::{Finished, finish};

/// The program under test.
fn ping() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ping"))
}

/// Runs ping with these words as arguments, to its end.
fn run_ping(words: &str) -> Finished {
    finish(ping().args(words.split_whitespace()), b"")
}

/// Whether `address` can be pinged from here at all; says so when not.
fn can_reach(address: &str) -> bool {
    let finished = run_ping(&format!("-c 1 {address}"));
    if finished.code() == 0 {
        return true;
    }
    testkit::skip_for_kernel(&format!("{address} cannot be pinged here: {}{}", finished.stdout, finished.stderr));
    false
}

/// The output with each time replaced, so that two runs are the same.
fn without_times(output: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in output.lines() {
        let mut line = line.to_owned();
        if let Some((before, after)) = line.split_once(" time=") {
            let tail = after.split_once(" ms").map_or("", |(_, tail)| tail);
            line = format!("{before} time=TIME ms{tail}");
        } else if let Some((before, _)) = line.split_once(", time ") {
            line = format!("{before}, time TIME");
        } else if let Some((before, after)) = line.split_once(" = ") {
            let tail = after.split_once(" ms").map_or("", |(_, tail)| tail);
            line = format!("{before} = TIMES ms{tail}");
        }
        if let Some((stamp, rest)) = line.split_once("] ").filter(|(stamp, _)| stamp.starts_with('[')) {
            assert!(stamp[1..].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{stamp}");
            line = format!("[STAMP] {rest}");
        }
        lines.push(line);
    }
    lines.join("\n") + "\n"
}
