//! What the first bytes of a file say: text or binary, and the character encoding.

/// Bytes at the start of an HTML page in which its encoding is declared (WHATWG HTML, "Determining the character encoding").
const MAX_PRESCAN: usize = 1024;

/// Whether content is text: no byte of a binary format (WHATWG MIME Sniffing, "binary data byte"), or a mark of UTF-16.
pub(super) fn is_text(start: &[u8]) -> bool {
    let is_binary = |byte: &u8| matches!(byte, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    is_utf_16(start) || !start.iter().take(MAX_PRESCAN).any(is_binary)
}

/// Whether the start of a text is valid UTF-8. If it is not the whole text, a character may be cut at the end.
pub(super) fn is_utf_8(start: &[u8], is_whole: bool) -> bool {
    let is_cut = |error: std::str::Utf8Error| !is_whole && error.error_len().is_none();
    !is_utf_16(start) && std::str::from_utf8(start).map_or_else(is_cut, |_| true)
}

/// Whether an HTML page declares another encoding than UTF-8.
pub(super) fn declares_other_charset(start: &[u8]) -> bool {
    let head = start.get(..MAX_PRESCAN).unwrap_or(start).to_ascii_lowercase();
    if is_utf_16(&head) {
        return true;
    }
    let mut rest = head.as_slice();
    while let Some(at) = memchr::memmem::find(rest, b"<meta") {
        rest = rest.get(at + b"<meta".len()..).unwrap_or_default();
        let tag = rest.split(|byte| *byte == b'>').next().unwrap_or_default();
        if let Some(charset) = charset(tag) {
            return !matches!(charset, b"utf-8" | b"utf8");
        }
    }
    false
}

/// The value of `charset=` in a lower-case tag, as an attribute or inside `content`.
fn charset(tag: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(tag, b"charset")?;
    let value = tag.get(at + b"charset".len()..)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let end =
        value.iter().position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.')));
    value.get(..end.unwrap_or(value.len())).filter(|charset| !charset.is_empty())
}

fn is_utf_16(start: &[u8]) -> bool {
    start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff")
}

/// Whether content is an MPEG transport stream: packets of 188 bytes that begin with a sync byte.
pub(super) fn is_mpeg_ts(start: &[u8]) -> bool {
    start.first() == Some(&0x47) && start.get(188) == Some(&0x47)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_of_a_page_is_that_of_its_first_meta_element() {
        for (page, is_other) in [
            ("<meta charset=utf-8>", false),
            ("<META CHARSET='UTF8'>", false),
            ("<meta name=x><meta charset=\"iso-8859-1\">", true),
            ("<meta http-equiv=Content-Type content=\"text/html; charset = windows-1251\">", true),
            ("<meta charset=utf-8><meta charset=latin1>", false),
            ("<p>charset=latin1", false),
            ("<meta charset=>", false),
            ("", false),
        ] {
            assert_eq!(declares_other_charset(page.as_bytes()), is_other, "{page}");
        }
        assert!(declares_other_charset(b"\xfe\xff"));
        let late = format!("{}<meta charset=latin1>", " ".repeat(MAX_PRESCAN));
        assert!(!declares_other_charset(late.as_bytes()));
    }

    #[test]
    fn text_has_no_control_characters_of_binary_formats() {
        assert!(is_text(b"") && is_text(b"a\tb\r\n\x0c\x1b") && is_text(b"caf\xe9") && is_text(b"\xff\xfea\0"));
        assert!(!is_text(b"\x7fELF\x02") && !is_text(b"a\0"));
    }

    #[test]
    fn a_character_may_be_cut_at_the_end() {
        assert!(is_utf_8("ä".as_bytes(), true) && is_utf_8(b"a\xc3", false) && !is_utf_8(b"a\xc3", true));
        assert!(!is_utf_8(b"\xe9t\xe9", false) && !is_utf_8(b"\xff\xfea\0", false));
    }

    #[test]
    fn a_transport_stream_has_two_sync_bytes() {
        let mut stream = vec![0; 189];
        (stream[0], stream[188]) = (0x47, 0x47);
        assert!(is_mpeg_ts(&stream) && !is_mpeg_ts(b"Grid text") && !is_mpeg_ts(&stream[..188]));
    }
}
