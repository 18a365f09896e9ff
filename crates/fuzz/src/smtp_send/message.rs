//! Messages: header fields that are written, existing messages, HTML, DKIM signatures.

use std::io;

use mail_parser::MessageParser;
use smtp_send::message::headers::Headers;
use smtp_send::message::html::{Html, Picture};
use smtp_send::message::{Edits, ExistingMessage};
use smtp_send::proto::address::{self, Address};
use smtp_send::proto::command::BodyForm;
use smtp_send::proto::dkim::{Algorithm, RelaxedBody, Tags, complete, relaxed_field, unsigned};
use smtp_send::proto::dot::LineEnds;
use smtp_send::proto::header;

/// A written header is ASCII in short lines, and mail-parser reads the same text from it.
pub fn header_encoding(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if text.chars().any(|character| character.is_control() && character != '\t') {
        return; // Rejected by config.
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
        // mail-parser also decodes encoded words in an address, where RFC 2047, section 5, permits none: not compared.
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

/// The text without white space, which folding may change.
fn words(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

/// A message is sent the same way twice, in the announced size, and can be read again.
pub fn existing_message(data: &[u8]) {
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
        // A replaced field may have been the only one with non-ASCII text.
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

/// A body with an unknown encoding cannot be re-encoded.
fn names_unknown_encoding(message: &[u8]) -> bool {
    let lower = message.to_ascii_lowercase();
    let name = b"content-transfer-encoding";
    lower.windows(name.len()).any(|window| window == name)
}

/// The plain text has no control characters; a picture is used exactly if the HTML changes.
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

/// Relaxing is idempotent and independent of how the body is split; the signature is one field in short lines.
pub fn dkim(data: &[u8]) {
    let mut lines = Vec::new();
    let mut ends = LineEnds::default();
    ends.push(data, &mut lines);
    ends.finish(&mut lines);
    let whole = relaxed(&[&lines]);
    assert!(whole.is_empty() || whole.ends_with(b"\r\n") && !whole.ends_with(b"\r\n\r\n") && whole != b"\r\n");
    assert_eq!(relaxed(&[&whole]), whole);
    let (first, second) = lines.split_at(lines.len() / 2);
    assert_eq!(relaxed(&[first, second]), whole);
    assert_eq!(whole, relaxed_reference(&lines));
    let fields = header::parse(data, true).map(|header| header.fields).unwrap_or_default();
    for field in &fields {
        let once = relaxed_field(field.raw);
        assert_eq!(relaxed_field(&once), once);
        assert!(!once.contains(&b'\r') && !once.contains(&b'\n') && !once.contains(&b'\t'));
    }
    let algorithm = Algorithm::RsaSha256;
    let tags = Tags { algorithm, domain: "example.com", selector: "s", time: 1, body_hash: "aGFzaA==" };
    let (field, signed) = unsigned(&tags, &fields);
    assert!(signed.ends_with(b" b="));
    let field = complete(field, &"x".repeat(344));
    let parsed = header::parse(field.as_bytes(), true).expect("complete");
    assert!(parsed.fields.len() == 1 && parsed.length == field.len());
    assert!(field.lines().all(|line| line.len() <= 78), "{field}");
}

fn relaxed(blocks: &[&[u8]]) -> Vec<u8> {
    let (mut body, mut out) = (RelaxedBody::default(), Vec::new());
    for block in blocks {
        body.push(block, &mut |bytes: &[u8]| out.extend_from_slice(bytes));
    }
    out
}

/// RFC 6376, section 3.4.4, line by line.
fn relaxed_reference(body: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'\r').collect();
    let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for line in &mut lines {
        let mut blank = false;
        let mut out = Vec::new();
        for byte in line.iter() {
            if matches!(byte, b' ' | b'\t') {
                blank = true;
                continue;
            }
            if std::mem::take(&mut blank) {
                out.push(b' ');
            }
            out.push(*byte);
        }
        *line = out;
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect()
}
