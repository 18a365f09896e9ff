//! Servers that close, stall, drip or talk nonsense: one clear line, the right code, in bounded time.

use std::time::{Duration, Instant};

use testkit::netns::Network;
use testkit::process::finish;
use testkit::smtp::{Behaviour, Script, Server};

use crate::support::{assert_fails, assert_sent, send, send_to};

/// Steps in the order of a session, without QUIT.
const STEPS: [&str; 6] = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "MESSAGE"];

fn server(step: &'static str, behaviour: Behaviour) -> Server {
    Server::start(Script::default().at(step, 0, behaviour))
}

#[test]
fn a_server_that_closes_is_a_temporary_failure_at_every_point() {
    for step in STEPS {
        let finished = send(&server(step, Behaviour::Close), &[], b"x\n");
        let words = if step == "MESSAGE" { "may have been delivered" } else { "it closed the connection" };
        assert_fails(&finished, 75, &[words]);
    }
}

#[test]
fn a_connection_lost_after_the_final_dot_is_reported_as_unknown() {
    let finished = send(&server("MESSAGE", Behaviour::Close), &["--json"], b"x\n");
    assert!(finished.stdout.contains(r#""status":"unknown""#), "{}", finished.stdout);
}

#[test]
fn a_silent_server_is_left_after_the_timeout_at_every_point() {
    for step in STEPS {
        let started = Instant::now();
        let finished = send(&server(step, Behaviour::Silence), &["--timeout", "0.2"], b"x\n");
        assert_fails(&finished, 75, &["within 0.2 s"]);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_dripping_server_cannot_stretch_the_timeout() {
    // Each byte comes well within the timeout, the whole line does not.
    let drip = Behaviour::Drip("220 an endless greeting of a very slow server".into(), Duration::from_millis(100));
    let started = Instant::now();
    assert_fails(&send(&server("CONNECT", drip), &["--timeout", "0.3"], b"x\n"), 75, &["within 0.3 s"]);
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn max_time_bounds_the_whole_run() {
    let slow = |reply: &str| Behaviour::Drip(reply.into(), Duration::from_millis(20));
    let script = Script::default().at("CONNECT", 0, slow("220 hi")).at("EHLO", 0, slow("250 sink")).at(
        "MAIL",
        0,
        slow("250 a long answer to a short question"),
    );
    let started = Instant::now();
    let finished = send(&Server::start(script), &["--timeout", "20", "--max-time", "0.6"], b"x\n");
    assert_fails(&finished, 75, &["no complete reply to"]);
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_resolver_that_never_answers_is_left_when_the_time_is_over() {
    let network = match Network::new(&["a"]) {
        Ok(network) => network,
        Err(why) => return testkit::skip(&why),
    };
    // Questions to this address go out and nothing comes back.
    network.ip("a", "route add 192.0.2.53/32 dev lo");
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&settings, "nameserver 192.0.2.53\n").unwrap();
    // Each command in a namespace has its own mounts.
    let script = "mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";
    let mut command = network.command("a", "sh");
    command.args(["-c", script, "sh"]).arg(settings.path()).arg(env!("CARGO_BIN_EXE_smtp-send"));
    command.args(["--server", "mail.example.com", "--to", "bob@example.com", "--body", "x", "--max-time", "0.4"]);
    let started = Instant::now();
    let finished = finish(&mut command, b"");
    assert_fails(&finished, 75, &["mail.example.com", "the resolver did not answer within 0.4 s"]);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn a_server_that_closes_or_stops_replying_in_the_middle_of_chunks_has_accepted_no_recipient() {
    let text = b"line\n".repeat(400_000);
    for (behaviour, words) in [(Behaviour::Close, "the message"), (Behaviour::Silence, "within 0.3 s")] {
        let script = Script::default().extensions(&["CHUNKING"]).at("BDAT", 2, behaviour);
        let finished = send(&Server::start(script), &["--timeout", "0.3", "--json"], &text);
        assert_fails(&finished, 75, &[words]);
        assert!(finished.stdout.contains(r#""status":"unsent""#), "{}", finished.stdout);
    }
}

#[test]
fn a_421_ends_the_session_at_every_point() {
    for step in STEPS {
        let server = server(step, Behaviour::ReplyAndClose("421 4.3.2 Going down".into()));
        assert_fails(&send(&server, &[], b"x\n"), 75, &["421 4.3.2 Going down"]);
        assert!(!server.lines().iter().any(|line| line.starts_with("HELO")));
    }
}

#[test]
fn what_is_not_smtp_is_a_protocol_error_without_escape_sequences() {
    for nonsense in ["HTTP/1.1 400 Bad Request\r\n", "\x1b[2J\x1b]0;gone\x07\r\n", "250-a\r\n550 b\r\n", "999 x\r\n"] {
        let finished = send(&server("CONNECT", Behaviour::Raw(nonsense.into())), &["-v"], b"x\n");
        assert_eq!(finished.code(), 76, "{finished:?}");
        assert!(!finished.stderr.contains('\x1b'), "{finished:?}");
    }
}

#[test]
fn endless_replies_are_ended() {
    let endless =
        [b"220 ".repeat(50_000), b"220-x\r\n".repeat(5000), [&b"220-"[..], &[b'x'; 4000], b"\r\n"].concat().repeat(50)];
    for bytes in endless {
        assert_fails(&send(&server("CONNECT", Behaviour::Raw(bytes)), &[], b"x\n"), 76, &["reply without end"]);
    }
}

#[test]
fn a_greeting_that_refuses_is_reported() {
    let finished = send(&server("CONNECT", Behaviour::Reply("554 5.7.1 No service".into())), &[], b"x\n");
    assert_fails(&finished, 69, &["the greeting", "554 5.7.1 No service"]);
}

#[test]
fn a_positive_answer_to_data_without_354_is_a_protocol_error() {
    assert_fails(&send(&server("DATA", Behaviour::Reply("250 Ok".into())), &[], b"x\n"), 76, &["unexpected", "DATA"]);
}

#[test]
fn after_the_250_nothing_turns_success_into_failure() {
    for behaviour in [Behaviour::Close, Behaviour::Reply("554 No".into()), Behaviour::Raw(b"\x00\xff\r\n".to_vec())] {
        assert_sent(&send(&server("QUIT", behaviour), &[], b"x\n"));
    }
    assert_sent(&send(&server("QUIT", Behaviour::Silence), &["--timeout", "0.2"], b"x\n"));
    let first = Behaviour::ReplyAndClose("250 2.0.0 Ok: queued as A1".into());
    assert_sent(&send(&server("MESSAGE", first), &[], b"x\n"));
}

#[test]
fn a_hundred_recipients_are_refused_one_by_one_without_blocking() {
    let many: Vec<_> = (0..1000).map(|number| format!("user{number}@example.com")).collect();
    let server = Server::start(Script::default().reply("RCPT", &format!("550 5.1.1 {}", "no ".repeat(150))));
    let finished = send_to(&server, &["--bcc", &many.join(",")], b"x\n");
    assert_fails(&finished, 67, &["1000 of 1000"]);
    assert_eq!(finished.stdout.lines().count(), 1000);
}

#[test]
fn a_server_that_skips_the_message_has_accepted_no_recipient() {
    for script in [
        Script::default().reply("DATA", "250 2.0.0 Ok"),
        Script::default().at("DATA", 1, Behaviour::Raw(b"354 Go on\r\n250 2.0.0 Ok\r\n".to_vec())),
    ] {
        let server = Server::start(script);
        let finished = send(&server, &["--json"], b"x\n");
        assert_fails(&finished, 76, &["unexpected reply to"]);
        assert!(finished.stdout.contains(r#""status":"unsent""#), "{finished:?}");
    }
}

#[test]
fn an_answer_to_the_final_dot_that_is_neither_yes_nor_no_leaves_the_fate_unknown() {
    let server = Server::start(Script::default().reply("MESSAGE", "354 More"));
    let finished = send(&server, &[], b"x\n");
    assert_fails(&finished, 75, &["may have been delivered", "354 More"]);
    assert_eq!(finished.stdout, "bob@example.com: unknown, may have been delivered\n");
}
