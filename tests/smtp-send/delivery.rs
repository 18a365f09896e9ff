//! A message from the command line to the server.

use std::fs;

use tempfile::TempDir;
use testkit::smtp::{Script, Server};

use crate::support::{assert_sent, send, send_to};

/// The part of a message behind the blank line.
fn body(message: &[u8]) -> &[u8] {
    let at = message.windows(4).position(|window| window == b"\r\n\r\n").expect("a blank line");
    &message[at + 4..]
}

fn head(message: &[u8]) -> String {
    let body = body(message).len();
    String::from_utf8(message[..message.len() - body].to_vec()).expect("a header is ASCII")
}

#[test]
fn the_text_on_standard_input_arrives_with_its_envelope() {
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &["-s", "Hello"], b"one\ntwo\n"));
    let mail = server.mail();
    assert!(mail.from.starts_with("<me@example.org>"), "{}", mail.from);
    assert_eq!(mail.to, ["<bob@example.com>"]);
    assert_eq!(body(&mail.message), b"one\r\ntwo\r\n");
    for field in
        ["Date: ", "From: me@example.org\r\n", "To: bob@example.com\r\n", "Subject: Hello\r\n", "Message-ID: <"]
    {
        assert!(head(&mail.message).contains(field), "{field}");
    }
}

#[test]
fn every_line_end_becomes_crlf_and_dots_survive() {
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &[], b".\n..two\r\nthree\rfour\n.\r\n.five"));
    let mail = server.mail();
    assert_eq!(body(&mail.message), b".\r\n..two\r\nthree\r\nfour\r\n.\r\n.five\r\n");
    let bare = |at: usize, byte: u8| match byte {
        b'\r' => mail.raw[at + 1] != b'\n',
        b'\n' => mail.raw[at - 1] != b'\r',
        _ => false,
    };
    assert!(!mail.raw.iter().enumerate().any(|(at, byte)| bare(at, *byte)));
    assert!(mail.raw.windows(3).any(|window| window == b"\n..") && mail.raw.ends_with(b"\r\n.\r\n"));
}

#[test]
fn an_empty_text_is_a_message() {
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &[], b""));
    assert_eq!(body(&server.mail().message), b"");
}

#[test]
fn to_cc_and_bcc_all_get_it_and_bcc_is_not_seen() {
    let server = Server::start(Script::default());
    let args = ["--to", "A <a@example.com>, b@example.com", "--cc", "c@example.com", "--bcc", "secret@example.com"];
    assert_sent(&send_to(&server, &[&args[..], &["--cc", "a@example.com"]].concat(), b"x\n"));
    let mail = server.mail();
    assert_eq!(mail.to, ["<a@example.com>", "<b@example.com>", "<c@example.com>", "<secret@example.com>"]);
    assert!(
        head(&mail.message).contains("To: A <a@example.com>, b@example.com\r\nCc: c@example.com, a@example.com\r\n")
    );
    assert!(!String::from_utf8_lossy(&mail.message).contains("secret"));
}

#[test]
fn with_bcc_only_the_recipients_are_undisclosed() {
    let server = Server::start(Script::default());
    assert_sent(&send_to(&server, &["--bcc", "secret@example.com"], b"x\n"));
    assert!(head(&server.mail().message).contains("To: undisclosed-recipients:;\r\n"));
}

#[test]
fn recipients_can_stand_in_a_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("list");
    fs::write(&file, "# the team\nAnn <ann@example.com>\n\nben@example.com, cid@example.com\n").unwrap();
    let server = Server::start(Script::default());
    assert_sent(&send_to(&server, &["--bcc", &format!("@{}", file.display())], b"x\n"));
    assert_eq!(server.mail().to, ["<ann@example.com>", "<ben@example.com>", "<cid@example.com>"]);
}

#[test]
fn the_envelope_sender_can_differ_or_be_null() {
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &["--envelope-from", "bounces@example.org"], b"x\n"));
    assert_sent(&send(&server, &["--envelope-from", ""], b"x\n"));
    let senders: Vec<_> = server.mails().into_iter().map(|mail| mail.from).collect();
    assert!(senders[0].starts_with("<bounces@example.org>") && senders[1].starts_with("<> "), "{senders:?}");
}

#[test]
fn the_text_can_come_from_an_option_or_a_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("text");
    fs::write(&file, "from a file\n").unwrap();
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &["--body", "from an option"], b"not this\n"));
    assert_sent(&send(&server, &["--body-file", file.to_str().unwrap()], b"not this\n"));
    assert_sent(&send(&server, &["--body-file", "-"], b"from standard input\n"));
    let bodies: Vec<_> =
        server.mails().iter().map(|mail| String::from_utf8_lossy(body(&mail.message)).into_owned()).collect();
    assert_eq!(bodies, ["from an option\r\n", "from a file\r\n", "from standard input\r\n"]);
}

#[test]
fn a_subject_and_a_text_may_start_with_a_dash() {
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &["--subject", "-5 % today", "--body", "- one\n- two"], b""));
    let mail = server.mail();
    assert!(head(&mail.message).contains("Subject: -5 % today\r\n"));
    assert_eq!(body(&mail.message), b"- one\r\n- two\r\n");
}

#[test]
fn other_scripts_are_declared_where_the_server_takes_them_and_encoded_where_not() {
    let text = "Grüße aus Köln an alle, die das lesen\n".as_bytes();
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &[], text));
    let mail = server.mail();
    assert!(mail.from.contains("BODY=8BITMIME"), "{}", mail.from);
    assert_eq!(body(&mail.message), "Grüße aus Köln an alle, die das lesen\r\n".as_bytes());

    let old = Server::start(Script::default().extensions(&[]));
    assert_sent(&send(&old, &[], text));
    let mail = old.mail();
    assert_eq!(mail.from, "<me@example.org>");
    assert!(mail.message.is_ascii() && head(&mail.message).contains("quoted-printable"));
    assert_eq!(body(&mail.message), b"Gr=C3=BC=C3=9Fe aus K=C3=B6ln an alle, die das lesen\r\n");
}

#[test]
fn a_line_of_any_length_arrives_in_short_lines() {
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &[], &vec![b'x'; 100_000]));
    let mail = server.mail();
    assert!(mail.raw.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
    let soft_breaks_removed = String::from_utf8_lossy(body(&mail.message)).replace("=\r\n", "");
    assert!(soft_breaks_removed.trim_end() == "x".repeat(100_000));
}

#[test]
fn a_text_of_many_megabytes_arrives_complete() {
    let text: Vec<u8> = (0..400_000).flat_map(|number| format!(".line {number}\n").into_bytes()).collect();
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &[], &text));
    let mail = server.mail();
    let received: Vec<u8> = body(&mail.message).iter().copied().filter(|byte| *byte != b'\r').collect();
    assert!(received == text, "{} bytes instead of {}", received.len(), text.len());
    let announced = format!("SIZE={}", mail.message.len());
    assert!(mail.from.contains(&announced), "{} is not {announced}", mail.from);
}

#[test]
fn two_messages_never_share_a_message_id() {
    let server = Server::start(Script::default());
    for _ in 0..2 {
        assert_sent(&send(&server, &[], b"x\n"));
    }
    let id = |message: &[u8]| head(message).lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
    let mails = server.mails();
    assert_ne!(id(&mails[0].message), id(&mails[1].message));
}
