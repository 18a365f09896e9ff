//! Escaping of untrusted bytes for a terminal, a log line or an error message.
//!
//! File names, server replies and names from DNS may hold escape sequences, line breaks or bidirectional controls.
//! [`SafeText`] escapes them and keeps readable text of any script.

use std::fmt::{self, Write};

/// Displays bytes with every control character, invalid UTF-8 byte and backslash escaped.
///
/// `\n`, `\r` and `\t` get their short form, other bytes `\xNN`, invisible and direction-changing characters `\u{NNNN}`.
/// Formatting allocates nothing, and the result holds no byte below 0x20.
#[derive(Debug, Clone, Copy)]
pub struct SafeText<'a>(pub &'a [u8]);

impl fmt::Display for SafeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                write_escaped(character, f)?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn write_escaped(character: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match character {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\\' => f.write_str("\\\\"),
        '\0'..='\x1f' | '\x7f' => write!(f, "\\x{:02x}", u32::from(character)),
        _ if is_deceptive(character) => write!(f, "\\u{{{:x}}}", u32::from(character)),
        _ => f.write_char(character),
    }
}

/// C1 controls and invisible characters that change how text is displayed: separators, bidirectional controls, the BOM.
pub(crate) fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        SafeText(bytes).to_string()
    }

    #[test]
    fn readable_text_of_any_script_stays_as_it_is() {
        assert_eq!(shown("Grüße, 日本, naïve 🚀".as_bytes()), "Grüße, 日本, naïve 🚀");
    }

    #[test]
    fn controls_and_escape_sequences_are_escaped() {
        assert_eq!(shown(b"a\x1b[2Jb\r\n\t\0\x7f"), "a\\x1b[2Jb\\r\\n\\t\\x00\\x7f");
        assert_eq!(shown("\u{9b}31m".as_bytes()), "\\u{9b}31m");
    }

    #[test]
    fn invalid_utf8_is_escaped_byte_by_byte() {
        assert_eq!(shown(b"caf\xe9 \xff"), "caf\\xe9 \\xff");
    }

    #[test]
    fn a_backslash_is_doubled_so_that_escapes_cannot_be_forged() {
        assert_eq!(shown(b"\\x1b"), "\\\\x1b");
    }

    #[test]
    fn bidirectional_controls_are_escaped() {
        assert_eq!(shown("exe\u{202e}gpj".as_bytes()), "exe\\u{202e}gpj");
    }

    #[test]
    fn no_byte_sequence_yields_a_control_character() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                assert!(shown(&[first, second]).chars().all(|c| !c.is_control()));
            }
        }
    }
}
