//! Existing messages: what is learned from them, what is changed in them, and what is not.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::proto::dot::LineEnds;

fn ready(message: &[u8], edits: &Edits) -> ExistingMessage {
    ExistingMessage::read(message, edits).unwrap()
}

/// The message as a server sees it, before dots are stuffed.
pub(super) fn sent(ready: &mut ExistingMessage, form: BodyForm) -> io::Result<Vec<u8>> {
    let (mut ends, mut out) = (LineEnds::default(), Vec::new());
    ready.stream(form, |piece| {
        ends.push(piece.bytes(), &mut out);
        Ok::<_, io::Error>(())
    })?;
    Ok(out)
}

fn text(ready: &mut ExistingMessage) -> String {
    String::from_utf8(sent(ready, BodyForm::EightBit).unwrap()).unwrap()
}

#[test]
fn without_edits_only_line_ends_change() {
    for end in ["\r\n", "\n", "\r"] {
        let message = ["From: me@x", "To: a@x,", "\tb@x", "Bcc: c@x", "", ".dot", "", "end", ""].join(end);
        let mut ready = ready(message.as_bytes(), &Edits::default());
        assert_eq!(text(&mut ready), message.replace(end, "\r\n"));
        assert_eq!(ready.recipients().unwrap().len(), 3);
    }
}

#[test]
fn bcc_goes_and_is_delivered_to_all_the_same() {
    let edits = Edits { remove_bcc: true, ..Edits::default() };
    let mut visible = ready(b"To: a@x\nBCC: b@x,\n c@x\nResent-Bcc: d@x\nX: y\n\n", &edits);
    assert_eq!(text(&mut visible), "To: a@x\r\nX: y\r\n\r\n");
    let mut hidden = ready(b"Bcc: b@x\n\nx", &edits);
    assert_eq!(text(&mut hidden), "To: undisclosed-recipients:;\r\n\r\nx");
    assert_eq!(hidden.recipients().unwrap()[0].as_str(), "b@x");
}

#[test]
fn what_is_missing_is_added_and_what_is_there_is_kept() {
    let edits = Edits {
        remove_bcc: false,
        from: Some(Mailbox::parse("Jörg <me@example.org>").unwrap()),
        date: Some(DateTime::parse_from_rfc3339("2026-02-03T04:05:06+01:00").unwrap()),
        message_id: Some("<1@example.org>".into()),
    };
    let mut bare = ready(b"Subject: x\n\ntext\n", &edits);
    let added = "Subject: x\r\nDate: Tue, 3 Feb 2026 04:05:06 +0100\r\nFrom: =?utf-8?b?SsO2cmc=?= <me@example.org>\r\n\
                 Message-ID: <1@example.org>\r\n\r\ntext\r\n";
    assert_eq!(text(&mut bare), added);
    assert_eq!((bare.message_id(), bare.author().unwrap().unwrap().as_str()), ("<1@example.org>", "me@example.org"));
    let full = "date: x\r\nFROM: y@x\r\nMessage-Id: <z@x>\r\n\r\n";
    let mut complete = ready(full.as_bytes(), &edits);
    assert_eq!((text(&mut complete).as_str(), complete.message_id()), (full, "<z@x>"));
}

#[test]
fn a_text_without_a_header_gets_an_empty_one() {
    let mut plain = ready(b"just words\n", &Edits::default());
    assert!(!plain.has_header());
    assert_eq!(text(&mut plain), "\r\njust words\r\n");
    let mut empty = ready(b"", &Edits::default());
    assert_eq!((text(&mut empty).as_str(), empty.size(BodyForm::EightBit).unwrap()), ("\r\n", 2));
    assert_eq!(text(&mut ready(b"A: b\nwords\n", &Edits::default())), "A: b\r\n\r\nwords\r\n");
    assert_eq!(text(&mut ready(b"A: b", &Edits::default())), "A: b\r\n\r\n");
}

#[test]
fn the_line_of_a_mailbox_file_goes() {
    for end in ["\r\n", "\n", "\r"] {
        let message = format!("From me@x Tue Feb  3 04:05:06 2026{end}To: a@x{end}{end}x{end}");
        assert_eq!(text(&mut ready(message.as_bytes(), &Edits::default())), "To: a@x\r\n\r\nx\r\n");
    }
    assert!(text(&mut ready(b"From : me@x\n\n", &Edits::default())).starts_with("From : me@x"));
}

#[test]
fn the_size_is_that_of_what_is_sent() {
    for body in [&b""[..], b"x", b"x\n", b"\n\n", b"a\rb\nc\r\nd", &b"line\n".repeat(50_000)] {
        for edits in [Edits::default(), Edits { remove_bcc: true, ..Edits::default() }] {
            let mut ready = ready(&[b"To: a@x\rBcc: b@x\n\n", body].concat(), &edits);
            let mut sent = sent(&mut ready, BodyForm::EightBit).unwrap();
            if !sent.ends_with(b"\n") {
                sent.extend_from_slice(b"\r\n");
            }
            assert_eq!(ready.size(BodyForm::EightBit).unwrap(), sent.len() as u64);
        }
    }
}

#[test]
fn a_header_in_another_script_is_reported_unless_it_is_removed() {
    assert!(ready("Subject: ü\n\n".as_bytes(), &Edits::default()).needs_smtputf8());
    assert!(!ready("Subject: u\n\nü".as_bytes(), &Edits::default()).needs_smtputf8());
    let edits = Edits { remove_bcc: true, ..Edits::default() };
    assert!(!ready("Bcc: Jörg <j@x>\n\n".as_bytes(), &edits).needs_smtputf8());
}

#[test]
fn a_line_of_the_header_that_no_server_takes_is_folded() {
    let list = vec!["recipient@example.com"; 60].join(", ");
    let sent = text(&mut ready(format!("X: y\nTo: {list}\n\nx").as_bytes(), &Edits::default()));
    assert!(sent.lines().all(|line| line.len() <= 78), "{sent}");
    assert_eq!(sent.replace("\r\n ", " "), format!("X: y\r\nTo: {list}\r\n\r\nx"));
}

#[test]
fn a_header_may_be_long_but_not_endless() {
    let list: Vec<String> = (0..20_000).map(|number| format!("r{number}@example.com")).collect();
    let long = ready(format!("To: {}\n\nx", list.join(",\n ")).as_bytes(), &Edits::default());
    assert_eq!(long.recipients().unwrap().len(), 20_000);
    let endless = b"X: y\n".repeat(MAX_HEADER / 2);
    assert!(matches!(ExistingMessage::read(&endless[..], &Edits::default()), Err(ExistingMessageError::EndlessHeader)));
}

#[test]
fn a_file_that_changes_after_it_was_looked_at_is_not_completed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mail.eml");
    fs::write(&path, "To: a@x\n\ntext\n").unwrap();
    let mut ready = ExistingMessage::open(&path, &Edits::default()).unwrap();
    assert!(text(&mut ready).ends_with("text\r\n"));
    fs::write(&path, "To: a@x\n\ntext and more\n").unwrap();
    let error = sent(&mut ready, BodyForm::EightBit).unwrap_err().to_string();
    assert!(error.contains("mail.eml: the file has changed"), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(sent(&mut ready, BodyForm::EightBit).unwrap_err().to_string().contains("mail.eml: No such file"));
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_not_completed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mail.eml");
    fs::write(&path, [b"To: a@x\n\n".as_slice(), &b"line\n".repeat(100_000)].concat()).unwrap();
    let mut ready = ExistingMessage::open(&path, &Edits::default()).unwrap();
    let mut pieces = 0;
    let streamed = ready.stream(BodyForm::EightBit, |_| {
        pieces += 1;
        if pieces == 3 { fs::write(&path, "To: a@x\n\nshort\n") } else { Ok(()) }
    });
    assert!(streamed.unwrap_err().to_string().contains("has changed"));
}
