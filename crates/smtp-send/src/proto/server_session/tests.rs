//! Sessions of common programs, and invalid lines.

use super::*;

fn session() -> SmtpServerSession {
    SmtpServerSession::new("host.example.com", "example.org")
}

/// The codes of the first line of each reply.
fn codes(session: &mut SmtpServerSession, lines: &[&str]) -> Vec<String> {
    let code = |line: &&str| match session.command(line.as_bytes()) {
        ServerStep::Say(reply) | ServerStep::Data(reply) | ServerStep::End(reply) => reply.get(..3).unwrap().to_owned(),
    };
    lines.iter().map(code).collect()
}

#[test]
fn a_message_has_a_sender_and_recipients_before_its_text() {
    let mut session = session();
    let lines =
        ["EHLO client", "mail from:<a@example.com> SIZE=9 BODY=8BITMIME", "RCPT TO:<b@example.com>", "rcpt to: <root>"];
    assert_eq!(codes(&mut session, &lines), ["250", "250", "250", "250"]);
    assert!(matches!(session.command(b"DATA"), ServerStep::Data(reply) if reply.starts_with("354 ")));
    let (from, to) = session.take_envelope();
    assert_eq!(from.unwrap().as_str(), "a@example.com");
    assert_eq!(to.iter().map(Address::as_str).collect::<Vec<_>>(), ["b@example.com", "root@example.org"]);
    // The next transaction; a bounce has no sender.
    assert_eq!(codes(&mut session, &["RCPT TO:<b@example.com>", "MAIL FROM:<>", "DATA"]), ["503", "250", "503"]);
    assert_eq!(codes(&mut session, &["RCPT TO:<b@example.com>", "DATA"]), ["250", "354"]);
    assert_eq!(session.take_envelope().0, None);
    assert!(matches!(session.command(b"quit"), ServerStep::End(reply) if reply.starts_with("221 ")));
}

#[test]
fn the_reply_to_ehlo_lists_the_extensions() {
    let ServerStep::Say(reply) = session().command(b"EHLO x") else { panic!() };
    let lines: Vec<&str> = reply.split("\r\n").collect();
    let offers = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"];
    let expected = ["250-host.example.com".to_owned()].into_iter().chain(offers.map(|offer| format!("250-{offer}")));
    assert_eq!(lines, expected.chain(["250 HELP".to_owned()]).collect::<Vec<_>>());
}

#[test]
fn rset_and_a_new_greeting_clear_the_envelope() {
    for forgetful in ["RSET", "EHLO again", "HELO again"] {
        let mut session = session();
        assert_eq!(codes(&mut session, &["MAIL FROM:<a@b.example>", "MAIL FROM:<a@b.example>"]), ["250", "503"]);
        let lines = ["RCPT TO:<b@example.com>", forgetful, "DATA"];
        assert_eq!(codes(&mut session, &lines), ["250", "250", "503"], "{forgetful}");
    }
}

#[test]
fn an_invalid_command_is_refused_and_changes_nothing() {
    let mut session = session();
    let cases = [
        ("EHLO", "501"),
        ("MAIL a@example.com", "501"),
        ("MAIL FROM:a@example.com", "501"),
        ("MAIL FROM:<a@example.com", "501"),
        ("MAIL FROM:<a@example.com>x", "501"),
        ("MAIL FROM:<a@example.com> RET=FULL", "555"),
        ("MAIL FROM:<a@example.com> SIZE=x", "555"),
        ("MAIL FROM:<a b@example.com>", "553"),
        ("STARTTLS", "502"),
        ("AUTH PLAIN AAAA", "502"),
        ("BDAT 1 LAST", "502"),
        ("GET / HTTP/1.1", "500"),
        ("", "500"),
        ("DATA x", "501"),
        ("MAIL FROM:<a@example.com>\rRCPT TO:<b@example.com>", "500"),
        ("NOOP", "250"),
        ("VRFY bob", "252"),
    ];
    for (line, code) in cases {
        assert_eq!(codes(&mut session, &[line]), [code], "{line}");
    }
    assert_eq!(codes(&mut session, &["DATA", "MAIL FROM:<\"a>b\"@example.com>"]), ["503", "553"]);
    assert_eq!(codes(&mut session, &["MAIL FROM:<\"a b\"@example.com>"]), ["250"]);
    assert_eq!(codes(&mut session, &["RCPT TO:<>", "RCPT TO:<b@example.com> NOTIFY=NEVER"]), ["553", "555"]);
}

#[test]
fn lines_recipients_and_errors_are_limited() {
    let mut session = session();
    session.command(b"MAIL FROM:<>");
    for number in 0..MAX_RECIPIENTS {
        assert_eq!(codes(&mut session, &[&format!("RCPT TO:<b{number}@example.com>")]), ["250"]);
    }
    assert_eq!(codes(&mut session, &["RCPT TO:<one@example.com>"]), ["452"]);
    let ends = (0..MAX_MISTAKES).map(|_| matches!(session.command(b"what"), ServerStep::End(_)));
    assert_eq!(ends.filter(|end| *end).count(), 2);
}
