//! Content-Type and Content-Transfer-Encoding (RFC 2045), which determine how a part may be re-encoded.

use super::header::Header;

/// The encoding of the body of an entity (RFC 2045, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// `7bit`, the default.
    SevenBit,
    /// `8bit`.
    EightBit,
    /// `binary`: without lines.
    Binary,
    /// `quoted-printable`.
    QuotedPrintable,
    /// `base64`.
    Base64,
    /// Any other encoding.
    Unknown,
}

impl Transfer {
    /// Whether the body is not encoded.
    pub fn is_identity(self) -> bool {
        matches!(self, Self::SevenBit | Self::EightBit | Self::Binary)
    }

    /// The encoding by a header.
    pub fn of(header: &Header<'_>) -> Self {
        let Some(field) = header.fields.iter().find(|field| field.is("Content-Transfer-Encoding")) else {
            return Self::SevenBit;
        };
        match Parameters::new(&field.unfolded()).token().as_str() {
            "7bit" | "" => Self::SevenBit,
            "8bit" => Self::EightBit,
            "binary" => Self::Binary,
            "quoted-printable" => Self::QuotedPrintable,
            "base64" => Self::Base64,
            _ => Self::Unknown,
        }
    }
}

/// A media type with its boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    /// `type/subtype` in lower case.
    pub essence: String,
    /// The boundary of a multipart.
    pub boundary: Option<Vec<u8>>,
}

impl ContentType {
    /// The media type by a header; `None` without the field.
    pub fn of(header: &Header<'_>) -> Option<Self> {
        let field = header.fields.iter().find(|field| field.is("Content-Type"))?;
        Some(Self::parse(&field.unfolded()))
    }

    /// Reads the value of the field.
    pub fn parse(value: &[u8]) -> Self {
        let mut scan = Parameters::new(value);
        let essence = scan.token();
        let mut boundary = None;
        while scan.skip_to(b';') {
            let name = scan.token();
            if scan.skip_to(b'=') {
                let value = scan.value();
                if name == "boundary" && boundary.is_none() && !value.is_empty() {
                    boundary = Some(value);
                }
            }
        }
        Self { essence, boundary }
    }
}

/// Scans a structured value.
struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Parameters<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    fn skip_blanks_and_comments(&mut self) {
        let (mut depth, mut at) = (0_usize, 0_usize);
        while let Some(byte) = self.rest.get(at) {
            match byte {
                b'(' => depth = depth.saturating_add(1),
                b')' if depth > 0 => depth = depth.saturating_sub(1),
                b'\\' if depth > 0 => at = at.saturating_add(1),
                _ if depth > 0 || byte.is_ascii_whitespace() => {}
                _ => break,
            }
            at = at.saturating_add(1);
        }
        self.rest = self.rest.get(at..).unwrap_or_default();
    }

    /// The next word in lower case; a media type with its slash is one word.
    fn token(&mut self) -> String {
        self.skip_blanks_and_comments();
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b';' | b'=' | b'(' | b'"' | b',');
        let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        String::from_utf8_lossy(word).to_ascii_lowercase()
    }

    /// Skips `sign` if it is next, else up to the next parameter.
    fn skip_to(&mut self, sign: u8) -> bool {
        self.skip_blanks_and_comments();
        let at = match sign {
            b';' => self.rest.iter().position(|byte| *byte == sign),
            _ => self.rest.first().filter(|byte| **byte == sign).map(|_| 0),
        };
        self.rest = at.and_then(|at| self.rest.get(at.saturating_add(1)..)).unwrap_or(self.rest);
        at.is_some()
    }

    /// A quoted string without its quotes, or the bytes up to the next parameter.
    fn value(&mut self) -> Vec<u8> {
        self.skip_blanks_and_comments();
        let Some(quoted) = self.rest.strip_prefix(b"\"") else {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b';' | b'(');
            let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
            self.rest = rest;
            return word.to_vec();
        };
        let (mut value, mut bytes) = (Vec::new(), quoted.iter());
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => break,
                b'\\' => value.extend(bytes.next()),
                _ => value.push(*byte),
            }
        }
        self.rest = bytes.as_slice();
        value
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;
    use crate::proto::header;

    fn boundary(value: &str) -> Option<String> {
        ContentType::parse(value.as_bytes()).boundary.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_boundary_is_found_in_every_form() {
        for value in [
            "multipart/mixed; boundary=a_b",
            "Multipart/Mixed; charset=x; BOUNDARY=\"a_b\"",
            "multipart/mixed (c;d) ; x=\"; boundary=no\"; boundary = (c) a_b (d); y=z",
            "multipart/mixed; broken; boundary=\"a\\_b\"",
        ] {
            assert_eq!(boundary(value).as_deref(), Some("a_b"), "{value}");
            assert_eq!(ContentType::parse(value.as_bytes()).essence, "multipart/mixed");
        }
        assert_eq!(boundary("text/plain; charset=utf-8"), None);
        assert_eq!(boundary("multipart/mixed; boundary=\"\""), None);
    }

    #[test]
    fn encodings_are_case_insensitive() {
        let of = |text: &str| Transfer::of(&header::parse(text.as_bytes(), true).unwrap());
        assert_eq!(of("content-transfer-encoding: BASE64 (why)\n"), Transfer::Base64);
        assert_eq!(of("Content-Transfer-Encoding: Quoted-Printable;\n"), Transfer::QuotedPrintable);
        assert_eq!(of("Content-Transfer-Encoding: x-uuencode\n"), Transfer::Unknown);
        assert_eq!(of("Subject: x\n"), Transfer::SevenBit);
    }
}
