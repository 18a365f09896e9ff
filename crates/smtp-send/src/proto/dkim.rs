//! DKIM (RFC 6376): relaxed canonicalization of body and fields, and the DKIM-Signature field. The caller signs.
//!
//! The body is in its form on the wire, with CRLF line ends, before dot-stuffing.

use super::header::Field;

/// Fields that are signed if they are present (RFC 6376, section 5.4.1); not Bcc and fields that servers add.
const SIGNED: [&str; 24] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-id",
    "content-description",
    "list-id",
    "list-help",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-subscribe",
    "list-post",
    "list-owner",
    "list-archive",
];
/// Fields that are signed once more than they occur, so that another one breaks the signature (RFC 6376, section 8.15).
const GUARDED: [&str; 10] = [
    "from",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];
/// Fields that servers add when they are missing, which must not break the signature.
const ADDED_BY_SERVERS: [&str; 3] = ["to", "date", "message-id"];
/// Maximum number of characters of a line of the field.
const FOLD_AT: usize = 76;

/// The algorithm of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 6376, section 3.3.1; RFC 8301.
    RsaSha256,
    /// RFC 8463.
    Ed25519Sha256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }
}

/// The tags of a signature except the signature itself.
#[derive(Debug, Clone, Copy)]
pub struct Tags<'a> {
    /// The algorithm (`a=`).
    pub algorithm: Algorithm,
    /// The signing domain (`d=`).
    pub domain: &'a str,
    /// The selector (`s=`).
    pub selector: &'a str,
    /// The time in seconds since 1970 (`t=`).
    pub time: u64,
    /// The hash of the body in base64 (`bh=`).
    pub body_hash: &'a str,
}

/// The field with an empty signature, without its line end; and the input of the signature: the signed fields, the last
/// one of a name first, then this field (RFC 6376, section 3.7).
pub fn unsigned(tags: &Tags<'_>, fields: &[Field<'_>]) -> (String, Vec<u8>) {
    let mut names = Vec::new();
    let mut signed = Vec::new();
    for name in SIGNED {
        let mut is_there = false;
        for field in fields.iter().rev().filter(|field| field.is(name)) {
            is_there = true;
            names.push(name);
            signed.extend_from_slice(&relaxed_field(field.raw));
            signed.extend_from_slice(b"\r\n");
        }
        let is_guarded = GUARDED.contains(&name) && (is_there || !ADDED_BY_SERVERS.contains(&name));
        names.extend(is_guarded.then_some(name));
    }
    let Tags { algorithm, domain, selector, time, body_hash } = tags;
    let mut field = String::from("DKIM-Signature: v=1;");
    let mut column = field.len();
    let mut add = |word: &str, space: bool| {
        let length = word.len();
        if column.saturating_add(length) >= FOLD_AT {
            field.push_str("\r\n ");
            column = 1;
        } else if space {
            field.push(' ');
            column = column.saturating_add(1);
        }
        field.push_str(word);
        column = column.saturating_add(length);
    };
    add(&format!("a={};", algorithm.name()), true);
    add("c=relaxed/relaxed;", true);
    add(&format!("d={domain};"), true);
    add(&format!("s={selector};"), true);
    add(&format!("t={time};"), true);
    let last = names.len().saturating_sub(1);
    for (index, name) in names.iter().enumerate() {
        let (start, end) = (if index == 0 { "h=" } else { "" }, if index == last { ";" } else { ":" });
        add(&format!("{start}{name}{end}"), index == 0);
    }
    add(&format!("bh={body_hash};"), true);
    field.push_str("\r\n b=");
    signed.extend_from_slice(&relaxed_field(field.as_bytes()));
    (field, signed)
}

/// The complete field with its line end; the base64 of the signature is folded.
pub fn complete(mut field: String, signature: &str) -> String {
    let (mut room, mut rest) = (FOLD_AT.saturating_sub(3), signature);
    while let Some((line, behind)) = rest.split_at_checked(room).filter(|(_, behind)| !behind.is_empty()) {
        field.push_str(line);
        field.push_str("\r\n ");
        (room, rest) = (FOLD_AT.saturating_sub(1), behind);
    }
    field.push_str(rest);
    field.push_str("\r\n");
    field
}

/// A field in relaxed form (RFC 6376, section 3.4.2), without a line end.
pub fn relaxed_field(raw: &[u8]) -> Vec<u8> {
    let colon = memchr::memchr(b':', raw).unwrap_or(raw.len());
    let (name, value) = raw.split_at_checked(colon).unwrap_or((raw, &[]));
    let mut out = name.trim_ascii_end().to_ascii_lowercase();
    out.push(b':');
    let (start, mut blank) = (out.len(), false);
    for byte in value.iter().skip(1) {
        match byte {
            b'\r' | b'\n' => {}
            b' ' | b'\t' => blank = true,
            _ => {
                if std::mem::take(&mut blank) && out.len() > start {
                    out.push(b' ');
                }
                out.push(*byte);
            }
        }
    }
    out
}

/// A body in relaxed form (RFC 6376, section 3.4.4), block by block: no white space at the end of a line, one space for
/// several, no empty lines at the end.
#[derive(Debug, Default)]
pub struct RelaxedBody {
    /// Number of pending empty lines, which are dropped at the end of the body.
    empty_lines: u64,
    /// Whether white space is pending, which is dropped at the end of the line.
    blank: bool,
    /// Whether the line has other text.
    within_line: bool,
}

impl RelaxedBody {
    /// Passes the relaxed form of `block` to `sink`. A CRLF may be split between two blocks.
    pub fn push(&mut self, block: &[u8], sink: &mut impl FnMut(&[u8])) {
        let mut rest = block;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).unwrap_or(rest.len());
            let (text, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.text(text, sink);
            let Some((first, behind)) = behind.split_first() else { return };
            match first {
                b'\n' => self.line_end(sink),
                b'\r' => {}
                _ => self.blank = true,
            }
            rest = behind;
        }
    }

    /// The same for complete lines that are not empty and have no white space, such as base64.
    pub fn push_plain(&mut self, lines: &[u8], sink: &mut impl FnMut(&[u8])) {
        self.text(lines, sink);
        self.within_line = false;
    }

    fn text(&mut self, text: &[u8], sink: &mut impl FnMut(&[u8])) {
        if text.is_empty() {
            return;
        }
        for _ in 0..std::mem::take(&mut self.empty_lines) {
            sink(b"\r\n");
        }
        if std::mem::take(&mut self.blank) {
            sink(b" ");
        }
        sink(text);
        self.within_line = true;
    }

    fn line_end(&mut self, sink: &mut impl FnMut(&[u8])) {
        self.blank = false;
        if std::mem::take(&mut self.within_line) {
            sink(b"\r\n");
        } else {
            self.empty_lines = self.empty_lines.saturating_add(1);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]
mod tests {
    use super::*;
    use crate::proto::header;

    fn relaxed(blocks: &[&[u8]]) -> Vec<u8> {
        let (mut body, mut out) = (RelaxedBody::default(), Vec::new());
        for block in blocks {
            body.push(block, &mut |bytes: &[u8]| out.extend_from_slice(bytes));
        }
        out
    }

    #[test]
    fn the_example_of_the_rfc_is_relaxed() {
        // RFC 6376, section 3.4.5.
        assert_eq!(relaxed_field(b"A: X\r\n"), b"a:X");
        assert_eq!(relaxed_field(b"B : Y\t\r\n\tZ  \r\n"), b"b:Y Z");
        assert_eq!(relaxed(&[b" C \r\nD \t E\r\n\r\n\r\n"]), b" C\r\nD E\r\n");
        assert_eq!(relaxed(&[b""]), b"");
        assert_eq!(relaxed(&[b"\r\n \r\n\t\r\n"]), b"");
    }

    #[test]
    fn relaxing_does_not_depend_on_blocks_and_is_idempotent() {
        let body = b" a\t\tb \r\n\r\n \r\nc\r\n\t\r\nd  e\r\n\r\n\r\n";
        let whole = relaxed(&[body]);
        assert_eq!(whole, b" a b\r\n\r\n\r\nc\r\n\r\nd e\r\n");
        for cut in 0..body.len() {
            assert_eq!(relaxed(&[&body[..cut], &body[cut..]]), whole, "{cut}");
        }
        assert_eq!(relaxed(&[&whole]), whole);
    }

    #[test]
    fn lines_without_white_space_may_skip_the_scan() {
        let (mut body, mut out) = (RelaxedBody::default(), Vec::new());
        let mut sink = |bytes: &[u8]| out.extend_from_slice(bytes);
        body.push(b"\r\n", &mut sink);
        body.push_plain(b"YWJj\r\nZGVm\r\n", &mut sink);
        body.push(b"\r\n\r\n", &mut sink);
        assert_eq!(out, b"\r\nYWJj\r\nZGVm\r\n");
    }

    fn tags() -> Tags<'static> {
        let algorithm = Algorithm::RsaSha256;
        Tags { algorithm, domain: "example.com", selector: "s1", time: 1_700_000_000, body_hash: "aGFzaA==" }
    }

    #[test]
    fn signed_fields_are_listed_protected_ones_once_more_and_bcc_never() {
        let header =
            header::parse(b"Bcc: x\r\nFrom: a\r\nSubject: b\r\nX-Other: c\r\nSubject: d\r\n\r\n", true).unwrap();
        let (field, signed) = unsigned(&tags(), &header.fields);
        let unfolded = field.replace("\r\n ", "");
        assert!(unfolded.contains("h=from:from:reply-to:cc:subject:subject:subject:mime-version:"), "{field}");
        assert!(!field.contains("bcc") && !field.contains("x-other"), "{field}");
        let signed = String::from_utf8(signed).unwrap();
        assert!(
            signed.starts_with("from:a\r\nsubject:d\r\nsubject:b\r\ndkim-signature:v=1; a=rsa-sha256;"),
            "{signed}"
        );
        assert!(signed.ends_with(" bh=aGFzaA==; b="), "{signed}");
    }

    #[test]
    fn the_field_has_short_lines_and_a_size_that_does_not_depend_on_the_signature() {
        let header = header::parse(b"From: a\r\n\r\n", true).unwrap();
        let long = Tags { domain: &"sub.".repeat(20), ..tags() };
        for tags in [tags(), long] {
            let (field, _) = unsigned(&tags, &header.fields);
            let full = complete(field, &"x".repeat(344));
            assert!(full.lines().all(|line| line.len() <= 100), "{full}");
            assert!(full.ends_with("x\r\n") && full.lines().skip(1).all(|line| line.starts_with(' ')), "{full}");
        }
    }
}
