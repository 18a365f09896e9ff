//! What is said and in which order.

use testkit::smtp::{Behaviour, Script, Server};

use crate::support::{assert_fails, assert_sent, send, send_to};

const THREE: [&str; 2] = ["--to", "a@example.com, b@example.com, c@example.com"];

#[test]
fn with_pipelining_the_transaction_is_one_flight() {
    let server = Server::start(Script::default());
    assert_sent(&send_to(&server, &THREE, b"x\n"));
    let commands = server.commands();
    let mail = commands.iter().find(|command| command.line.starts_with("MAIL")).unwrap();
    let flight = commands.iter().filter(|command| command.flight == mail.flight);
    let verbs: Vec<_> = flight.map(|command| command.line.split(' ').next().unwrap()).collect();
    assert_eq!(verbs, ["MAIL", "RCPT", "RCPT", "RCPT", "DATA", "QUIT"], "{commands:?}");
}

#[test]
fn without_pipelining_every_command_waits_for_its_reply() {
    let server = Server::start(Script::default().extensions(&["SIZE"]));
    assert_sent(&send_to(&server, &THREE, b"x\n"));
    let flights: Vec<_> = server.commands().iter().map(|command| command.flight).collect();
    assert!(flights.windows(2).all(|pair| pair[0] < pair[1]), "{flights:?}");
}

#[test]
fn a_server_without_ehlo_is_greeted_with_helo() {
    for code in ["500 5.5.1 What?", "502 5.5.1 Not here"] {
        let server = Server::start(Script::default().reply("EHLO", code));
        assert_sent(&send(&server, &["--helo", "client.example.com"], b"x\n"));
        let lines = server.lines();
        assert_eq!(lines[..3], ["EHLO client.example.com", "HELO client.example.com", "MAIL FROM:<me@example.org>"]);
        assert_eq!(server.mails().len(), 1);
    }
}

#[test]
fn another_refusal_of_ehlo_does_not_lead_to_helo() {
    let server = Server::start(Script::default().reply("EHLO", "550 5.7.1 Go away"));
    assert_fails(&send(&server, &[], b"x\n"), 69, &["EHLO", "550 5.7.1 Go away"]);
    assert_eq!(server.lines()[1..], ["QUIT"]);
}

#[test]
fn one_refused_recipient_does_not_stop_the_others() {
    for extensions in [&["PIPELINING"][..], &[]] {
        let refusal = Behaviour::Reply("550 5.1.1 No such user".into());
        let server = Server::start(Script::default().extensions(extensions).at("RCPT", 2, refusal));
        let finished = send_to(&server, &THREE, b"x\n");
        assert_fails(&finished, 67, &["1 of 3", "b@example.com", "550 5.1.1 No such user"]);
        assert_eq!(server.mail().to, ["<a@example.com>", "<c@example.com>"]);
        let lines: Vec<_> = finished.stdout.lines().collect();
        assert!(lines[0].starts_with("a@example.com: accepted, queued as SINK"), "{lines:?}");
        assert_eq!(lines[1], "b@example.com: refused at RCPT: 550 5.1.1 No such user");
    }
}

#[test]
fn refused_for_now_is_75_and_refused_permanently_takes_precedence_over_it() {
    let busy = Behaviour::Reply("450 4.2.1 Try later".into());
    let server = Server::start(Script::default().at("RCPT", 1, busy.clone()));
    assert_fails(&send_to(&server, &THREE, b"x\n"), 75, &["450 4.2.1 Try later"]);
    let never = Behaviour::Reply("550 5.7.1 Never".into());
    let server = Server::start(Script::default().at("RCPT", 1, busy).at("RCPT", 2, never));
    assert_fails(&send_to(&server, &THREE, b"x\n"), 69, &["2 of 3", "550 5.7.1 Never"]);
}

#[test]
fn when_all_are_refused_and_354_comes_only_a_dot_is_sent() {
    let script = Script::default().reply("RCPT", "550 5.1.1 No").reply("DATA", "354 Go on");
    let server = Server::start(script);
    assert_fails(&send(&server, &[], b"secret\n"), 67, &["550 5.1.1 No"]);
    assert_eq!(server.mails(), []);
    assert_eq!(server.lines().last().unwrap(), "QUIT");
}

#[test]
fn a_refused_sender_is_reported_as_such() {
    let server = Server::start(Script::default().reply("MAIL", "553 5.1.8 Not from you"));
    let finished = send(&server, &[], b"x\n");
    assert_fails(&finished, 69, &["refused MAIL", "553 5.1.8 Not from you"]);
    assert_eq!(finished.stdout, "");
}

#[test]
fn recipients_that_are_too_many_get_a_second_transaction() {
    let full = Behaviour::Reply("452 4.5.3 Too many recipients".into());
    let server = Server::start(Script::default().at("RCPT", 2, full.clone()).at("RCPT", 3, full));
    assert_sent(&send_to(&server, &THREE, b"x\n"));
    let to: Vec<_> = server.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [vec!["<a@example.com>"], vec!["<b@example.com>", "<c@example.com>"]]);
}

#[test]
fn a_message_over_the_announced_size_is_never_started() {
    let server = Server::start(Script::default().extensions(&["SIZE 1000"]));
    assert_fails(&send(&server, &[], &[b'x'; 2000]), 69, &["at most 1000"]);
    assert_eq!(server.lines()[1..], ["QUIT"]);
}

#[test]
fn a_message_refused_after_its_dot_is_refused() {
    let server = Server::start(Script::default().reply("MESSAGE", "554 5.7.1 Spam"));
    assert_fails(&send(&server, &[], b"x\n"), 69, &["554 5.7.1 Spam"]);
}

#[test]
fn other_success_codes_are_success() {
    let script = Script::default().reply("RCPT", "251 2.1.5 Will forward").reply("MESSAGE", "259");
    let server = Server::start(script);
    assert_sent(&send(&server, &[], b"x\n"));
}

#[test]
fn a_server_that_wants_tls_first_gets_its_cure_named() {
    let server = Server::start(Script::default().reply("MAIL", "530 5.7.0 Must issue a STARTTLS command first"));
    assert_fails(&send(&server, &[], b"x\n"), 69, &["530 5.7.0", "--tls starttls"]);
}

#[test]
fn a_refusal_during_the_upload_is_noticed_and_ends_it() {
    let server = Server::start(Script::default().refuse_after_bytes(100_000, "552 5.3.4 Enough"));
    let finished = send(&server, &[], &b"a line of text\n".repeat(1_000_000));
    assert_fails(&finished, 69, &["552 5.3.4 Enough"]);
    assert_eq!(server.mails(), []);
}

#[test]
fn a_probe_stops_where_it_was_reported_and_delivers_nothing() {
    let last = [("connect", "QUIT"), ("ehlo", "QUIT"), ("mail", "QUIT"), ("rcpt", "QUIT")];
    let counts = last.map(|(step, end)| {
        let server = Server::start(Script::default());
        let finished = send(&server, &["--stop-after", step], b"");
        assert_sent(&finished);
        assert!(finished.stdout.contains(&format!("answered up to {step}")), "{}", finished.stdout);
        assert_eq!(server.lines().last().unwrap(), end);
        assert_eq!(server.mails(), []);
        server.lines().len()
    });
    assert_eq!(counts, [1, 2, 3, 4]);
}
