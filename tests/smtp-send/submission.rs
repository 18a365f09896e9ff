//! SMTP on standard input: `sendmail -bs`, as Symfony Mailer calls it.

use std::fs;

use testkit::process::{Finished, finish};
use testkit::smtp::{Behaviour, Script, Server};

use crate::home::Home;
use crate::support::assert_fails;

fn said(home: &Home, lines: &str) -> Finished {
    said_with(home, &["-bs"], lines)
}

fn said_with(home: &Home, args: &[&str], lines: &str) -> Finished {
    finish(&mut home.sendmail(args), lines.replace('\n', "\r\n").as_bytes())
}

/// The codes of all replies, in their order.
fn codes(finished: &Finished) -> Vec<&str> {
    finished.stdout.lines().filter(|line| line.as_bytes().get(3) == Some(&b' ')).map(|line| &line[..3]).collect()
}

/// How many files there are in a folder of the state of this program.
fn kept(home: &Home, folder: &str) -> usize {
    fs::read_dir(home.path().join(".local/state/smtp-send").join(folder)).map_or(0, Iterator::count)
}

const ENVELOPE: &str = "EHLO app\nMAIL FROM:<me@example.org>\nRCPT TO:<bob@example.com>\n";
const MESSAGE: &str = "DATA\nSubject: x\n\n..dots\nline\n.\n";

#[test]
fn a_message_is_handed_on_with_its_envelope_and_then_answered() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let finished = said(&home, &format!("{ENVELOPE}RCPT TO:<ann@example.com>\n{MESSAGE}QUIT\n"));
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    assert_eq!(codes(&finished), ["220", "250", "250", "250", "250", "354", "250", "221"], "{finished:?}");
    assert!(finished.stdout.contains("250 2.0.0 Ok: queued as SINK0X1\r\n"), "{finished:?}");
    let mail = server.mail();
    assert!(mail.from.starts_with("<me@example.org>"), "{}", mail.from);
    assert_eq!(mail.to, ["<bob@example.com>", "<ann@example.com>"]);
    let text = String::from_utf8(mail.message).unwrap();
    assert!(text.ends_with("\r\n\r\n.dots\r\nline\r\n") && text.contains("Message-ID: <"), "{text}");
    assert_eq!(kept(&home, "dead-letters"), 0);
}

#[test]
fn several_messages_go_one_after_the_other_and_a_pipeline_is_answered_in_order() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let next = "MAIL FROM:<>\nRCPT TO:<root>\n";
    let finished = said(&home, &format!("{ENVELOPE}{MESSAGE}{next}{MESSAGE}RSET\n{next}{MESSAGE}QUIT\n"));
    assert_eq!(codes(&finished).iter().filter(|code| **code == "354").count(), 3, "{finished:?}");
    let mails = server.mails();
    assert_eq!(mails.len(), 3);
    assert_eq!((mails[1].from.split(' ').next(), mails[1].to[0].as_str()), (Some("<>"), "<root@example.org>"));
}

#[test]
fn what_the_server_refuses_is_refused_and_nothing_is_kept() {
    for (reply, code) in [("550 5.1.1 Unknown", "550"), ("451 4.7.1 Later", "451")] {
        let server = Server::start(Script::default().reply("RCPT", reply));
        let home = Home::with_account(&server, "");
        let finished = said(&home, &format!("{ENVELOPE}{MESSAGE}QUIT\n"));
        assert_eq!(codes(&finished)[5..], [code, "221"], "{finished:?}");
        assert!(finished.stdout.contains(&reply[4..]), "{finished:?}");
        assert_eq!((finished.code(), kept(&home, "dead-letters")), (0, 0), "{finished:?}");
    }
    let home = Home::new("[account.default]\nserver = '127.0.0.1:1'\n");
    let finished = said(&home, &format!("{ENVELOPE}{MESSAGE}QUIT\n"));
    assert!(finished.stdout.contains("451 4.3.0 connect to 127.0.0.1:1: Connection refused\r\n221"), "{finished:?}");
}

#[test]
fn when_some_have_it_the_others_get_a_letter_and_no_recipient_gets_it_twice() {
    let server = Server::start(Script::default().at("RCPT", 2, Behaviour::Reply("451 4.2.1 Later".into())));
    let home = Home::with_account(&server, "");
    let finished = said(&home, &format!("{ENVELOPE}RCPT TO:<ann@example.com>\n{MESSAGE}QUIT\n"));
    let answer = finished.stdout.lines().rev().nth(1).unwrap();
    assert!(answer.starts_with("554 ") && answer.contains("for ann@example.com is kept in"), "{finished:?}");
    assert_eq!((server.mails().len(), kept(&home, "dead-letters")), (1, 1));
}

#[test]
fn with_a_queue_a_temporary_refusal_is_queued() {
    let server = Server::start(Script::default().reply("MAIL", "451 4.7.1 Later"));
    let home = Home::with_account(&server, "");
    let finished = said_with(&home, &["-bs", "--queue"], &format!("{ENVELOPE}{MESSAGE}QUIT\n"));
    assert!(finished.stdout.contains("250 2.0.0 Ok: queued as "), "{finished:?}");
    assert_eq!((server.mails().len(), kept(&home, "dead-letters")), (0, 0));
    assert!(kept(&home, "queue") > 0);
}

#[test]
fn a_bare_line_end_smuggles_nothing() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let inner = "\n.\nMAIL FROM:<evil@example.net>\nRCPT TO:<victim@example.com>\nDATA\nx\n.\n";
    for smuggled in [inner.to_owned(), inner.replace('\n', "\r"), inner.replacen('\n', "\r\n", 1)] {
        let start = crlf(&format!("{ENVELOPE}DATA\nSubject: x\n\nhello"));
        let input = format!("{start}{smuggled}{}", crlf("\n.\nQUIT\n"));
        let finished = finish(&mut home.sendmail(&["-bs"]), input.as_bytes());
        assert_eq!(codes(&finished)[4..], ["354", "550", "221"], "{input:?} {finished:?}");
        assert!(finished.stdout.contains("550 5.6.11 "), "{finished:?}");
    }
    // Another server would read two commands.
    let input = format!("{}MAIL FROM:<a@example.org>\nRCPT TO:<b@example.com>\r\nQUIT\r\n", crlf("EHLO x\n"));
    let finished = finish(&mut home.sendmail(&["-bs"]), input.as_bytes());
    assert_eq!(codes(&finished), ["220", "250", "500", "503", "221"], "{finished:?}");
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn a_message_without_its_end_is_never_sent() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let cut = format!("{ENVELOPE}DATA\nSubject: x\n\nhalf of i");
    assert_fails(&said(&home, &cut), 66, &["standard input", "ends within a message", "nothing was sent"]);
    assert_eq!((server.lines(), kept(&home, "dead-letters")), (Vec::new(), 0));
    // Between messages an end is an end.
    let finished = said(&home, ENVELOPE);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
}

#[test]
fn a_broken_account_is_reported_in_the_greeting() {
    let home = Home::new("[account.default]\nsever = 'x'\n");
    let finished = said(&home, "QUIT\n");
    assert!(finished.stdout.starts_with("421 4.3.5 ") && finished.stdout.contains("line 2"), "{finished:?}");
    assert_fails(&finished, 78, &["config.toml line 2", "did you mean 'server'?"]);
}

#[test]
fn endless_lines_and_endless_mistakes_are_ended() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let finished = said(&home, &format!("NOOP {}\nQUIT\n", "x".repeat(100_000)));
    assert_eq!(codes(&finished), ["220", "500", "221"], "{finished:?}");
    let finished = said(&home, &"what\n".repeat(1000));
    assert_eq!((codes(&finished).len(), codes(&finished).last(), finished.code()), (21, Some(&"421"), 0));
}
