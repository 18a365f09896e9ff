//! The program with the arguments that nearly every test needs.

use std::process::Command;

use testkit::process::{Finished, finish};
use testkit::smtp::Server;

/// The real binary, with `args`.
pub(crate) fn smtp_send(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtp-send"));
    command.args(args).env("NO_COLOR", "1").env("TZ", "UTC");
    // What the person who runs the tests has configured is no part of them.
    command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME");
    command.env_remove("SMTP_SEND_ACCOUNT").env_remove("SMTP_PASSWORD");
    command
}

/// Runs it to its end with `text` on standard input.
pub(crate) fn run(args: &[&str], text: &[u8]) -> Finished {
    finish(&mut smtp_send(args), text)
}

/// Sends `text` to bob@example.com over `server`, with further arguments.
pub(crate) fn send(server: &Server, args: &[&str], text: &[u8]) -> Finished {
    send_to(server, &[&["--to", "bob@example.com"], args].concat(), text)
}

/// Sends `text` over `server`; the recipients are among `args`.
pub(crate) fn send_to(server: &Server, args: &[&str], text: &[u8]) -> Finished {
    let address = server.address().to_string();
    run(&[&["--server", &address, "--from", "me@example.org"], args].concat(), text)
}

/// Demands that a run ended with `code` and printed one line on standard error that holds all of `words`.
#[track_caller]
pub(crate) fn assert_fails(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code(), code, "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    assert!(finished.stderr.starts_with("smtp-send: "), "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word} is not in {finished:?}");
    }
}

/// Demands that a run ended well and said nothing on standard error.
#[track_caller]
pub(crate) fn assert_sent(finished: &Finished) {
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
}
