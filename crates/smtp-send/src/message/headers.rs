//! Header fields: folded at 76 columns (RFC 5322, section 2.2.3), other scripts as encoded words (RFC 2047).
//!
//! Values come checked: no CR, LF or other control characters. The words of RFC 2047 and the folding are the business of
//! the email-encoding crate; which parts of a value need them is decided here.

use std::fmt::Write as _;

use email_encoding::headers::rfc2047;
use email_encoding::headers::writer::EmailWriter;

use crate::proto::address::{Mailbox, is_atom_byte};

/// A line has at most 998 bytes (RFC 5322, section 2.1.1); a word that cannot be folded must leave room for its name.
pub(super) const MAX_WORD: usize = 900;
/// A longer run of spaces is encoded: folding keeps a run together, and one can be longer than a line.
const MAX_GAP: usize = 40;

/// Header fields as they are sent, each with its CRLF.
#[derive(Debug, Default, Clone)]
pub struct Headers(String);

impl Headers {
    /// The fields written so far.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Adds a field whose value is text for people, like Subject.
    pub fn text(&mut self, name: &str, value: &str) {
        self.field(name, |writer| write_text(writer, value));
    }

    /// Adds a field whose value is written as it is, on one line.
    pub fn verbatim(&mut self, name: &str, value: &str) {
        self.field(name, |writer| writer.write_str(value));
    }

    /// Adds a field whose value is written as it is, folded at its spaces.
    pub fn folded(&mut self, name: &str, value: &str) {
        self.field(name, |writer| writer.folding().write_str(value));
    }

    /// Adds a field with a list of mailboxes; without any, nothing.
    pub fn mailboxes(&mut self, name: &str, list: &[Mailbox]) {
        if list.is_empty() {
            return;
        }
        self.field(name, |writer| {
            for (number, mailbox) in list.iter().enumerate() {
                if number > 0 {
                    writer.write_char(',')?;
                    writer.space();
                }
                write_mailbox(writer, mailbox)?;
            }
            Ok(())
        });
    }

    fn field(&mut self, name: &str, value: impl FnOnce(&mut EmailWriter<'_>) -> std::fmt::Result) {
        let mut line = format!("{name}:");
        let written = {
            let length = line.len();
            // The space behind the colon is left to the writer, which may fold there.
            let mut writer = EmailWriter::new(&mut line, length, 1, false);
            value(&mut writer)
        };
        debug_assert!(written.is_ok(), "a String takes everything");
        self.0.push_str(line.trim_end_matches(' '));
        self.0.push_str("\r\n");
    }
}

/// Plain words as they are; from the first to the last word that needs it, encoded words.
fn write_text(writer: &mut EmailWriter<'_>, value: &str) -> std::fmt::Result {
    if value.contains(&" ".repeat(MAX_GAP + 1)) {
        return rfc2047::encode(value, writer);
    }
    let words: Vec<&str> = value.split_inclusive(' ').collect();
    let Some(first) = words.iter().position(|word| needs_encoding(word)) else {
        return writer.folding().write_str(value);
    };
    let last = words.iter().rposition(|word| needs_encoding(word)).unwrap_or(first);
    let start = words[..first].concat();
    let encoded = words[first..=last].concat();
    let end = words[last + 1..].concat();
    // The space between an encoded word and a plain one belongs to neither.
    let spaces = encoded.len() - encoded.trim_end_matches(' ').len();
    let (encoded, spaces) =
        if end.is_empty() { (encoded.as_str(), "") } else { encoded.split_at(encoded.len() - spaces) };
    writer.folding().write_str(&start)?;
    rfc2047::encode(encoded, writer)?;
    writer.folding().write_str(spaces)?;
    writer.folding().write_str(&end)
}

fn needs_encoding(word: &str) -> bool {
    !word.is_ascii() || word.contains("=?") || word.len() > MAX_WORD || word.contains('\t')
}

fn write_mailbox(writer: &mut EmailWriter<'_>, mailbox: &Mailbox) -> std::fmt::Result {
    let address = mailbox.address.as_str();
    let Some(name) = &mailbox.name else {
        return writer.folding().write_str(address);
    };
    let plain = name.bytes().all(|byte| is_atom_byte(byte) || byte == b' ');
    let phrase = if plain { name.clone() } else { quoted(name) };
    // Quoting may double a name, so its length counts as it will stand in the line.
    if needs_encoding(name) || phrase.len() > MAX_WORD {
        rfc2047::encode(name, writer)?;
    } else {
        writer.folding().write_str(&phrase)?;
    }
    writer.space();
    writer.folding().write_str(&format!("<{address}>"))
}

/// A quoted string (RFC 5322, section 3.2.4).
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::address::parse_list;

    fn text(value: &str) -> String {
        let mut headers = Headers::default();
        headers.text("Subject", value);
        headers.0
    }

    fn to(list: &str) -> String {
        let mut headers = Headers::default();
        headers.mailboxes("To", &parse_list(list).unwrap());
        headers.0
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(text("Hello, world"), "Subject: Hello, world\r\n");
        assert_eq!(text(""), "Subject:\r\n");
    }

    #[test]
    fn only_the_words_that_need_it_are_encoded() {
        assert_eq!(text("Re: Grüße heute"), "Subject: Re: =?utf-8?b?R3LDvMOfZQ==?= heute\r\n");
    }

    #[test]
    fn what_looks_like_an_encoded_word_is_encoded() {
        assert_eq!(text("=?utf-8?q?x?="), "Subject: =?utf-8?b?PT91dGYtOD9xP3g/PQ==?=\r\n");
    }

    #[test]
    fn long_values_are_folded_and_no_line_is_too_long() {
        for value in ["word ".repeat(60), "grün ".repeat(60), "x".repeat(5000), format!("{} ü", "y".repeat(65))] {
            let field = text(value.trim_end());
            assert!(field.lines().all(|line| line.len() <= 78), "{field}");
            assert!(field.lines().skip(1).all(|line| line.starts_with(' ')), "{field}");
            assert!(field.lines().all(|line| !line.trim().is_empty()), "{field}");
        }
    }

    #[test]
    fn a_run_of_spaces_makes_neither_an_endless_nor_a_blank_line() {
        for gap in [2, 40, 41, 80, 300, 2500] {
            let gap = " ".repeat(gap);
            for value in [format!("a{gap}b"), format!("{gap}x"), format!("{}{gap}{}", "a".repeat(67), "b".repeat(70))] {
                let field = text(&value);
                assert!(field.lines().all(|line| line.len() <= 998 && !line.trim().is_empty()), "{field}");
            }
        }
        assert_eq!(text("One.  Two."), "Subject: One.  Two.\r\n");
    }

    #[test]
    fn a_name_that_grows_by_its_quoting_still_fits_into_a_line() {
        let field = to(&format!("\"{}\" <b@x>", "\\\"".repeat(600)));
        assert!(field.lines().all(|line| line.len() <= 998), "{field}");
    }

    #[test]
    fn names_are_atoms_quoted_strings_or_encoded_words() {
        assert_eq!(to("Bob <b@x>"), "To: Bob <b@x>\r\n");
        assert_eq!(to("\"Last, First \\\"F\\\"\" <b@x>"), "To: \"Last, First \\\"F\\\"\" <b@x>\r\n");
        assert_eq!(to("Jörg <b@x>, c@x"), "To: =?utf-8?b?SsO2cmc=?= <b@x>, c@x\r\n");
    }

    #[test]
    fn a_long_list_is_folded_between_addresses() {
        let list: Vec<String> = (0..40).map(|number| format!("Person {number} <person{number}@example.com>")).collect();
        let field = to(&list.join(", "));
        assert!(field.lines().all(|line| line.len() <= 78), "{field}");
        let unfolded = field.replace("\r\n ", " ");
        assert_eq!(unfolded, format!("To: {}\r\n", list.join(", ")));
    }
}
