//! Edits the header of a message for servers: addresses get a domain, and bytes over 127 become encoded words (RFC
//! 2047) where those are allowed.
//!
//! Programs that call sendmail write `To: root` and raw UTF-8. Local mail servers accept or complete that; servers on
//! the network refuse it.
//!
//! Pure. Other fields stay byte for byte.

use std::borrow::Cow;

use super::qualify;
use crate::message::headers::Headers;
use crate::proto::header::{self, Field, Header};

/// Fields with addresses, with and without `Resent-` (RFC 5322, sections 3.6.2, 3.6.3 and 3.6.6).
const FIELDS: [&[u8]; 6] = [b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Bcc"];

/// Fields that cannot contain encoded words (RFC 2047, section 5); they stay as they are.
const STRUCTURED: [&[u8]; 9] = [
    b"Content-Type",
    b"Content-Disposition",
    b"Content-ID",
    b"Message-ID",
    b"In-Reply-To",
    b"References",
    b"Received",
    b"Return-Path",
    b"DKIM-Signature",
];

/// The edited fields of `header`, without the empty line.
pub fn fit(header: &Header<'_>, domain: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for field in &header.fields {
        if !holds_addresses(field) {
            out.extend_from_slice(&text(field));
            continue;
        }
        let colon = field.raw.iter().position(|byte| *byte == b':').map_or(0, |at| at + 1);
        let (name, value) = field.raw.split_at(colon);
        let value = qualify::list(value, domain);
        match addresses(field, &value) {
            Some(encoded) => out.extend_from_slice(&encoded),
            None => out.extend([name, &value].concat()),
        }
    }
    out
}

pub(super) fn holds_addresses(field: &header::Field<'_>) -> bool {
    let name = field.name();
    let resent = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"Resent-"));
    let name = if resent { &name[7..] } else { name };
    FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// An unstructured field, in ASCII if possible.
fn text<'a>(field: &Field<'a>) -> Cow<'a, [u8]> {
    let is_structured = STRUCTURED.iter().any(|known| known.eq_ignore_ascii_case(field.name()));
    if field.raw.is_ascii() || is_structured {
        return Cow::Borrowed(field.raw);
    }
    let mut headers = Headers::default();
    headers.text(&decoded(field.name()), &decoded(&field.unfolded()));
    Cow::Owned(with_line_ends_of(field, headers.as_bytes()))
}

/// A field of addresses with names that are not ASCII. An address that is not ASCII itself stays as it is.
fn addresses(field: &Field<'_>, qualified: &[u8]) -> Option<Vec<u8>> {
    if qualified.is_ascii() {
        return None;
    }
    let line: Vec<u8> = qualified.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let list = header::mailboxes(decoded(&line).trim()).ok()?;
    if list.is_empty() || list.iter().any(|one| !one.address.as_str().is_ascii()) {
        return None;
    }
    let mut headers = Headers::default();
    headers.mailboxes(&decoded(field.name()), &list);
    Some(with_line_ends_of(field, headers.as_bytes()))
}

/// Bytes that are not UTF-8 count as Latin-1.
fn decoded(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn with_line_ends_of(field: &Field<'_>, bytes: &[u8]) -> Vec<u8> {
    if field.raw.ends_with(b"\r\n") {
        return bytes.to_vec();
    }
    bytes.iter().copied().filter(|byte| *byte != b'\r').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(text: &[u8]) -> String {
        String::from_utf8(fit(&header::parse(text, true).unwrap(), "h")).unwrap()
    }

    #[test]
    fn only_address_fields_get_domains() {
        let text = b"To: root\nSubject: root\nResent-Cc : bob\nX-To: x\nfrom: Root <root>\n\nTo: root\n";
        assert_eq!(fitted(text), "To: root@h\nSubject: root\nResent-Cc : bob@h\nX-To: x\nfrom: Root <root@h>\n");
    }

    #[test]
    fn other_scripts_become_encoded_words_where_those_may_stand() {
        let text = "Subject: Cron <root@h> echo Grüße\nFrom: Jörg <j@x>, root\r\nX-OutgoingMessage: ä\n";
        let expected = "Subject: Cron <root@h> echo =?utf-8?b?R3LDvMOfZQ==?=\nFrom: =?utf-8?b?SsO2cmc=?= <j@x>, root@h\r\n\
                        X-OutgoingMessage: =?utf-8?b?w6Q=?=\n";
        assert_eq!(fitted(text.as_bytes()), expected);
        assert_eq!(fitted(b"Subject: gr\xfcn\n"), "Subject: =?utf-8?b?Z3LDvG4=?=\n");
    }

    #[test]
    fn what_cannot_be_encoded_stays() {
        for text in
            ["Content-Type: text/plain; name=ä\n", "References: <ä@x>\n", "To: jörg@x\n", "To: J <jö@x>\n", "Cc: \"ö\n"]
        {
            assert_eq!(fitted(text.as_bytes()), text);
        }
    }

    #[test]
    fn no_field_gets_a_line_too_many() {
        let text = format!("Subject: a\n b {}\n", "ü ".repeat(200));
        let fitted = fitted(text.as_bytes());
        assert!(fitted.lines().skip(1).all(|line| line.starts_with(' ')) && fitted.is_ascii(), "{fitted}");
    }
}
