//! The sendmail interface: arguments, headers, SMTP on standard input; netrc files.

use std::io::Read;

use smtp_send::proto::dot::DotStuffing;
use smtp_send::proto::header::{self, Header};
use smtp_send::proto::server_session::text::DataText;
use smtp_send::proto::server_session::{MAX_RECIPIENTS, ServerStep, SmtpServerSession};
use smtp_send::secret::netrc::{NetrcSearch, password};
use smtp_send::sendmail::arguments::Arguments;
use smtp_send::sendmail::input::UntilDot;
use smtp_send::sendmail::{header_fields, qualify};

/// Each line is an argument. Every argument behind `--` is an address.
pub fn arguments(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let words: Vec<String> = text.lines().map(str::to_owned).collect();
    let alone = Arguments::parse(words.clone());
    let with_address = Arguments::parse(words.iter().cloned().chain(["--", "-bp", "a@example.com"].map(str::to_owned)));
    if let (Ok(alone), Ok(with_address)) = (alone, with_address) {
        assert!(alone.recipients.len() <= words.len());
        let address = with_address.recipients.last().map(String::as_str);
        assert_eq!(address, Some("a@example.com"));
    }
}

/// Repairing a header is idempotent and keeps the names of its fields; a qualified address stays as it is.
pub fn header(data: &[u8]) {
    let Some(header) = header::parse(data, true) else { panic!("a complete header has an end") };
    let repaired = header_fields::fit(&header, "h.example");
    let Some(again) = header::parse(&repaired, true) else { panic!("a complete header has an end") };
    assert_eq!(names(&header), names(&again));
    assert_eq!(String::from_utf8_lossy(&header_fields::fit(&again, "h.example")), String::from_utf8_lossy(&repaired));
    for field in &header.fields {
        let qualified = qualify::list(field.raw, "h.example");
        assert_eq!(qualify::list(&qualified, "h.example"), qualified);
        assert_eq!(lines(&qualified), lines(field.raw));
    }
    until_dot(data);
}

fn names(header: &Header<'_>) -> Vec<Vec<u8>> {
    header.fields.iter().map(|field| field.name().to_ascii_lowercase()).collect()
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// `UntilDot` reads up to the first line with a single dot, as a slow reference does.
fn until_dot(data: &[u8]) {
    let mut expected = Vec::new();
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if [&b".\n"[..], b".\r\n", b".", b".\r"].contains(&line) {
            break;
        }
        expected.extend_from_slice(line);
    }
    let mut read = Vec::new();
    assert!(UntilDot::new(data).read_to_end(&mut read).is_ok());
    assert_eq!(read, expected);
}

/// A password is a word of the file with its escapes decoded; an error names an existing line.
pub fn netrc(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for machine in ["mail.example.com", "a", ""] {
        match password(text, &NetrcSearch { machine, login: "bob" }) {
            Ok(Some(password)) => {
                let mut rest = text.chars().filter(|character| *character != '\\');
                let plain =
                    password.chars().filter(|character| *character != '\\').all(|one| rest.any(|other| one == other));
                assert!(plain, "not in the file: {password:?}");
            }
            Ok(None) => {}
            Err((line, _)) => assert!((1..=text.split('\n').count()).contains(&line), "{line}"),
        }
    }
}

/// `sendmail -bs` gives one valid reply per command; a message has recipients, and sending it on does not change it.
pub fn server_session(data: &[u8]) {
    let mut session = SmtpServerSession::new("host.example.com", "example.org");
    let mut rest = data;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let line = &rest[..end];
        rest = &rest[end + 2..];
        match session.command(line) {
            ServerStep::Say(reply) => one_reply(&reply),
            ServerStep::End(reply) => return one_reply(&reply),
            ServerStep::Data(reply) => {
                one_reply(&reply);
                let (from, to) = session.take_envelope();
                assert!(!to.is_empty() && to.len() <= MAX_RECIPIENTS, "a message without recipients");
                assert!(from.iter().chain(&to).all(|one| !one.as_str().contains(['\r', '\n', '<', '>', '\0'])));
                let (mut text, mut message) = (DataText::default(), Vec::new());
                let (taken, ended) = text.push(rest, &mut message);
                rest = &rest[taken..];
                if ended && !text.has_bare_line_end() {
                    sent_on(&message);
                }
            }
        }
    }
}

/// One reply of one or more lines with one code.
fn one_reply(reply: &str) {
    let lines: Vec<&str> = reply.split("\r\n").collect();
    assert!(
        lines.iter().all(|line| line.len() > 4 && line[..3] == lines[0][..3] && !line.contains(['\r', '\n'])),
        "{reply}"
    );
    let (last, others) = lines.split_last().expect("a line");
    assert!(last.as_bytes()[3] == b' ' && others.iter().all(|line| line.as_bytes()[3] == b'-'), "{reply}");
}

fn sent_on(message: &[u8]) {
    let (mut stuffing, mut out) = (DotStuffing::default(), Vec::new());
    stuffing.push(message, &mut out);
    stuffing.finish(&mut out);
    let (mut text, mut again) = (DataText::default(), Vec::new());
    assert_eq!(text.push(&out, &mut again), (out.len(), true), "a different end");
    assert!(!text.has_bare_line_end() && again == message, "a different message");
}
