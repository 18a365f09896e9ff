//! The parsers and writers of `smtp-send`: replies, capabilities, addresses, headers, ready messages, the data phase.
//!
//! Each function takes arbitrary bytes and panics when the code does, or when it contradicts its second opinion.

use std::io;

use mail_parser::MessageParser;
use smtp_send::message::headers::Headers;
use smtp_send::message::html::{Html, Picture};
use smtp_send::message::{Edits, ExistingMessage};
use smtp_send::proto::address::{self, Address};
use smtp_send::proto::capability::Capabilities;
use smtp_send::proto::command::BodyForm;
use smtp_send::proto::dot::{DotStuffing, LineEnds};
use smtp_send::proto::header;
use smtp_send::proto::reply::{Reply, ReplyParser};

/// What is written into a header is ASCII in short lines, and mail-parser reads the same text out of it.
pub fn header_encoding(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if text.chars().any(|character| character.is_control() && character != '\t') {
        return; // Refused by config.
    }
    let mut headers = Headers::default();
    headers.text("Subject", text.trim());
    let list = address::parse_list(&text).unwrap_or_default();
    if list.iter().all(|mailbox| !mailbox.address.needs_smtputf8()) {
        headers.mailboxes("To", &list);
    }
    let bytes = headers.as_bytes();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line = line.strip_suffix(b"\r").expect("a whole line");
        assert!(line.is_ascii() && line.len() <= 998, "{}", String::from_utf8_lossy(line));
        assert!(!line.trim_ascii().is_empty() && !line.contains(&b'\r'), "a line of blanks");
    }
    let header = header::parse(bytes, true).expect("complete");
    assert!(header.length == bytes.len() && header.fields.len() <= 2, "a field too many");
    let mail = [bytes, b"\r\n"].concat();
    let mail = MessageParser::default().parse(&mail).expect("a message");
    assert_eq!(words(mail.subject().unwrap_or_default()), words(&text));
    if let (Some(to), Some(field)) = (mail.to(), header.fields.get(1)) {
        let theirs: Vec<String> = to.iter().filter_map(|one| one.address().map(str::to_owned)).collect();
        // mail-parser decodes encoded words in an address too, where RFC 2047 (section 5) has none: no second opinion there.
        let unlike = |address: &str| address.contains(['"', '[', '\\']) || address.contains("=?");
        if list.iter().all(|one| !unlike(one.address.as_str())) {
            let ours: Vec<String> = list.iter().map(|one| one.address.to_string()).collect();
            assert_eq!(theirs, ours, "{}", String::from_utf8_lossy(field.raw));
            for (one, other) in list.iter().zip(to.iter()) {
                let (ours, theirs) = (one.name.as_deref().unwrap_or_default(), other.name().unwrap_or_default());
                assert_eq!(words(theirs), words(ours), "{}", String::from_utf8_lossy(field.raw));
            }
        }
    }
}

/// Text without what folding may change.
fn words(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

/// A ready message is sent twice in the same way, in the size that was announced, in lines that every server takes.
pub fn ready(data: &[u8]) {
    let edits =
        [Edits::default(), Edits { remove_bcc: true, message_id: Some("<1@example.com>".into()), ..Edits::default() }];
    let edits = &edits[usize::from(data.first().is_some_and(|first| first % 2 == 1))];
    let Ok(mut ready) = ExistingMessage::read(data, edits) else { return };
    let _ = (ready.recipients().map(<[Address]>::len), ready.author().is_ok(), ready.message_id().len());
    for form in [BodyForm::EightBit, BodyForm::SevenBit] {
        let sent = streamed(&mut ready, form);
        assert_eq!(sent, streamed(&mut ready, form));
        assert_eq!(sent.len() as u64, ready.size(form).expect("in memory"));
        let again = ExistingMessage::read(sent.as_slice(), &Edits::default()).expect("what was sent is a message");
        assert!(!edits.remove_bcc || !again_has_bcc(&sent), "Bcc is left");
        // A field that was replaced may have been the only one that needed it.
        assert!(ready.needs_smtputf8() || !again.needs_smtputf8());
        if form == BodyForm::SevenBit && !again.needs_smtputf8() && !names_unknown_encoding(&sent) {
            assert!(sent.is_ascii(), "bytes over 127 are left");
        }
    }
}

fn streamed(ready: &mut ExistingMessage, form: BodyForm) -> Vec<u8> {
    let (mut ends, mut out) = (LineEnds::default(), Vec::new());
    let sent: io::Result<()> = ready.stream(form, |piece| {
        ends.push(piece.bytes(), &mut out);
        Ok(())
    });
    sent.expect("it is in memory");
    ends.finish(&mut out);
    out
}

fn again_has_bcc(message: &[u8]) -> bool {
    header::parse(message, true).expect("complete").fields.iter().any(|field| field.is("Bcc") || field.is("Resent-Bcc"))
}

/// What is encoded in a way that is not known cannot be encoded anew.
fn names_unknown_encoding(message: &[u8]) -> bool {
    let lower = message.to_ascii_lowercase();
    let name = b"content-transfer-encoding";
    lower.windows(name.len()).any(|window| window == name)
}

/// The plain text has no markup of its own making and no control characters; pictures are replaced or missed, never lost.
pub fn html(data: &[u8]) {
    let Ok(html) = Html::read(data) else { return };
    let plain = html.plain();
    assert!(plain.is_empty() || plain.ends_with('\n'));
    assert!(!plain.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t')), "{plain:?}");
    let mut shown = html.clone();
    let pictures = [Picture { name: "a".into(), id: "1@id".into() }];
    if let Ok(used) = shown.show(&pictures) {
        assert_eq!(used[0], shown != html);
    }
}

/// What is sent is the message with canonical line ends once the dots are taken out, and nothing can end it early.
pub fn dot(data: &[u8]) {
    let Some((place, message)) = data.split_last() else { return };
    let (first, second) = message.split_at(message.len() * usize::from(*place) / 256);
    let (mut stuffing, mut sent) = (DotStuffing::default(), Vec::new());
    stuffing.push(first, &mut sent);
    stuffing.push(second, &mut sent);
    stuffing.finish(&mut sent);
    let mut lines = Vec::new();
    let mut rest = sent.as_slice();
    let end = loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("every line ends with CRLF");
        let (line, behind) = (&rest[..end], &rest[end + 2..]);
        assert!(!line.contains(&b'\r') && !line.contains(&b'\n'), "a bare CR or LF");
        if line == b"." {
            break behind;
        }
        lines.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        lines.extend_from_slice(b"\r\n");
        rest = behind;
    };
    assert!(end.is_empty(), "something behind the final dot");
    assert_eq!(lines, canonical(message));
}

/// A slow reference: CR, LF and CRLF become CRLF, and the last line gets one.
fn canonical(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, byte) in message.iter().enumerate() {
        match byte {
            b'\r' => out.extend_from_slice(b"\r\n"),
            b'\n' if at > 0 && message[at - 1] == b'\r' => {}
            b'\n' => out.extend_from_slice(b"\r\n"),
            _ => out.push(*byte),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Replies are the same in one piece and in two, within their bounds.
pub fn reply(data: &[u8]) {
    let Some((place, bytes)) = data.split_last() else { return };
    let whole = replies(&[bytes]);
    let (first, second) = bytes.split_at(bytes.len() * usize::from(*place) / 256);
    assert_eq!(replies(&[first, second]), whole);
    for reply in whole.0 {
        assert!((200..600).contains(&reply.code()));
        let classes = [reply.is_positive(), reply.is_intermediate(), reply.is_transient(), reply.is_permanent()];
        assert_eq!(classes.iter().filter(|class| **class).count(), 1);
        let _ = (reply.to_string(), reply.queue_id());
    }
}

/// All replies in these pieces, and whether an error ended them.
fn replies(pieces: &[&[u8]]) -> (Vec<Reply>, bool) {
    let (mut parser, mut all, mut held) = (ReplyParser::default(), Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let Ok((used, reply)) = parser.push(&held) else { return (all, true) };
            held.drain(..used);
            let Some(reply) = reply else { break };
            all.push(reply);
        }
    }
    (all, false)
}

/// An address that is accepted is accepted again, and cannot leave its brackets; lists and headers agree about it.
pub fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(address) = Address::parse(&text) {
        assert!(!address.as_str().chars().any(|one| one.is_control() || "<>".contains(one)));
        assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address));
        assert!(!address.domain().is_empty() && address.domain().is_ascii());
        assert_eq!(address.needs_smtputf8(), !address.as_str().is_ascii());
    }
    if let Ok(list) = address::parse_list(&text) {
        for mailbox in &list {
            assert_eq!(address::parse_list(&format!("<{}>", mailbox.address)).map(|list| list.len()), Ok(1));
        }
        if !text.contains([':', ';', '[', ']']) {
            assert_eq!(header::mailboxes(&text), Ok(list));
        }
    }
    let _ = header::mailboxes(&text);
}

/// Every positive reply is read without trouble, and the order of its lines means nothing.
pub fn capability(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| matches!(byte, b'\r' | b'\n')).take(100).collect();
    let text = |lines: &mut dyn Iterator<Item = &&[u8]>| {
        let mut text = b"250-mail.example.com\r\n".to_vec();
        for line in lines {
            text.extend([b"250-", *line, b"\r\n"].concat());
        }
        [text, b"250 OK\r\n".to_vec()].concat()
    };
    let read = |text: &[u8]| ReplyParser::default().push(text).ok().and_then(|(_, reply)| reply);
    let Some(forward) = read(&text(&mut lines.iter())) else { return };
    let backward = read(&text(&mut lines.iter().rev())).expect("the same lines");
    let (one, other) = (Capabilities::of(&forward), Capabilities::of(&backward));
    assert_eq!(
        (one.starttls, one.pipelining, one.eight_bit_mime),
        (other.starttls, other.pipelining, other.eight_bit_mime)
    );
    assert_eq!((one.size, one.chunking, one.smtputf8), (other.size, other.chunking, other.smtputf8));
    assert_eq!(one.auth.is_some(), other.auth.is_some());
    assert!(one.size || one.size_limit.is_none());
}
