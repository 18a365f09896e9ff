//! What is printed: lines, JSON, transcript; and nothing where nothing is wanted.

use testkit::smtp::{Behaviour, Script, Server};

use crate::support::{assert_sent, run, send, send_to};

#[test]
fn the_queue_id_is_named() {
    let server = Server::start(Script::default().reply("MESSAGE", "250 2.0.0 Ok: queued as 4Y0x9z"));
    let finished = send(&server, &[], b"x\n");
    assert_sent(&finished);
    let expected = "bob@example.com: accepted, queued as 4Y0x9z (250 2.0.0 Ok: queued as 4Y0x9z)\n";
    assert_eq!(finished.stdout, expected);
}

#[test]
fn the_report_of_a_server_cannot_move_the_cursor() {
    let server = Server::start(Script::default().reply("MESSAGE", "250 \x1b[2J done"));
    assert_eq!(send(&server, &[], b"x\n").stdout, "bob@example.com: accepted (250 \\x1b[2J done)\n");
}

#[test]
fn json_names_each_recipient_with_codes_and_text() {
    let refusal = Behaviour::Reply("450 4.2.1 \"Later\"".into());
    let server = Server::start(Script::default().at("RCPT", 2, refusal));
    let finished = send_to(&server, &["--to", "a@example.com,b@example.com", "--json"], b"x\n");
    assert_eq!(finished.code(), 75);
    let json: serde_json::Value = serde_json::from_str(&finished.stdout).expect("one JSON object");
    assert_eq!(json["exit_code"], 75);
    let (accepted, deferred) = (&json["recipients"][0], &json["recipients"][1]);
    assert_eq!((&accepted["status"], &accepted["queue_id"]), (&"accepted".into(), &"SINK0X1".into()));
    assert_eq!((&deferred["status"], &deferred["code"]), (&"deferred".into(), &450.into()));
    assert_eq!((&deferred["enhanced"], &deferred["text"]), (&"4.2.1".into(), &"\"Later\"".into()));
}

#[test]
fn json_is_ascii_whatever_the_server_says() {
    let server = Server::start(Script::default().reply("MESSAGE", "250 \x1b[2J \u{9b}2J Grüße 🚀"));
    let finished = send(&server, &["--json"], b"x\n");
    assert!(finished.stdout.trim_end().bytes().all(|byte| matches!(byte, b' '..=b'~')), "{finished:?}");
    let json: serde_json::Value = serde_json::from_str(&finished.stdout).expect("one JSON object");
    assert_eq!(json["recipients"][0]["text"], "\u{1b}[2J \u{9b}2J Grüße 🚀");
}

#[test]
fn the_transcript_shows_both_directions_with_times() {
    let server = Server::start(Script::default());
    let finished = send(&server, &["-v"], b"x\n");
    assert_eq!(finished.code(), 0);
    for line in ["-> EHLO ", "<- 250-PIPELINING", "-> RCPT TO:<bob@example.com>", "<- 354 ", "-> QUIT", "<- 221 "] {
        assert!(finished.stderr.contains(line), "{line} is not in {}", finished.stderr);
    }
    assert!(finished.stderr.lines().all(|line| line.starts_with("20")), "{}", finished.stderr);
}

#[test]
fn quiet_prints_errors_only() {
    let server = Server::start(Script::default());
    let finished = send(&server, &["-q"], b"x\n");
    assert_eq!((finished.code(), finished.stdout.as_str(), finished.stderr.as_str()), (0, "", ""));
    let refusing = Server::start(Script::default().reply("RCPT", "550 5.1.1 No"));
    let finished = send(&refusing, &["-q"], b"x\n");
    assert_eq!((finished.code(), finished.stdout.as_str(), finished.stderr.lines().count()), (67, "", 1));
}

#[test]
fn a_dry_run_needs_no_server_and_prints_the_message_with_plain_line_ends() {
    let finished = run(&["--dry-run", "--to", "a@example.com", "--from", "me@example.org"], b".one\r\ntwo\n");
    assert_sent(&finished);
    assert!(finished.stdout.ends_with("\n\n.one\ntwo\n"), "{}", finished.stdout);
    assert!(!finished.stdout.contains('\r'));
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (option, word) in [("--help", "Exit codes"), ("--version", "smtp-send ")] {
        let finished = run(&[option], b"");
        assert_sent(&finished);
        assert!(finished.stdout.contains(word), "{finished:?}");
    }
}
