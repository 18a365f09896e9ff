//! JSON strings (RFC 8259, section 7) from untrusted bytes.

use std::fmt::{self, Write};

use crate::safe_text::is_deceptive;

/// Displays bytes as a JSON string with its quotes.
///
/// Control characters and invisible characters that change how text is displayed are escaped; each invalid UTF-8
/// sequence becomes U+FFFD; other text stays as it is. Formatting allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct JsonString<'a>(pub &'a [u8]);

impl fmt::Display for JsonString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            chunk.valid().chars().try_for_each(|character| write_escaped(character, f))?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        f.write_char('"')
    }
}

fn write_escaped(character: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match character {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\0'..='\x1f' | '\x7f' => write!(f, "\\u{:04x}", u32::from(character)),
        // All of them are in the basic plane: four digits suffice.
        _ if is_deceptive(character) => write!(f, "\\u{:04x}", u32::from(character)),
        _ => f.write_char(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(bytes: &[u8]) -> String {
        JsonString(bytes).to_string()
    }

    #[test]
    fn readable_text_stays_and_quotes_and_controls_are_escaped() {
        assert_eq!(json("Grüße \"x\" \\ 日本".as_bytes()), r#""Grüße \"x\" \\ 日本""#);
        assert_eq!(json(b"a\n\r\t\0\x1b\x7f"), r#""a\n\r\t\u0000\u001b\u007f""#);
        assert_eq!(json("\u{202e}\u{9b}".as_bytes()), r#""\u202e\u009b""#);
    }

    #[test]
    fn invalid_utf8_becomes_the_replacement_character() {
        assert_eq!(json(b"caf\xe9."), "\"caf\u{fffd}.\"");
    }
}
