//! Back from what was encoded for the way: quoted-printable and base64 (RFC 2045), encoded words (RFC 2047), charsets.
//!
//! What cannot be decoded is said to be so, never guessed.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::proto::mime::Transfer;

/// Padding is often wrong, and nothing depends on it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes of a body as they were before they were encoded.
pub(super) fn body(encoded: &[u8], transfer: Transfer) -> Option<Vec<u8>> {
    match transfer {
        Transfer::SevenBit | Transfer::EightBit | Transfer::Binary => Some(encoded.to_vec()),
        Transfer::QuotedPrintable => Some(quoted_printable(encoded)),
        Transfer::Base64 => {
            BASE64.decode(encoded.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>()).ok()
        }
        Transfer::Unknown => None,
    }
}

/// Text in one of the supported charsets: UTF-8, ASCII, Latin-1.
pub(super) fn text(bytes: Vec<u8>, charset: Option<&str>) -> Option<String> {
    match charset.map(str::to_ascii_lowercase).as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii" | "ascii") => String::from_utf8(bytes).ok(),
        Some("iso-8859-1" | "latin1") => Some(bytes.into_iter().map(char::from).collect()),
        Some(_) => String::from_utf8(bytes).ok().filter(|text| text.is_ascii()),
    }
}

/// The value of a field with its encoded words decoded. Blanks between two of them are no part of the text.
pub(super) fn words(value: &str) -> Option<String> {
    let (mut out, mut rest, mut behind_word) = (String::new(), value, false);
    while let Some(at) = rest.find("=?") {
        let between = &rest[..at];
        if !(behind_word && between.trim().is_empty()) {
            out.push_str(between);
        }
        let word = encoded_word(&rest[at..]);
        behind_word = word.is_some();
        let (text, length) = word.unwrap_or_else(|| (Some("=?".into()), 2));
        out.push_str(&text?);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Some(out)
}

/// The text of the encoded word at the start of `text`, if it can be read, and its length; `None` when there is none.
fn encoded_word(text: &str) -> Option<(Option<String>, usize)> {
    let rest = text.strip_prefix("=?")?;
    let (charset, rest) = rest.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (encoded, behind) = rest.split_once("?=")?;
    if [charset, encoding, encoded].iter().any(|part| part.contains(char::is_whitespace)) {
        return None;
    }
    let bytes = match encoding {
        "q" | "Q" => Some(quoted_printable(encoded.replace('_', " ").as_bytes())),
        "b" | "B" => BASE64.decode(encoded).ok(),
        _ => return None,
    };
    // A language may stand behind the charset (RFC 2231, section 5).
    let charset = charset.split('*').next();
    Some((bytes.and_then(|bytes| self::text(bytes, charset)), text.len() - behind.len()))
}

fn quoted_printable(encoded: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(encoded.len()), encoded);
    while let Some(at) = memchr::memchr(b'=', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match (rest, &rest[blanks..]) {
            (_, [b'\r', b'\n', behind @ ..] | [b'\n', behind @ ..]) => rest = behind,
            ([high, low, behind @ ..], _) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap_or(0)).unwrap_or(0);
                out.push(digit(*high) << 4 | digit(*low));
                rest = behind;
            }
            // What is no code is text.
            _ => out.push(b'='),
        }
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_read_and_what_only_looks_like_one_stays() {
        for (value, text) in [
            ("=?utf-8?b?R3LDvMOfZQ==?= {name}", "Grüße {name}"),
            ("=?UTF-8?Q?Gr=C3=BC=C3=9Fe=2C_?=\t =?iso-8859-1*de?q?=FC?=", "Grüße, ü"),
            ("a =?b c =?x?q", "a =?b c =?x?q"),
            ("plain", "plain"),
        ] {
            assert_eq!(words(value).as_deref(), Some(text), "{value}");
        }
        assert_eq!(words("=?koi8-r?b?8PDw?="), None);
    }

    #[test]
    fn bodies_are_read_as_they_were() {
        let quoted = b"Gr=C3=BC=C3=9Fe =\r\n{na=\nme} =XX =";
        assert_eq!(body(quoted, Transfer::QuotedPrintable).unwrap(), "Grüße {name} =XX =".as_bytes());
        assert_eq!(body(b"e25h\r\nbWV9", Transfer::Base64).unwrap(), b"{name}");
        assert_eq!(body(b"*", Transfer::Base64), None);
    }
}
